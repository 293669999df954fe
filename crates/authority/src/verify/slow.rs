//! Digests that take long to make: those of secrets of which another system kept a slow hash.

use std::sync::Arc;

use tokenhouse_model::grafana::Parts;
use tokenhouse_model::secret::Digest;
use tokenhouse_model::{Error, Result};
use tokio::sync::Semaphore;

use super::fill::Fills;

/// How many are made at once: each keeps a core busy for milliseconds, and anybody can ask for one.
const AT_ONCE: usize = 2;

/// The turns to make one.
#[derive(Debug)]
pub(crate) struct Slow(Arc<Semaphore>);

impl Default for Slow {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl Slow {
    /// The digest under which a secret of Grafana's is stored, made beside the requests.
    pub(crate) async fn digest(&self, fills: &Fills, parts: Parts) -> Result<Digest> {
        let turn = fills.turn(self.0.clone().acquire_owned()).await?;
        let making = tokio::task::spawn_blocking(move || {
            // The turn ends with the work, also where nobody waits for it any more.
            let _turn = turn;
            parts.digest()
        });
        making.await.map_err(Error::internal)
    }
}
