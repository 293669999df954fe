//! The gate's rules: which requests of end clients need what, by method, host and path.
//!
//! A rule is worth nothing if gateway, gate and upstream read one path in three ways. So a path that others may read
//! differently is no path here: whoever asks about it is refused.

use std::borrow::Cow;

use crate::token::Kinds;

/// The most rules that there may be: they are looked through in order.
pub const MOST_RULES: usize = 1000;
/// The longest pattern, in bytes.
pub const LONGEST_PATTERN: usize = 1024;
/// The longest target of a request, in bytes.
pub const LONGEST_TARGET: usize = 8192;

/// The methods that a rule can name.
pub const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];

/// Why a request is not clear: what others may read differently.
pub type Unclear = &'static str;

/// Checks a request's method.
///
/// # Errors
/// Anything but capitals (and `-`, `_`): some programs take `get` for `GET`.
pub fn method(bytes: &[u8]) -> Result<&str, Unclear> {
    let clear = (1..=32).contains(&bytes.len()) && bytes.iter().all(|b| matches!(b, b'A'..=b'Z' | b'-' | b'_'));
    let text = std::str::from_utf8(bytes).ok().filter(|_| clear);
    text.ok_or("the method is not in capitals")
}

/// Checks a request's host, and gives it back without port and the dot at its end.
///
/// # Errors
/// Characters that no host has.
pub fn host(bytes: &[u8]) -> Result<&str, Unclear> {
    const WRONG: Unclear = "the host is none";
    let text = std::str::from_utf8(bytes).map_err(|_| WRONG)?;
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']').ok_or(WRONG)?,
        None => text.find(':').and_then(|at| text.split_at_checked(at)).unwrap_or((text, "")),
    };
    let six = text.starts_with('[');
    let inside = |b: u8| b.is_ascii_alphanumeric() || (if six { b == b':' || b == b'.' } else { b"-._".contains(&b) });
    let digits = port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()));
    let host = if six { host } else { host.strip_suffix('.').unwrap_or(host) };
    let clear = (1..=255).contains(&host.len()) && host.bytes().all(inside) && digits;
    if clear { Ok(host) } else { Err(WRONG) }
}

/// The path of a request, decoded once; never one that others may read differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path<'a>(Cow<'a, str>);

impl<'a> Path<'a> {
    /// Reads the target of a request: its path, and perhaps a query, which does not matter here.
    ///
    /// # Errors
    /// What is not clear about it. It is never repeated: targets can hold secrets.
    pub fn read(target: &'a [u8]) -> Result<Self, Unclear> {
        if target.len() > LONGEST_TARGET {
            return Err("the path is too long");
        }
        let end = target.iter().position(|b| *b == b'?').unwrap_or(target.len());
        let raw = target.get(..end).unwrap_or_default();
        if raw.first() != Some(&b'/') {
            return Err("the path does not begin with a slash");
        }
        if !raw.iter().all(u8::is_ascii_graphic) {
            return Err("the path has characters that stand in no path");
        }
        let path = if raw.contains(&b'%') {
            Cow::Owned(decoded(raw)?)
        } else {
            Cow::Borrowed(std::str::from_utf8(raw).map_err(|_| "the path is not UTF-8")?)
        };
        if path.contains(['\\', ';', '#']) {
            return Err("the path has a backslash, a semicolon or a number sign");
        }
        // The slash at the end is read as if it were not there: to most upstreams it makes no difference.
        let inside = path.strip_prefix('/').unwrap_or(&path);
        let inside = inside.strip_suffix('/').unwrap_or(inside);
        if inside.split('/').any(|segment| matches!(segment, "." | "..") || segment.is_empty() && path.len() > 1) {
            return Err("the path has an empty segment, `.` or `..`");
        }
        Ok(Self(path))
    }

    /// Its segments, decoded; none for `/`.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        let inside = self.0.trim_matches('/');
        inside.split('/').filter(|segment| !segment.is_empty())
    }
}

/// Decodes percent escapes once.
fn decoded(raw: &[u8]) -> Result<String, Unclear> {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.iter();
    while let Some(byte) = rest.next() {
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let digits = (rest.next().copied().and_then(digit), rest.next().copied().and_then(digit));
        let (Some(high), Some(low)) = digits else { return Err("the path has a broken percent escape") };
        let byte = high << 4 | low;
        if byte.is_ascii_control() || b"/\\.?".contains(&byte) {
            return Err("the path has an encoded slash, backslash, dot, question mark or control character");
        }
        bytes.push(byte);
    }
    let text = String::from_utf8(bytes).map_err(|_| "the path is not UTF-8")?;
    let twice = |window: &[u8]| matches!(window, [b'%', a, b] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit());
    if text.as_bytes().windows(3).any(twice) {
        return Err("the path is encoded twice");
    }
    if text.chars().any(char::is_control) {
        return Err("the path has control characters");
    }
    Ok(text)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// One segment of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    /// Exactly this.
    Exactly(String),
    /// Anything.
    Any,
}

