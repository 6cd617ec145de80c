//! What the host's allocator says of snapshots: where they go, how often, and whether to begin from one.
//!
//! Invariants: what was read is checked before it is used, and its secrets are never shown; a file that cannot be understood is
//! an error and never taken for a missing one. Not here: following the files (`snapshot_task`), what follows from them (core).

use std::path::{Path, PathBuf};

use http::Uri;
use serde::Deserialize;
use serde_json::{Value, json};
use wharf_runtime::data_dir::read_limited;
use wharf_runtime::delivery::Secret;
use wharf_store_core::snapshot::restore::Found;
use wharf_store_core::snapshot::schedule::Policy;

use crate::files::read_json;

/// The file that says where snapshots go.
pub(super) const REPOSITORY: &str = "repository.json";
/// The file that says that the instance begins from one.
const RESTORE: &str = "restore.json";
const MAX_BYTES: u64 = 256 * 1024;
const MAX_TEXT: usize = 512;
const MAX_KEEP: u32 = 10_000;

/// A bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bucket {
    /// `http` or `https`.
    pub(super) scheme: String,
    /// `HOST[:PORT]`.
    pub(super) authority: String,
    pub(super) region: String,
    pub(super) name: String,
    pub(super) access_key_id: String,
    pub(super) secret_access_key: Secret,
    /// Authorities that are trusted beside the public ones.
    pub(super) ca_pem: String,
    pub(super) path_style: bool,
}

/// Where snapshots go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Where {
    Bucket(Bucket),
    Directory(PathBuf),
}

/// What was ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) repository: String,
    pub(super) at: Where,
    /// Where the repository is: one of the same name may have been elsewhere.
    location: String,
    /// Below which this instance's objects lie; its last part is the instance.
    pub(super) prefix: String,
    pub(super) incarnation: u64,
    pub(super) keep: u32,
    pub(super) policy: Policy,
}

#[derive(Deserialize)]
struct ToldBucket {
    #[serde(default)]
    endpoint: String,
    #[serde(default)]
    region: String,
    bucket: String,
    access_key_id: String,
    secret_access_key: String,
    #[serde(default)]
    ca_pem: String,
    #[serde(default = "yes")]
    path_style: bool,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
struct Told {
    repository: String,
    kind: String,
    #[serde(default)]
    s3: Option<ToldBucket>,
    #[serde(default)]
    path: Option<PathBuf>,
    #[serde(default)]
    location: String,
    prefix: String,
    #[serde(default)]
    incarnation: u64,
    #[serde(default)]
    interval_seconds: u64,
    keep: u32,
    #[serde(default)]
    requested: u64,
}

fn short(field: &str, text: &str, empty: bool) -> Result<(), String> {
    let fits = text.len() <= MAX_TEXT && text.bytes().all(|c| c.is_ascii_graphic());
    if fits && (empty || !text.is_empty()) {
        Ok(())
    } else {
        Err(format!(
            "`{field}` is not a text of 1 to {MAX_TEXT} letters without spaces"
        ))
    }
}

fn bucket(told: ToldBucket) -> Result<Bucket, String> {
    short("s3.region", &told.region, true)?;
    short("s3.bucket", &told.bucket, false)?;
    short("s3.access_key_id", &told.access_key_id, false)?;
    short("s3.secret_access_key", &told.secret_access_key, false)?;
    if told.bucket.contains(['/', '?', '#', '@', ':']) {
        return Err("`s3.bucket` is not the name of a bucket".into());
    }
    let region = match told.region.as_str() {
        "" => "us-east-1".to_owned(),
        region => region.to_owned(),
    };
    let endpoint = match told.endpoint.as_str() {
        "" => format!("https://s3.{region}.amazonaws.com"),
        endpoint => endpoint.to_owned(),
    };
    let wrong = || "`s3.endpoint` is not `https://HOST[:PORT]`".to_owned();
    let uri: Uri = endpoint.parse().map_err(|_| wrong())?;
    let scheme = uri.scheme_str().filter(|s| matches!(*s, "http" | "https"));
    let authority = uri.authority().filter(|a| !a.as_str().contains('@'));
    let bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
    let (Some(scheme), Some(authority), true) = (scheme, authority, bare) else {
        return Err(wrong());
    };
    Ok(Bucket {
        scheme: scheme.to_owned(),
        authority: authority.as_str().to_owned(),
        region,
        name: told.bucket,
        access_key_id: told.access_key_id,
        secret_access_key: Secret::new(told.secret_access_key),
        ca_pem: told.ca_pem,
        path_style: told.path_style,
    })
}

impl Order {
    /// Understands and checks the file's content.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        // What serde says may quote a value, and a value may be a secret.
        let told: Told = serde_json::from_slice(bytes).map_err(|e| {
            format!(
                "line {}, column {} is not what it should be",
                e.line(),
                e.column()
            )
        })?;
        short("repository", &told.repository, false)?;
        short("prefix", &told.prefix, false)?;
        let part = |part: &str| {
            let letters = part
                .bytes()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.'));
            letters && !part.is_empty() && part.bytes().any(|c| c != b'.')
        };
        if !told.prefix.split('/').all(part) {
            return Err("`prefix` is not a path of letters, digits, `-`, `_` and `.`".into());
        }
        if !(1..=MAX_KEEP).contains(&told.keep) {
            return Err(format!("`keep` is not between 1 and {MAX_KEEP}"));
        }
        let at = match (told.kind.as_str(), told.s3, told.path) {
            ("s3", Some(s3), _) => Where::Bucket(bucket(s3)?),
            ("file", _, Some(path)) if path.is_absolute() => Where::Directory(path),
            ("s3", None, _) => return Err("`s3` is missing".into()),
            ("file", ..) => return Err("`path` is not an absolute path".into()),
            _ => return Err("`kind` is neither `s3` nor `file`".into()),
        };
        Ok(Self {
            repository: told.repository,
            at,
            location: told.location,
            prefix: told.prefix,
            incarnation: told.incarnation,
            keep: told.keep,
            policy: Policy {
                interval_ms: told.interval_seconds.saturating_mul(1000),
                requested: told.requested,
            },
        })
    }

