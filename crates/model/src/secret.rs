//! What proves a token: text that we make, its forms, and the digest under which it is kept.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::env::Random;
use crate::hex::{hex, unhex};
use crate::token::TokenKind;
use crate::{Millis, decide::Reason};

/// The longest credential that is looked at, in bytes; a longer one is refused by its length alone.
pub const LONGEST: usize = 16 * 1024;
/// The shortest and the longest secret of a form that is not ours, in bytes.
pub const FOREIGN: std::ops::RangeInclusive<usize> = 20..=512;
/// Length of the `th_` form: prefix, kind letter, underscore, 30 random and 6 checksum characters.
pub const HOUSE_LENGTH: usize = 41;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const RANDOM_CHARACTERS: usize = 30;

/// The text of a secret. It is wiped when dropped, and neither `Debug` nor any log shows it.
///
/// It serializes as itself, because answers carry it once; nothing else may serialize it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// Takes over text that is a secret.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself, for the one answer that carries it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The digest under which it is stored and looked up.
    pub fn digest(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }

    /// Its last four characters, by which people tell secrets apart.
    pub fn last4(&self) -> String {
        let at = self.0.char_indices().rev().nth(3).map_or(0, |(at, _)| at);
        self.0.get(at..).unwrap_or_default().to_owned()
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(..)")
    }
}

/// SHA-256 of a secret. The secrets that we make carry at least 122 random bits, so nothing slower is needed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// In lower-case hexadecimal.
    pub fn to_hex(self) -> String {
        hex(&self.0)
    }

    /// From 64 hexadecimal digits; `None` for anything else.
    pub fn from_hex(text: &str) -> Option<Self> {
        unhex(text).map(Self)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Enough to tell two apart in a test's output; a digest is no secret, but it is nobody's business either.
        write!(f, "Digest({:02x}{:02x}..)", self.0[0], self.0[1])
    }
}

/// A stored secret of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// Row id.
    pub id: Uuid,
    /// The token that it proves.
    pub token_id: Uuid,
    /// The token's org.
    pub org_id: Uuid,
    /// The digest of its text; unique.
    pub digest: Digest,
    /// The last four characters of its text.
    pub last4: String,
    /// When it was made.
    pub created_at: Millis,
    /// It proves nothing from then on; `NEVER` while it is the token's current one.
    pub good_until: Millis,
    /// The text sealed under the org's data key, where a dialect shows it again; else empty.
    pub sealed: Vec<u8>,
}

/// What of a secret decides.
#[derive(Clone, Copy, Debug)]
pub struct Proof {
    /// Row id.
    pub id: Uuid,
    /// The token that it proves.
    pub token_id: Uuid,
    /// The digest of its text.
    pub digest: Digest,
    /// When it was made.
    pub created_at: Millis,
    /// It proves nothing from then on.
    pub good_until: Millis,
}

impl Secret {
    /// What of it decides.
    pub fn proof(&self) -> Proof {
        let Self { id, token_id, digest, created_at, good_until, .. } = *self;
        Proof { id, token_id, digest, created_at, good_until }
    }
}

/// The form of a secret's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `th_` + kind letter + `_` + 30 base62 characters + their CRC-32 in 6.
    House,
    /// A lower-case UUID v4 (wavefront.md 2).
    Uuid,
    /// 64 characters of `A-Za-z0-9-_` (csp.md 4).
    Api,
    /// 22 characters of URL-safe base64 (splunk.md 1).
    Short,
}

/// Makes a new secret of this form. Each carries at least 122 random bits.
pub fn make(form: Form, kind: TokenKind, random: &Random) -> SecretText {
    loop {
        let text = draw(form, kind, random);
        // One in 262,144 of the forms without a prefix begins like the one that has one.
        if form == Form::House || !text.expose().starts_with("th_") {
            return text;
        }
    }
}

fn draw(form: Form, kind: TokenKind, random: &Random) -> SecretText {
    match form {
        Form::House => house(kind, random),
        Form::Uuid => SecretText::new(uuid::Builder::from_random_bytes(random.bytes()).into_uuid().to_string()),
        Form::Api => SecretText::new(url_safe(&Zeroizing::new(random.bytes::<48>())[..])),
        Form::Short => SecretText::new(url_safe(&Zeroizing::new(random.bytes::<16>())[..])),
    }
}

