//! The certificate that is shown: from files, read again when they change, or one that is made up
//! for the life of this process.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

/// How often the files are looked at.
pub const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Why there is no certificate to show.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{path}: cannot be read: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("{path}: expected {expected} in PEM: {reason}")]
    NotPem {
        /// The file.
        path: PathBuf,
        /// What was expected.
        expected: &'static str,
        /// What was found instead.
        reason: String,
    },
    /// The two files do not belong together, or TLS cannot use them.
    #[error("{certificate} and {key} cannot be used together: {reason}")]
    Unusable {
        /// The file of certificates.
        certificate: PathBuf,
        /// The file of the private key.
        key: PathBuf,
        /// Why not.
        reason: String,
    },
    /// No certificate could be made up.
    #[error("no self-signed certificate can be made: {0}")]
    SelfSigned(String),
}

/// The certificate that is shown to clients.
pub struct Certificates {
    shown: Arc<Shown>,
    config: Arc<ServerConfig>,
    files: Option<Files>,
    look_every: Duration,
}

struct Shown(ArcSwap<CertifiedKey>);

struct Files {
    certificate: PathBuf,
    key: PathBuf,
    // What was read last, good or not, so that a change is noticed and a fault told once.
    last: Mutex<Contents>,
}

#[derive(PartialEq)]
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Certificates {
    /// The certificate chain and private key in these files (PEM).
    ///
    /// # Errors
    /// They cannot be read or used.
    pub async fn from_files(certificate: &Path, key: &Path) -> Result<Certificates, TlsError> {
        let contents = Contents::read(certificate, key).await?;
        let certified = contents.certified(certificate, key)?;
        let (certificate, key) = (certificate.to_owned(), key.to_owned());
        Certificates::showing(certified, Some(Files { certificate, key, last: Mutex::new(contents) }))
    }

    /// A certificate made up for these names (`localhost`, an IP), signed by itself.
    ///
    /// # Errors
    /// A name is not one, or no key can be made.
    pub fn self_signed(names: &[String]) -> Result<Certificates, TlsError> {
        let made =
            rcgen::generate_simple_self_signed(names).map_err(|e| TlsError::SelfSigned(e.to_string()))?;
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let chain = vec![made.cert.der().clone()];
        let certified = CertifiedKey::from_der(chain, key.into(), &provider())
            .map_err(|e| TlsError::SelfSigned(e.to_string()))?;
        Certificates::showing(certified, None)
    }

    fn showing(certified: CertifiedKey, files: Option<Files>) -> Result<Certificates, TlsError> {
        let shown = Arc::new(Shown(ArcSwap::from_pointee(certified)));
        let mut config = ServerConfig::builder_with_provider(Arc::new(provider()))
            .with_safe_default_protocol_versions()
            .map_err(|e| TlsError::SelfSigned(e.to_string()))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&shown) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Certificates { shown, config: Arc::new(config), files, look_every: LOOK_EVERY })
    }

    /// Looks at the files so often, instead of every [`LOOK_EVERY`].
    #[must_use]
    pub fn look_every(mut self, pause: Duration) -> Certificates {
        self.look_every = pause;
        self
    }

    /// The certificate that is shown now, in DER: the first of the chain.
    pub fn leaf(&self) -> Option<CertificateDer<'static>> {
        self.shown.0.load().cert.first().cloned()
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }

    /// Follows the files for ever. What cannot be used leaves the certificate as it is: the two
    /// files do not change at the same moment.
    pub(super) async fn follow(&self) {
        let Some(files) = &self.files else { return std::future::pending().await };
        loop {
            tokio::time::sleep(self.look_every).await;
            match self.look(files).await {
                Ok(true) => {
                    tracing::info!(certificate = %files.certificate.display(), "TLS certificate read again");
                }
                Ok(false) => {}
                Err(error) => tracing::warn!("TLS certificate not read again, the old one stays: {error}"),
            }
        }
    }

    // Whether another certificate is shown now.
    async fn look(&self, files: &Files) -> Result<bool, TlsError> {
        let Some(certified) = files.changed().await? else { return Ok(false) };
        self.shown.0.store(Arc::new(certified));
        Ok(true)
    }
}

impl Files {
    async fn changed(&self) -> Result<Option<CertifiedKey>, TlsError> {
        let contents = Contents::read(&self.certificate, &self.key).await?;
        let mut last = self.last.lock();
        if *last == contents {
            return Ok(None);
        }
        let certified = contents.certified(&self.certificate, &self.key);
        *last = contents;
        certified.map(Some)
    }
}

impl Contents {
    async fn read(certificate: &Path, key: &Path) -> Result<Contents, TlsError> {
        Ok(Contents { certificate: read(certificate).await?, key: read(key).await? })
    }

    fn certified(&self, certificate: &Path, key: &Path) -> Result<CertifiedKey, TlsError> {
        let not_pem = |path: &Path, expected, reason: &dyn fmt::Display| TlsError::NotPem {
            path: path.to_owned(),
            expected,
            reason: reason.to_string(),
        };
        let chain = CertificateDer::pem_slice_iter(&self.certificate)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| not_pem(certificate, "certificates", &e))?;
        if chain.is_empty() {
            return Err(not_pem(certificate, "certificates", &"there is none"));
        }
        let private =
            PrivateKeyDer::from_pem_slice(&self.key).map_err(|e| not_pem(key, "a private key", &e))?;
        CertifiedKey::from_der(chain, private, &provider()).map_err(|reason| TlsError::Unusable {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            reason: reason.to_string(),
        })
    }
}

async fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    tokio::fs::read(path).await.map_err(|source| TlsError::Unreadable { path: path.to_owned(), source })
}

fn provider() -> CryptoProvider {
    rustls::crypto::ring::default_provider()
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shown")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_cannot_be_used_leaves_the_certificate_as_it_is_and_is_told_once() {
        let directory = std::env::temp_dir().join(format!("endpointslice-broken-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let (certificate, key) = (directory.join("tls.crt"), directory.join("tls.key"));
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        let certificates = Certificates::from_files(&certificate, &key).await.unwrap();
        let files = certificates.files.as_ref().unwrap();
        assert!(!certificates.look(files).await.unwrap(), "nothing changed");
        std::fs::write(&certificate, "-----BEGIN NOTHING-----").unwrap();
        assert!(matches!(certificates.look(files).await, Err(TlsError::NotPem { .. })));
        assert!(!certificates.look(files).await.unwrap(), "told once");
        std::fs::remove_file(&certificate).unwrap();
        assert!(matches!(certificates.look(files).await, Err(TlsError::Unreadable { .. })));
        assert_eq!(certificates.leaf().as_ref(), Some(made.cert.der()));
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
