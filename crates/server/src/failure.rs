//! How a command fails: what people are told, and the exit code that scripts go by.

use std::fmt;
use std::io;
use std::process::ExitCode;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::config::Faults;

/// The exit codes, as `--help` documents them.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed
  2  usage: the arguments, or a value in them, are wrong; or a question could not be asked
  3  not found
  4  refused: not signed in, or not allowed
  5  conflict: duplicate, limit reached, or not lawful in this state
  6  unavailable: the server can't be reached, or can't do it now
  7  verify: the credential is not active";

/// What a command can fail with.
#[derive(Debug)]
pub enum Failure {
    /// The arguments don't fit together, or a question could not be asked.
    Usage(String),
    /// The server refused, and says why.
    Problem(Box<Problem>),
    /// The server gave no answer, or the answer was lost on its way.
    Unreachable(String),
    /// What was asked for is not in this machine's own database.
    NotFound(String),
    /// Something else is at work on the same thing.
    Conflict(String),
    /// Verify says that the credential is not active; the answer has been printed.
    NotActive,
    /// The settings are wrong.
    Settings(Faults),
    /// The reader of our output went away, which is its good right (`| head`).
    OutputClosed,
    /// Anything else.
    Other(String),
}

impl Failure {
    /// The exit code.
    pub fn exit(&self) -> u8 {
        match self {
            Self::OutputClosed => 0,
            Self::Settings(_) | Self::Other(_) => 1,
            Self::Usage(_) => 2,
            Self::NotFound(_) => 3,
            Self::Problem(problem) => problem.exit(),
            Self::Conflict(_) => 5,
            Self::Unreachable(_) => 6,
            Self::NotActive => 7,
        }
    }

    /// Tells it on standard error, as one JSON object where that is asked for, and gives the exit code.
    pub fn report(&self, as_json: bool) -> ExitCode {
        let said = match self {
            Self::OutputClosed | Self::NotActive => None,
            Self::Problem(problem) if as_json => Some(problem.raw.to_string()),
            _ if as_json => Some(json!({ "code": self.word(), "detail": self.to_string() }).to_string()),
            _ => Some(format!("error: {self}")),
        };
        if let Some(said) = said {
            // Where even standard error is closed, the exit code is all that is left to say.
            _ = io::Write::write_all(&mut io::stderr(), format!("{said}\n").as_bytes());
        }
        ExitCode::from(self.exit())
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Usage(_) => "usage",
            Self::Problem(_) => "problem",
            Self::Unreachable(_) => "unreachable",
            Self::NotFound(_) => "not_found",
            Self::Conflict(_) => "conflict",
            Self::NotActive => "not_active",
            Self::Settings(_) => "settings",
            Self::OutputClosed => "output_closed",
            Self::Other(_) => "failed",
        }
    }

    /// The same failure, with more said about what it means here.
    #[must_use]
    pub fn and(self, more: &str) -> Self {
        match self {
            Self::Usage(said) => Self::Usage(format!("{said}\n{more}")),
            Self::Unreachable(said) => Self::Unreachable(format!("{said}\n{more}")),
            Self::Other(said) => Self::Other(format!("{said}\n{more}")),
            Self::Problem(mut problem) => {
                problem.note = Some(more.to_owned());
                Self::Problem(problem)
            }
            same => same,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(said)
            | Self::Unreachable(said)
            | Self::NotFound(said)
            | Self::Conflict(said)
            | Self::Other(said) => f.write_str(said),
            Self::Problem(problem) => problem.fmt(f),
            Self::NotActive => f.write_str("not active"),
            Self::Settings(faults) => write!(f, "the settings are wrong\n{faults}"),
            Self::OutputClosed => f.write_str("the output was closed"),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => Self::Other(error.to_string()),
        }
    }
}

impl From<Faults> for Failure {
    fn from(faults: Faults) -> Self {
        Self::Settings(faults)
    }
}

/// A refusal by the server (RFC 9457).
#[derive(Debug)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// The machine-readable code, e.g. `missing_permission`; empty where the answer was none of Tokenhouse's.
    pub code: String,
    detail: String,
    request_id: Option<String>,
    note: Option<String>,
    raw: Value,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Members {
    code: String,
    detail: Option<String>,
    title: Option<String>,
    request_id: Option<String>,
}

impl Problem {
    /// Reads an answer's body; one that is no problem document (a proxy's page) is told by its status alone.
    pub fn read(status: u16, request_id: Option<&str>, body: &[u8]) -> Self {
        let raw =
            serde_json::from_slice::<Value>(body).ok().filter(|raw| raw.get("code").is_some_and(Value::is_string));
        let members = raw.clone().and_then(|raw| serde_json::from_value::<Members>(raw).ok()).unwrap_or_default();
        let detail = members.detail.or(members.title).unwrap_or_else(|| {
            format!("HTTP status {status}, and no problem document: is this address Tokenhouse's? (TOKENHOUSE_URL)")
        });
        let request_id = members.request_id.or_else(|| request_id.map(ToOwned::to_owned));
        let raw = raw.unwrap_or_else(|| {
            let mut made = Map::new();
            made.insert("status".into(), status.into());
            made.insert("detail".into(), detail.clone().into());
            made.insert("request_id".into(), request_id.clone().into());
            Value::Object(made)
        });
        Self { status, code: members.code, detail, request_id, note: None, raw }
    }

