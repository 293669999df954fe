//! Who calls: by a bearer token (RFC 6750 2.1), or by the same token as the secret of a client, in the header or in the
//! form (RFC 6749 2.3.1), as the libraries of introspection send it.

use axum::http::header;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokenhouse_authority::caller::Caller;
use tokenhouse_model::credential::{Authorization, Presented, only_one, parse_authorization};
use tokenhouse_model::decide::Reason;
use tokenhouse_model::{Error, Result, Surface, Uuid, name};
use zeroize::Zeroizing;

use super::form::Form;
use crate::App;
use crate::extract::{caller_with, counted};
use crate::record::Served;

/// What was presented, and under which name.
struct Client {
    presented: Presented,
    name: Option<String>,
}

/// Who is calling.
///
/// # Errors
/// `unauthenticated`; `malformed`; `two_credentials`.
pub(super) async fn calling(app: &App, served: Option<&Served>, parts: &Parts, form: &Form<'_>) -> Result<Caller> {
    let client = presented(parts, form)?;
    let caller = caller_with(&client.presented, Surface::Native, parts, app, served).await;
    let caller = caller.and_then(|caller| match client.name {
        Some(text) if !named(&caller, &text) => Err(Error::credential(Reason::Unknown)),
        _ => Ok(caller),
    });
    caller.map_err(|error| counted(app, Surface::Native, error))
}

fn presented(parts: &Parts, form: &Form<'_>) -> Result<Client> {
    let (mut found, mut names, mut decoded) = (Vec::new(), Vec::new(), Vec::new());
    for value in parts.headers.get_all(header::AUTHORIZATION) {
        match parse_authorization(value.as_bytes())? {
            Authorization::Bearer(credential) => found.push(credential),
            Authorization::Basic(encoded) => decoded.push(basic(encoded)?),
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

/// Name and secret of HTTP Basic, both encoded as in a form before they were joined.
fn basic(encoded: &[u8]) -> Result<(String, Zeroizing<String>)> {
    let wrong = || Error::malformed("the Authorization header holds no client and secret");
    let text = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| wrong())?);
    let at = text.iter().position(|b| *b == b':').ok_or_else(wrong)?;
    let (name, secret) = text.split_at_checked(at).ok_or_else(wrong)?;
    let decode = |bytes: &[u8]| {
        let mut pairs = form_urlencoded::parse(bytes);
        // Without `=` and `&` the whole is one name; whoever did not encode them sent something that is none of ours.
        let one = pairs.next().map(|(name, _)| name.into_owned()).unwrap_or_default();
        if pairs.next().is_some() { Err(wrong()) } else { Ok(one) }
    };
    Ok((decode(name)?, Zeroizing::new(decode(secret.get(1..).unwrap_or_default())?)))
}

/// Whether a client's name is the caller's: its account's identifier or id, or its token's id.
fn named(caller: &Caller, text: &str) -> bool {
    if let Ok(id) = Uuid::try_parse(text) {
        return id == caller.token().id || caller.account().is_some_and(|account| account.id == id);
    }
    let folded = name::findable(text, name::IDENTIFIER);
    caller.account().is_some_and(|account| folded.is_some_and(|folded| folded == account.identifier_fold))
}
