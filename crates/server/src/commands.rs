//! The commands that talk to a server, or to nobody.
//!
//! A command is a call and the fields that people see of the answer; what is common to all stands here.

pub mod account;
pub mod api_token;
pub mod app;
pub mod bulk;
pub mod config;
pub mod export;
pub mod group;
pub mod import;
pub mod jobs;
pub mod key;
pub mod ledger;
pub mod nodes;
pub mod org;
pub mod policy;
pub mod role;
pub mod rotate;
mod scopes;
pub mod session;
pub mod token;
pub mod verify;
pub mod version;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::ask;
use crate::client::{Call, Client, Connection};
use crate::failure::Failure;
use crate::output::{self, Field, Output};

/// The most that the server puts on one page.
const PAGE: u32 = 1000;

/// A server, and how its answers are printed.
pub struct Remote {
    /// The way there.
    pub client: Client,
    /// The way to the person or script.
    pub output: Output,
}

impl Remote {
    /// Takes the token from the environment or the file that the connection names.
    pub fn new(connection: &Connection, output: Output) -> Result<Self, Failure> {
        let token = connection.token()?;
        if token.is_none() {
            return Err(Failure::Usage(
                "no token: set TOKENHOUSE_TOKEN, or give --token-file FILE; `tokenhouse login` makes one".to_owned(),
            ));
        }
        Ok(Self { client: Client::new(connection, token.as_ref())?, output })
    }

    /// Sends, and prints the object that comes back.
    pub async fn object(&self, call: Call, fields: &[Field]) -> Result<(), Failure> {
        let answer = self.client.send(&call).await?;
        self.output.object(fields, &answer)
    }

    /// Sends, and prints the list that comes back.
    pub async fn list(&self, call: Call, page: &Page, fields: &[Field]) -> Result<(), Failure> {
        self.list_or(call, page, fields, output::NONE).await
    }

    /// The same, saying something of its own where the list is empty.
    pub async fn list_or(&self, call: Call, page: &Page, fields: &[Field], empty: &str) -> Result<(), Failure> {
        let mut answer = self.client.send(&page.ask(&call, page.cursor.as_deref())).await?;
        if page.all {
            let mut items = take_items(&mut answer);
            while let Some(next) = next_cursor(&answer) {
                answer = self.client.send(&page.ask(&call, Some(&next))).await?;
                items.append(&mut take_items(&mut answer));
            }
            answer = json!({ "items": items, "next": null });
        }
        self.output.list_or(fields, &answer, empty)?;
        match next_cursor(&answer) {
            Some(next) if !self.output.json => {
                self.output.note(&format!("There are more: --all lists them all, --cursor {next} the next ones."))
            }
            _ => Ok(()),
        }
    }

    /// How many items a list has, counted page by page; `None` where we may not see them.
    pub async fn count(&self, call: Call) -> Result<Option<usize>, Failure> {
        let page = Page { all: true, limit: None, cursor: None };
        let (mut count, mut cursor) = (0, None);
        loop {
            let mut answer = match self.client.send(&page.ask(&call, cursor.as_deref())).await {
                Ok(answer) => answer,
                Err(Failure::Problem(problem)) if problem.status == 403 => return Ok(None),
                Err(failure) => return Err(failure),
            };
            count += take_items(&mut answer).len();
            match next_cursor(&answer) {
                Some(next) => cursor = Some(next),
                None => return Ok(Some(count)),
            }
        }
    }

