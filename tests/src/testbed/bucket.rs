//! A bucket on the network of the hosts, behind TLS by an authority of its own, with keys that are checked:
//! a server that is not ours, at a place that is no host of the platform. Gone when dropped. Not here: what
//! lies in it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::Duration,
};

use serde_json::Value;
use wharf_runtime::{
    clock::now_ms,
    tls::{Authority, LeafSpec},
};

use super::{Host, Network};
use crate::{patience::wait_for, tools};

/// Nothing else listens at its place.
const PORT: u16 = 9_000;
/// As the server makes it.
const BUCKET: &str = "snapshots";
/// Python on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A bucket that takes what is signed with its keys.
#[derive(Debug)]
pub struct Bucket {
    server: Child,
    place: Host,
    access_key_id: String,
}

impl Drop for Bucket {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Bucket {
    /// An empty one, which every host of the network reaches.
    ///
    /// # Panics
    /// When the server is not installed, ends, or does not answer in time.
    #[must_use]
    pub fn start(network: &Network) -> Self {
        let place = Host::without_engine("bucket", network);
        let address = place.address().expect("on the network").to_string();
        let authority = Authority::create("elsewhere", now_ms()).expect("an authority");
        let leaf = LeafSpec::for_host("bucket").with_host(&address);
        let cert = authority.issue(&leaf, now_ms()).expect("a certificate");
        let file = |name: &str| place.dir().join(name);
        let (pem, keys, log) = (file("server.pem"), file("keys.json"), file("log"));
        cert.store(&pem).expect("the certificate can be written");
        fs::write(file("ca.pem"), authority.certs().to_pem()).expect("the CA can be written");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/testbed/s3_server.py");
        let mut server = place
            .command(tools::python())
            .arg(script)
            .args([&address, &PORT.to_string()])
            .args([&pem, &pem, &keys])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log).expect("the log can be made"))
            .spawn()
            .expect("the server can be started");
        let keys: Value = wait_for("the bucket is there", PATIENCE, || {
            if let Ok(Some(status)) = server.try_wait() {
                panic!("the server ended, {status}: {:?}", fs::read_to_string(&log));
            }
            let text = fs::read(&keys).map_err(|error| error.to_string())?;
            serde_json::from_slice(&text).map_err(|error| error.to_string())
        });
        let key = |part: &str| keys[part].as_str().expect("a key").to_owned();
        fs::write(file("secret"), key("secret")).expect("the key can be written");
        Self {
            server,
            access_key_id: key("id"),
            place,
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.place.dir().join(name)
    }

    /// What follows `wharf repository create NAME`.
    ///
    /// # Panics
    /// When its folder's name is not UTF-8.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let address = self.place.address().expect("on the network");
        let path = |name: &str| self.file(name).to_str().expect("UTF-8").to_owned();
        [
            ("--s3-endpoint", format!("https://{address}:{PORT}")),
            ("--bucket", BUCKET.to_owned()),
            ("--access-key-id", self.access_key_id.clone()),
            ("--secret-access-key-file", path("secret")),
            ("--s3-ca-file", path("ca.pem")),
        ]
        .into_iter()
        .flat_map(|(word, value)| [word.to_owned(), value])
        .collect()
    }
}
