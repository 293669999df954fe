//! Secrets of Grafana's service accounts. Grafana keeps of each a slow hash, so that is all that can move in: a presented
//! secret is hashed as Grafana does it before it is looked up.

use base64::Engine as _;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::secret::Digest;

/// Stands for all of Grafana's secrets: whoever remembers that one is none of ours must forget it when one moves in.
/// Nothing has it as its digest.
pub const ANY: Digest = Digest([0x67; 32]);

/// Rounds of PBKDF2, as Grafana has them.
const ROUNDS: u32 = 10_000;
/// Bytes of the hash.
pub const HASH: usize = 50;

/// The longest that is taken apart, in bytes.
const LONGEST: usize = 512;
/// Characters of the secret in it.
const SECRET: usize = 32;

/// What an API key of old says: the secret, the key's name, the org's number.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    k: String,
    n: String,
    #[serde(rename = "id")]
    _id: i64,
}

/// The parts of a presented secret of which the hash is made.
pub struct Parts {
    secret: Zeroizing<Vec<u8>>,
    salt: Vec<u8>,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Parts(..)")
    }
}

impl Parts {
    /// Takes apart a token of a service account or an API key of old; `None` for anything else.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > LONGEST { None } else { Self::of_token(bytes).or_else(|| Self::of_key(bytes)) }
    }

    /// An API key of old: JSON in base64, with the name of the key as the salt.
    fn of_key(bytes: &[u8]) -> Option<Self> {
        // What JSON of an object with a text under `k` begins with.
        if !bytes.starts_with(b"eyJrIjoi") {
            return None;
        }
        let json = Zeroizing::new(base64::engine::general_purpose::STANDARD.decode(bytes).ok()?);
        let key: Key = serde_json::from_slice(&json).ok()?;
        let secret = Zeroizing::new(key.k.into_bytes());
        (secret.len() == SECRET && secret.iter().all(u8::is_ascii_alphanumeric))
            .then(|| Self { secret, salt: key.n.into_bytes() })
    }

    /// `gl<kind>_<secret>_<checksum>` with a right checksum.
    fn of_token(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(b"gl")?;
        let mut parts = rest.split(|b| *b == b'_');
        let (kind, secret, checksum) = (parts.next()?, parts.next()?, parts.next()?);
        let known = !kind.is_empty() && kind.iter().all(u8::is_ascii_lowercase);
        if parts.next().is_some() || !known || secret.len() != SECRET || !secret.iter().all(u8::is_ascii_alphanumeric) {
            return None;
        }
        let covered = bytes.get(..bytes.len().checked_sub(checksum.len() + 1)?)?;
        // Lowest byte first, which is Grafana's way to write it.
        let right = crate::hex::hex(&crc32fast::hash(covered).to_le_bytes());
        (right.as_bytes() == checksum)
            .then(|| Self { secret: Zeroizing::new(secret.to_vec()), salt: checksum.to_vec() })
    }

    /// The digest under which it is stored. It takes some milliseconds.
    pub fn digest(&self) -> Digest {
        let mut hash = Zeroizing::new([0; HASH]);
        pbkdf2::pbkdf2_hmac::<Sha256>(&self.secret, &self.salt, ROUNDS, &mut *hash);
        digest(&hash)
    }
}

/// The digest under which a hash is stored: of the hash with a word before it that no credential can begin with, so
/// that whoever knows the hash has nothing to present.
pub fn digest(hash: &[u8; HASH]) -> Digest {
    let mut sha = Sha256::new();
    sha.update(b"grafana\0");
    sha.update(hash);
    Digest(sha.finalize().into())
}

/// A hash as Grafana's table has it, in hexadecimal; `None` for anything else.
pub fn hash(text: &str) -> Option<[u8; HASH]> {
    if text.len() != HASH * 2 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; HASH];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(at * 2..at * 2 + 2)?, 16).ok()?;
    }
    Some(bytes)
}