fn url_safe(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

fn house(kind: TokenKind, random: &Random) -> SecretText {
    let mut text = Zeroizing::new(String::with_capacity(HOUSE_LENGTH));
    text.push_str("th_");
    text.push(char::from(kind.letter()));
    text.push('_');
    let body = text.len();
    while text.len() < body + RANDOM_CHARACTERS {
        for byte in Zeroizing::new(random.bytes::<32>()).iter() {
            // 248 is the largest multiple of 62 in a byte: what lies above would favour the first letters.
            if *byte < 248 && text.len() < body + RANDOM_CHARACTERS {
                push_digit(&mut text, u32::from(*byte));
            }
        }
    }
    let mut check = crc32fast::hash(text.as_bytes());
    for _ in 0..6 {
        push_digit(&mut text, check);
        check /= 62;
    }
    SecretText(text)
}

fn push_digit(text: &mut String, value: u32) {
    if let Some(digit) = BASE62.get((value % 62) as usize) {
        text.push(char::from(*digit));
    }
}

/// What a presented credential looks like. It decides only whether a look-up is worth it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The `th_` form with a right checksum.
    House(TokenKind),
    /// A UUID v4.
    Uuid,
    /// 64 URL-safe characters.
    Api,
    /// 22 URL-safe characters.
    Short,
    /// Three dot-separated URL-safe parts: a signed access token.
    Jwt,
    /// Of no form of ours, and yet what a token that moved in may look like: visible ASCII without quotes, backslash and
    /// comma.
    Foreign,
}

impl Shape {
    /// The shape of these bytes.
    ///
    /// # Errors
    /// [`Reason::Malformed`] for what can't be any credential of ours: garbage costs no look-up.
    pub fn of(bytes: &[u8]) -> Result<Self, Reason> {
        if bytes.len() > LONGEST {
            return Err(Reason::Malformed);
        }
        if let Some(rest) = bytes.strip_prefix(b"th_") {
            return Self::of_house(bytes, rest);
        }
        match bytes.len() {
            36 if is_uuid_v4(bytes) => Ok(Self::Uuid),
            64 if bytes.iter().all(|b| is_url_safe(*b)) => Ok(Self::Api),
            22 if bytes.iter().all(|b| is_url_safe(*b)) => Ok(Self::Short),
            _ if is_jwt(bytes) => Ok(Self::Jwt),
            length if FOREIGN.contains(&length) && bytes.iter().all(|b| is_foreign(*b)) => Ok(Self::Foreign),
            _ => Err(Reason::Malformed),
        }
    }

    fn of_house(bytes: &[u8], rest: &[u8]) -> Result<Self, Reason> {
        let (Some(body), Some(check)) = (bytes.get(..HOUSE_LENGTH - 6), bytes.get(HOUSE_LENGTH - 6..HOUSE_LENGTH))
        else {
            return Err(Reason::Malformed);
        };
        let (Some(kind), Some(b'_')) = (rest.first().copied().and_then(TokenKind::of_letter), rest.get(1)) else {
            return Err(Reason::Malformed);
        };
        let mut expected = crc32fast::hash(body);
        let right = check.iter().all(|b| {
            let digit = BASE62.get((expected % 62) as usize);
            expected /= 62;
            digit == Some(b)
        });
        let clean = body.iter().skip(5).all(u8::is_ascii_alphanumeric);
        if bytes.len() == HOUSE_LENGTH && right && clean { Ok(Self::House(kind)) } else { Err(Reason::Malformed) }
    }
}

fn is_url_safe(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')
}

fn is_foreign(b: u8) -> bool {
    b.is_ascii_graphic() && !matches!(b, b'"' | b'\'' | b'`' | b'\\' | b',')
}

/// What a byte can be in a UUID v4: a digit, the version, the variant, a dash.
const DIGIT: u8 = 1;
const VERSION: u8 = 2;
const VARIANT: u8 = 4;
const DASH: u8 = 8;

/// For every byte what it can be.
#[expect(clippy::indexing_slicing, reason = "at compile time")]
static CAN_BE: [u8; 256] = {
    let mut can = [0; 256];
    let mut byte = 0_u8;
    loop {
        can[byte as usize] = match byte {
            b'4' => DIGIT | VERSION,
            b'8' | b'9' | b'a' | b'b' => DIGIT | VARIANT,
            b'0'..=b'9' | b'c'..=b'f' => DIGIT,
            b'-' => DASH,
            _ => 0,
        };
        if byte == u8::MAX {
            break can;
        }
        byte += 1;
    }
};

/// For every place what must be there.
static MUST_BE: [u8; 36] = {
    let mut must = [DIGIT; 36];
    must[8] = DASH;
    must[13] = DASH;
    must[14] = VERSION;
    must[18] = DASH;
    must[19] = VARIANT;
    must[23] = DASH;
    must
};

/// By two tables: every way in asks this of every secret, and a comparison for each place costs as much as the hash.
fn is_uuid_v4(bytes: &[u8]) -> bool {
    let fits = |(byte, must): (&u8, &u8)| CAN_BE.get(usize::from(*byte)).is_some_and(|can| can & must != 0);
    bytes.len() == MUST_BE.len() && bytes.iter().zip(&MUST_BE).fold(true, |all, place| all & fits(place))
}

fn is_jwt(bytes: &[u8]) -> bool {
    let mut parts = bytes.split(|b| *b == b'.');
    let good = |part: Option<&[u8]>| part.is_some_and(|p| !p.is_empty() && p.iter().all(|b| is_url_safe(*b)));
    good(parts.next()) && good(parts.next()) && good(parts.next()) && parts.next().is_none()
}
