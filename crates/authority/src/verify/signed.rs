//! Signed access tokens: what can be checked once of one, and what is asked again each time.

use std::sync::Arc;

use tokenhouse_model::decide::{Derived, Reason};
use tokenhouse_model::jwt::Compact;
use tokenhouse_model::secret::Digest;
use tokenhouse_model::{Result, Uuid};
use tokenhouse_store::tokens;

use crate::{Ctx, keys};

/// An access token whose signature was checked. Nothing of its state is in here: it is decided each time.
#[derive(Debug)]
pub(crate) struct Checked {
    /// The key that signed it.
    pub(crate) key: Uuid,
    /// Its own id.
    pub(crate) id: Uuid,
    /// For whom it is to be good.
    pub(crate) audience: String,
    /// The account for which it acts: its token's owner, or that of an app in an org that it was added to.
    pub(crate) account: Uuid,
    /// What it narrows its token to.
    pub(crate) derived: Derived,
    /// Under which digest the secret is stored that it came from: that never changes, as long as there is that secret.
    pub(crate) stored: Digest,
}

/// Checks a JWT, or remembers that it was checked. A flood of forged ones costs a signature's check each and no look-up;
/// one that repeats itself costs a hash.
pub(super) async fn check(ctx: &Ctx, bytes: &[u8]) -> Result<Result<Arc<Checked>, Reason>> {
    let ring = keys::ring(ctx).await?;
    let digest = Digest::of(bytes);
    if let Some(checked) = ctx.truth.memory.checked(&digest) {
        // A key may have ended since.
        return Ok(if ring.believes(checked.key, ctx.now()) { Ok(checked) } else { Err(Reason::Signature) });
    }
    let jwt = match Compact::read(bytes) {
        Ok(jwt) => jwt,
        Err(reason) => return Ok(Err(reason)),
    };
    let believed = ring.check(&jwt, ctx.now()).and_then(|()| jwt.claims());
    let claims = match believed {
        Ok(claims) => claims,
        Err(reason) => return Ok(Err(reason)),
    };
    if !ring.issues_as(&claims.iss) {
        return Ok(Err(Reason::Issuer));
    }
    let derived = claims.derived();
    // It is over, so nothing has to be looked up.
    if ctx.now() >= derived.expires_at {
        return Ok(Err(Reason::Expired));
    }
    let secret = {
        let _turn = ctx.fills.one().await?;
        tokens::secret_by_id(&mut ctx.store.read().await?.conn(), claims.secret_id).await?
    };
    // A database that lost history may not know it.
    let Some(secret) = secret else { return Ok(Err(Reason::Unknown)) };
    let (account, id, audience) = (claims.account_id, claims.jti, claims.aud);
    let checked = Arc::new(Checked { key: jwt.key, id, account, audience, derived, stored: secret.digest });
    ctx.truth.memory.remember_checked(&digest, &checked);
    Ok(Ok(checked))
}
