//! Identifiers: UUIDv7 for rows, random short ids for rows that splunk clients show (design 5.8).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use crate::env::Random;
use crate::{Error, Millis, Result};

/// A new row id: UUIDv7, sortable by the time of its making.
pub fn new(now: Millis, random: &Random) -> Uuid {
    let millis = u64::try_from(now).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random.bytes()).into_uuid()
}

/// A new short id: 63 random bits as 11 URL-safe base64 characters (splunk.md section 1).
pub fn short(random: &Random) -> String {
    let bits = u64::from_be_bytes(random.bytes()) >> 1;
    URL_SAFE_NO_PAD.encode(bits.to_be_bytes())
}

/// Reads a row id from text that a caller sent.
///
/// # Errors
/// `not_found`: a path that is no id names nothing.
pub fn parse(what: &'static str, text: &str) -> Result<Uuid> {
    Uuid::try_parse(text).map_err(|_| Error::not_found(what))
}
