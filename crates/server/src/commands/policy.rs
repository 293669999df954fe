//! `tokenhouse policy`

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};
use serde_json::{Map, Value};

use super::token::Kind;
use super::{Remote, word};
use crate::client::Call;
use crate::failure::Failure;
use crate::output::Field;
use crate::output::Form::{Seconds, Text};
use crate::times;

const KINDS: &[Field] = &[
    Field("Kind", "/kind", Text),
    Field("Limit", "/limit", Text),
    Field("Longest life", "/max_lifetime_seconds", Seconds),
    Field("Life if not asked", "/default_lifetime_seconds", Seconds),
    Field("Longest idle", "/max_idle_seconds", Seconds),
];

const SWITCHES: &[Field] = &[
    Field("Tokens may be given a wider reach", "/widen_reach", Text),
    Field("Secrets can be shown again where a dialect asks for it", "/recoverable", Text),
    Field("A user token counts as an administrator's session", "/session_by_user_token", Text),
];

/// `tokenhouse policy ...`
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Show the org's rules
    Show,
    /// Change some of the org's rules; the others stay
    Set(Box<Set>),
}

/// A length of time, or no bound.
#[derive(Clone, Copy, Debug)]
pub struct Bound(Option<u64>);

fn bound(text: &str) -> Result<Bound, String> {
    match text {
        "none" => Ok(Bound(None)),
        text => times::duration(text).map(|seconds| Bound(Some(seconds))).map_err(|said| format!("{said}, or none")),
    }
}

/// What to change.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("change").required(true).multiple(true).args([
    "limit", "max_lifetime", "default_lifetime", "max_idle", "widen_reach", "recoverable", "session_by_user_token", "file",
]))]
pub struct Set {
    /// The kind of token that the bounds are for
    #[arg(long)]
    kind: Option<Kind>,
    /// How many live ones an account may have
    #[arg(long, requires = "kind", value_name = "COUNT")]
    limit: Option<u32>,
    /// The longest life that may be asked for: 90d, or none
    #[arg(long, requires = "kind", value_parser = bound, value_name = "DURATION")]
    max_lifetime: Option<Bound>,
    /// The life of one for which none was asked: 30d, or none
    #[arg(long, requires = "kind", value_parser = bound, value_name = "DURATION")]
    default_lifetime: Option<Bound>,
    /// How long one may lie unused: 14d, or none
    #[arg(long, requires = "kind", value_parser = bound, value_name = "DURATION")]
    max_idle: Option<Bound>,
    /// Whether a token may be given a wider reach than the way it was made gives it
    #[arg(long, value_name = "true|false")]
    widen_reach: Option<bool>,
    /// Whether secrets are kept so that a dialect can show them again
    #[arg(long, value_name = "true|false")]
    recoverable: Option<bool>,
    /// Whether a user token of an administrator counts as a session
    #[arg(long, value_name = "true|false")]
    session_by_user_token: Option<bool>,
    /// Put the whole policy in place from this JSON file, as `policy show --json` prints it
    #[arg(long, value_name = "FILE", conflicts_with_all = [
        "kind", "limit", "max_lifetime", "default_lifetime", "max_idle", "widen_reach", "recoverable", "session_by_user_token",
    ])]
    file: Option<PathBuf>,
}

/// Runs one of them.
pub async fn run(command: Command, remote: &Remote) -> Result<(), Failure> {
    let answer = match command {
        Command::Show => remote.client.send(&Call::get(&["policy"])).await?,
        Command::Set(set) => {
            let policy = match &set.file {
                Some(path) => whole(path)?,
                None => changed(remote.client.send(&Call::get(&["policy"])).await?, &set)?,
            };
            remote.client.send(&Call::put(&["policy"]).exact_body(policy)).await?
        }
    };
    if remote.output.json {
        return remote.output.json(&answer);
    }
    let row = |(kind, bounds): (&String, &Value)| {
        let mut row = bounds.as_object().cloned().unwrap_or_default();
        row.insert("kind".to_owned(), kind.as_str().into());
        Value::Object(row)
    };
    let kinds: Vec<Value> = answer.get("kinds").and_then(Value::as_object).into_iter().flatten().map(row).collect();
    remote.output.list(KINDS, &serde_json::json!({ "items": kinds }))?;
    remote.output.object(SWITCHES, &answer)
}

fn whole(path: &std::path::Path) -> Result<Value, Failure> {
    let wrong = |why: String| Failure::Usage(format!("{}: {why}", path.display()));
    let text = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    serde_json::from_slice(&text).map(without_receipt).map_err(|error| wrong(error.to_string()))
}

fn changed(policy: Value, set: &Set) -> Result<Value, Failure> {
    let mut policy = without_receipt(policy);
    if let Some(name) = set.kind.and_then(word) {
        let bounds = policy.get_mut("kinds").and_then(|kinds| kinds.get_mut(&name)).and_then(Value::as_object_mut);
        let bounds = bounds.ok_or_else(|| Failure::Other(format!("the server's policy has no kind {name}")))?;
        put(bounds, "limit", set.limit.map(Value::from));
        put(bounds, "max_lifetime_seconds", set.max_lifetime.map(|Bound(seconds)| seconds.into()));
        put(bounds, "default_lifetime_seconds", set.default_lifetime.map(|Bound(seconds)| seconds.into()));
        put(bounds, "max_idle_seconds", set.max_idle.map(|Bound(seconds)| seconds.into()));
    }
    if let Value::Object(members) = &mut policy {
        put(members, "widen_reach", set.widen_reach.map(Value::from));
        put(members, "recoverable", set.recoverable.map(Value::from));
        put(members, "session_by_user_token", set.session_by_user_token.map(Value::from));
    }
    Ok(policy)
}

/// What was not given stays; what was given as "none" becomes null.
fn put(members: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    if let Some(value) = value {
        members.insert(name.to_owned(), value);
    }
}

/// A change's answer is the policy with its receipt; the receipt is no part of a policy.
fn without_receipt(mut policy: Value) -> Value {
    if let Value::Object(members) = &mut policy {
        members.remove("receipt");
    }
    policy
}
