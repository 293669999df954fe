//! What a client says to PostgreSQL, cut into its messages, so that the proxy can tell those that write.

use std::collections::HashMap;

/// What a message does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Does {
    /// It reads, or only prepares.
    Read,
    /// It changes rows.
    Write,
    /// It commits.
    Commit,
}

impl Does {
    fn of(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text).trim_start().to_ascii_uppercase();
        let begins = |words: &[&str]| words.iter().any(|word| text.starts_with(word));
        if begins(&["COMMIT", "END"]) {
            Self::Commit
        } else if begins(&["INSERT", "UPDATE", "DELETE"]) || (begins(&["WITH"]) && text.contains("UPDATE ")) {
            Self::Write
        } else {
            Self::Read
        }
    }
}

/// A message, whole.
#[derive(Debug)]
pub struct Message {
    /// What it does.
    pub does: Does,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// One connection's messages. Statements that were prepared are remembered by their name.
#[derive(Debug, Default)]
pub struct Frontend {
    buffer: Vec<u8>,
    begun: bool,
    prepared: HashMap<Vec<u8>, Does>,
}

/// The protocol's major version in a startup message; the requests for encryption and cancelling have others.
const VERSION: u32 = 3;

impl Frontend {
    /// Takes what came in.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next message that is whole.
    pub fn next(&mut self) -> Option<Message> {
        // Before the startup message nothing has a type.
        let head = usize::from(self.begun);
        let length = self.buffer.get(head..head + 4)?;
        let length = head + u32::from_be_bytes(length.try_into().unwrap()) as usize;
        if self.buffer.len() < length {
            return None;
        }
        let bytes: Vec<u8> = self.buffer.drain(..length).collect();
        let does = if self.begun {
            self.look(&bytes)
        } else {
            let code = bytes.get(4..8).map_or(0, |code| u32::from_be_bytes(code.try_into().unwrap()));
            self.begun = code >> 16 == VERSION;
            Does::Read
        };
        Some(Message { does, bytes })
    }

    fn look(&mut self, bytes: &[u8]) -> Does {
        let mut texts = bytes[5..].split(|byte| *byte == 0);
        let mut text = || texts.next().unwrap_or_default();
        match bytes[0] {
            b'Q' => Does::of(text()),
            b'P' => {
                let (name, does) = (text().to_vec(), Does::of(text()));
                self.prepared.insert(name, does);
                does
            }
            b'B' => {
                let _portal = text();
                self.prepared.get(text()).copied().unwrap_or(Does::Read)
            }
            _ => Does::Read,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap();
        [&[kind], &length.to_be_bytes()[..], body].concat()
    }

    #[test]
    fn messages_that_write_are_told_also_by_their_prepared_name() {
        let mut frontend = Frontend::default();
        let startup = [&12_u32.to_be_bytes()[..], &(3_u32 << 16).to_be_bytes(), b"a\0b\0"].concat();
        let startup = [&8_u32.to_be_bytes()[..], &80_877_103_u32.to_be_bytes(), &startup].concat();
        let mut said = startup;
        said.extend(message(b'P', b"one\0 update x SET y = $1\0\0\0"));
        said.extend(message(b'P', b"two\0SELECT 'UPDATE'\0\0\0"));
        said.extend(message(b'B', b"\0two\0\0\0"));
        said.extend(message(b'B', b"\0one\0\0\0"));
        said.extend(message(b'S', b""));
        said.extend(message(b'Q', b"commit\0"));
        let mut does = Vec::new();
        // As the network may cut it: byte by byte.
        for byte in &said {
            frontend.push(&[*byte]);
            does.extend(std::iter::from_fn(|| frontend.next()).map(|message| message.does));
        }
        use Does::{Commit, Read, Write};
        assert_eq!(does, [Read, Read, Write, Read, Read, Write, Read, Commit]);
    }
}
