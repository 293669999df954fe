//! Tokens that move in from elsewhere: what a row says, and what became of it.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::address::AddressRules;
use crate::permission::PermissionSet;
use crate::secret::{Digest, Shape};
use crate::token::Scopes;
use crate::{Error, ErrorKind, Millis, NEVER, Reach, Refusal, Result, SecretText, Surface, grafana, name, strength};

/// The most rows that are imported at once.
pub const MOST_ROWS: usize = 500;
/// The most permissions that a row may name.
const MOST_PERMISSIONS: usize = 200;
/// No real token is older: 2000-01-01, in epoch milliseconds. An earlier time is one in seconds.
const OLDEST: Millis = 946_684_800_000;
/// No real token ends later and does end: the year 9999, in epoch milliseconds.
const LATEST: Millis = 253_402_300_799_999;

/// What proves a token that moves in.
#[derive(Clone, Debug)]
pub enum Proof {
    /// The secret itself.
    Text(SecretText),
    /// SHA-256 of the secret.
    Digest(Digest),
    /// What Grafana keeps of a secret.
    Grafana(Digest),
}

impl Proof {
    /// The digest under which the secret is looked up.
    pub fn digest(&self) -> Digest {
        match self {
            Self::Text(text) => text.digest(),
            Self::Digest(digest) | Self::Grafana(digest) => *digest,
        }
    }
}

/// Whose token it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The account of this id.
    Id(Uuid),
    /// The account of this identifier, folded.
    Named(String),
    /// The org itself.
    Org,
}

/// A token that moves in.
#[derive(Clone, Debug)]
pub struct Row {
    /// What proves it.
    pub proof: Proof,
    /// Whose it is.
    pub owner: Owner,
    /// Its name; may be empty.
    pub name: String,
    /// When it was made, where that is known.
    pub created_at: Option<Millis>,
    /// When it ends; `NEVER` if it does not.
    pub expires_at: Millis,
    /// When it was last used, as far as is known; 0 if not.
    pub last_used_at: Millis,
    /// What of its owner's permissions it carries; for the org's own token what the token itself holds.
    pub scopes: Scopes,
    /// Where it works; `None` for the APIs behind us alone.
    pub reach: Option<Reach>,
    /// From where it works.
    pub addresses: AddressRules,
    /// Whether it is switched off.
    pub disabled: bool,
    /// The last characters of its secret, by which people tell secrets apart.
    pub last4: String,
}

impl Row {
    /// Where it works.
    pub fn reach(&self) -> Reach {
        self.reach.unwrap_or_else(|| Reach::of(&[Surface::Verify]))
    }
}

/// What became of a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Told {
    /// It is a token now.
    Imported {
        /// The token's id; none in a dry run.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<Uuid>,
    },
    /// The same token of the same owner and name is there already.
    Present {
        /// The token's id.
        id: Uuid,
    },
    /// It was refused.
    Refused(No),
}

/// Why a row was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct No {
    /// The reason as one word.
    pub code: Cow<'static, str>,
    /// The reason in words, which never repeat anything of the secret.
    pub message: String,
}

impl No {
    /// A refusal.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code: Cow::Borrowed(code), message: message.into() }
    }

    /// A refusal of this row alone, from an error that is about it; an error that is about everybody comes back.
    ///
    /// # Errors
    /// What is no refusal: `unavailable` and its like.
    pub fn of(error: Error) -> Result<Self> {
        let code = match (error.kind(), error.refusal()) {
            (ErrorKind::Unavailable | ErrorKind::OutcomeUnknown | ErrorKind::Internal, _) => return Err(error),
            (_, Refusal::Field(_) | Refusal::TooLong(..)) => "invalid_field",
            (_, Refusal::MissingPermission(_)) => "missing_permission",
            (_, Refusal::NotCovered(_)) => "not_covered",
            (_, Refusal::Limit(_)) => "limit_reached",
            (_, Refusal::State(_)) => "unlawful_state",
            (ErrorKind::Forbidden, _) => "forbidden",
            (ErrorKind::NotFound, _) => "unknown_owner",
            _ => "malformed",
        };
        Ok(Self::new(code, error.message()))
    }
}

