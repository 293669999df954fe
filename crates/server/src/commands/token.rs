//! `tokenhouse token`

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use tokenhouse_model::SecretText;

use super::bulk;
use super::export::Writing;
use super::import::Import;
use super::rotate::Rotate;
use super::{Caution, Hit, Page, Remote, id_of, word};
use crate::client::Call;
use crate::failure::Failure;
use crate::output::Form::{Day, List, Scopes, Seconds, Text, Time, TimeIfAny};
use crate::output::{Field, print_text, proof, table};
use crate::replace::Replacement;
use crate::times::{self, Moment};

pub(super) const TOKENS: &[Field] = &[
    Field("ID", "/id", Text),
    Field("Kind", "/kind", Text),
    Field("Owner", "/owner_identifier", Text),
    Field("Name", "/name", Text),
    Field("State", "/state", Text),
    Field("Expires", "/expires_at", Day),
    Field("Last used", "/last_used_at", Day),
    Field("From", "/last_used_address", Text),
];

pub(super) const TOKEN: &[Field] = &[
    Field("ID", "/id", Text),
    Field("Name", "/name", Text),
    Field("Kind", "/kind", Text),
    Field("Owner", "/owner_identifier", Text),
    Field("State", "/state", Text),
    Field("Scopes", "/scopes", Scopes),
    Field("Reach", "/reach", List),
    Field("Integration", "/integration", Text),
    Field("Created", "/created_at", TimeIfAny),
    Field("Good from", "/not_before", TimeIfAny),
    Field("Expires", "/expires_at", Time),
    Field("Idle limit", "/idle_seconds", Seconds),
    Field("Only from", "/cidrs", List),
    Field("Last used", "/last_used_at", Time),
    Field("Last used from", "/last_used_address", Text),
    Field("Revoked", "/revoked_at", TimeIfAny),
    Field("Secrets", "/secrets", List),
];

const USAGE: &[Field] = &[
    Field("Day", "/day", Day),
    Field("Outcome", "/outcome", Text),
    Field("Count", "/count", Text),
    Field("Last", "/last_at", Time),
    Field("Addresses", "/addresses", List),
];

/// The kinds of tokens.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Kind {
    /// A person's own
    User,
    /// A service account's
    Service,
    /// Exchangeable for access tokens
    Api,
    /// An app's client secret
    #[value(name = "client_secret")]
    ClientSecret,
    /// Made by signing in
    Session,
    /// The org's own
    Org,
}

/// The states of tokens that a list can be narrowed to.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum State {
    /// Neither deactivated nor revoked; it may be past its end
    Active,
    /// Deactivated: it can be reactivated
    Inactive,
    /// For good
    Revoked,
}

/// `tokenhouse token ...`
#[derive(Subcommand, Debug)]
pub enum Command {
    /// List tokens: your own, or all that you may see
    List {
        /// Only those of this account (id or identifier)
        #[arg(long)]
        owner: Option<String>,
        /// Only this kind
        #[arg(long)]
        kind: Option<Kind>,
        /// Only in this state
        #[arg(long)]
        state: Option<State>,
        #[command(flatten)]
        page: Page,
    },
    /// Issue a token; its secret is printed once, alone on standard output
    Issue(Box<Issue>),
    /// Take in tokens that other systems made, with the secrets that their holders have
    Import(Box<Import>),
    /// Show one token
    Show {
        /// The token's id, or self
        id: String,
    },
    /// Give a token another name
    Rename {
        /// The token's id, or self
        id: String,
        /// The new name
        name: String,
    },
    /// Change when a token ends
    Expire {
        /// The token's id, or self
        id: String,
        /// 90d, 2027-01-01, 2027-01-01T12:00:00Z, or never
        #[arg(value_parser = times::moment)]
        when: Moment,
    },
    /// Stop a token until it is reactivated
    Deactivate {
        /// The token's id, or self
        id: String,
        #[command(flatten)]
        caution: Caution,
    },
    /// Let a deactivated token work again
    Reactivate {
        /// The token's id
        id: String,
    },
    /// Give a token a new secret; with --self --write, replace the one in a script's file
    Rotate(Rotate),
    /// End a token for good, or with --search every one that is found
    #[command(group = ArgGroup::new("which").required(true).args(["id", "conditions"]))]
    Revoke {
        /// The token's id, or self
        id: Option<String>,
        #[command(flatten)]
        search: bulk::Search,
        #[command(flatten)]
        caution: Caution,
    },
    /// Print all tokens that you may see, oldest first; never a secret
    Export {
        /// Only those of this account (id or identifier)
        #[arg(long)]
        owner: Option<String>,
        /// Only this kind
        #[arg(long)]
        kind: Option<Kind>,
        /// Only in this state
        #[arg(long)]
        state: Option<State>,
        #[command(flatten)]
        writing: Writing,
    },
    /// Show when and from where a token was used, and how that ended
    Usage {
        /// The token's id, or self
        id: String,
    },
}

