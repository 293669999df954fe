//! One question to Tokenhouse.

use std::net::IpAddr;
use std::time::{Duration, Instant, SystemTime};

use http::header::{AUTHORIZATION, CONTENT_TYPE, DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use reqwest::Url;
use tokio::sync::Semaphore;

use crate::answer::{self, Answer};
use crate::credential::Held;
use crate::receipts::Place;

/// What is asked of a credential.
pub(crate) struct Asked {
    /// The form of the question, but for receipts. It holds the credential.
    form: String,
}

impl Asked {
    pub(crate) fn new(credential: &str, permission: Option<&str>, address: Option<IpAddr>) -> Self {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("token", credential);
        if let Some(permission) = permission {
            form.append_pair("permission", permission);
        }
        if let Some(address) = address {
            form.append_pair("client_ip", &address.to_string());
        }
        Self { form: form.finish() }
    }

    fn from(&self, floor: Option<Place>) -> String {
        match floor {
            Some(Place { epoch, revision }) => format!("{}&at_least={revision}&epoch={epoch}", self.form),
            None => self.form.clone(),
        }
    }
}

/// What came of a question.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) answer: Answer,
    /// For how long after the question was sent the token has not ended by itself, as far as that can be told.
    pub(crate) lives: Option<Duration>,
}

/// Nothing usable came of it.
#[derive(Clone, Debug)]
pub(crate) struct Silence {
    pub(crate) cause: &'static str,
    pub(crate) retry_after: Duration,
}

impl Silence {
    pub(crate) fn new(cause: &'static str) -> Self {
        Self { cause, retry_after: Duration::from_secs(1) }
    }
}

/// What can go wrong on the way.
enum Trouble {
    /// The connection broke: it may have been an idle one that the other side closed.
    Broken,
    /// Tokenhouse does not take the service's own credential.
    NotTaken,
    Silence(Silence),
}

/// The longest that a caller is told to wait.
const LONGEST_RETRY: Duration = Duration::from_secs(60);

/// The way to Tokenhouse.
pub(crate) struct Line {
    client: reqwest::Client,
    url: Url,
    held: Held,
    timeout: Duration,
    at_once: Semaphore,
}

impl Line {
    pub(crate) fn new(client: reqwest::Client, url: Url, held: Held, timeout: Duration, at_once: usize) -> Self {
        Self { client, url, held, timeout, at_once: Semaphore::new(at_once.min(Semaphore::MAX_PERMITS)) }
    }

    /// Asks. `sending` is called once, right before the question is sent, and tells what its answer must not be older
    /// than.
    pub(crate) async fn ask(&self, asked: &Asked, sending: impl FnOnce() -> Option<Place>) -> Result<Told, Silence> {
        let all = async {
            let _permit = self.at_once.acquire().await.map_err(|_| Silence::new("the verifier is closed"))?;
            self.ask_twice(asked, sending).await
        };
        tokio::time::timeout(self.timeout, all)
            .await
            .unwrap_or_else(|_| Err(Silence::new("there was no answer in time")))
    }

    async fn ask_twice(&self, asked: &Asked, sending: impl FnOnce() -> Option<Place>) -> Result<Told, Silence> {
        let mut held = self.held.get().await.map_err(Silence::new)?;
        let floor = sending();
        let mut again = true;
        loop {
            let trouble = match self.once(asked, floor, &held).await {
                Ok(told) => return Ok(told),
                Err(trouble) => trouble,
            };
            // Once more, if that can help. A question changes nothing, so it may be repeated.
            match trouble {
                Trouble::Broken if again => {}
                Trouble::NotTaken if again => match self.held.other_than(&held).await {
                    Some(other) => held = other,
                    None => return Err(Silence::new(NOT_TAKEN)),
                },
                Trouble::Broken => return Err(Silence::new("Tokenhouse can't be reached")),
                Trouble::NotTaken => return Err(Silence::new(NOT_TAKEN)),
                Trouble::Silence(silence) => return Err(silence),
            }
            again = false;
        }
    }

    async fn once(&self, asked: &Asked, floor: Option<Place>, held: &HeaderValue) -> Result<Told, Trouble> {
        let request = self
            .client
            .post(self.url.clone())
            .header(AUTHORIZATION, held.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(asked.from(floor));
        let response = request.send().await.map_err(|error| match error.is_timeout() {
            true => Trouble::Silence(Silence::new("there was no answer in time")),
            false => Trouble::Broken,
        })?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Err(Trouble::NotTaken),
            StatusCode::BAD_REQUEST if floor.is_some() => {
                return Err(silence("Tokenhouse refused the question: is a noted receipt another installation's?"));
            }
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                let retry_after = retry_after(response.headers());
                let cause = "Tokenhouse says that it can't tell now";
                return Err(Trouble::Silence(Silence { cause, retry_after }));
            }
            _ => return Err(silence("Tokenhouse answered with an unexpected status")),
        }
        if !is_json(response.headers()) {
            return Err(silence("the answer is no JSON: is this address Tokenhouse's?"));
        }
        let date = date(response.headers());
        let body = whole(response).await?;
        let answer =
            answer::read(&body).ok_or_else(|| silence("the answer is no introspection answer of Tokenhouse"))?;
        if floor.is_some() && answer.place < floor {
            return Err(silence("the answer is older than a noted receipt"));
        }
        let lives = lives(&answer, date);
        Ok(Told { answer, lives })
    }
}

const NOT_TAKEN: &str = "Tokenhouse does not take the service's own credential, or it may not verify";

fn silence(cause: &'static str) -> Trouble {
    Trouble::Silence(Silence::new(cause))
}

fn retry_after(headers: &HeaderMap) -> Duration {
    let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    Duration::from_secs(seconds.unwrap_or(1)).min(LONGEST_RETRY)
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// When the answer was written, by the clock that also says when tokens end. This machine's own is not asked: it may
/// be wrong.
fn date(headers: &HeaderMap) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()
}

/// For how long the token has not ended. The date has whole seconds and is cut off, so one is taken away. Nothing is
/// known without a date.
fn lives(answer: &Answer, date: Option<SystemTime>) -> Option<Duration> {
    let Some(ends) = answer.verdict.as_ref().ok().and_then(|verified| verified.expires_at) else {
        return Some(Duration::MAX);
    };
    let date = date?.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
    let seconds = u64::try_from(ends).unwrap_or(0).saturating_sub(date).saturating_sub(1);
    Some(Duration::from_secs(seconds))
}

/// Reads an answer whole, but no more than a bound.
async fn whole(mut response: reqwest::Response) -> Result<Vec<u8>, Trouble> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| silence("the answer broke off"))? {
        if body.len() + chunk.len() > answer::LONGEST {
            return Err(silence("the answer is too long"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// How old an answer may be that is used for a request that arrives now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Need {
    pub(crate) arrived: Instant,
    pub(crate) staleness: Duration,
    pub(crate) floor: Option<Place>,
}

impl Need {
    /// Whether an answer does whose question was sent at a time, and which is true up to a place.
    pub(crate) fn met(&self, sent: Instant, place: Option<Place>) -> bool {
        self.arrived.saturating_duration_since(sent) < self.staleness && (self.floor.is_none() || place >= self.floor)
    }
}