/// Reads a row. A member that is null is as good as none.
///
/// # Errors
/// Why it is no token that can move in.
pub fn read(members: Map<String, Value>) -> Result<Row, No> {
    let mut fields = Fields(members);
    let row = fields.row();
    if row.is_ok()
        && let Some(unknown) = fields.0.keys().next()
    {
        // A name that was sent may be a secret in the wrong place.
        let known = unknown.len() <= 32 && unknown.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        let named = if known { format!(" {unknown}") } else { String::new() };
        return Err(No::new("malformed", format!("a member{named} that is not known")));
    }
    row.map_err(|error| {
        let code = if matches!(error.refusal(), Refusal::Field("strength" | "bits")) { "weak" } else { "malformed" };
        No::new(code, error.message())
    })
}

struct Fields(Map<String, Value>);

impl Fields {
    fn take(&mut self, name: &'static str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }

    fn text(&mut self, name: &'static str) -> Result<Option<String>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Error::invalid(name, "must be text")),
        }
    }

    fn flag(&mut self, name: &'static str) -> Result<bool> {
        match self.take(name) {
            None => Ok(false),
            Some(Value::Bool(yes)) => Ok(yes),
            Some(_) => Err(Error::invalid(name, "must be true or false")),
        }
    }

    fn texts(&mut self, name: &'static str, most: usize) -> Result<Option<Vec<String>>> {
        let wrong = || Error::invalid(name, format_args!("must be a list of at most {most} texts"));
        let Some(value) = self.take(name) else { return Ok(None) };
        let Value::Array(items) = value else { return Err(wrong()) };
        if items.len() > most {
            return Err(wrong());
        }
        let text = |item| if let Value::String(text) = item { Ok(text) } else { Err(wrong()) };
        items.into_iter().map(text).collect::<Result<_>>().map(Some)
    }

    fn time(&mut self, name: &'static str) -> Result<Option<Millis>> {
        let wrong = || Error::invalid(name, "must be a time: epoch milliseconds, or as 2027-01-01T12:00:00Z");
        let at = match self.take(name) {
            None => return Ok(None),
            Some(Value::Number(number)) => number.as_i64().ok_or_else(wrong)?,
            Some(Value::String(text)) if text.len() <= 40 => {
                text.parse::<jiff::Timestamp>().map_err(|_| wrong())?.as_millisecond()
            }
            Some(_) => return Err(wrong()),
        };
        if (OLDEST..=LATEST).contains(&at) { Ok(Some(at)) } else { Err(wrong()) }
    }