/// `tokenhouse token issue`
#[derive(Args, Debug)]
pub struct Issue {
    /// What people know it by
    #[arg(long)]
    name: Option<String>,
    /// The service account that it is for (id or identifier); default: yourself
    #[arg(long, value_name = "ACCOUNT")]
    owner: Option<String>,
    /// A permission that it has, of its owner's; repeat, or separate by commas. Default: all of them
    #[arg(long = "scope", value_delimiter = ',', value_name = "PERMISSION")]
    scopes: Vec<String>,
    /// It has no permission at all: it only proves who it is
    #[arg(long, conflicts_with = "scopes")]
    no_scopes: bool,
    /// Where it works: native, verify, wavefront, csp, splunk; repeat, or separate by commas
    #[arg(long, value_delimiter = ',', value_name = "SURFACE")]
    reach: Vec<String>,
    /// For a service account: the integration whose proxies it is for, which decides scopes and reach. An onboarded org
    /// asks for it
    #[arg(long, value_name = "NAME", conflicts_with_all = ["scopes", "no_scopes", "reach"])]
    integration: Option<String>,
    /// It does not work before: in 2h, 2027-01-01
    #[arg(long, value_parser = times::moment, value_name = "WHEN")]
    not_before: Option<Moment>,
    /// When it ends: 90d, 2027-01-01, never
    #[arg(long, value_parser = times::moment, value_name = "WHEN", conflicts_with = "lifetime")]
    expires: Option<Moment>,
    /// How long it lives: 30d, 12h
    #[arg(long, value_parser = times::duration, value_name = "DURATION")]
    lifetime: Option<u64>,
    /// It ends when it lies unused for so long: 7d; one hour at least
    #[arg(long, value_parser = times::duration, value_name = "DURATION")]
    idle: Option<u64>,
    /// It works only from these addresses: 10.0.0.0/8, 2001:db8::/32; repeat, or separate by commas
    #[arg(long = "cidr", value_delimiter = ',', value_name = "RANGE")]
    cidrs: Vec<String>,
    /// Write the secret to this file (mode 0600), and print it nowhere
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// With --write: replace a file that is there
    #[arg(long, requires = "write")]
    force: bool,
}

/// Runs one of them, [`Command::Rotate`] excepted: its token may come from its own file.
pub async fn run(command: Command, remote: &Remote) -> Result<(), Failure> {
    match command {
        Command::List { owner, kind, state, page } => {
            let call = Call::get(&["tokens"]).query("owner", owner).query("kind", kind.and_then(word));
            remote.list(call.query("state", state.and_then(word)), &page, TOKENS).await
        }
        Command::Issue(issue) => run_issue(remote, &issue).await,
        Command::Import(import) => super::import::run(&import, remote).await,
        Command::Show { id } => remote.object(Call::get(&["tokens", &id]), TOKEN).await,
        Command::Rename { id, name } => {
            remote.object(Call::patch(&["tokens", &id]).body(json!({ "name": name })), TOKEN).await
        }
        Command::Expire { id, when } => {
            let body = json!({ "expires_at": when.at(times::now()) });
            remote.object(Call::patch(&["tokens", &id]).exact_body(body), TOKEN).await
        }
        Command::Deactivate { id, caution } => end(remote, &id, &caution, "deactivate", "deactivate this token").await,
        Command::Reactivate { id } => remote.object(Call::post(&["tokens", &id, "reactivate"]), TOKEN).await,
        Command::Rotate(_) => Err(Failure::Usage("rotate makes its own way to the server".to_owned())),
        Command::Revoke { id: Some(id), caution, .. } => {
            end(remote, &id, &caution, "revoke", "revoke this token, for good").await
        }
        Command::Revoke { id: None, search, caution } => bulk::revoke(remote, &search, &caution).await,
        Command::Export { owner, kind, state, writing } => {
            let call = Call::get(&["tokens", "export"]).query("owner", owner).query("kind", kind.and_then(word));
            writing.run(remote, call.query("state", state.and_then(word))).await
        }
        Command::Usage { id } => {
            let answer = remote.client.send(&Call::get(&["tokens", &id, "usage"])).await?;
            remote.output.list(USAGE, &answer)
        }
    }
}

