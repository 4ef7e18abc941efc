//! The certificate of the webhook: from two files that are read again when they change, or from whoever sets it.
//!
//! Without one, handshakes fail; a certificate that cannot be used leaves the one before it in service.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use rustls::{
    Error, InconsistentKeys, ServerConfig,
    crypto::aws_lc_rs,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

/// A certificate that may change at any time.
#[derive(Debug, Default)]
pub struct Identity {
    current: ArcSwapOption<CertifiedKey>,
    files: Option<Files>,
}

#[derive(Debug)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Both files as they were when they were read last.
    read: Option<[Option<Version>; 2]>,
    /// What was last complained about.
    fault: Option<String>,
}

/// What tells one content of a file from another: device, inode, size, and both times that a write changes.
type Version = (u64, u64, u64, (i64, i64), (i64, i64));

impl Identity {
    /// The certificate (with its chain, leaf first) and the private key of two PEM files. They are looked at before
    /// each handshake, and need not be there yet.
    pub fn of_files(certificate: PathBuf, key: PathBuf) -> Self {
        let files = Files { certificate, key, state: Mutex::default() };
        let identity = Self { current: ArcSwapOption::empty(), files: Some(files) };
        identity.look_at_files();
        identity
    }

    /// Uses this certificate (with its chain, leaf first) and private key, in PEM, from the next handshake on.
    ///
    /// # Errors
    ///
    /// Why they cannot be used, without any of their content. The ones before stay.
    pub fn set(&self, certificate: &[u8], key: &[u8]) -> Result<(), String> {
        let usable = usable(certificate, key)?;
        self.current.store(Some(Arc::new(usable)));
        Ok(())
    }

    /// Two calls to the system where nothing changed.
    fn look_at_files(&self) {
        let Some(files) = &self.files else { return };
        let mut state = files.state.lock();
        let now = [version(&files.certificate), version(&files.key)];
        if state.read.as_ref() == Some(&now) {
            return;
        }
        state.read = Some(now);
        let fault = match files.load() {
            Ok(usable) => {
                if self.current.swap(Some(Arc::new(usable))).is_some() || state.fault.is_some() {
                    tracing::info!(file = %files.certificate.display(), "the webhook has a new certificate");
                }
                None
            }
            Err(fault) => Some(fault),
        };
        if let Some(fault) = &fault
            && state.fault.as_ref() != Some(fault)
        {
            let effect = match self.current.load().is_some() {
                true => "the certificate before it stays in use",
                false => {
                    "no handshake succeeds until --validating-webhook-certificate and --validating-webhook-key name a certificate and its key in PEM"
                }
            };
            tracing::error!("the certificate of the webhook: {fault}; {effect}");
        }
        state.fault = fault;
    }
}

impl Files {
    fn load(&self) -> Result<CertifiedKey, String> {
        let read = |path: &Path| {
            fs::read(path).map_err(|error| format!("cannot read {:?}: {error}", path.display()))
        };
        let (certificate, key) = (read(&self.certificate)?, read(&self.key)?);
        let [certificate_file, key_file] =
            [&self.certificate, &self.key].map(|path| path.display());
        usable(&certificate, &key)
            .map_err(|fault| format!("{certificate_file} with {key_file}: {fault}"))
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.look_at_files();
        self.current.load_full()
    }
}

fn version(path: &Path) -> Option<Version> {
    let found = fs::metadata(path).ok()?;
    let modified = (found.mtime(), found.mtime_nsec());
    let changed = (found.ctime(), found.ctime_nsec());
    Some((found.dev(), found.ino(), found.len(), modified, changed))
}

fn usable(certificate: &[u8], key: &[u8]) -> Result<CertifiedKey, String> {
    let chain = CertificateDer::pem_slice_iter(certificate).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| format!("the certificate is no PEM: {error}"))?;
    if chain.is_empty() {
        return Err("there is no certificate in it".into());
    }
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|error| format!("the private key is no PEM: {error}"))?;
    let key = aws_lc_rs::sign::any_supported_type(&key)
        .map_err(|error| format!("the private key cannot be used: {error}"))?;
    let usable = CertifiedKey::new(chain, key);
    match usable.keys_match() {
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(usable),
        Err(Error::InconsistentKeys(_)) => {
            Err("the private key does not belong to the certificate".into())
        }
        Err(error) => Err(format!("the certificate cannot be used: {error}")),
    }
}

/// TLS 1.2 and 1.3, HTTP/1.1 only.
pub(super) fn server_config(identity: Arc<Identity>) -> Arc<ServerConfig> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])
        .expect("the provider's suites cover both versions")
        .with_no_client_auth()
        .with_cert_resolver(identity);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}
