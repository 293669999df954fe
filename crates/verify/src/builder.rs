//! How a verifier is made.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use http::header::AUTHORIZATION;
use http::request::Parts;
use reqwest::Url;

use crate::credential::{Credential, Held};
use crate::question::Line;
use crate::receipts::Receipts;
use crate::refusal::in_quotes;
use crate::verifier::{Settings, Verifier};

/// What tells the address of the client of a request.
pub(crate) type AddressOf = Arc<dyn Fn(&Parts) -> Option<IpAddr> + Send + Sync>;

/// A verifier in the making.
#[must_use]
pub struct Builder {
    url: String,
    credential: Credential,
    plain: bool,
    authorities: Vec<Vec<u8>>,
    timeout: Duration,
    at_once: usize,
    capacity: usize,
    settings: Settings,
    receipts: Receipts,
}

/// Why a verifier can't be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildError(&'static str);

impl BuildError {
    pub(crate) fn new(what: &'static str) -> Self {
        Self(what)
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for BuildError {}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address may be wrong in a way that holds a password.
        f.debug_struct("Builder").field("credential", &self.credential).finish_non_exhaustive()
    }
}

impl Builder {
    pub(crate) fn new(url: String, credential: Credential) -> Self {
        Self {
            url,
            credential,
            plain: false,
            authorities: Vec::new(),
            timeout: Duration::from_secs(2),
            at_once: 256,
            capacity: 10_000,
            settings: Settings {
                staleness: Duration::ZERO,
                header: AUTHORIZATION,
                realm: "api".to_owned(),
                address: None,
            },
            receipts: Receipts::default(),
        }
    }

    /// For how long an answer is used, from when its question was sent. Zero, the default, asks for every request.
    pub fn staleness(mut self, staleness: Duration) -> Self {
        self.settings.staleness = staleness;
        self
    }

    /// How many answers are kept at most; 10,000 unless told.
    pub fn capacity(mut self, answers: usize) -> Self {
        self.capacity = answers;
        self
    }

    /// How long a question may take, with everything; 2 s unless told.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How many questions are under way at most; 256 unless told. Others wait, for at most the timeout.
    pub fn at_once(mut self, questions: usize) -> Self {
        self.at_once = questions;
        self
    }

    /// The header that carries the credential. In `Authorization`, the default, it stands after `Bearer`; in another
    /// one it stands alone.
    pub fn header(mut self, name: HeaderName) -> Self {
        self.settings.header = name;
        self
    }

    /// The realm of challenges; `api` unless told.
    pub fn realm(mut self, realm: impl Into<String>) -> Self {
        self.settings.realm = realm.into();
        self
    }

    /// Tells the address of the end client of a request, for tokens that work from certain addresses only. Without it
    /// they are refused. Which headers say the truth only the service knows: behind no proxy it is the peer's.
    pub fn client_address(mut self, of: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static) -> Self {
        self.settings.address = Some(Arc::new(of));
        self
    }

    /// Receipts that others note, too.
    pub fn receipts(mut self, receipts: Receipts) -> Self {
        self.receipts = receipts;
        self
    }

    /// Takes certificates of these authorities too, in PEM form.
    pub fn authority(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.authorities.push(pem.into());
        self
    }

    /// Allows `http://` to another machine. Every credential then crosses the network readable.
    pub fn plain_http(mut self) -> Self {
        self.plain = true;
        self
    }

    /// Makes it. Nothing is asked yet: Tokenhouse may start later.
    ///
    /// # Errors
    /// What of the settings can't be.
    pub fn build(self) -> Result<Verifier, BuildError> {
        let url = introspection(&self.url, self.plain)?;
        if self.timeout.is_zero() || self.at_once == 0 {
            return Err(BuildError("the timeout and the questions at once must be above zero"));
        }
        if !self.settings.realm.bytes().all(in_quotes) {
            return Err(BuildError("the realm must be printable ASCII without quotes and backslashes"));
        }
        let held = Held::new(self.credential).ok_or(BuildError("the credential can't be a token"))?;
        let mut client = reqwest::Client::builder()
            .timeout(self.timeout)
            .redirect(reqwest::redirect::Policy::none())
            // Neither does the environment say where credentials go.
            .no_proxy()
            .user_agent(concat!("tokenhouse-verify/", env!("CARGO_PKG_VERSION")));
        for pem in &self.authorities {
            let authorities = reqwest::Certificate::from_pem_bundle(pem).unwrap_or_default();
            if authorities.is_empty() {
                return Err(BuildError("the authority is no certificate in PEM form"));
            }
            for authority in authorities {
                client = client.add_root_certificate(authority);
            }
        }
        let client = client.build().map_err(|_| BuildError("the HTTP client could not be made"))?;
        let line = Line::new(client, url, held, self.timeout, self.at_once);
        Ok(Verifier::new(line, self.settings, self.receipts, self.capacity))
    }
}

/// The address of introspection below Tokenhouse's.
fn introspection(url: &str, plain: bool) -> Result<Url, BuildError> {
    let mut url = Url::parse(url).map_err(|_| BuildError("the address of Tokenhouse is no URL"))?;
    let bare =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    if !bare {
        return Err(BuildError("the address of Tokenhouse must have no user, query or fragment"));
    }
    let host = url.host_str().unwrap_or_default();
    let ip = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let here = host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback());
    match url.scheme() {
        "https" => {}
        "http" if plain || here => {}
        "http" => return Err(BuildError("http:// to another machine needs plain_http()")),
        _ => return Err(BuildError("the address of Tokenhouse must begin with https://")),
    }
    let path = format!("{}/oauth2/introspect", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(url)
}
