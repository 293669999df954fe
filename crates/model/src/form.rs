//! Forms: bodies of the type `application/x-www-form-urlencoded`, as OAuth sends them (RFC 6749 appendix B).

use std::borrow::Cow;

use crate::{Error, Result};

/// The parameters of these names. Others are passed over (RFC 6749 3.2).
///
/// # Errors
/// `invalid_field` for one that comes twice. What was sent is never repeated.
pub fn fields<'a, const N: usize>(body: &'a [u8], names: [&'static str; N]) -> Result<[Option<Cow<'a, str>>; N]> {
    let mut values = [const { None }; N];
    for pair in body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let Some((name, value)) = split(pair) else { continue };
        let Some(at) = names.iter().position(|known| *known == name) else { continue };
        let (Some(place), Some(name)) = (values.get_mut(at), names.get(at)) else { continue };
        if place.replace(value).is_some() {
            return Err(Error::invalid(name, "must not be repeated"));
        }
    }
    Ok(values)
}

/// A name and its value.
fn split(pair: &[u8]) -> Option<(Cow<'_, str>, Cow<'_, str>)> {
    // Secrets are encoded as they are, so this is what nearly all are.
    let plain = pair.is_ascii() && !pair.iter().any(|byte| matches!(byte, b'%' | b'+'));
    match std::str::from_utf8(pair) {
        Ok(text) if plain => {
            let (name, value) = text.split_once('=').unwrap_or((text, ""));
            Some((Cow::Borrowed(name), Cow::Borrowed(value)))
        }
        _ => form_urlencoded::parse(pair).next(),
    }
}

/// One value that was encoded as in a form; `None` where several stand there.
pub fn value(bytes: &[u8]) -> Option<String> {
    let whole = !bytes.contains(&b'&') && !bytes.contains(&b'=');
    let mut pairs = form_urlencoded::parse(bytes);
    whole.then(|| pairs.next().map(|(value, _)| value.into_owned()).unwrap_or_default())
}
