//! What an introspection answer says (RFC 7662 section 2.2, with the members that Tokenhouse adds).

use std::time::Duration;

use serde::Deserialize;

use crate::receipts::Place;
use crate::verified::{Facts, Verified};

/// An answer is at most this long, in bytes: room for thousands of permissions.
pub(crate) const LONGEST: usize = 256 * 1024;

#[derive(Deserialize)]
struct Raw {
    active: bool,
    reason: Option<String>,
    scope: Option<String>,
    client_id: Option<String>,
    username: Option<String>,
    exp: Option<i64>,
    jti: Option<String>,
    org_id: Option<String>,
    kind: Option<String>,
    name: Option<String>,
    revision: Option<i64>,
    epoch: Option<i64>,
    stale_ms: Option<u64>,
}

/// The verdict on a credential: whose it is, or why it is refused.
pub(crate) type Verdict = Result<Verified, String>;

/// A read answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The verdict.
    pub(crate) verdict: Verdict,
    /// Up to where in the ledger it is true.
    pub(crate) place: Option<Place>,
    /// How old it was already when it was given, without the database, as the operator allows.
    pub(crate) stale: Duration,
}

/// The reason that stands for a missing permission.
pub(crate) const PERMISSION_MISSING: &str = "permission_missing";
/// A reason is at most this long in a log.
const LONGEST_REASON: usize = 64;

/// Reads an answer; `None` if it is none that one can go by.
pub(crate) fn read(bytes: &[u8]) -> Option<Answer> {
    if bytes.len() > LONGEST {
        return None;
    }
    // Members that are not read here are JSON as well.
    let raw: Raw = serde_json::from_str(std::str::from_utf8(bytes).ok()?).ok()?;
    let place = match (raw.epoch, raw.revision) {
        (Some(epoch), Some(revision)) => Some(Place { epoch, revision }),
        (None, None) => None,
        _ => return None,
    };
    let stale = Duration::from_millis(raw.stale_ms.unwrap_or(0));
    let verdict = if raw.active {
        let token = raw.jti?;
        Ok(Verified::new(Facts {
            // A token of the org itself has no account: there its own id stands.
            account: raw.client_id.filter(|id| *id != token),
            identifier: raw.username,
            org: raw.org_id?,
            token,
            kind: raw.kind?,
            name: raw.name.unwrap_or_default(),
            permissions: raw
                .scope
                .unwrap_or_default()
                .split(' ')
                .filter(|p| !p.is_empty())
                .map(str::to_owned)
                .collect(),
            expires_at: raw.exp,
        }))
    } else {
        let reason = raw.reason.unwrap_or_default();
        let word = |c: char| c.is_ascii_lowercase() || c == '_';
        let said = !reason.is_empty() && reason.len() <= LONGEST_REASON && reason.chars().all(word);
        Err(if said { reason } else { "inactive".to_owned() })
    };
    Some(Answer { verdict, place, stale })
}
