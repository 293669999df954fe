//! An org's rules for its tokens.

use serde::{Deserialize, Serialize};

use crate::token::TokenKind;
use crate::{Error, Millis, NEVER, Result};

/// One day, in milliseconds.
pub const DAY: Millis = 86_400_000;
/// The shortest idle limit (design 6): an hour, in milliseconds. Below it the flush of uses would matter.
pub const SHORTEST_IDLE: Millis = 3_600_000;
/// The shortest lifetime that can be asked for, in milliseconds.
pub const SHORTEST_LIFETIME: Millis = 1_000;
/// The most tokens per owner that a policy can allow.
pub const HIGHEST_LIMIT: i64 = 1_000_000;

/// The rules for one kind of token. Durations in milliseconds, `NEVER` for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindPolicy {
    /// How many tokens that are neither revoked nor expired an owner may have.
    pub limit: i64,
    /// The longest life, counted from the making; a tightened policy ends older tokens too.
    pub max_lifetime: Millis,
    /// The life of a token whose maker names none.
    pub default_lifetime: Millis,
    /// The longest rest.
    pub max_idle: Millis,
}

/// An org's rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// For tokens of persons.
    pub user: KindPolicy,
    /// For tokens of service accounts.
    pub service: KindPolicy,
    /// For csp api tokens.
    pub api: KindPolicy,
    /// For app secrets.
    pub client_secret: KindPolicy,
    /// For sessions.
    pub session: KindPolicy,
    /// For org tokens.
    pub org: KindPolicy,
    /// Whether a token may be issued with more reach than the one that makes it (design 5.3).
    pub widen_reach: bool,
    /// Whether secrets of wavefront tokens can be shown again (design 1).
    pub recoverable: bool,
    /// Whether a native user token of an administrator counts where splunk asks for his session (design 5.4).
    pub session_by_user_token: bool,
}

const fn kind(limit: i64, default_lifetime: Millis) -> KindPolicy {
    KindPolicy { limit, max_lifetime: NEVER, default_lifetime, max_idle: NEVER }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            user: kind(20, NEVER),
            service: kind(20, NEVER),
            api: kind(50, 183 * DAY),
            client_secret: kind(2, NEVER),
            session: kind(HIGHEST_LIMIT, 30 * DAY),
            org: kind(HIGHEST_LIMIT, 30 * DAY),
            widen_reach: false,
            recoverable: false,
            session_by_user_token: false,
        }
    }
}

impl Policy {
    /// The rules for this kind.
    pub const fn of(&self, kind: TokenKind) -> &KindPolicy {
        match kind {
            TokenKind::User => &self.user,
            TokenKind::Service => &self.service,
            TokenKind::Api => &self.api,
            TokenKind::ClientSecret => &self.client_secret,
            TokenKind::Session => &self.session,
            TokenKind::Org => &self.org,
        }
    }

    /// Checks what an administrator wants to set.
    ///
    /// # Errors
    /// `invalid_field` naming the rule.
    pub fn check(&self) -> Result<()> {
        for kind in TokenKind::ALL {
            let rules = self.of(*kind);
            if !(0..=HIGHEST_LIMIT).contains(&rules.limit) {
                return Err(Error::invalid("limit", format_args!("must be between 0 and {HIGHEST_LIMIT}")));
            }
            if rules.max_lifetime < SHORTEST_LIFETIME || rules.default_lifetime < SHORTEST_LIFETIME {
                return Err(Error::invalid("lifetime", "must be at least one second"));
            }
            if rules.default_lifetime != NEVER && rules.default_lifetime > rules.max_lifetime {
                return Err(Error::invalid("default_lifetime", "must not be longer than the longest lifetime"));
            }
            if rules.max_idle < SHORTEST_IDLE {
                return Err(Error::invalid("max_idle", "must be at least one hour"));
            }
        }
        Ok(())
    }
}