    /// Shows what a call will hit, asks, and only then sends it.
    pub async fn destroy(&self, caution: &Caution, hit: &Hit<'_>, call: Call, fields: &[Field]) -> Result<(), Failure> {
        if caution.dry_run && self.output.json {
            return self
                .output
                .json(&json!({ "dry_run": true, "would": hit.verb, "target": hit.object, "also": hit.also_json() }));
        }
        let rows = hit.fields.iter().map(|field| vec![field.0.to_owned(), field.told(hit.object)]);
        let also = hit.also.iter().map(|(title, said)| vec![(*title).to_owned(), said.clone()]);
        let shown = output::table(Vec::new(), rows.chain(also));
        if caution.dry_run {
            output::print_text(&shown)?;
            return self.output.note(&format!("Dry run: this would {}. Nothing was changed.", hit.verb));
        }
        if !caution.yes {
            self.output.note(&shown)?;
            match ask::confirmed(&format!("This will {}. Go on?", hit.verb))? {
                Some(true) => {}
                Some(false) => return Err(Failure::Other("not confirmed: nothing was changed".to_owned())),
                None => {
                    return Err(Failure::Usage(format!(
                        "nobody can be asked whether to {}: give --yes, or look first with --dry-run. Nothing was changed",
                        hit.verb
                    )));
                }
            }
        }
        self.object(call, fields).await
    }
}

/// What something that destroys is about to hit.
pub struct Hit<'a> {
    /// What will be done, e.g. "revoke this token".
    pub verb: &'a str,
    /// The object as it is now.
    pub object: &'a Value,
    /// What people need to see of it.
    pub fields: &'a [Field],
    /// What goes with it, e.g. the number of its tokens.
    pub also: Vec<(&'static str, String)>,
}

impl Hit<'_> {
    fn also_json(&self) -> Value {
        self.also.iter().map(|(title, said)| ((*title).to_owned(), Value::from(said.as_str()))).collect()
    }
}

/// The id that an object has; commands go on with it, so that what was shown is what is hit.
pub fn id_of(object: &Value) -> Result<String, Failure> {
    let id = object.get("id").and_then(Value::as_str);
    id.map(ToOwned::to_owned).ok_or_else(|| Failure::Other("the server's answer has no id".to_owned()))
}

/// A choice among the arguments, as the server calls it.
pub fn word(choice: impl ValueEnum) -> Option<String> {
    choice.to_possible_value().map(|known| known.get_name().to_owned())
}

/// A count for people.
pub fn told_count(count: Option<usize>) -> String {
    count.map_or_else(|| "not visible to you".to_owned(), |count| count.to_string())
}

fn take_items(answer: &mut Value) -> Vec<Value> {
    match answer.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    }
}

fn next_cursor(answer: &Value) -> Option<String> {
    answer.get("next").and_then(Value::as_str).map(ToOwned::to_owned)
}

/// Which part of a list.
#[derive(Args, Debug)]
pub struct Page {
    /// All of it, however long
    #[arg(long, conflicts_with = "cursor")]
    pub all: bool,
    /// At most so many at once, 1 to 1000 (default: 100)
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=i64::from(PAGE)), value_name = "COUNT")]
    pub limit: Option<u32>,
    /// Go on where an earlier page ended
    #[arg(long, value_name = "CURSOR")]
    pub cursor: Option<String>,
}

impl Page {
    fn ask(&self, call: &Call, cursor: Option<&str>) -> Call {
        let limit = self.limit.or(self.all.then_some(PAGE));
        call.clone().query("limit", limit).query("cursor", cursor)
    }
}

/// How careful to be with what can't be undone.
#[derive(Args, Debug)]
pub struct Caution {
    /// Show what it would hit, and stop
    #[arg(long, conflicts_with = "yes")]
    pub dry_run: bool,
    /// Don't ask
    #[arg(long, short)]
    pub yes: bool,
}

/// Only here to be refused: arguments can be read by others.
#[derive(Args, Debug)]
pub struct NoPassword {
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "", value_name = "SECRET")]
    password: Option<String>,
}

impl NoPassword {
    /// Refuses a password that was given as an argument.
    pub fn check(&self) -> Result<(), Failure> {
        match self.password {
            Some(_) => {
                Err(ask::refused_argument("a password", "it on standard input, or in a file by --password-file FILE"))
            }
            None => Ok(()),
        }
    }
}
