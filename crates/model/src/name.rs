//! Text that people choose: bounds, control characters, folding.

use unicode_normalization::UnicodeNormalization;

use crate::{Error, Result};

/// The longest name of anything, in characters.
pub const NAME: usize = 128;
/// The longest description, in characters.
pub const DESCRIPTION: usize = 1024;
/// The longest account identifier, in characters (an e-mail address has at most 254).
pub const IDENTIFIER: usize = 254;
/// The longest permission string, in characters.
pub const PERMISSION: usize = 200;

/// Checks text that may be empty: at most `max` characters, none of them control or bidirectional-override characters.
///
/// # Errors
/// `invalid_field` naming the field and the limit.
pub fn check_optional(field: &'static str, text: &str, max: usize) -> Result<()> {
    // Bytes first: counting the characters of a megabyte is work that a caller could buy for nothing.
    if text.len() > max.saturating_mul(4) || text.chars().count() > max {
        return Err(Error::too_long(field, max));
    }
    if text.chars().any(forbidden) {
        return Err(Error::invalid(field, "must not contain control characters"));
    }
    Ok(())
}

/// Checks text that must be there: as [`check_optional`], and not blank.
///
/// # Errors
/// `invalid_field` naming the field.
pub fn check(field: &'static str, text: &str, max: usize) -> Result<()> {
    if text.trim().is_empty() {
        return Err(Error::invalid(field, "must not be empty"));
    }
    check_optional(field, text, max)
}

fn forbidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' | '\u{FEFF}')
}

/// The form in which text is compared and searched: NFC, lower case, trimmed.
pub fn fold(text: &str) -> String {
    fold_part(text.trim())
}

/// The same form of a part of a text: blanks at its ends may stand within the whole, so they stay.
pub fn fold_part(text: &str) -> String {
    text.nfc().collect::<String>().to_lowercase().nfc().collect()
}

/// Text by which something is looked up, folded; `None` if nothing can have such a name, so that no database is asked
/// (PostgreSQL refuses a NUL in any text).
pub fn findable(text: &str, max: usize) -> Option<String> {
    check("name", text, max).ok().map(|()| fold(text))
}

/// Checks a person's sign-in e-mail and gives it back folded.
///
/// # Errors
/// `invalid_field`.
pub fn email(field: &'static str, text: &str) -> Result<String> {
    check(field, text, IDENTIFIER)?;
    let folded = fold(text);
    // Folding can lengthen a text.
    check(field, &folded, IDENTIFIER)?;
    // The prefix tells a robot from a person wherever only the identifier is shown.
    let valid = !folded.starts_with("sa::")
        && folded.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty() && !domain.is_empty() && !domain.contains('@') && !folded.contains(char::is_whitespace)
        });
    if valid { Ok(folded) } else { Err(Error::invalid(field, "must be an e-mail address")) }
}

/// Checks a service account's identifier and gives it back folded, with its `sa::` prefix (wavefront.md 7.2).
///
/// # Errors
/// `invalid_field`.
pub fn service(field: &'static str, text: &str) -> Result<String> {
    check(field, text, IDENTIFIER)?;
    let folded = fold(text);
    let bare = folded.strip_prefix("sa::").unwrap_or(&folded);
    if bare.is_empty() || bare.contains(char::is_whitespace) || bare.contains('/') {
        return Err(Error::invalid(field, "must be sa:: and a name without spaces or slashes"));
    }
    let whole = format!("sa::{bare}");
    check(field, &whole, IDENTIFIER)?;
    Ok(whole)
}
