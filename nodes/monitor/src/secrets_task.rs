//! The task that takes in changed files of the secrets directory without a restart: the certificate,
//! whom to trust, how the storage is reached, the channels.
//!
//! Invariant: a file that cannot be used leaves what is in use as it is, is said once a change, and tried again.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use wharf_runtime::followed_files::{FollowedFiles, Look};
use wharf_runtime::task::Shutdown;
use wharf_runtime::tls::{CertSlot, IDENTITY_FILE, KeyedCert, TlsError, TrustSlot};

use crate::config::{self, CA_FILE, CHANNELS_FILE, ConfigError, STORAGE_FILE};
use crate::monitor::Monitor;

const EVERY: Duration = Duration::from_secs(1);

/// The files of the secrets directory, and who uses them.
pub(crate) struct Secrets {
    monitor: Arc<Monitor>,
    slot: Arc<CertSlot>,
    trust: Arc<TrustSlot>,
    certificate: FollowedFiles,
    access: FollowedFiles,
    channels: FollowedFiles,
}

impl Secrets {
    /// Nothing is taken in yet; what `slot` and `trust` hold may be older than the files.
    pub(crate) fn new(monitor: Arc<Monitor>, slot: Arc<CertSlot>, trust: Arc<TrustSlot>) -> Self {
        let dir = &monitor.config.secrets_dir;
        let follow = |names: &[&str]| FollowedFiles::new(names.iter().map(|name| dir.join(name)));
        Self {
            certificate: follow(&[IDENTITY_FILE]),
            access: follow(&[CA_FILE, STORAGE_FILE]),
            channels: follow(&[CHANNELS_FILE]),
            slot,
            trust,
            monitor,
        }
    }

    fn dir(&self) -> &Path {
        &self.monitor.config.secrets_dir
    }

    /// False within: there is no file.
    fn look_at_certificate(&mut self) -> Look<bool, TlsError> {
        let path = self.dir().join(IDENTITY_FILE);
        self.certificate.look(|| {
            let cert = KeyedCert::load(path)?;
            Ok(cert.map(|cert| self.slot.replace(&cert)).is_some())
        })
    }

    fn look_at_access(&mut self) -> Look<(), String> {
        let (monitor, trust) = (&self.monitor, &self.trust);
        let dir = &monitor.config.secrets_dir;
        self.access.look(|| {
            let access = config::access(dir).map_err(|error| error.to_string())?;
            let ca = config::authority(dir).map_err(|error| error.to_string())?;
            let set = monitor.storage.set_access(&access, &ca);
            set.map_err(|error| error.to_string())?;
            trust.replace(&ca).map_err(|error| error.to_string())?;
            monitor.refresh.notify_one();
            Ok(())
        })
    }

    /// Within: what is wrong with single channels.
    fn look_at_channels(&mut self) -> Look<Vec<String>, ConfigError> {
        let monitor = &self.monitor;
        self.channels.look(|| {
            let (channels, broken) = config::channels(&monitor.config.secrets_dir)?;
            let refused = monitor.post.set_channels(channels);
            let refused = refused
                .into_iter()
                .map(|(name, error)| format!("{name}: {error}"));
            Ok(broken.into_iter().chain(refused).collect())
        })
    }

    /// Takes in what changed. Blocks, shortly.
    pub(crate) fn look(&mut self) {
        match self.look_at_certificate() {
            Look::Taken(true) => tracing::info!("certificate in use as it is on disk"),
            Look::Taken(false) => {
                tracing::warn!("certificate file is gone; the old one stays in use");
            }
            Look::Broken(error) => {
                tracing::error!(%error, "certificate file cannot be used; the old one stays in use");
            }
            Look::Same | Look::StillBroken => {}
        }
        if let Look::Broken(error) = self.look_at_access() {
            tracing::error!(error, "how the storage is reached cannot be read");
        }
        match self.look_at_channels() {
            Look::Taken(broken) => {
                for error in broken {
                    tracing::error!(error, "a channel cannot be used");
                }
                tracing::info!(
                    channels = self.monitor.post.names().len(),
                    "channels are set"
                );
            }
            Look::Broken(error) => {
                tracing::error!(%error, "the channels cannot be read; known ones stay");
            }
            Look::Same | Look::StillBroken => {}
        }
    }
}

