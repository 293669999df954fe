//! `/oauth2/introspect` (RFC 7662), with members of our own.

use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::response::Response;
use tokenhouse_authority::verify::{self, AtLeast, Good, Question, Verdict};
use tokenhouse_model::account::AccountKind;
use tokenhouse_model::credential::Presented;
use tokenhouse_model::decide::Reason;
use tokenhouse_model::{Error, Kinds, Millis, NEVER, Surface};

use super::client::asker;
use super::form::{Form, taken};
use crate::App;
use crate::dialect::Reply;
use crate::extract::Unknown;
use crate::object::Object;
use crate::record::Served;

/// As of when it is true.
#[derive(Clone, Copy)]
struct AsOf {
    epoch: i64,
    /// Nothing up to this revision of the ledger is missing in the answer.
    revision: i64,
    /// How old the answer may be, in milliseconds, where it was given without the database, as the operator allows.
    stale: Option<Millis>,
}

/// As the router comes here, for methods and documents.
pub(super) async fn routed(State(app): State<App>, Unknown(served): Unknown, request: Request) -> Reply<Response> {
    let (parts, body) = taken(&app, request).await?;
    introspect(&app, &served, &parts, &body).await
}

/// Tells a resource server whether a token is good, and whose it is. Another org's is as good as unknown.
pub(crate) async fn introspect(app: &App, served: &Served, parts: &Parts, body: &[u8]) -> Reply<Response> {
    let form = Form::read(&parts.headers, body)?;
    let asker = asker(app, served, parts, &form).await?;
    let presented = Presented::new(form.token()?.as_bytes());
    let question = question(&form, &presented)?;
    let position = verify::position(&app.ctx);
    let verdict = verify::ask(&app.ctx, asker, &question).await?;
    app.metrics.verdict(Surface::Verify, verdict.outcome());
    let position = position.unwrap_or_default();
    // The answer waited for what was asked for, which this node may not have applied yet when it arrived.
    let waited = question.at_least.map(|at_least| (at_least.epoch.unwrap_or(position.0), at_least.revision));
    let (epoch, revision) = waited.map_or(position, |waited| position.max(waited));
    Ok(match &verdict {
        Verdict::Refused(refused) => inactive(refused.reason, AsOf { epoch, revision, stale: refused.stale }),
        Verdict::Good(good) => active(good, &app.wire.public_url, AsOf { epoch, revision, stale: good.stale }),
    }
    .answer())
}

fn question<'a>(form: &'a Form<'_>, presented: &'a Presented) -> Result<Question<'a>, Error> {
    let address = form.client_ip.as_deref().map(str::parse);
    let address = address.transpose().map_err(|_| Error::invalid("client_ip", "must be an IP address"))?;
    let permission = form.permission.as_deref();
    permission.map_or(Ok(()), tokenhouse_model::permission::check)?;
    let (revision, epoch) = (form.at_least.as_deref(), form.epoch.as_deref());
    let at_least = AtLeast::of(Form::number("at_least", revision)?, Form::number("epoch", epoch)?)?;
    let kinds = Kinds::ANY;
    Ok(Question { presented, surface: Surface::Verify, address, permission, kinds, at_least })
}

/// The answer about a good token (RFC 7662 2.2). Times are in seconds since the epoch.
fn active(good: &Good, issuer: &str, as_of: AsOf) -> Object {
    let (token, account) = (good.token(), good.account());
    // For whom it was made: the account, or an org token itself.
    let holder = account.map_or(token.id, |account| account.id);
    let mut answer = Object::new();
    answer.flag("active", true);
    answer.text("scope", &good.effective.to_string());
    match account.filter(|account| account.kind == AccountKind::App) {
        Some(app) => answer.text("client_id", &app.identifier),
        None => answer.id("client_id", holder),
    }
    if let Some(account) = account {
        answer.text("username", &account.identifier);
    }
    answer.text("token_type", "Bearer");
    if good.ends_at != NEVER {
        answer.number("exp", good.ends_at / 1000);
    }
    let access = good.access();
    answer.number("iat", access.map_or(token.created_at, |access| access.issued_at) / 1000);
    if token.not_before > 0 {
        answer.number("nbf", token.not_before / 1000);
    }
    answer.id("sub", holder);
    answer.text("iss", issuer);
    answer.id("jti", access.map_or(token.id, |access| access.id));
    if let Some(access) = access {
        answer.text("aud", access.audience);
    }
    // Our own from here.
    answer.id("org_id", good.org().id);
    if access.is_some() {
        answer.id("token_id", token.id);
    }
    answer.text("kind", token.kind.as_str());
    answer.text("name", &token.name);
    as_of.told(answer)
}

/// The answer about any other. The reason is for the resource server; it must not tell it to the client.
fn inactive(reason: Reason, as_of: AsOf) -> Object {
    let mut answer = Object::new();
    answer.flag("active", false);
    answer.text("reason", reason.as_str());
    as_of.told(answer)
}

impl AsOf {
    fn told(self, mut answer: Object) -> Object {
        answer.number("epoch", self.epoch);
        answer.number("revision", self.revision);
        if let Some(stale) = self.stale {
            answer.number("stale_ms", stale);
        }
        answer
    }
}
