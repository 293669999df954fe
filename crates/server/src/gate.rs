//! The gate's own listener and rules, as the settings name them.

use std::ops::Range;
use std::path::Path;

use serde::Deserialize;
use tokenhouse_authority::{Ctx, orgs};
use tokenhouse_model::gate::{METHODS, MOST_RULES, Pattern, Rule, Rules, host};
use tokenhouse_model::{Kinds, Result, TokenKind, Uuid, permission};
use toml::Spanned;

use crate::config::{Config, Fault, Faults};
use crate::failure::Failure;
use crate::listen::Listener;

/// What the gate needs before anyone is served.
pub struct Gate {
    /// Its own listener, where it has one.
    pub listener: Option<Listener>,
    /// Its rules, where there are any.
    pub rules: Option<Rules>,
}

impl Gate {
    /// Reads the rules and binds the address.
    ///
    /// # Errors
    /// Every mistake in the rules; the address is taken or not ours.
    pub async fn open(config: &Config) -> Result<Self, Failure> {
        let rules =
            config.gate.rules.as_deref().map(rules).transpose().map_err(|faults| Failure::Settings(Faults(faults)))?;
        let listener = match config.gate.listen {
            Some(address) => Some(Listener::plain("gate.listen", address, config.http.connections).await?),
            None => None,
        };
        Ok(Self { listener, rules })
    }
}

/// The org whose gateways reach the gate's own listener.
///
/// # Errors
/// There is no such org.
pub async fn org(config: &Config, ctx: &Ctx) -> Result<Uuid, Failure> {
    let given = config.gate.org.as_deref().unwrap_or_default();
    let found = orgs::named(ctx, given).await?;
    let none = || Failure::Settings(Faults(vec![Fault::of("gate.org", format!("there is no org {given:?}"))]));
    found.map(|org| org.id).ok_or_else(none)
}

/// The longest file of rules, in bytes.
const LONGEST: u64 = 1 << 20;

/// Reads a file of rules.
///
/// # Errors
/// Every mistake, with its line.
pub fn rules(path: &Path) -> Result<Rules, Vec<Fault>> {
    let fault = |what: String| vec![Fault::of("gate.rules", what)];
    let shown = path.display();
    let unreadable = |error: std::io::Error| fault(format!("{shown} can't be read: {error}"));
    if std::fs::metadata(path).map_err(unreadable)?.len() > LONGEST {
        return Err(fault(format!("{shown} is longer than {LONGEST} bytes")));
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    parse(&text).map_err(|mistakes| {
        let told = |Mistake { at, what }: Mistake| {
            Fault::of("gate.rules", format!("{shown}, line {}: {what}", line(&text, at)))
        };
        mistakes.into_iter().map(told).collect()
    })
}

/// The line of a place in a text.
fn line(text: &str, at: usize) -> usize {
    text.get(..at).unwrap_or(text).matches('\n').count() + 1
}

/// Something wrong, and where it begins.
#[derive(Debug)]
struct Mistake {
    at: usize,
    what: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rule: Vec<Spanned<Row>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    methods: Option<Words>,
    host: Option<Spanned<String>>,
    path: Spanned<String>,
    permission: Option<Spanned<String>>,
    kinds: Option<Words>,
}

type Words = Spanned<Vec<Spanned<String>>>;

fn parse(text: &str) -> Result<Rules, Vec<Mistake>> {
    let file: File = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span: Range<usize>| span.start);
        vec![Mistake { at, what: error.message().to_owned() }]
    })?;
    if file.rule.is_empty() {
        return Err(vec![Mistake { at: 0, what: "there is no [[rule]]: every request would be refused".to_owned() }]);
    }
    if let Some(beyond) = file.rule.get(MOST_RULES) {
        return Err(vec![Mistake {
            at: beyond.span().start,
            what: format!("there may be at most {MOST_RULES} rules"),
        }]);
    }
    let mut mistakes = Vec::new();
    let mut rules: Vec<(usize, Rule)> = Vec::new();
    for row in &file.rule {
        if let Some(rule) = read(row.get_ref(), &mut mistakes) {
            rules.push((row.span().start, rule));
        }
    }
    for (number, (at, rule)) in rules.iter().enumerate() {
        if let Some((earlier, _)) = rules.iter().take(number).find(|(_, earlier)| earlier.covers(rule)) {
            let what = format!("never asked: the rule in line {} is about all of its requests", line(text, *earlier));
            mistakes.push(Mistake { at: *at, what });
        }
    }
    if !mistakes.is_empty() {
        mistakes.sort_by_key(|mistake| mistake.at);
        return Err(mistakes);
    }
    Ok(Rules::new(rules.into_iter().map(|(_, rule)| rule).collect()))
}

/// One rule; `None` if there is a mistake in it.
fn read(row: &Row, mistakes: &mut Vec<Mistake>) -> Option<Rule> {
    let before = mistakes.len();
    let mut wrong = |at: Range<usize>, what: String| mistakes.push(Mistake { at: at.start, what });
    let mut methods = Vec::new();
    if let Some(given) = &row.methods {
        for method in given.get_ref() {
            if METHODS.contains(&method.get_ref().as_str()) {
                methods.push(method.get_ref().clone());
            } else {
                wrong(method.span(), format!("methods must be some of {}", METHODS.join(" ")));
            }
        }
        if given.get_ref().is_empty() {
            wrong(given.span(), "methods names none; leave it out for any".to_owned());
        }
    }
    let mut kinds = Kinds::ANY;
    if let Some(given) = &row.kinds {
        kinds = Kinds::NONE;
        for kind in given.get_ref() {
            match TokenKind::parse(kind.get_ref()).ok().filter(|kind| kind.bearer()) {
                Some(kind) => kinds = kinds.and(kind),
                None => wrong(kind.span(), "kinds must be some of user service session org".to_owned()),
            }
        }
        if given.get_ref().is_empty() {
            wrong(given.span(), "kinds names none; leave it out for any".to_owned());
        }
    }
    if let Some(given) = &row.host
        && host(given.get_ref().as_bytes()) != Ok(given.get_ref())
    {
        wrong(given.span(), "host must be a host's name or address, without port".to_owned());
    }
    if let Some(given) = &row.permission
        && let Err(error) = permission::check(given.get_ref())
    {
        wrong(given.span(), error.message().to_owned());
    }
    let path =
        Pattern::parse(row.path.get_ref()).map_err(|what| wrong(row.path.span(), format!("path {what}"))).ok()?;
    let taken = |text: &Spanned<String>| text.get_ref().clone();
    let host = row.host.as_ref().map(|host| host.get_ref().to_ascii_lowercase());
    let rule = Rule { methods, host, path, permission: row.permission.as_ref().map(taken), kinds };
    (mistakes.len() == before).then_some(rule)
}

#[cfg(test)]
mod tests;
