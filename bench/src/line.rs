//! One keep-alive connection that asks and waits for the answer, with as little work of its own as can be: what the
//! client costs is taken from the server that it measures.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request, ready to be sent as often as wanted.
#[derive(Clone)]
pub struct Request(Vec<u8>);

impl Request {
    /// Asks for a page.
    pub fn get(path: &str) -> Self {
        Self(format!("GET {path} HTTP/1.1\r\nhost: bench.test\r\n\r\n").into_bytes())
    }

    /// Asks about a secret, with the token of an API server.
    pub fn verify(asker: &str, secret: &str) -> Self {
        let body = format!("{{\"token\":\"{secret}\"}}");
        let head = "POST /v1/verify HTTP/1.1\r\nhost: bench.test\r\ncontent-type: application/json";
        let length = body.len();
        Self(format!("{head}\r\nauthorization: Bearer {asker}\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes())
    }
}

/// A connection.
pub struct Line {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Line {
    /// Connects.
    pub fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_nodelay(true).expect("no delay");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        Self { stream, answer: Vec::new() }
    }

    /// Asks: the status and the body.
    pub fn ask(&mut self, request: &Request) -> (u16, &[u8]) {
        self.stream.write_all(&request.0).expect("a request that is taken");
        self.answer.clear();
        let mut whole = None;
        while whole.is_none_or(|(_, end)| self.answer.len() < end) {
            let mut part = [0; 8192];
            let length = self.stream.read(&mut part).expect("an answer");
            assert!(length > 0, "the server hung up");
            self.answer.extend_from_slice(&part[..length]);
            whole = whole.or_else(|| extent(&self.answer));
        }
        let (head, end) = whole.expect("an answer");
        let status = std::str::from_utf8(&self.answer[9..12]).ok().and_then(|text| text.parse().ok());
        (status.expect("a status"), &self.answer[head..end])
    }
}

/// Where the body of an answer begins and ends, once its head is there.
fn extent(answer: &[u8]) -> Option<(usize, usize)> {
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&answer[..head]).expect("a head in ASCII").to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length.and_then(|text| text.trim().parse().ok()).expect("a length of the body");
    Some((head, head + length))
}