    /// Whose snapshots they are.
    pub(super) fn instance_id(&self) -> &str {
        self.prefix.rsplit('/').next().unwrap_or_default()
    }

    /// What kind of place it is, and what everybody who uses the store may know of it.
    pub(crate) fn shown(&self) -> (&'static str, Value) {
        match &self.at {
            Where::Bucket(bucket) => (
                "s3",
                json!({
                    "endpoint": format!("{}://{}", bucket.scheme, bucket.authority),
                    "bucket": bucket.name,
                    "base_path": self.prefix,
                }),
            ),
            Where::Directory(path) => ("fs", json!({"location": path.join(&self.prefix)})),
        }
    }

    /// Which place it is, as long as only schedules and keys change.
    pub(super) fn place(&self) -> String {
        format!("{}:{}:{}", self.repository, self.location, self.prefix)
    }
}

/// Where snapshots go, if anywhere. Blocks, shortly.
pub(super) fn repository(secrets: &Path) -> Result<Option<Order>, String> {
    let read = read_limited(secrets.join(REPOSITORY), MAX_BYTES);
    match read.map_err(|e| e.to_string())? {
        Some(bytes) => Order::read(&bytes).map(Some),
        None => Ok(None),
    }
}

#[derive(Deserialize)]
struct Begin {
    incarnation: u64,
}

/// The order to begin from a snapshot. Blocks, shortly.
pub(crate) fn restore(secrets: &Path) -> Found {
    match read_json::<Begin>(&secrets.join(RESTORE), MAX_BYTES) {
        Ok(Some(Begin { incarnation })) => Found::Order { incarnation },
        Ok(None) => Found::Nothing,
        Err(error) => {
            tracing::error!(%error, "STO0009: the order to restore cannot be read");
            Found::Unreadable
        }
    }
}

