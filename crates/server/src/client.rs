//! The command line's way to a server: one call, one answer, and what a lost answer means.

use std::error::Error as _;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use clap::Args;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Method, Url, redirect};
use serde_json::Value;
use tokenhouse_model::SecretText;
use tokenhouse_model::env::Random;

use crate::failure::{Failure, Problem};

/// The longest that an answer is waited for; the server gives up on its own before.
const ANSWER_WITHIN: Duration = Duration::from_secs(35);
/// The longest that an answer may take that comes in pieces.
const LONGEST_STREAM: Duration = Duration::from_secs(86_400);
/// How long a repeatable call is repeated. Shorter than [`crate::commands::rotate::SELF_OVERLAP`], so that the last
/// repetition can still prove itself with the old secret.
pub const REPEAT_FOR: Duration = Duration::from_secs(40);
/// The pause before a repetition: doubled each time, up to the last.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(8));

/// Which server to talk to.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Which server, and as whom")]
pub struct Connection {
    /// The server's address
    #[arg(long, global = true, env = "TOKENHOUSE_URL", default_value = "http://127.0.0.1:8080", value_name = "URL")]
    pub url: String,
    /// Read the token from this file, instead of from TOKENHOUSE_TOKEN
    #[arg(long, global = true, value_name = "FILE")]
    pub token_file: Option<std::path::PathBuf>,
    /// Only here to be refused: arguments can be read by others.
    #[arg(long, global = true, hide = true, num_args = 0..=1, default_missing_value = "", value_name = "SECRET")]
    pub token: Option<String>,
    /// Have a change answered only when no node answers from before it any more, and print the proof
    #[arg(long, global = true)]
    pub wait: bool,
    /// How long a repeatable call is repeated; a test has less patience.
    #[arg(skip = REPEAT_FOR)]
    pub repeat_for: Duration,
}

impl Connection {
    /// The token that the environment or `--token-file` gives.
    pub fn token(&self) -> Result<Option<SecretText>, Failure> {
        if self.token.is_some() {
            return Err(crate::ask::refused_argument("a token", "TOKENHOUSE_TOKEN or --token-file FILE"));
        }
        match &self.token_file {
            Some(path) => crate::ask::secret_in(path).map(Some),
            None => {
                Ok(crate::environment::variable("TOKENHOUSE_TOKEN").map(|text| SecretText::new(text.trim().to_owned())))
            }
        }
    }
}

/// One request of the native API.
#[derive(Clone)]
pub struct Call {
    method: Method,
    path: Vec<String>,
    query: Vec<(&'static str, String)>,
    body: Option<Value>,
    key: Option<String>,
}

impl Call {
    fn new(method: Method, path: &[&str]) -> Self {
        let path = path.iter().map(|segment| (*segment).to_owned()).collect();
        Self { method, path, query: Vec::new(), body: None, key: None }
    }

    /// Reads. The path is given in segments below `/v1`, which are encoded here.
    pub fn get(path: &[&str]) -> Self {
        Self::new(Method::GET, path)
    }

    /// Makes, or does.
    pub fn post(path: &[&str]) -> Self {
        Self::new(Method::POST, path)
    }

    /// Puts in place.
    pub fn put(path: &[&str]) -> Self {
        Self::new(Method::PUT, path)
    }

    /// Changes.
    pub fn patch(path: &[&str]) -> Self {
        Self::new(Method::PATCH, path)
    }

    /// Removes.
    pub fn delete(path: &[&str]) -> Self {
        Self::new(Method::DELETE, path)
    }

    /// A parameter of the query, where it has a value.
    #[must_use]
    pub fn query(mut self, name: &'static str, value: Option<impl ToString>) -> Self {
        self.query.extend(value.map(|value| (name, value.to_string())));
        self
    }

    /// The body. Members that are `null` were not given on the command line, and are left out.
    #[must_use]
    pub fn body(mut self, mut body: Value) -> Self {
        if let Value::Object(members) = &mut body {
            members.retain(|_, value| !value.is_null());
        }
        self.body = Some(body);
        self
    }

