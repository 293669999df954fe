//! Apps: programs that get access tokens for a client id and a secret (csp.md 5).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::asked::Asked;
use crate::env::Random;
use crate::secret::Digest;
use crate::signing::LONGEST_LIFE;
use crate::{Error, Millis, Result, SecretText, name};

/// What was asked for an app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppTerms {
    /// What people call it.
    pub display_name: String,
    /// Its roles.
    pub asked: Asked,
    /// How long its access tokens live, in milliseconds.
    pub life: Millis,
    /// How long an old secret stays good beside a new one unless told, in milliseconds.
    pub overlap: Millis,
    /// Whether only an owner of the org may replace its secrets.
    #[serde(default)]
    pub owner_only: bool,
    /// The other orgs that may add it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_orgs: Vec<Uuid>,
    /// What its dialect keeps of it, and shows again.
    #[serde(default)]
    pub other: Map<String, Value>,
}

/// An app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// Its identity, whose login is the client id.
    pub identity_id: Uuid,
    /// The org that owns it.
    pub org_id: Uuid,
    /// Its account there.
    pub account_id: Uuid,
    /// The token whose secrets are its own.
    pub token_id: Uuid,
    /// What was asked for it.
    pub terms: AppTerms,
    /// When it was made.
    pub created_at: Millis,
    /// The account that made it.
    pub created_by: Uuid,
    /// When it was last changed.
    pub updated_at: Millis,
    /// The account that changed it last.
    pub updated_by: Uuid,
}

/// Stands for all secrets of apps that their makers chose: whoever remembers that one is wrong must forget it when one is
/// made. Nothing has it as its digest.
pub const CHOSEN: Digest = Digest([0x63; 32]);

/// The shortest life of an app's access tokens, in milliseconds (csp.md 5: one minute).
pub const SHORTEST_LIFE: Millis = 60_000;
/// The life of an app's access tokens unless told, in milliseconds (csp.md 5: ten minutes).
pub const LIFE: Millis = 600_000;
/// The overlap of secrets unless told, in milliseconds (csp.md 5: 48 hours).
pub const OVERLAP: Millis = 172_800_000;
/// The longest overlap, in milliseconds.
pub const LONGEST_OVERLAP: Millis = 30 * crate::policy::DAY;
/// The longest client id, in bytes.
pub const LONGEST_ID: usize = 128;
/// The most other orgs that may add an app.
pub const MOST_ORGS: usize = 100;
/// The most that a dialect keeps of an app, in bytes of JSON.
const MOST_KEPT: usize = 8192;

impl AppTerms {
    /// Checks what does not depend on who asks.
    ///
    /// # Errors
    /// `invalid_field`.
    pub fn check(&self) -> Result<()> {
        name::check("displayName", &self.display_name, name::NAME)?;
        self.asked.check()?;
        if !(SHORTEST_LIFE..=LONGEST_LIFE).contains(&self.life) {
            let (least, most) = (SHORTEST_LIFE / 1000, LONGEST_LIFE / 1000);
            return Err(Error::invalid("accessTokenTTL", format_args!("must be {least} to {most} seconds")));
        }
        check_overlap(self.overlap)?;
        if self.allowed_orgs.len() > MOST_ORGS {
            return Err(Error::invalid("allowedOrgs", format_args!("must be at most {MOST_ORGS}")));
        }
        if serde_json::to_string(&self.other).map_or(usize::MAX, |text| text.len()) > MOST_KEPT {
            return Err(Error::malformed(format!("all other members must have at most {MOST_KEPT} bytes together")));
        }
        Ok(())
    }
}

/// Checks how long an old secret is to stay good, in milliseconds.
///
/// # Errors
/// `invalid_field`.
pub fn check_overlap(overlap: Millis) -> Result<()> {
    if (0..=LONGEST_OVERLAP).contains(&overlap) {
        return Ok(());
    }
    let most = LONGEST_OVERLAP / 1000;
    Err(Error::invalid("secretRotationExpirationInSeconds", format_args!("must be 0 to {most}")))
}

/// Checks a client id that its maker chose.
///
/// # Errors
/// `invalid_field`.
pub fn check_id(text: &str) -> Result<()> {
    let fits = (1..=LONGEST_ID).contains(&text.len());
    if fits && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) {
        return Ok(());
    }
    Err(Error::invalid("id", format_args!("must be 1 to {LONGEST_ID} letters, digits, - and _")))
}

/// A new client id: 32 letters, digits, - and _, and nothing that could be taken for another id of ours.
pub fn make_id(random: &Random) -> String {
    use base64::Engine as _;
    loop {
        let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(random.bytes::<24>());
        if !text.starts_with(['-', '_']) && Uuid::try_parse(&text).is_err() {
            return text;
        }
    }
}

/// The shortest secret that its maker may choose, in characters (csp.md 5).
pub const SHORTEST_SECRET: usize = 8;

/// Checks a secret that an app's maker chose: at least one lower-case and one upper-case letter, a digit and another
/// character.
///
/// # Errors
/// `invalid_field`, without the secret.
pub fn check_secret(secret: &SecretText) -> Result<()> {
    let text = secret.expose();
    if text.len() > crate::account::PASSWORD_LONGEST {
        return Err(Error::too_long("secret", crate::account::PASSWORD_LONGEST));
    }
    let of = |kind: fn(&char) -> bool| text.chars().any(|c| kind(&c));
    let mixed = of(|c| c.is_lowercase()) && of(|c| c.is_uppercase()) && of(|c| c.is_numeric());
    let plain = !text.chars().any(char::is_control);
    if text.chars().count() >= SHORTEST_SECRET && mixed && plain && of(|c| !c.is_alphanumeric()) {
        return Ok(());
    }
    let why = format_args!(
        "must have at least {SHORTEST_SECRET} characters, among them a lower-case and an upper-case letter, a digit and another"
    );
    Err(Error::invalid("secret", why))
}