    fn row(&mut self) -> Result<Row> {
        let (proof, whole) = self.proof()?;
        let owner = self.owner()?;
        let name = self.text("name")?.unwrap_or_default();
        name::check_optional("name", &name, name::NAME)?;
        let (created_at, expires_at) = (self.time("created_at")?, self.time("expires_at")?);
        let last_used_at = self.time("last_used_at")?.unwrap_or(0);
        let permissions = self.texts("permissions", MOST_PERMISSIONS)?;
        let scopes = match &permissions {
            None => Scopes::All,
            Some(texts) => Scopes::Only(PermissionSet::parse(texts.iter().map(String::as_str))?),
        };
        let reach = match self.texts("reach", Surface::ALL.len())? {
            None => None,
            Some(texts) => {
                let surfaces: Vec<Surface> = texts.iter().map(|text| Surface::parse(text)).collect::<Result<_>>()?;
                Some(Reach::of(&surfaces).not_empty()?)
            }
        };
        let addresses = self.texts("addresses", crate::address::MOST_RULES)?.unwrap_or_default();
        let addresses = AddressRules::parse(addresses.iter().map(String::as_str))?;
        let disabled = self.flag("disabled")?;
        let told = self.text("last4")?;
        let last4 = match whole {
            Some(last4) => last4,
            None => told.unwrap_or_default(),
        };
        if last4.len() > 4 || !last4.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Error::invalid("last4", "must be at most four visible ASCII characters"));
        }
        let expires_at = expires_at.unwrap_or(NEVER);
        Ok(Row { proof, owner, name, created_at, expires_at, last_used_at, scopes, reach, addresses, disabled, last4 })
    }

    /// The one proof of a row, and the last characters of a secret that was told whole.
    fn proof(&mut self) -> Result<(Proof, Option<String>)> {
        let (token, sha256, hash) = (self.text("token")?, self.text("sha256")?, self.text("grafana")?);
        let (token, bits) = (token.map(SecretText::new), self.take("bits"));
        if bits.is_some() && sha256.is_none() {
            return Err(Error::invalid("sha256", "is what bits goes with"));
        }
        match (token, sha256, hash) {
            (Some(text), None, None) => {
                check_text(text.expose())?;
                let last4 = text.last4();
                Ok((Proof::Text(text), Some(last4)))
            }
            (None, Some(digest), None) => {
                // Nothing tells of a digest what stands behind it, so whoever brings it must.
                match bits.as_ref().and_then(Value::as_u64) {
                    Some(bits) if (u64::from(strength::LEAST)..=4096).contains(&bits) => {}
                    Some(_) => return Err(weak(format_args!("must be {} to 4096", strength::LEAST))),
                    None => return Err(weak("must say how many random bits the secret carries")),
                }
                let wrong = || Error::invalid("sha256", "must be 32 bytes in hexadecimal or base64");
                digest_of(&digest).ok_or_else(wrong).map(|digest| (Proof::Digest(digest), None))
            }
            (None, None, Some(hash)) => {
                let wrong = || Error::invalid("grafana", "must be the 100 hexadecimal digits of Grafana's table");
                let hash = grafana::hash(&hash).ok_or_else(wrong)?;
                Ok((Proof::Grafana(grafana::digest(&hash)), None))
            }
            (None, None, None) => Err(Error::invalid("token", "or sha256 or grafana must be there")),
            _ => Err(Error::invalid("token", "must not stand beside another proof")),
        }
    }

    fn owner(&mut self) -> Result<Owner> {
        let kind = self.text("kind")?;
        let owner = self.text("owner")?;
        match (kind.as_deref(), owner) {
            (Some("org"), None) => Ok(Owner::Org),
            (Some("org"), Some(_)) => Err(Error::invalid("owner", "must not be there: the org itself owns it")),
            (Some(_), _) => Err(Error::invalid("kind", "must be org, or left out: the owner says it")),
            (None, None) => Err(Error::invalid("owner", "must be an e-mail address, sa::name or an account's id")),
            (None, Some(text)) => match Uuid::try_parse(&text) {
                Ok(id) => Ok(Owner::Id(id)),
                Err(_) => match name::findable(&text, name::IDENTIFIER) {
                    Some(folded) => Ok(Owner::Named(folded)),
                    None => Err(Error::invalid("owner", "must be an e-mail address, sa::name or an account's id")),
                },
            },
        }
    }
}

fn weak(why: impl std::fmt::Display) -> Error {
    Error::invalid("bits", why)
}

/// Refuses a secret that would never be looked up, or that could be guessed.
fn check_text(text: &str) -> Result<()> {
    match Shape::of(text.as_bytes()) {
        Ok(Shape::Jwt) => Err(Error::invalid("token", "is a signed token, which proves itself and can't move")),
        Ok(_) => strength::check(text),
        Err(_) if text.starts_with("th_") => {
            Err(Error::invalid("token", "begins as one of Tokenhouse and has a wrong checksum"))
        }
        Err(_) => Err(Error::invalid(
            "token",
            "must be 20 to 512 visible ASCII characters without quotes, backslash and comma",
        )),
    }
}

/// A digest in hexadecimal or any usual base64.
fn digest_of(text: &str) -> Option<Digest> {
    if let Some(digest) = Digest::from_hex(text) {
        return Some(digest);
    }
    if text.len() > 44 {
        return None;
    }
    let read = [URL_SAFE_NO_PAD, STANDARD_NO_PAD, URL_SAFE, STANDARD].iter().find_map(|way| way.decode(text).ok())?;
    read.try_into().ok().map(Digest)
}