    /// A member of the problem document, e.g. `limit`.
    pub fn member(&self, name: &str) -> Option<&Value> {
        self.raw.get(name)
    }

    /// Whether asking again the same way may still succeed, and can't do it twice if a key came with it.
    pub fn is_passing(&self) -> bool {
        matches!(self.code.as_str(), "unavailable" | "outcome_unknown") || matches!(self.status, 502..=504)
    }

    fn exit(&self) -> u8 {
        match self.code.as_str() {
            "malformed" | "invalid_field" => 2,
            "not_found" => 3,
            "unauthenticated" | "missing_permission" | "not_covered" | "forbidden" => 4,
            "conflict" | "duplicate" | "limit_reached" | "unlawful_state" => 5,
            "idempotency_mismatch" | "idempotency_gone" => 5,
            "unavailable" | "outcome_unknown" => 6,
            _ => match self.status {
                404 => 3,
                401 | 403 => 4,
                409 | 429 => 5,
                502..=504 => 6,
                _ => 1,
            },
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::output::plain(&self.detail))?;
        // What a refusal names beside its words; people should not need --json to learn which permission they lack.
        for name in ["permission", "field", "limit", "reason", "token_id", "retry_after_seconds"] {
            if let Some(value) = self.member(name).filter(|value| !value.is_null()) {
                write!(f, "\n  {name}: {}", crate::output::plain(value.as_str().unwrap_or(&value.to_string())))?;
            }
        }
        if !self.code.is_empty() {
            write!(f, "\n  code: {}", crate::output::plain(&self.code))?;
        }
        if let Some(id) = &self.request_id {
            write!(f, "\n  request id: {}", crate::output::plain(id))?;
        }
        if let Some(note) = &self.note {
            write!(f, "\n{note}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(status: u16, code: &str) -> Failure {
        let body = json!({ "code": code, "detail": "no", "request_id": "r1" }).to_string();
        Failure::Problem(Box::new(Problem::read(status, None, body.as_bytes())))
    }

    #[test]
    fn every_problem_has_its_exit_code() {
        for (status, code, exit) in [
            (400, "malformed", 2),
            (422, "invalid_field", 2),
            (401, "unauthenticated", 4),
            (400, "two_credentials", 1),
            (403, "missing_permission", 4),
            (403, "not_covered", 4),
            (403, "forbidden", 4),
            (404, "not_found", 3),
            (405, "method_not_allowed", 1),
            (409, "conflict", 5),
            (409, "duplicate", 5),
            (422, "limit_reached", 5),
            (409, "unlawful_state", 5),
            (413, "body_too_large", 1),
            (415, "unsupported_media_type", 1),
            (422, "idempotency_mismatch", 5),
            (409, "idempotency_gone", 5),
            (503, "unavailable", 6),
            (503, "outcome_unknown", 6),
            (500, "internal", 1),
            (404, "of_a_later_version", 3),
            (429, "of_a_later_version", 5),
        ] {
            assert_eq!(problem(status, code).exit(), exit, "{code}");
        }
        assert_eq!(Failure::Usage(String::new()).exit(), 2);
        assert_eq!(Failure::Unreachable(String::new()).exit(), 6);
        assert_eq!(Failure::NotActive.exit(), 7);
        assert_eq!(Failure::from(io::Error::from(io::ErrorKind::BrokenPipe)).exit(), 0);
        assert_eq!(Failure::from(io::Error::from(io::ErrorKind::StorageFull)).exit(), 1);
    }

    #[test]
    fn a_problem_tells_detail_code_and_request_id() {
        assert_eq!(problem(403, "forbidden").to_string(), "no\n  code: forbidden\n  request id: r1");
        let body = br#"{"code":"missing_permission","detail":"no","permission":"house:tokens"}"#;
        let said = Problem::read(403, Some("from-header"), body).to_string();
        assert!(said.contains("permission: house:tokens") && said.contains("request id: from-header"), "{said}");
    }

    #[test]
    fn a_strangers_answer_is_told_by_its_status() {
        let problem = Problem::read(502, Some("r9"), b"<html>Bad Gateway</html>");
        assert!(problem.is_passing());
        let failure = Failure::Problem(Box::new(problem));
        assert_eq!(failure.exit(), 6);
        assert!(failure.to_string().contains("HTTP status 502"), "{failure}");
    }
}
