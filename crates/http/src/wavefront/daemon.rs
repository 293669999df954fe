//! `/api/daemon/test`: whether a token is good for a proxy (wavefront.md 2, gotcha 22).

use serde::Serialize;
use tokenhouse_authority::caller::permitted;
use tokenhouse_model::access::Act;
use tokenhouse_model::{Error, ErrorKind, Refusal};

use super::read::Proxy;
use super::words::{Answer, Wrapped, ok};
use crate::dialect::Reply;
use crate::extract::As;

/// Nothing more to say.
#[derive(Debug, Serialize)]
pub(super) struct Nothing {}

/// Answers 200 to a token that may be a proxy's, and 401 to every other: on 403 its clients print nothing.
pub(super) async fn test(As(caller, _): Proxy) -> Reply<Answer<Wrapped<Nothing>>> {
    match permitted(&caller, Act::BeProxy) {
        Ok(()) => Ok(ok(Nothing {})),
        Err(error) if error.kind() == ErrorKind::Forbidden => {
            let message = "the token lacks the permission Proxies (agent_management)";
            Err(Error::new(ErrorKind::Unauthenticated, Refusal::Plain, message).into())
        }
        Err(error) => Err(error.into()),
    }
}