/// Runs until shutdown.
pub(crate) async fn run(mut secrets: Secrets, shutdown: Shutdown) {
    while shutdown
        .run_until(tokio::time::sleep(EVERY))
        .await
        .is_some()
    {
        secrets.look();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wharf_runtime::clock::now_ms;
    use wharf_runtime::delivery::{Policy, Post};
    use wharf_runtime::task::Tasks;
    use wharf_runtime::tls::{Authority, LeafSpec, install_provider};

    use super::*;
    use crate::config::Config;
    use crate::ledger::Ledger;

    fn leaf(authority: &Authority) -> KeyedCert {
        let spec = LeafSpec::for_host("a.test");
        authority.issue(&spec, now_ms()).unwrap()
    }

    /// Of a monitor that holds `cert` and has read nothing else.
    fn secrets(dir: &Path, cert: &KeyedCert, authority: &Authority) -> Secrets {
        let data_dir = dir.join("data");
        let ledger = Ledger::open(&data_dir, 1 << 20).unwrap();
        let config = Config {
            data_dir,
            secrets_dir: dir.to_path_buf(),
            listen: ([127, 0, 0, 1], 0).into(),
            instance_name: "a".into(),
            deployment_id: "d".into(),
            deployment_name: "d".into(),
            memory_bytes: 1 << 20,
            disk_bytes: 0,
            ledger_bytes: 1 << 20,
        };
        let random = wharf_runtime::random::next_u64;
        let post = Post::new(Tasks::new(), Policy::default(), random);
        let monitor = Monitor::new(config, ledger, post, Shutdown::new());
        let trust = TrustSlot::new(&authority.certs()).unwrap();
        Secrets::new(Arc::new(monitor), CertSlot::new(cert), trust)
    }

    fn reached(version: u64) -> String {
        json!({
            "url": "https://127.0.0.1:9243", "alias": "a", "server_name": "a.test",
            "username": "elastic", "password": "p", "version": version,
        })
        .to_string()
    }

    #[tokio::test]
    async fn a_certificate_that_changed_before_the_first_look_is_taken_in_and_a_broken_one_told_once()
     {
        install_provider();
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::create("p", now_ms()).unwrap();
        let [first, second] = [(); 2].map(|()| leaf(&authority));
        let path = dir.path().join(IDENTITY_FILE);
        second.store(&path).unwrap();
        let mut secrets = secrets(dir.path(), &first, &authority);
        assert!(matches!(secrets.look_at_certificate(), Look::Taken(true)));
        assert_eq!(secrets.slot.current().cert, second.chain(), "as on disk");
        assert!(matches!(secrets.look_at_certificate(), Look::Same));
        std::fs::write(&path, "broken").unwrap();
        assert!(matches!(secrets.look_at_certificate(), Look::Broken(_)));
        assert!(matches!(secrets.look_at_certificate(), Look::StillBroken));
        assert_eq!(secrets.slot.current().cert, second.chain(), "it stays");
        first.store(&path).unwrap();
        secrets.look();
        assert_eq!(secrets.slot.current().cert, first.chain());
    }

    #[tokio::test]
    async fn how_the_storage_is_reached_is_taken_in_once_both_of_its_files_are_good() {
        install_provider();
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::create("p", now_ms()).unwrap();
        let mut secrets = secrets(dir.path(), &leaf(&authority), &authority);
        let monitor = Arc::clone(&secrets.monitor);
        std::fs::write(dir.path().join(STORAGE_FILE), reached(3)).unwrap();
        assert!(matches!(secrets.look_at_access(), Look::Broken(_)));
        assert!(matches!(secrets.look_at_access(), Look::StillBroken));
        assert_eq!(monitor.storage.credentials_version(), 0);
        std::fs::write(dir.path().join(CA_FILE), authority.certs().to_pem()).unwrap();
        secrets.look();
        assert_eq!(monitor.storage.credentials_version(), 3);
        std::fs::write(dir.path().join(STORAGE_FILE), "{").unwrap();
        secrets.look();
        assert_eq!(monitor.storage.credentials_version(), 3, "known ones stay");
        std::fs::write(dir.path().join(STORAGE_FILE), reached(4)).unwrap();
        secrets.look();
        assert_eq!(monitor.storage.credentials_version(), 4);
        assert_eq!(secrets.look_at_access(), Look::Same);
    }

    #[tokio::test]
    async fn channels_that_cannot_be_read_are_told_once_and_leave_the_known_ones() {
        install_provider();
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::create("p", now_ms()).unwrap();
        let mut secrets = secrets(dir.path(), &leaf(&authority), &authority);
        let monitor = Arc::clone(&secrets.monitor);
        let write = |name: &str| {
            let channel = json!({"name": name, "webhook": {"url": "https://a.test/x"}});
            let text = json!({"channels": [channel]}).to_string();
            std::fs::write(dir.path().join(CHANNELS_FILE), text).unwrap();
        };
        write("ops");
        let taken = secrets.look_at_channels();
        assert!(
            matches!(&taken, Look::Taken(broken) if broken.is_empty()),
            "{taken:?}"
        );
        assert_eq!(monitor.post.names(), ["ops"]);
        std::fs::write(dir.path().join(CHANNELS_FILE), "{").unwrap();
        assert!(matches!(secrets.look_at_channels(), Look::Broken(_)));
        assert!(matches!(secrets.look_at_channels(), Look::StillBroken));
        assert_eq!(monitor.post.names(), ["ops"], "known ones stay");
        write("dev");
        secrets.look();
        assert_eq!(monitor.post.names(), ["dev"]);
    }
}
