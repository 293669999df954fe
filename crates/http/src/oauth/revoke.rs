//! `/oauth2/revoke` (RFC 7009).

use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use tokenhouse_authority::tokens;
use tokenhouse_model::credential::Presented;

use super::client::calling;
use super::form::{Form, taken};
use crate::App;
use crate::dialect::{RECEIPT, Reply, receipt};
use crate::extract::Unknown;

/// Ends the token of a secret: one's own, or with the permission any of the org. One that is not good any more, or
/// never was, is ended already (RFC 7009 2.2), as is another org's.
pub(super) async fn revoke(State(app): State<App>, Unknown(served): Unknown, request: Request) -> Reply<Response> {
    let (parts, body) = taken(&app, request).await?;
    let form = Form::read(&parts.headers, &body)?;
    let caller = calling(&app, &served, &parts, &form).await?;
    let presented = Presented::new(form.token()?.as_bytes());
    let mut response = ().into_response();
    if let Some(done) = tokens::revoke_presented(&app.ctx, &caller, &presented).await?
        && let Ok(receipt) = HeaderValue::from_str(&receipt(&done))
    {
        response.headers_mut().insert(RECEIPT, receipt);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
