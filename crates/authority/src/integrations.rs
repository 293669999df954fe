//! The integrations for whose proxies service accounts get tokens in an onboarded org, and what such a token is.

use std::sync::Arc;

use tokenhouse_model::access::Act;
use tokenhouse_model::event::{Event, EventKind};
use tokenhouse_model::integration::{self, Integration, Integrations};
use tokenhouse_model::{Done, Error, ErrorKind, Reach, Refusal, Result, Scopes, Surface, TokenKind, name};
use tokenhouse_store::{Tx, integrations as rows};

use crate::caller::{Caller, Fresh, change};
use crate::tokens::Issue;
use crate::{Ctx, Outcome};

/// The org's integrations, for everybody in it: who asks for a token has to name one.
///
/// # Errors
/// `unavailable`.
pub async fn list(ctx: &Ctx, caller: &Caller) -> Result<Integrations> {
    rows::of_org(&mut ctx.store.read().await?.conn(), caller.org().id).await
}

/// One of the org's integrations.
///
/// # Errors
/// `not_found`.
pub async fn get(ctx: &Ctx, caller: &Caller, name: &str) -> Result<Integration> {
    list(ctx, caller).await?.find(name).cloned().ok_or_else(|| Error::not_found("integration"))
}

/// Lists an integration, or says something else of one that is listed. Tokens that are there stay as they were made.
///
/// # Errors
/// `missing_permission`, `invalid_field`, `limit_reached`.
pub async fn put(ctx: &Arc<Ctx>, caller: &Caller, new: Integration) -> Result<Done<Outcome>> {
    let new = Integration { name: name::fold(&new.name), ..new };
    new.check()?;
    change(ctx, caller, async move |tx, fresh| {
        fresh.may(Act::ChangePolicy)?;
        let (org, now) = (fresh.org.id, tx.now());
        let mut list = rows::of_org(tx.conn(), org).await?;
        let before = list.put(new.clone())?;
        if before.as_ref() != Some(&new) {
            rows::set(tx.conn(), org, &list, now).await?;
            let event = Event::new(EventKind::IntegrationListed, org, org)
                .with("name", new.name.as_str())
                .with("description", new.description.as_str())
                .with("permissions", new.permissions.names());
            let event = match before {
                Some(before) => event.with("from", before.permissions.names()),
                None => event,
            };
            tx.record(&fresh.actor, event);
        }
        Ok(Outcome::of(org))
    })
    .await
}

/// Takes an integration out of the list: no new token can name it. Those that are there go on, within what they were
/// given; who wants them gone revokes them.
///
/// # Errors
/// `missing_permission`, `not_found`.
pub async fn remove(ctx: &Arc<Ctx>, caller: &Caller, text: String) -> Result<Done<Outcome>> {
    change(ctx, caller, async move |tx, fresh| {
        fresh.may(Act::ChangePolicy)?;
        let (org, now) = (fresh.org.id, tx.now());
        let mut list = rows::of_org(tx.conn(), org).await?;
        let gone = list.take(&text).ok_or_else(|| Error::not_found("integration"))?;
        rows::set(tx.conn(), org, &list, now).await?;
        let event = Event::new(EventKind::IntegrationRemoved, org, org)
            .with("name", gone.name.as_str())
            .with("permissions", gone.permissions.names());
        tx.record(&fresh.actor, event);
        Ok(Outcome::of(org))
    })
    .await
}

/// What is asked of a new token, as the org lets it be: in an onboarded org a person's does not reach Wavefront's API, and
/// a service account's is for an integration.
///
/// # Errors
/// `forbidden`, `invalid_field`.
pub(crate) async fn narrowed(tx: &mut Tx<'_>, fresh: &Fresh, kind: TokenKind, ask: &Issue) -> Result<Issue> {
    if kind == TokenKind::Service {
        return for_integration(tx, fresh, ask).await;
    }
    if ask.integration.is_some() {
        return Err(Error::invalid("integration", "is for a token of a service account"));
    }
    if !fresh.org.onboarded {
        return Ok(ask.clone());
    }
    if ask.reach.map_or(fresh.surface == Surface::Wavefront, |reach| reach.has(Surface::Wavefront)) {
        let message = "this organization is onboarded: make an api token and exchange it for access tokens";
        return Err(Error::new(ErrorKind::Forbidden, Refusal::Onboarded, message));
    }
    let default = || Reach::default_of(fresh.surface).intersection(fresh.token.reach).without(Surface::Wavefront);
    Ok(Issue { reach: Some(ask.reach.unwrap_or_else(default)), ..ask.clone() })
}

async fn for_integration(tx: &mut Tx<'_>, fresh: &Fresh, ask: &Issue) -> Result<Issue> {
    if !fresh.org.onboarded && ask.integration.is_none() {
        return Ok(ask.clone());
    }
    let list = rows::of_org(tx.conn(), fresh.org.id).await?;
    // Clients of Wavefront's API can say a token's name and nothing else.
    let by_name = || if fresh.surface == Surface::Wavefront { list.find(&ask.name) } else { None };
    let found = match &ask.integration {
        Some(text) => Some(list.find(text).ok_or_else(|| unknown(&list))?),
        None => by_name(),
    };
    let integration = found.ok_or_else(|| unnamed(fresh.surface, &list))?;
    if ask.scopes != Scopes::All || ask.reach.is_some() {
        return Err(Error::invalid("integration", "can't stand beside scopes or reach: it decides both"));
    }
    Ok(Issue {
        scopes: Scopes::Only(integration.permissions.clone()),
        reach: Some(integration::REACH),
        integration: Some(integration.name.clone()),
        ..ask.clone()
    })
}

fn unknown(list: &Integrations) -> Error {
    Error::invalid("integration", format_args!("must be one of the organization's list: {}", list.names()))
}

/// What to do instead, in the words of where it was asked.
fn unnamed(surface: Surface, list: &Integrations) -> Error {
    let also = if surface == Surface::Wavefront { " (or the token has its name)" } else { "" };
    let names = list.names();
    Error::invalid(
        "integration",
        format_args!(
            "is missing{also}: this organization is onboarded, where a service account gets a token only for the \
             proxies of an integration of its list: {names}"
        ),
    )
}