/// Whether the order to begin from a snapshot is still there.
pub(crate) fn restore_is_ordered(secrets: &Path) -> bool {
    secrets.join(RESTORE).exists()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn s3() -> Value {
        json!({
            "repository": "backups", "kind": "s3", "prefix": "wharf/p/d/i", "incarnation": 2,
            "interval_seconds": 1800, "keep": 100, "requested": 3,
            "s3": {"endpoint": "https://minio.example:9000", "region": "", "bucket": "b",
                   "access_key_id": "AK", "secret_access_key": "very-secret", "ca_pem": "", "path_style": true},
        })
    }

    fn changed(change: impl FnOnce(&mut Value)) -> Result<Order, String> {
        let mut told = s3();
        change(&mut told);
        Order::read(told.to_string().as_bytes())
    }

    #[test]
    fn an_order_says_where_and_how_often() {
        let order = changed(|_| {}).unwrap();
        assert_eq!(
            (order.instance_id(), order.incarnation, order.keep),
            ("i", 2, 100)
        );
        assert_eq!(
            order.policy,
            Policy {
                interval_ms: 1_800_000,
                requested: 3
            }
        );
        let Where::Bucket(bucket) = &order.at else {
            panic!("{order:?}");
        };
        assert_eq!(
            (bucket.authority.as_str(), bucket.region.as_str()),
            ("minio.example:9000", "us-east-1")
        );
        assert!(!format!("{order:?}").contains("very-secret"), "{order:?}");
        let file = json!({"repository": "r", "kind": "file", "path": "/repository", "prefix": "p/d/i", "keep": 1});
        let order = Order::read(file.to_string().as_bytes()).unwrap();
        assert_eq!(order.at, Where::Directory("/repository".into()));
    }

    #[test]
    fn a_wrong_order_is_refused_by_its_field_and_without_its_secrets() {
        type Change = fn(&mut Value);
        let wrong: [(&str, Change); 12] = [
            ("prefix", |v| v["prefix"] = "a/../b".into()),
            ("prefix", |v| v["prefix"] = "/a".into()),
            ("prefix", |v| v["prefix"] = "".into()),
            ("keep", |v| v["keep"] = 0.into()),
            ("kind", |v| v["kind"] = "ftp".into()),
            ("path", |v| v["kind"] = "file".into()),
            ("s3", |v| v["s3"] = Value::Null),
            ("s3.endpoint", |v| v["s3"]["endpoint"] = "minio:9000".into()),
            ("s3.endpoint", |v| {
                v["s3"]["endpoint"] = "https://a:b@minio".into()
            }),
            ("s3.endpoint", |v| {
                v["s3"]["endpoint"] = "ftp://minio".into()
            }),
            ("s3.bucket", |v| v["s3"]["bucket"] = "a/b".into()),
            ("s3.secret_access_key", |v| {
                v["s3"]["secret_access_key"] = "very-secret with spaces".into()
            }),
        ];
        for (field, change) in wrong {
            let error = changed(change).unwrap_err();
            assert!(
                error.contains(field) && !error.contains("very-secret"),
                "{field}: {error}"
            );
        }
        let broken = Order::read(br#"{"keep": "very-secret"}"#).unwrap_err();
        assert!(!broken.contains("very-secret"), "{broken}");
    }

    #[test]
    fn an_order_to_restore_that_cannot_be_read_is_one() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(restore(dir.path()), Found::Nothing);
        let file = dir.path().join(RESTORE);
        std::fs::write(&file, "{").unwrap();
        assert_eq!(restore(dir.path()), Found::Unreadable);
        std::fs::write(&file, r#"{"incarnation": 4}"#).unwrap();
        assert_eq!(restore(dir.path()), Found::Order { incarnation: 4 });
        assert!(restore_is_ordered(dir.path()));
    }

    proptest! {
        #[test]
        fn any_file_is_an_order_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            drop(Order::read(&bytes));
        }

        #[test]
        fn a_prefix_that_is_taken_leads_nowhere_else(prefix in "[a./_\\-%]{0,12}") {
            if let Ok(order) = changed(|v| v["prefix"] = prefix.clone().into()) {
                prop_assert!(order.prefix.split('/').all(|part| !part.is_empty() && part != "." && part != ".."));
            }
        }
    }
}