async fn end(remote: &Remote, id: &str, caution: &Caution, what: &str, verb: &str) -> Result<(), Failure> {
    let object = remote.client.send(&Call::get(&["tokens", id])).await?;
    let call = Call::post(&["tokens", &id_of(&object)?, what]);
    remote.destroy(caution, &Hit { verb, object: &object, fields: TOKEN, also: Vec::new() }, call, TOKEN).await
}

async fn run_issue(remote: &Remote, issue: &Issue) -> Result<(), Failure> {
    let now = times::now();
    let some = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
    let (expires_at, lifetime) = match issue.expires {
        // Counted by the server's clock, which is the one that will end it.
        Some(Moment::After(seconds)) => (None, Some(seconds)),
        expires => (expires.and_then(|moment| moment.at(now)), issue.lifetime),
    };
    let body = json!({
        "name": issue.name,
        "owner": issue.owner,
        "scopes": if issue.no_scopes { Some(Vec::new()) } else { some(&issue.scopes) },
        "reach": some(&issue.reach),
        "integration": issue.integration,
        "not_before": issue.not_before.and_then(|moment| moment.at(now)),
        "expires_at": expires_at,
        "lifetime_seconds": lifetime,
        "idle_seconds": issue.idle,
        "cidrs": some(&issue.cidrs),
    });
    let file = match &issue.write {
        Some(path) if !issue.force && std::fs::metadata(path).is_ok_and(|meta| meta.len() > 0) => {
            return Err(Failure::Usage(format!("{} is there already: --force replaces it", path.display())));
        }
        Some(path) => Some(Replacement::prepare(path, false)?),
        None => None,
    };
    let mut token = remote.client.send(&Call::post(&["tokens"]).body(body).repeatable()).await?;
    if issue.expires == Some(Moment::Never) && token.get("expires_at").and_then(Value::as_i64).is_some() {
        remote.output.note("The org's policy gives it an end all the same.")?;
    }
    match file {
        Some(file) => {
            let secret = take_secret(&mut token)?;
            file.commit(&secret).map_err(|failure| after(&token, failure))?;
            remote.output.object(TOKEN, &token)
        }
        None => print_once(remote, token, TOKEN),
    }
}

/// Prints a new secret alone on standard output, so that `$(tokenhouse token issue)` is the secret; what else is to say
/// goes to standard error.
pub(super) fn print_once(remote: &Remote, mut token: Value, fields: &[Field]) -> Result<(), Failure> {
    if remote.output.json {
        return remote.output.json(&token).map_err(|failure| after(&token, failure));
    }
    let secret = take_secret(&mut token)?;
    let rows = fields.iter().map(|field| vec![field.0.to_owned(), field.told(&token)]);
    remote.output.note(&table(Vec::new(), rows))?;
    if let Some(proof) = proof(&token) {
        remote.output.note(&format!("\n{proof}"))?;
    }
    remote.output.note("The secret, shown this once:")?;
    print_text(secret.expose()).map_err(|failure| after(&token, failure))
}

/// The secret goes out of the answer: what is printed of the rest holds none.
pub(super) fn take_secret(token: &mut Value) -> Result<SecretText, Failure> {
    match token.as_object_mut().and_then(|members| members.remove("secret")) {
        Some(Value::String(text)) => Ok(SecretText::new(text)),
        _ => Err(Failure::Other("the server's answer has no secret".to_owned())),
    }
}

/// The token exists, but its secret reached nobody: the person must know which one to revoke or rotate.
fn after(token: &Value, failure: Failure) -> Failure {
    let id = token.get("client_id").or_else(|| token.get("id")).and_then(Value::as_str).unwrap_or("?");
    match failure {
        Failure::OutputClosed => Failure::Other("the output was closed before the secret could be printed".to_owned()),
        other => other,
    }
    .and(&format!("{id} was made all the same: revoke it, or rotate it to get a secret."))
}
