//! A verifier: everything that its layers share.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;

use crate::answer::PERMISSION_MISSING;
use crate::builder::{AddressOf, Builder};
use crate::credential::{Credential, readable};
use crate::layer::VerifyLayer;
use crate::memory::{Key, Memory};
use crate::question::{Asked, Line};
use crate::receipts::Receipts;
use crate::refusal::Refusal;
use crate::verified::Verified;

/// How requests are read, and how old answers may be.
pub(crate) struct Settings {
    pub(crate) staleness: Duration,
    pub(crate) header: HeaderName,
    pub(crate) realm: String,
    pub(crate) address: Option<AddressOf>,
}

/// Asks Tokenhouse about credentials. Clones share the connections and what is kept.
#[derive(Clone)]
pub struct Verifier {
    memory: Arc<Memory>,
    settings: Arc<Settings>,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("staleness", &self.settings.staleness).finish_non_exhaustive()
    }
}

impl Verifier {
    /// One that asks the Tokenhouse at this address, with this credential of the service's own. The credential's org is
    /// the only one whose tokens are good.
    pub fn builder(url: impl Into<String>, credential: Credential) -> Builder {
        Builder::new(url.into(), credential)
    }

    pub(crate) fn new(line: Line, settings: Settings, receipts: Receipts, capacity: usize) -> Self {
        let memory = Arc::new(Memory::new(line, settings.staleness, receipts, capacity));
        Self { memory, settings: Arc::new(settings) }
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The layer to put before routes. It lets every good credential through;
    /// [`permission`](VerifyLayer::permission) wants more.
    pub fn layer(&self) -> VerifyLayer {
        VerifyLayer::new(self.clone())
    }

    /// Where receipts are noted that answers must not be older than.
    pub fn receipts(&self) -> Receipts {
        self.memory.receipts().clone()
    }

    /// Verifies a credential, with the permission that it must carry and the address of whoever presented it. For
    /// services whose requests are no HTTP; the layer does the same.
    ///
    /// # Errors
    /// Every [`Refusal`] but `Missing` and `Malformed`.
    pub async fn verify(
        &self,
        credential: &str,
        permission: Option<&str>,
        address: Option<IpAddr>,
    ) -> Result<Verified, Refusal> {
        // What can't be a credential is nobody's.
        if !readable(credential.as_bytes()) {
            return Err(Refusal::Refused("malformed".to_owned()));
        }
        let key = Key::of(credential, permission, address);
        match self.memory.verdict(key, || Asked::new(credential, permission, address)).await {
            // Whoever answers without looking at the permission does not open the door.
            Ok(Ok(verified)) if permission.is_some_and(|permission| !verified.may(permission)) => {
                Err(Refusal::PermissionMissing)
            }
            Ok(Ok(verified)) => Ok(verified),
            Ok(Err(reason)) if reason == PERMISSION_MISSING => Err(Refusal::PermissionMissing),
            Ok(Err(reason)) => Err(Refusal::Refused(reason)),
            Err(silence) => {
                tracing::warn!(cause = silence.cause, "a credential could not be verified");
                Err(Refusal::Unknown(silence.retry_after))
            }
        }
    }
}
