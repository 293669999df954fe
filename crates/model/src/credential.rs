//! Credentials as requests carry them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::{Error, Result, SecretText, form, secret};

/// A presented credential: bytes that may be a secret. Wiped when dropped; `Debug` shows nothing.
#[derive(Clone)]
pub struct Presented(Zeroizing<Vec<u8>>);

impl Presented {
    /// Takes a copy of bytes that may be a secret.
    pub fn new(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Presented {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Presented(..)")
    }
}

/// What an `Authorization` header says.
#[derive(Debug, PartialEq, Eq)]
pub enum Authorization<'a> {
    /// RFC 6750 section 2.1.
    Bearer(&'a [u8]),
    /// RFC 7617: the base64 part, undecoded.
    Basic(&'a [u8]),
}

/// Reads an `Authorization` header. The scheme is matched without regard to case, as RFC 9110 11.1 asks.
///
/// # Errors
/// `malformed` for no scheme, an unknown scheme or no credential. The value is never repeated in the message.
pub fn parse_authorization(value: &[u8]) -> Result<Authorization<'_>> {
    let value = value.trim_ascii();
    let split = value.iter().position(|b| *b == b' ').ok_or_else(no_scheme)?;
    let (scheme, rest) = value.split_at_checked(split).ok_or_else(no_scheme)?;
    let rest = rest.trim_ascii();
    if rest.is_empty() || rest.contains(&b' ') {
        return Err(Error::malformed("the Authorization header has no single credential"));
    }
    if scheme.eq_ignore_ascii_case(b"bearer") {
        Ok(Authorization::Bearer(rest))
    } else if scheme.eq_ignore_ascii_case(b"basic") {
        Ok(Authorization::Basic(rest))
    } else {
        Err(no_scheme())
    }
}

fn no_scheme() -> Error {
    Error::malformed("the Authorization header must be Bearer and a credential")
}

/// Name and secret of HTTP Basic, both encoded as in a form before they were joined (RFC 6749 2.3.1).
///
/// # Errors
/// `malformed`; the value is never repeated in the message.
pub fn parse_basic(encoded: &[u8]) -> Result<(String, Zeroizing<String>)> {
    let wrong = || Error::malformed("the Authorization header holds no client and secret");
    if encoded.len() > secret::LONGEST {
        return Err(wrong());
    }
    let text = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| wrong())?);
    let at = text.iter().position(|b| *b == b':').ok_or_else(wrong)?;
    let (name, secret) = (text.get(..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default());
    let secret = form::value(secret).map(Zeroizing::new).ok_or_else(wrong)?;
    Ok((form::value(name).ok_or_else(wrong)?, secret))
}

/// Client and secret of HTTP Basic in each way in which they can be meant: as they stand there, as many clients send them,
/// and decoded from a form, as the standard has it (RFC 6749 2.3.1), where that differs. The secret may hold colons, the
/// client can't.
///
/// # Errors
/// `malformed`; the value is never repeated in the message.
pub fn parse_client(encoded: &[u8]) -> Result<(String, Vec<SecretText>)> {
    let wrong = || Error::malformed("the Authorization header holds no client and secret");
    if encoded.len() > secret::LONGEST {
        return Err(wrong());
    }
    let text = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| wrong())?);
    let text = std::str::from_utf8(&text).map_err(|_| wrong())?;
    let (client, secret) = text.split_once(':').ok_or_else(wrong)?;
    let mut secrets = vec![SecretText::new(secret.to_owned())];
    if secret.contains(['%', '+']) {
        secrets.extend(form::value(secret.as_bytes()).map(SecretText::new));
    }
    Ok((form::value(client.as_bytes()).ok_or_else(wrong)?, secrets))
}

/// Strips an optional `Bearer ` from a header that carries the bare credential (wavefront.md 2).
pub fn strip_bearer(value: &[u8]) -> &[u8] {
    let value = value.trim_ascii();
    match value.split_at_checked(7) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case(b"bearer ") => rest.trim_ascii(),
        _ => value,
    }
}

/// The one credential of a request that may carry it in several places. The same one twice is one.
///
/// # Errors
/// `two_credentials` when they differ: which of them acts must not be a matter of our taste.
pub fn only_one<'a>(found: impl IntoIterator<Item = &'a [u8]>) -> Result<Option<Presented>> {
    let mut one: Option<&[u8]> = None;
    for next in found {
        match one {
            Some(first) if !same(first, next) => {
                let message = "two different credentials in one request";
                return Err(Error::new(crate::ErrorKind::Invalid, crate::Refusal::TwoCredentials, message));
            }
            _ => one = Some(next),
        }
    }
    // Only the length of what is over the bound is kept, so that a megabyte of junk is not copied about.
    Ok(one.map(|bytes| Presented::new(bytes.get(..=secret::LONGEST).unwrap_or(bytes))))
}

fn same(a: &[u8], b: &[u8]) -> bool {
    use subtle::ConstantTimeEq;
    a.ct_eq(b).into()
}
