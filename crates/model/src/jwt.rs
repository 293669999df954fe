//! Access tokens as text: compact signed JWTs (RFC 7515 7.1, RFC 7519) with the claims of csp.md 2 and RFC 9068. Id tokens
//! beside them, which are made here and never read.
//!
//! What is read here was sent by anybody. Nothing of it is believed before its signature was checked, and of the header
//! only two things are used: which algorithm and which key, both of which must be ours.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::decide::{Derived, Reason};
use crate::permission::PermissionSet;
use crate::secret::LONGEST;
use crate::signing::Algorithm;
use crate::{Millis, Result, SecretText};

/// The longest header that is read, in bytes of base64: ours have about a hundred.
const LONGEST_HEADER: usize = 512;
/// The longest signature, in bytes of base64: RSA with 2048 bits has 342.
const LONGEST_SIGNATURE: usize = 512;

/// What kind of JWT it says to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Typ {
    /// As VMware Cloud Services' (csp.md 2).
    Jwt,
    /// An access token of OAuth's (RFC 9068 2.1).
    AccessToken,
}

impl Typ {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Jwt => "JWT",
            Self::AccessToken => "at+jwt",
        }
    }

    fn is_ours(text: &str) -> bool {
        let short = match text.split_at_checked("application/".len()) {
            Some((start, rest)) if start.eq_ignore_ascii_case("application/") => rest,
            _ => text,
        };
        short.eq_ignore_ascii_case("jwt") || short.eq_ignore_ascii_case("at+jwt")
    }
}

/// What a header says. Members that are not named here are passed over; no key comes from them.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Uuid,
    typ: Option<String>,
    crit: Option<IgnoredAny>,
}

/// A signed JWT in its parts. Nothing of it is believed yet. `Debug` shows none of what could be put together again.
pub struct Compact<'a> {
    /// How it says that it is signed; one of ours.
    pub algorithm: Algorithm,
    /// The key that it says it is signed with.
    pub key: Uuid,
    /// What is signed.
    pub signed: &'a [u8],
    /// The signature.
    pub signature: Vec<u8>,
    payload: &'a [u8],
}

impl std::fmt::Debug for Compact<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Compact({} {})", self.algorithm, self.key)
    }
}

impl<'a> Compact<'a> {
    /// Takes a JWT apart.
    ///
    /// # Errors
    /// [`Reason::Malformed`] for whatever we would not have made: among it `alg` none and keyed hashes, and headers that
    /// ask to be understood (`crit`).
    pub fn read(bytes: &'a [u8]) -> Result<Self, Reason> {
        let wrong = Reason::Malformed;
        if bytes.len() > LONGEST {
            return Err(wrong);
        }
        let mut parts = bytes.split(|b| *b == b'.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong);
        };
        if header.len() > LONGEST_HEADER || signature.len() > LONGEST_SIGNATURE {
            return Err(wrong);
        }
        let signed = bytes.get(..header.len() + 1 + payload.len()).ok_or(wrong)?;
        let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| wrong)?;
        let header: Header = serde_json::from_slice(&header).map_err(|_| wrong)?;
        if header.crit.is_some() || header.typ.is_some_and(|typ| !Typ::is_ours(&typ)) {
            return Err(wrong);
        }
        let algorithm = Algorithm::parse(&header.alg).map_err(|_| wrong)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| wrong)?;
        Ok(Self { algorithm, key: header.kid, signed, signature, payload })
    }

    /// The claims, to be read once the signature was checked.
    ///
    /// # Errors
    /// [`Reason::Malformed`] for claims that are not those of an access token of ours.
    pub fn claims(&self) -> Result<Claims, Reason> {
        let payload = Zeroizing::new(URL_SAFE_NO_PAD.decode(self.payload).map_err(|_| Reason::Malformed)?);
        serde_json::from_slice(&payload).map_err(|_| Reason::Malformed)
    }
}

/// The claims of an access token. Times are in seconds since the epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who issued it.
    pub iss: String,
    /// For whom: the account's id.
    pub sub: String,
    /// Where it is to be good: the issuer itself, or the service that was asked for.
    pub aud: String,
    /// It is over from then on.
    pub exp: i64,
    /// When it was made.
    pub iat: i64,
    /// Its own id.
    pub jti: Uuid,
    /// The client: an app's client id, else the account's id.
    pub client_id: String,
    /// The same in the older word (csp.md 2).
    pub azp: String,
    /// The account's identifier.
    pub acct: String,
    /// The same: an e-mail address, `sa::name` or client id.
    pub username: String,
    /// What stands behind the at sign of an e-mail address, else the kind of the account.
    pub domain: String,
    /// The token that it came from.
    pub context: Uuid,
    /// The org in which it acts.
    pub context_name: Uuid,
    /// What it may do.
    pub perms: PermissionSet,
    /// The same in OAuth's form, joined by spaces.
    pub scope: String,
    /// The account for which it acts.
    pub account_id: Uuid,
    /// The secret that it came from, with which it dies.
    pub secret_id: Uuid,
}