    /// A body in which `null` means something.
    #[must_use]
    pub fn exact_body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// Whether it changes something. Signing in and asking about a credential are POSTs as well.
    fn changes(&self) -> bool {
        let asks = self.path.first().is_some_and(|first| matches!(first.as_str(), "verify" | "session"));
        self.method != Method::GET && !asks
    }

    /// Makes the call safe to repeat: the server answers the same key only once, and again with the same answer.
    #[must_use]
    pub fn keyed(mut self, key: String) -> Self {
        self.key = Some(key);
        self
    }

    /// Safe to repeat under a fresh key.
    #[must_use]
    pub fn repeatable(self) -> Self {
        self.keyed(fresh_key())
    }
}

/// A key that nobody else uses.
pub fn fresh_key() -> String {
    let mut key = String::from("cli-");
    for byte in Random::system().bytes::<16>() {
        // Writing to a String can't fail.
        _ = write!(key, "{byte:02x}");
    }
    key
}

/// A server, and who we are to it.
pub struct Client {
    http: reqwest::Client,
    base: Url,
    authorization: Option<HeaderValue>,
    repeat_for: Duration,
    wait: bool,
}

impl Client {
    /// Nothing is sent yet.
    pub fn new(connection: &Connection, token: Option<&SecretText>) -> Result<Self, Failure> {
        let base = base(&connection.url)?;
        let authorization = token.map(authorization).transpose()?;
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("tokenhouse/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(5))
            .timeout(ANSWER_WITHIN)
            // The API never redirects; who does is someone else, and shall not see the token.
            .redirect(redirect::Policy::none());
        let local = matches!(base.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        if local {
            // A proxy can't reach this machine's own loopback.
            http = http.no_proxy();
        }
        let http = http.build().map_err(|error| Failure::Other(told(error)))?;
        Ok(Self { http, base, authorization, repeat_for: connection.repeat_for, wait: connection.wait })
    }

    /// The answer's body; `null` where there is none.
    ///
    /// A call with a key is repeated while its answer is lost or the server is unavailable; any other is sent once,
    /// because nobody could say whether it was done twice.
    ///
    /// # Errors
    /// The server's refusal, or that it can't be reached.
    pub async fn send(&self, call: &Call) -> Result<Value, Failure> {
        let started = Instant::now();
        let mut pause = PAUSES.0;
        let mut lost = false;
        loop {
            let failure = match self.send_once(call).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let passing = match &failure {
                Failure::Unreachable(_) => true,
                Failure::Problem(problem) => problem.is_passing(),
                _ => false,
            };
            if call.key.is_none() || !passing || started.elapsed() + pause > self.repeat_for {
                let note = "An earlier answer to the same request was lost; it may have been done.";
                return Err(if lost && !passing { failure.and(note) } else { failure });
            }
            lost = true;
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// The answer's body, however long, in pieces as they come. It is asked for once.
    ///
    /// # Errors
    /// The server's refusal; that it can't be reached, or that the answer broke off; what `each` fails with.
    pub async fn stream(&self, call: &Call, mut each: impl FnMut(&[u8]) -> Result<(), Failure>) -> Result<(), Failure> {
        let mut answer = self.answer(self.request(call)?.timeout(LONGEST_STREAM)).await?;
        loop {
            let piece = tokio::time::timeout(ANSWER_WITHIN, answer.chunk()).await;
            let piece = piece.map_err(|_| Failure::Unreachable(format!("{} sends nothing any more", self.base)))?;
            let broken = |error| Failure::Unreachable(format!("the answer broke off: {}", told(error)));
            match piece.map_err(broken)? {
                Some(piece) => each(&piece)?,
                None => return Ok(()),
            }
        }
    }

    async fn send_once(&self, call: &Call) -> Result<Value, Failure> {
        let answer = self.answer(self.request(call)?).await?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(|error| self.lost(error))?;
        if body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&body).map_err(|_| {
            Failure::Unreachable(format!(
                "{} answered {status} with no JSON: is this Tokenhouse? (TOKENHOUSE_URL)",
                self.base
            ))
        })
    }

    fn lost(&self, error: reqwest::Error) -> Failure {
        Failure::Unreachable(format!("no answer from {}: {}", self.base, told(error)))
    }

    fn request(&self, call: &Call) -> Result<reqwest::RequestBuilder, Failure> {
        let mut request = self.http.request(call.method.clone(), self.address(&call.path)?).query(&call.query);
        if self.wait && call.changes() {
            request = request.query(&[("wait", "nodes")]);
        }
        if let Some(value) = &self.authorization {
            request = request.header(AUTHORIZATION, value.clone());
        }
        if let Some(key) = &call.key {
            request = request.header("Idempotency-Key", key);
        }
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        Ok(request)
    }

    /// The begin of an answer, if it is no refusal.
    async fn answer(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response, Failure> {
        let answer = request.send().await.map_err(|error| self.lost(error))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let request_id = answer.headers().get("x-request-id").and_then(|id| id.to_str().ok()).map(ToOwned::to_owned);
        let body = answer.bytes().await.map_err(|error| self.lost(error))?;
        Err(Failure::Problem(Box::new(Problem::read(status.as_u16(), request_id.as_deref(), &body))))
    }

    fn address(&self, path: &[String]) -> Result<Url, Failure> {
        let mut url = self.base.clone();
        let wrong = || Failure::Usage("TOKENHOUSE_URL: not an address that paths can be added to".to_owned());
        let mut segments = url.path_segments_mut().map_err(|()| wrong())?;
        segments.pop_if_empty().push("v1");
        for segment in path {
            // An empty or dotted segment would quietly address something else than was meant.
            if matches!(segment.as_str(), "" | "." | "..") {
                return Err(Failure::Usage("an id or name must not be empty, \".\" or \"..\"".to_owned()));
            }
            if is_secret(segment) {
                return Err(crate::ask::refused_argument("a credential", "its id; `tokenhouse token list` tells it"));
            }
            segments.push(segment);
        }
        drop(segments);
        Ok(url)
    }
}

/// Whether an argument that should be an id is a credential: the `th_` form, a UUID v4 (ids are v7), or a JWT.
fn is_secret(text: &str) -> bool {
    let bytes = text.as_bytes();
    let house = text.starts_with("th_") && bytes.get(4) == Some(&b'_') && bytes.len() > 20;
    let uuid_v4 = bytes.len() == 36
        && bytes.get(14) == Some(&b'4')
        && bytes.iter().enumerate().all(|(at, one)| match at {
            8 | 13 | 18 | 23 => *one == b'-',
            _ => one.is_ascii_hexdigit(),
        });
    let jwt = text.starts_with("eyJ") && text.matches('.').count() == 2;
    house || uuid_v4 || jwt
}

fn base(url: &str) -> Result<Url, Failure> {
    let wrong =
        |why: &str| Failure::Usage(format!("TOKENHOUSE_URL or --url: {why}; allowed: e.g. https://tokens.example.com"));
    let base = Url::parse(url).map_err(|error| wrong(&error.to_string()))?;
    if !matches!(base.scheme(), "http" | "https") {
        return Err(wrong("neither http nor https"));
    }
    if !base.username().is_empty() || base.password().is_some() {
        return Err(wrong("holds a user or password"));
    }
    if base.query().is_some() || base.fragment().is_some() {
        return Err(wrong("holds a query or fragment"));
    }
    Ok(base)
}

fn authorization(token: &SecretText) -> Result<HeaderValue, Failure> {
    let wrong =
        |_| Failure::Usage("the token holds characters that no token has (TOKENHOUSE_TOKEN, --token-file)".to_owned());
    let text = zeroize::Zeroizing::new(format!("Bearer {}", token.expose()));
    let mut value = HeaderValue::from_str(&text).map_err(wrong)?;
    value.set_sensitive(true);
    Ok(value)
}

/// An error with its causes, which hold what matters ("connection refused"), and without the address.
fn told(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        let text = deeper.to_string();
        if !said.contains(&text) {
            said = format!("{said}: {text}");
        }
        cause = deeper.source();
    }
    said
}

#[cfg(test)]
mod tests;
