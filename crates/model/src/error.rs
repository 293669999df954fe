//! The one error: what kind, which refusal, what may be said outside, and what happened inside.

use std::fmt;

use crate::decide::Reason;
use crate::permission::Permission;
use crate::token::TokenKind;

/// What kind of failure it is; a dialect turns it into its own status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The request itself is wrong.
    Invalid,
    /// No credential, or one that is not good.
    Unauthenticated,
    /// A good credential that may not do this.
    Forbidden,
    /// It is not there, or not for this caller to know.
    NotFound,
    /// It contradicts what is there.
    Conflict,
    /// The request can be read but not carried out as it is.
    Unprocessable,
    /// Too much too often.
    Limited,
    /// The body is over the limit.
    TooLarge,
    /// Nothing was changed; try again.
    Unavailable,
    /// It may or may not have been changed; repeating is safe.
    OutcomeUnknown,
    /// A defect or a broken installation.
    Internal,
}

/// Why it was refused, as data from which every dialect words its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nothing more to say than the message.
    Plain,
    /// There is nothing of this sort and name.
    NoSuch(&'static str),
    /// A field of the request is wrong.
    Field(&'static str),
    /// A field is over its limit, in characters.
    TooLong(&'static str, usize),
    /// No credential was presented.
    NoCredential,
    /// Two different credentials were presented.
    TwoCredentials,
    /// The credential is not good; the reason is for the owner and the log, not for the caller.
    Credential(Reason),
    /// What was presented to be exchanged is not good (RFC 6749 5.2, `invalid_grant`); the reason is for the log.
    Grant(Reason),
    /// A token of this kind is not revoked here (RFC 7009 2.2.1, `unsupported_token_type`).
    TokenType,
    /// The kind of grant is not given here (RFC 6749 5.2, `unsupported_grant_type`).
    GrantType,
    /// The caller's effective permissions lack one that the act needs.
    MissingPermission(Permission),
    /// The act would give more than the caller has.
    NotCovered(String),
    /// The org is onboarded: access tokens are the way in, and tokens of this sort are made no more.
    Onboarded,
    /// The token's kind can't be used for this.
    WrongKind(TokenKind),
    /// The caller is not an administrator in the dialect's sense.
    NotAdministrator,
    /// There is one of that name already.
    Duplicate(&'static str),
    /// A limit is reached.
    Limit(i64),
    /// The state does not allow that move.
    State(&'static str),
    /// The idempotency key was used with another request.
    OnceMismatch,
    /// The idempotency key's answer was purged; the token that it made.
    OnceGone(Option<uuid::Uuid>),
    /// The path is served, but not with this method.
    Method,
    /// The body is not of a type that is read here.
    MediaType,
}

type Source = Box<dyn std::error::Error + Send + Sync>;

/// A refusal or a failure.
///
/// `Display` is the public message. The source is logged once, where the request ends, and never sent.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    refusal: Refusal,
    message: String,
    retry_after: Option<u32>,
    source: Option<Source>,
}

impl Error {
    /// An error of this kind and refusal with its public message.
    pub fn new(kind: Kind, refusal: Refusal, message: impl Into<String>) -> Self {
        Self { kind, refusal, message: message.into(), retry_after: None, source: None }
    }

    /// The same error with what caused it, which is never sent.
    #[must_use]
    pub fn because(mut self, source: impl Into<Source>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same error, after which one may try again in so many seconds.
    #[must_use]
    pub fn after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The same refusal, for whoever comes with the like too often: when he may come again, in seconds.
    #[must_use]
    pub fn too_often(self, seconds: u32) -> Self {
        Self { kind: Kind::Limited, ..self }.after(seconds)
    }

    /// The kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The refusal.
    pub fn refusal(&self) -> &Refusal {
        &self.refusal
    }

    /// The public message.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// In how many seconds to try again, where that helps.
    pub fn retry_after(&self) -> Option<u32> {
        self.retry_after
    }

    /// What caused it, for the log.
    pub fn cause(&self) -> Option<&(dyn std::error::Error + Send + Sync)> {
        self.source.as_deref()
    }

    /// The same refusal once more, without its source: one failure that several callers share.
    #[must_use]
    pub fn again(&self) -> Self {
        let Self { kind, refusal, message, retry_after, source: _ } = self;
        Self {
            kind: *kind,
            refusal: refusal.clone(),
            message: message.clone(),
            retry_after: *retry_after,
            source: None,
        }
    }

    /// A request that can't be read.
    pub fn malformed(why: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, Refusal::Plain, why)
    }

    /// A field that is wrong; `why` continues the field's name.
    pub fn invalid(field: &'static str, why: impl fmt::Display) -> Self {
        Self::new(Kind::Invalid, Refusal::Field(field), format!("{field} {why}"))
    }

    /// A field over its limit.
    pub fn too_long(field: &'static str, max: usize) -> Self {
        let message = format!("{field} must have at most {max} characters");
        Self::new(Kind::Invalid, Refusal::TooLong(field, max), message)
    }

    /// Something that is not there; ids that the caller sent are not repeated, they may be secrets.
    pub fn not_found(what: &'static str) -> Self {
        Self::new(Kind::NotFound, Refusal::NoSuch(what), format!("no such {what}"))
    }

    /// One of that name is there already.
    pub fn duplicate(what: &'static str) -> Self {
        let message = format!("there is {what} of that name already");
        Self::new(Kind::Conflict, Refusal::Duplicate(what), message)
    }

    /// A limit is reached.
    pub fn limit(what: &str, limit: i64) -> Self {
        Self::new(Kind::Conflict, Refusal::Limit(limit), format!("the limit of {limit} {what} is reached"))
    }

    /// A move that the state does not allow.
    pub fn state(why: &'static str) -> Self {
        Self::new(Kind::Conflict, Refusal::State(why), why)
    }

    /// No credential at all.
    pub fn no_credential() -> Self {
        Self::new(Kind::Unauthenticated, Refusal::NoCredential, "a credential is required")
    }

    /// A credential that is not good. The caller learns only that.
    pub fn credential(reason: Reason) -> Self {
        Self::new(Kind::Unauthenticated, Refusal::Credential(reason), "the credential is not valid")
    }

    /// A permission that the caller lacks.
    pub fn missing(permission: Permission) -> Self {
        let message = format!("the permission {permission} is required");
        Self::new(Kind::Forbidden, Refusal::MissingPermission(permission), message)
    }

    /// The caller may not give what he does not have.
    pub fn not_covered(permission: &str) -> Self {
        let message = format!("you can't give what you don't hold: {permission}");
        Self::new(Kind::Forbidden, Refusal::NotCovered(permission.to_owned()), message)
    }

    /// The caller may not take a rank that is above his own.
    pub fn above(permission: &str) -> Self {
        let message = format!("you can't take what you could not give: {permission}");
        Self::new(Kind::Forbidden, Refusal::NotCovered(permission.to_owned()), message)
    }

    /// The caller may not switch off or delete somebody of a higher rank.
    pub fn outranked(permission: &str) -> Self {
        let message = format!("you can't do that to somebody whose rank is above yours: {permission}");
        Self::new(Kind::Forbidden, Refusal::NotCovered(permission.to_owned()), message)
    }

    /// Refused for a reason of its own.
    pub fn forbidden(why: impl Into<String>) -> Self {
        Self::new(Kind::Forbidden, Refusal::Plain, why)
    }

    /// Not now; nothing was changed.
    pub fn unavailable(why: impl Into<String>) -> Self {
        Self::new(Kind::Unavailable, Refusal::Plain, why).after(1)
    }

    /// The answer to a commit was lost.
    pub fn outcome_unknown() -> Self {
        let message =
            "the outcome is unknown: the database did not confirm the change; it is safe to repeat the request";
        Self::new(Kind::OutcomeUnknown, Refusal::Plain, message).after(1)
    }

    /// A defect or a broken installation; the message outside is always the same.
    pub fn internal(source: impl Into<Source>) -> Self {
        Self::new(Kind::Internal, Refusal::Plain, "internal error").because(source)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
