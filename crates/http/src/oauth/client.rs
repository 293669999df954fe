//! Who calls: by a bearer token (RFC 6750 2.1), or by the same token as the secret of a client, in the header or in the
//! form (RFC 6749 2.3.1), as the libraries of introspection send it.

use axum::http::header;
use axum::http::request::Parts;
use tokenhouse_authority::caller::Caller;
use tokenhouse_authority::verify::{Asker, Good};
use tokenhouse_model::credential::{Authorization, Presented, only_one, parse_authorization, parse_basic};
use tokenhouse_model::decide::Reason;
use tokenhouse_model::{Error, Result, Surface, Uuid, name};

use super::form::Form;
use crate::App;
use crate::extract::{asking, caller_with, counted};
use crate::record::Served;

/// What was presented, and under which name.
struct Client {
    presented: Presented,
    name: Option<String>,
}

impl Client {
    /// Refuses a name that is not that of the credential.
    fn check(&self, good: &Good) -> Result<()> {
        match &self.name {
            Some(text) if !named(good, text) => Err(Error::credential(Reason::Unknown)),
            _ => Ok(()),
        }
    }
}

/// Who is calling.
///
/// # Errors
/// `unauthenticated`; `malformed`; `two_credentials`.
pub(super) async fn calling(app: &App, served: &Served, parts: &Parts, form: &Form<'_>) -> Result<Caller> {
    let client = presented(parts, form)?;
    let caller = caller_with(&client.presented, Surface::Native, parts, app, Some(served)).await;
    let caller = caller.and_then(|caller| client.check(caller.good()).map(|()| caller));
    caller.map_err(|error| counted(app, Surface::Native, error))
}

/// Who asks about credentials.
///
/// # Errors
/// As [`calling`]; `missing_permission`.
pub(super) async fn asker(app: &App, served: &Served, parts: &Parts, form: &Form<'_>) -> Result<Asker> {
    let client = presented(parts, form)?;
    let good = asking(&client.presented, app, served).await;
    let good = good.and_then(|good| client.check(&good).map(|()| good));
    Asker::of(&good.map_err(|error| counted(app, Surface::Native, error))?)
}

fn presented(parts: &Parts, form: &Form<'_>) -> Result<Client> {
    let (mut found, mut names, mut decoded) = (Vec::new(), Vec::new(), Vec::new());
    for value in parts.headers.get_all(header::AUTHORIZATION) {
        match parse_authorization(value.as_bytes())? {
            Authorization::Bearer(credential) => found.push(credential),
            Authorization::Basic(encoded) => decoded.push(parse_basic(encoded)?),
        }
    }
    for (name, secret) in &decoded {
        names.push(name.as_str());
        found.push(secret.as_bytes());
    }
    if let Some(secret) = &form.client_secret {
        found.push(secret.as_bytes());
    }
    names.extend(form.client_id.as_deref());
    let presented = only_one(found)?.ok_or_else(Error::no_credential)?;
    names.dedup();
    match names.as_slice() {
        [] => Ok(Client { presented, name: None }),
        [one] => Ok(Client { presented, name: Some((*one).to_owned()) }),
        _ => Err(Error::malformed("two different clients in one request")),
    }
}

/// Whether a client's name goes with its credential: the account's identifier or id, or the token's id.
fn named(good: &Good, text: &str) -> bool {
    if let Ok(id) = Uuid::try_parse(text) {
        return id == good.token().id || good.account().is_some_and(|account| account.id == id);
    }
    let folded = name::findable(text, name::IDENTIFIER);
    good.account().is_some_and(|account| folded.is_some_and(|folded| folded == account.identifier_fold))
}