/// A pattern of paths: `*` stands for one segment, `**` at the end for any rest, also for none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    segments: Vec<Segment>,
    rest: bool,
}

impl Pattern {
    /// Reads a pattern. It is written decoded: `/a b`, not `/a%20b`.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.len() > LONGEST_PATTERN {
            return Err("is too long (1,024 bytes)");
        }
        let inside = text.strip_prefix('/').ok_or("must begin with a slash")?;
        if text.contains(['%', '\\', ';', '?', '#']) || text.chars().any(char::is_control) {
            return Err("must be a path as it is, without escapes, query, `;` and `\\`");
        }
        let mut pattern = Self { segments: Vec::new(), rest: false };
        if inside.is_empty() {
            return Ok(pattern);
        }
        for segment in inside.split('/') {
            if pattern.rest {
                return Err("may have `**` at its end only");
            }
            match segment {
                "**" => pattern.rest = true,
                "*" => pattern.segments.push(Segment::Any),
                "" => return Err("has an empty segment; a slash at the end makes no difference, leave it out"),
                "." | ".." => return Err("must not have the segments `.` and `..`: such a path is always refused"),
                other if other.contains('*') => {
                    return Err("may have `*` and `**` as whole segments only");
                }
                other => pattern.segments.push(Segment::Exactly(other.to_owned())),
            }
        }
        Ok(pattern)
    }

    /// Whether a path is one of these.
    pub fn fits(&self, path: &Path<'_>) -> bool {
        let mut given = path.segments();
        for wanted in &self.segments {
            match (wanted, given.next()) {
                (_, None) => return false,
                (Segment::Exactly(wanted), Some(given)) if wanted != given => return false,
                _ => {}
            }
        }
        self.rest || given.next().is_none()
    }

    /// Whether every path of the other is one of these.
    pub fn covers(&self, other: &Self) -> bool {
        let mut theirs = other.segments.iter();
        for ours in &self.segments {
            match (ours, theirs.next()) {
                (_, None) => return false,
                (Segment::Exactly(_), Some(segment)) if ours != segment => return false,
                _ => {}
            }
        }
        self.rest || theirs.next().is_none() && !other.rest
    }
}

/// What requests of one sort need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The methods that it is about; all if empty.
    pub methods: Vec<String>,
    /// The host that it is about, in small letters; `None` for all.
    pub host: Option<String>,
    /// The paths that it is about.
    pub path: Pattern,
    /// The permission that the token must carry; `None` where any will do.
    pub permission: Option<String>,
    /// The kinds of which the token must be.
    pub kinds: Kinds,
}

impl Rule {
    /// Whether every request that the other is about is one of these.
    pub fn covers(&self, other: &Self) -> bool {
        let methods = self.methods.is_empty()
            || !other.methods.is_empty() && other.methods.iter().all(|method| self.methods.contains(method));
        let hosts = self.host.is_none() || self.host == other.host;
        methods && hosts && self.path.covers(&other.path)
    }
}

/// A request as its gateway describes it.
#[derive(Clone, Debug)]
pub struct Described<'a> {
    /// As [`method`] gives it.
    pub method: &'a str,
    /// As [`host`] gives it; `None` where no rule asks for it.
    pub host: Option<&'a str>,
    /// Its path.
    pub path: Path<'a>,
}

/// Rules in their order: the first that is about a request says what it needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules(Vec<Rule>);

impl Rules {
    /// These rules.
    pub fn new(rules: Vec<Rule>) -> Self {
        Self(rules)
    }

    /// Whether any of them asks for the host.
    pub fn ask_host(&self) -> bool {
        self.0.iter().any(|rule| rule.host.is_some())
    }

    /// The rule of a request. What none is about is refused.
    pub fn of(&self, request: &Described<'_>) -> Option<&Rule> {
        self.0.iter().find(|rule| {
            let host = |wanted: &String| request.host.is_some_and(|host| host.eq_ignore_ascii_case(wanted));
            (rule.methods.is_empty() || rule.methods.iter().any(|method| method == request.method))
                && rule.host.as_ref().is_none_or(host)
                && rule.path.fits(&request.path)
        })
    }
}