impl Claims {
    /// What of it decides, for whoever is this issuer.
    pub fn derived(&self) -> Derived {
        Derived {
            issued_at: self.iat.saturating_mul(1000),
            expires_at: self.exp.saturating_mul(1000),
            permissions: self.perms.clone(),
            elsewhere: self.aud != self.iss,
        }
    }

    /// Who it is that the access token of this text acts for, in OpenID Connect's words.
    pub fn identity(&self, text: &SecretText) -> Identity {
        let Self { iss, sub, exp, iat, azp, acct, username, domain, context_name, .. } = self.clone();
        let hash = text.digest().0;
        let at_hash = URL_SAFE_NO_PAD.encode(hash.first_chunk::<16>().unwrap_or(&[0; 16]));
        let (email, email_verified, aud) = (acct.clone(), acct.contains('@'), azp.clone());
        Identity { iss, sub, aud, exp, iat, azp, at_hash, email, email_verified, acct, username, domain, context_name }
    }
}

/// The claims of an id token (OpenID Connect Core 2, csp.md 1.1): who somebody is, for the client that asked. It is no
/// credential: it lacks what [`Claims`] must have, names no secret that it came from, and is for the client and nobody
/// else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// Who says so.
    pub iss: String,
    /// Who it is: the account's id.
    pub sub: String,
    /// For whom: the client, as the access token names it in `azp`. Never the issuer.
    pub aud: String,
    /// It is over from then on, as the access token is.
    pub exp: i64,
    /// When it was made.
    pub iat: i64,
    /// The client once more.
    pub azp: String,
    /// The left half of the access token's SHA-256, so that they can't be swapped.
    pub at_hash: String,
    /// The account's identifier, as all that follow: an e-mail address.
    pub email: String,
    /// Whether it is one.
    pub email_verified: bool,
    /// The login.
    pub acct: String,
    /// The same.
    pub username: String,
    /// What stands behind its at sign.
    pub domain: String,
    /// The org in which he is who he is.
    pub context_name: Uuid,
}

/// What is to be signed with this key.
///
/// # Errors
/// None that can happen: claims are strings and numbers.
pub fn to_sign(claims: &impl Serialize, typ: Typ, algorithm: Algorithm, key: Uuid) -> Result<Zeroizing<String>> {
    // None of the three has a character that JSON escapes.
    let header = format!(r#"{{"alg":"{algorithm}","kid":"{key}","typ":"{}"}}"#, typ.as_str());
    // Most are a kilobyte: written at once, no piece of them is left behind where a buffer grew.
    let mut json = Zeroizing::new(Vec::with_capacity(2048));
    serde_json::to_writer(&mut *json, claims).map_err(crate::Error::internal)?;
    let mut text = Zeroizing::new(String::with_capacity(json.len() * 4 / 3 + 160 + LONGEST_SIGNATURE));
    URL_SAFE_NO_PAD.encode_string(header, &mut text);
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(&*json, &mut text);
    Ok(text)
}

/// A signed JWT of what was signed and its signature.
pub fn join(mut signed: Zeroizing<String>, signature: &[u8]) -> SecretText {
    signed.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut signed);
    SecretText::new(std::mem::take(&mut *signed))
}

/// How long a new access token lives, in milliseconds, where it is to live for `life` and what it comes from ends at
/// `ends_at`: never longer than that. Whole seconds, as clients count.
///
/// # Errors
/// [`Reason::Expired`] where so little is left that a client would ask again and again: most renew theirs three minutes
/// before its end (csp.md G6).
pub fn life(life: Millis, ends_at: Millis, now: Millis) -> Result<Millis, Reason> {
    let left = (ends_at.saturating_sub(now) / 1000).saturating_mul(1000).min(life);
    if left < life.min(SHORTEST_LEFT) { Err(Reason::Expired) } else { Ok(left) }
}

/// The least that is worth giving, in milliseconds, unless a shorter life was asked for.
pub const SHORTEST_LEFT: Millis = 181_000;
/// How long the access tokens of tokens live, in milliseconds (csp.md 2).
pub const LIFE: Millis = 30 * 60_000;
