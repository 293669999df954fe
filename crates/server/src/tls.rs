//! HTTPS by certificate and key files, read again when they change.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::config::TlsFiles;

/// How often the files are looked at.
const POLL: Duration = Duration::from_secs(2);
/// What we speak inside TLS, the better first.
pub const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// What is wrong with the certificate or key file.
#[derive(Debug)]
pub struct TlsError(String);

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TlsError {}

/// Reads a pair of files, and checks that the key is the certificate's.
///
/// # Errors
/// Names the file; never what stands in it.
pub fn load(files: &TlsFiles) -> Result<CertifiedKey, TlsError> {
    let wrong = |path: &Path, why: &dyn fmt::Display| TlsError(format!("{}: {why}", path.display()));
    let (certificate, key) = (&files.certificate, &files.key);
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect);
    let chain = chain.map_err(|error| wrong(certificate, &error))?;
    if chain.is_empty() {
        return Err(wrong(certificate, &"holds no certificate in PEM form"));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, &error))?;
    let signing = provider().key_provider.load_private_key(private).map_err(|error| wrong(key, &error))?;
    let pair = CertifiedKey::new(chain, signing);
    match pair.keys_match() {
        Ok(()) => Ok(pair),
        Err(error) => Err(wrong(key, &format_args!("is not the key of {}: {error}", certificate.display()))),
    }
}

fn provider() -> CryptoProvider {
    aws_lc_rs::default_provider()
}

/// The certificate that is served now. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Certificate {
    files: TlsFiles,
    current: Arc<ArcSwap<CertifiedKey>>,
}

impl Certificate {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// As [`load`].
    pub fn open(files: &TlsFiles) -> Result<Self, TlsError> {
        let current = Arc::new(ArcSwap::from_pointee(load(files)?));
        Ok(Self { files: files.clone(), current })
    }

    /// Takes TLS handshakes with whatever certificate is current.
    ///
    /// # Errors
    /// The cryptographic library can't do the default protocol versions.
    pub fn acceptor(&self) -> Result<TlsAcceptor, TlsError> {
        let config = ServerConfig::builder_with_provider(Arc::new(provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError(error.to_string()))?;
        let mut config = config.with_no_client_auth().with_cert_resolver(Arc::new(self.clone()));
        config.alpn_protocols = PROTOCOLS.iter().map(|name| name.to_vec()).collect();
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// Reads the files again whenever they change, for as long as it is polled.
    ///
    /// A pair that can't be used leaves the old one serving: it may be half written, and is tried again.
    pub async fn follow(self) {
        self.follow_every(POLL).await;
    }

    async fn follow_every(self, poll: Duration) {
        let mut serving = stamp(&self.files);
        let mut warned = None;
        loop {
            tokio::time::sleep(poll).await;
            let found = stamp(&self.files);
            if found == serving {
                continue;
            }
            match load(&self.files) {
                Ok(pair) => {
                    self.current.store(Arc::new(pair));
                    tracing::info!(certificate = %self.files.certificate.display(), "the certificate was read again");
                    (serving, warned) = (found, None);
                }
                Err(error) if warned.as_ref() != Some(&found) => {
                    tracing::warn!(%error, "the new certificate can't be used; the old one goes on serving");
                    warned = Some(found);
                }
                Err(_) => {}
            }
        }
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

/// What changes when a file does: device, inode, length, and when it was written. Links are followed, as the file behind
/// one may be exchanged.
type Stamp = [Option<(u64, u64, u64, i64, i64)>; 2];

fn stamp(files: &TlsFiles) -> Stamp {
    [&files.certificate, &files.key].map(|path| {
        let meta = fs::metadata(path).ok()?;
        Some((meta.dev(), meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec()))
    })
}

#[cfg(test)]
pub(crate) mod tests;
