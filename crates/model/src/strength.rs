//! How much chance a secret that somebody else made can carry: an estimate from its letters and its length.
//!
//! It is an upper bound for what looks random, and deliberately low for what looks like words or a pattern. It can't
//! know how a text was made; it keeps out what nobody should have used as a token.

use std::collections::HashSet;

use crate::{Error, ErrorKind, Refusal, Result};

/// The least that a token may carry, in bits: as much as a UUID v4, the weakest secret that we make ourselves.
pub const LEAST: u32 = 122;

/// The shortest pattern that is looked for, in characters: shorter ones stand in random texts as well.
const PATTERN: usize = 8;
/// So many different characters at least have texts of 122 random bits, but for one in ten million.
const DISTINCT: usize = 8;
/// Bits of a letter of words, times 100.
const WORD: usize = 200;

/// Refuses a text that carries too little chance.
///
/// # Errors
/// `invalid_field` of the field `strength`; the text is not repeated.
pub fn check(text: &str) -> Result<()> {
    if !text.is_ascii() {
        return Err(weak("the token is not ASCII"));
    }
    if let Some(version) = uuid_version(text) {
        if version != b'4' {
            return Err(weak("the token is a UUID of a version that is not random; only version 4 is"));
        }
        // Its dashes, version and variant are the same in all of them.
        let digits: Vec<u8> = text.bytes().filter(|b| *b != b'-').collect();
        return if patterned(&digits) { Err(weak(PATTERNED)) } else { Ok(()) };
    }
    if patterned(text.as_bytes()) {
        return Err(weak(PATTERNED));
    }
    let bits = bits(text.as_bytes());
    if bits < LEAST {
        return Err(weak(format!("the token carries {bits} random bits at most, {LEAST} are needed")));
    }
    Ok(())
}

const PATTERNED: &str = "the token repeats itself: it was not made at random";

fn weak(why: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, Refusal::Field("strength"), why)
}

/// The version digit of a text in the form of a UUID.
fn uuid_version(text: &str) -> Option<u8> {
    let bytes = text.as_bytes();
    let fits = |(at, b): (usize, &u8)| if matches!(at, 8 | 13 | 18 | 23) { *b == b'-' } else { b.is_ascii_hexdigit() };
    let form = bytes.len() == 36 && bytes.iter().enumerate().all(fits);
    bytes.get(14).copied().filter(|_| form)
}

/// Few different characters, a run or sequence, or a part that comes again.
fn patterned(bytes: &[u8]) -> bool {
    let distinct: HashSet<u8> = bytes.iter().copied().collect();
    if distinct.len() < DISTINCT {
        return true;
    }
    let mut run = 1;
    let mut step = None;
    for pair in bytes.windows(2) {
        let &[one, next] = pair else { continue };
        let now = next.wrapping_sub(one);
        run = if step == Some(now) && matches!(now, 0 | 1 | 0xff) { run + 1 } else { 2 };
        step = Some(now);
        if run >= PATTERN {
            return true;
        }
    }
    let mut seen = HashSet::new();
    !bytes.windows(PATTERN).all(|part| seen.insert(part))
}

/// About how many random bits a text can carry.
pub fn bits(bytes: &[u8]) -> u32 {
    let own =
        matches!(bytes.len(), 22 | 64) && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    // What stands before the secret itself is the same in every secret of its kind, such as `sk_live_`.
    let bytes = if own { bytes } else { body(bytes) };
    let hundredths = if wordy(bytes, if own { 8 } else { 3 }) {
        bytes.iter().filter(|b| b.is_ascii_alphabetic()).count() * WORD
    } else {
        let (each, all) = alphabet(bytes);
        each * if all { bytes.len() } else { bytes.iter().filter(|b| b.is_ascii_alphanumeric()).count() }
    };
    u32::try_from(hundredths / 100).unwrap_or(u32::MAX)
}

/// What is left after prefixes of letters that end with a separator, at most three of at most twelve letters.
fn body(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    for _ in 0..3 {
        let letters = rest.iter().take_while(|b| b.is_ascii_lowercase()).count();
        let end = rest.get(letters).is_some_and(|b| matches!(b, b'_' | b'-' | b'.'));
        match rest.get(letters + 1..) {
            Some(after) if end && (1..=12).contains(&letters) => rest = after,
            _ => break,
        }
    }
    rest
}

/// Bits of each character, times 100, and whether punctuation counts as well.
fn alphabet(bytes: &[u8]) -> (usize, bool) {
    let any = |is: fn(&u8) -> bool| bytes.iter().any(is);
    let (digits, lower, upper) = (any(u8::is_ascii_digit), any(u8::is_ascii_lowercase), any(u8::is_ascii_uppercase));
    let hex = bytes.iter().filter(|b| b.is_ascii_alphanumeric()).all(u8::is_ascii_hexdigit);
    match (digits, lower, upper) {
        (true, false, false) => (332, false),
        _ if hex => (400, false),
        (true, true, true) => (595, true),
        // Of the 22 or 64 URL-safe characters that chance takes, it may take no digit.
        (false, true, true) if matches!(bytes.len(), 22 | 64) => (570, true),
        (true, _, _) => (516, false),
        (false, true, true) => (570, false),
        _ => (470, false),
    }
}

/// Whether a text looks like words: letters with as many vowels as words have and separators, with digits at its ends at
/// most, and less than one change of case in so many letters.
fn wordy(bytes: &[u8], rare: usize) -> bool {
    let edge = |b: &&u8| !b.is_ascii_alphabetic();
    let before = bytes.iter().take_while(edge).count();
    let after = bytes.iter().rev().take_while(edge).count();
    let Some(core) = bytes.get(before..bytes.len().saturating_sub(after)) else { return false };
    if core.iter().any(u8::is_ascii_digit) || before + after > 8 {
        return false;
    }
    let letters: Vec<bool> = core.iter().filter(|b| b.is_ascii_alphabetic()).map(u8::is_ascii_uppercase).collect();
    let changes = letters.windows(2).filter(|pair| pair.first() != pair.last()).count();
    let vowels = core.iter().filter(|b| b"aeiouAEIOU".contains(b)).count();
    // Chance changes the case in every other place and makes a vowel of every fifth letter; words change it once or twice
    // each, and have twice as many.
    changes * rare < letters.len() && vowels * 10 >= letters.len() * 3
}
