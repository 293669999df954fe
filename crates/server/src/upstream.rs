//! The service behind us, to which data is passed on.

use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{Response, header};
use reqwest::{Client, Url, redirect};
use tokenhouse_http::Sent;
use tokenhouse_model::{Error, SecretText};

use crate::ask;
use crate::config::Wavefront;
use crate::failure::Failure;

/// How long it may take to be connected. How long the whole may take is the request's own limit.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// Its address, and the file of the credential with which we come.
#[derive(Debug)]
pub struct Upstream {
    base: Url,
    token_file: PathBuf,
    client: Client,
}

impl Upstream {
    /// The service that the settings name, if they name one.
    ///
    /// # Errors
    /// The file holds no token: better told at the start than to whoever sends first.
    pub(crate) fn of(config: &Wavefront) -> Result<Option<Self>, Failure> {
        let (Some(base), Some(token_file)) = (&config.upstream, &config.upstream_token_file) else { return Ok(None) };
        ask::secret_in(token_file)?;
        Self::new(base, token_file).map(Some).map_err(Failure::Other)
    }

    /// The service at this address, to which we come with the token in this file.
    ///
    /// # Errors
    /// What is wrong with the address.
    pub fn new(base: &str, token_file: &Path) -> Result<Self, String> {
        let base = Url::parse(base).map_err(|error| format!("wavefront.upstream: {error}"))?;
        // Our credential goes to this address only: where it points to is not followed.
        let client = Client::builder().connect_timeout(CONNECT_WITHIN).redirect(redirect::Policy::none()).build();
        let client = client.map_err(|error| format!("no connections can be made: {error}"))?;
        Ok(Self { base, token_file: token_file.to_owned(), client })
    }

    /// The token as the file has it now, so that it can be replaced while we run.
    async fn token(&self) -> Result<SecretText, Error> {
        let path = self.token_file.clone();
        let read = tokio::task::spawn_blocking(move || ask::secret_in(&path).map_err(|error| error.to_string())).await;
        let away = |why: String| Error::unavailable("the upstream can't be used; the data was not taken").because(why);
        read.map_err(Error::internal)?.map_err(away)
    }

    /// The address below the service's own: the configured one may have a path.
    fn address(&self, request: &Request) -> Url {
        let mut address = self.base.clone();
        address.set_path(&format!("{}{}", self.base.path().trim_end_matches('/'), request.uri().path()));
        address.set_query(request.uri().query());
        address
    }
}

impl tokenhouse_http::Upstream for Upstream {
    fn send(&self, request: Request) -> Sent<'_> {
        Box::pin(async move {
            let address = self.address(&request);
            let (parts, body) = request.into_parts();
            let mut headers = parts.headers;
            let value = zeroize::Zeroizing::new(format!("Bearer {}", self.token().await?.expose()));
            let mut value = axum::http::HeaderValue::from_str(&value).map_err(|_| {
                Error::unavailable("the upstream can't be used; the data was not taken")
                    .because("wavefront.upstream_token_file holds what no header can carry")
            })?;
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
            let body = reqwest::Body::wrap_stream(body.into_data_stream());
            let sent = self.client.request(parts.method, address).headers(headers).body(body).send().await;
            let answer = sent.map_err(|error| {
                // The address is told in the log only, and without its query.
                Error::unavailable("the upstream can't be reached; the data may not have been taken")
                    .because(error.without_url())
            })?;
            let mut response = Response::new(Body::empty());
            *response.status_mut() = answer.status();
            *response.headers_mut() = answer.headers().clone();
            *response.body_mut() = Body::from_stream(answer.bytes_stream());
            Ok(response)
        })
    }
}
