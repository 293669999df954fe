//! JSON objects that are written as they go, for answers that are given before each request of somebody's API: made by
//! a general serializer they took a fifth of what the whole question did.

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use tokenhouse_model::Uuid;

/// Room for the usual answer.
const USUAL: usize = 512;

/// An object. Names need no escapes.
#[derive(Debug)]
pub(crate) struct Object(Vec<u8>);

impl Object {
    /// Without members.
    pub(crate) fn new() -> Self {
        let mut bytes = Vec::with_capacity(USUAL);
        bytes.push(b'{');
        Self(bytes)
    }

    fn name(&mut self, name: &'static str) {
        if self.0.len() > 1 {
            self.0.push(b',');
        }
        self.quoted(name.as_bytes());
        self.0.push(b':');
    }

    fn quoted(&mut self, plain: &[u8]) {
        self.0.push(b'"');
        self.0.extend_from_slice(plain);
        self.0.push(b'"');
    }

    /// Adds a truth.
    pub(crate) fn flag(&mut self, name: &'static str, value: bool) {
        self.name(name);
        self.0.extend_from_slice(if value { b"true" } else { b"false" });
    }

    /// Adds a number.
    pub(crate) fn number(&mut self, name: &'static str, value: i64) {
        self.name(name);
        // Writing into memory can't fail, here and below.
        _ = serde_json::to_writer(&mut self.0, &value);
    }

    /// Adds an id.
    pub(crate) fn id(&mut self, name: &'static str, value: Uuid) {
        self.name(name);
        self.quoted(value.hyphenated().encode_lower(&mut Uuid::encode_buffer()).as_bytes());
    }

    /// Adds text of any kind.
    pub(crate) fn text(&mut self, name: &'static str, value: &str) {
        self.name(name);
        // Looked at whole, which goes many bytes at a time.
        let escaped = |escaped, byte| escaped | (byte < b' ' || byte == b'"' || byte == b'\\');
        if value.bytes().fold(false, escaped) {
            _ = serde_json::to_writer(&mut self.0, value);
        } else {
            self.quoted(value.as_bytes());
        }
    }

    /// The response that nobody keeps.
    pub(crate) fn answer(mut self) -> Response {
        self.0.push(b'}');
        let mut response = Response::new(Body::from(self.0));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_a_serializer_would_write() {
        let mut object = Object::new();
        let odd = "a\"b\\c\u{0}\n\u{1f}\u{7f}\u{e9}\u{2028}";
        object.flag("yes", true);
        object.flag("no", false);
        object.text("odd", odd);
        object.text("plain", "plain");
        object.text("empty", "");
        object.number("low", i64::MIN);
        object.id("id", Uuid::from_u128(7));
        object.0.push(b'}');
        let expected = serde_json::json!({
            "yes": true, "no": false, "odd": odd, "plain": "plain", "empty": "", "low": i64::MIN, "id": Uuid::from_u128(7),
        });
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&object.0).unwrap(), expected);
        let text = String::from_utf8(object.0).unwrap();
        let written = format!("\"odd\":{}", serde_json::to_string(odd).unwrap());
        assert!(text.contains(&written), "{text}");
    }
}
