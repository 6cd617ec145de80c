//! A repository: a bucket or a directory that holds this instance's snapshots and their objects.
//!
//! Invariants: everything lies below the instance's own prefix; an object is there whole or not at all; nothing that is read is
//! larger than it may be; an error names the place and never a secret. Not here: which objects there should be (core
//! `snapshot`), who may write.

use std::collections::BTreeSet;
use std::fs::File as Handle;
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    BackoffConfig, GetOptions, GetRange, ObjectMeta, ObjectStore, PutOptions, PutPayload,
    RetryConfig,
};
use wharf_runtime::data_dir::make_dir;
use wharf_runtime::task::Shutdown;
use wharf_store_core::handover::files::File;
use wharf_store_core::snapshot::manifest::{self, Manifest};
use wharf_store_core::snapshot::name::Name;
use wharf_store_core::snapshot::retention::{Object, is_sha256};

use super::error::RepositoryError;
use super::order::{Bucket, Order, Where};
use super::transport::Transport;
use crate::files::blocking;

/// A larger file goes in parts of this size, so that memory is bounded.
const PART_BYTES: u64 = 8 << 20;
/// Parts of a file that a bucket takes; a file of more has larger ones.
const MAX_PARTS: u64 = 10_000;
/// Time for a request that is none of a large file's parts.
const REQUEST: Duration = Duration::from_secs(300);
/// How long a body may stall.
const STALL: Duration = Duration::from_secs(60);
/// Time for a directory to answer anything.
const ANSWERS: Duration = Duration::from_secs(30);
/// After which a directory that does not answer is told of where it is waited for.
pub(super) const TOLD_AFTER: Duration = Duration::from_secs(5);
/// Time to take back what was uploaded of a file.
const ABORT: Duration = Duration::from_secs(3);
/// Names of a listing at most.
const MAX_LISTED: usize = 2_000_000;

/// A repository that was opened.
#[derive(Debug)]
pub(crate) struct Repository {
    store: Arc<dyn ObjectStore>,
    name: String,
    /// Before every name; empty or with a slash at its end.
    prefix: String,
    instance_id: String,
    directory: Option<PathBuf>,
    /// Held by whoever looks whether a directory answers, to the end of the look.
    looking: Arc<tokio::sync::Mutex<()>>,
}

fn bucket(order: &Order, bucket: &Bucket) -> Result<Arc<dyn ObjectStore>, RepositoryError> {
    let wrong = |e: &dyn std::fmt::Display| RepositoryError::Order(e.to_string());
    let host = match bucket.path_style {
        true => bucket.authority.clone(),
        false => format!("{}.{}", bucket.name, bucket.authority),
    };
    let retry = RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(200),
            max_backoff: Duration::from_secs(5),
            base: 2.,
        },
        max_retries: 3,
        retry_timeout: Duration::from_secs(60),
    };
    let built = AmazonS3Builder::new()
        .with_endpoint(format!("{}://{host}", bucket.scheme))
        .with_allow_http(bucket.scheme == "http")
        .with_region(&bucket.region)
        .with_bucket_name(&bucket.name)
        .with_access_key_id(&bucket.access_key_id)
        .with_secret_access_key(bucket.secret_access_key.reveal())
        .with_virtual_hosted_style_request(!bucket.path_style)
        .with_disable_bulk_delete(true)
        .with_retry(retry)
        .with_http_connector(Transport::new(&bucket.ca_pem).map_err(|e| wrong(&e))?)
        .build();
    match built {
        Ok(store) => Ok(Arc::new(store)),
        Err(error) => Err(RepositoryError::of(&order.repository, error)),
    }
}

/// The instance's own folder below what is mounted, which has to be there. Blocks.
fn directory(order: &Order, path: &FsPath) -> Result<(PathBuf, LocalFileSystem), RepositoryError> {
    let name = &order.repository;
    if !path.is_dir() {
        let why = format!("`{}` is not there", path.display());
        return Err(RepositoryError::Unusable(name.clone(), why));
    }
    let own = path.join(&order.prefix);
    // What lies there is for this instance alone, whoever else can reach the file system.
    let made = make_dir(&own, 0o700);
    made.map_err(|e| RepositoryError::Unusable(name.clone(), e.to_string()))?;
    let store = LocalFileSystem::new_with_prefix(&own).map_err(|e| RepositoryError::of(name, e))?;
    Ok((own, store.with_fsync(true)))
}

impl Repository {
    /// Opens what the order names. Blocks, shortly.
    pub(super) fn open(order: &Order) -> Result<Self, RepositoryError> {
        let (store, prefix, directory): (Arc<dyn ObjectStore>, _, _) = match &order.at {
            Where::Bucket(at) => (bucket(order, at)?, format!("{}/", order.prefix), None),
            Where::Directory(path) => {
                let (own, store) = directory(order, path)?;
                (Arc::new(store), String::new(), Some(own))
            }
        };
        Ok(Self {
            store,
            name: order.repository.clone(),
            prefix,
            instance_id: order.instance_id().to_owned(),
            directory,
            looking: Arc::default(),
        })
    }

    /// Whether a directory answers. One whose server is gone keeps a thread to the end of the look: everything begins with
    /// one, and there is one at a time, so that trying again keeps no more.
    async fn answers(&self) -> Result<(), RepositoryError> {
        let Some(own) = self.directory.clone() else {
            return Ok(());
        };
        let looked = async {
            let alone = Arc::clone(&self.looking).lock_owned().await;
            let look = blocking("store snapshot directory", move || {
                let _alone = alone;
                // What is wrong with it, whoever uses it is told.
                drop(std::fs::metadata(own));
                Ok(())
            });
            look.await.map_err(RepositoryError::Disk)
        };
        let in_time = tokio::time::timeout(ANSWERS, looked).await;
        in_time.unwrap_or_else(|_| Err(RepositoryError::late(&self.name, ANSWERS)))
    }

    fn at(&self, name: &str) -> Path {
        Path::from(format!("{}{name}", self.prefix))
    }

    fn object(&self, sha256: &str) -> Path {
        self.at(&format!("objects/{sha256}"))
    }

    fn manifest_path(&self, name: Name) -> Path {
        self.at(&format!("snapshots/{name}.json"))
    }

    fn failed(&self, error: object_store::Error) -> RepositoryError {
        RepositoryError::of(&self.name, error)
    }

    async fn within<T>(
        &self,
        request: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T, RepositoryError> {
        match tokio::time::timeout(REQUEST, request).await {
            Ok(outcome) => outcome.map_err(|e| self.failed(e)),
            Err(_) => Err(RepositoryError::late(&self.name, REQUEST)),
        }
    }

    /// Everything below a folder that a name can be made of.
    async fn list<T>(
        &self,
        folder: &str,
        read: impl Fn(&str, &ObjectMeta) -> Option<T>,
    ) -> Result<Vec<T>, RepositoryError> {
        self.answers().await?;
        let folder = self.at(folder);
        let mut listed = self.store.list(Some(&folder));
        let mut found = Vec::new();
        let mut seen = 0usize;
        while let Some(meta) = self.within(listed.try_next()).await? {
            seen += 1;
            if seen > MAX_LISTED {
                let why = format!("more than {MAX_LISTED} names lie below `{folder}`");
                return Err(RepositoryError::Unusable(self.name.clone(), why));
            }
            // What lies deeper is nobody's.
            let own = meta.location.prefix_match(&folder).map(|p| p.count());
            if own == Some(1) {
                found.extend(meta.location.filename().and_then(|name| read(name, &meta)));
            }
        }
        Ok(found)
    }

    /// The names of all snapshots.
    pub(super) async fn snapshots(&self) -> Result<BTreeSet<Name>, RepositoryError> {
        let names = self.list("snapshots", |name, _| {
            Name::parse(name.strip_suffix(".json")?)
        });
        Ok(names.await?.into_iter().collect())
    }

    /// All objects. `now_ms`: what their age is counted from.
    pub(super) async fn objects(&self, now_ms: u64) -> Result<Vec<Object>, RepositoryError> {
        self.list("objects", |name, meta| {
            let since = u64::try_from(meta.last_modified.timestamp_millis()).unwrap_or_default();
            is_sha256(name).then(|| Object {
                sha256: name.to_owned(),
                bytes: meta.size,
                age_ms: now_ms.saturating_sub(since),
            })
        })
        .await
    }

    /// Reads and judges a manifest.
    pub(super) async fn manifest(&self, name: Name) -> Result<Manifest, RepositoryError> {
        let path = self.manifest_path(name);
        let bad = |why: String| RepositoryError::Damaged {
            repository: self.name.clone(),
            what: path.to_string(),
            why,
        };
        let got = self.store.get_opts(&path, GetOptions::default());
        let got = self.within(got).await.map_err(|e| e.missing(&path))?;
        if got.meta.size > manifest::MAX_BYTES as u64 {
            return Err(bad(manifest::BadManifest::Long.to_string()));
        }
        let bytes = self.within(got.bytes()).await?;
        let instance_id = self.instance_id.clone();
        let read = blocking("store snapshot manifest", move || {
            Ok(manifest::read(&bytes, &instance_id, name))
        });
        let read = read.await.map_err(RepositoryError::Disk)?;
        read.map_err(|e| bad(e.to_string()))
    }

    /// Writes a manifest: everything that it names is there already.
    pub(super) async fn put_manifest(
        &self,
        name: Name,
        manifest: &Manifest,
    ) -> Result<(), RepositoryError> {
        let bytes = serde_json::to_vec(manifest)
            .map_err(|e| RepositoryError::Unusable(self.name.clone(), e.to_string()))?;
        self.put(&self.manifest_path(name), bytes.into()).await
    }

    async fn put(&self, path: &Path, bytes: Bytes) -> Result<(), RepositoryError> {
        let put = self
            .store
            .put_opts(path, PutPayload::from_bytes(bytes), PutOptions::default());
        self.within(put).await.map(drop)
    }

    async fn delete(&self, path: Path) -> Result<(), RepositoryError> {
        let one = futures::stream::once(async { Ok(path) }).boxed();
        let mut gone = self.store.delete_stream(one);
        match self.within(gone.try_next()).await {
            Ok(_) | Err(RepositoryError::Missing { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Removes a manifest, if it is there.
    pub(super) async fn delete_manifest(&self, name: Name) -> Result<(), RepositoryError> {
        self.delete(self.manifest_path(name)).await
    }

    /// Removes an object, if it is there.
    pub(super) async fn delete_object(&self, sha256: &str) -> Result<(), RepositoryError> {
        self.delete(self.object(sha256)).await
    }

    /// Uploads a file that does not change, whole or not at all. `told`: bytes that went.
    pub(super) async fn put_object(
        &self,
        file: &File,
        from: &FsPath,
        stop: &Shutdown,
        told: impl Fn(u64),
    ) -> Result<(), RepositoryError> {
        let path = self.object(&file.sha256);
        let handle = Arc::new(Handle::open(from).map_err(RepositoryError::Disk)?);
        if file.bytes <= PART_BYTES {
            let bytes = part(&handle, 0, file.bytes).await?;
            let put = stop.run_until(self.put(&path, bytes)).await;
            put.ok_or(RepositoryError::Stopped)??;
            told(file.bytes);
            return Ok(());
        }
        let begun = self.store.put_multipart_opts(&path, Default::default());
        let begun = stop.run_until(self.within(begun)).await;
        let mut upload = begun.ok_or(RepositoryError::Stopped)??;
        let parts = async {
            let mut at = 0;
            let size = part_bytes(file.bytes);
            while at < file.bytes {
                let bytes = part(&handle, at, (file.bytes - at).min(size)).await?;
                let length = bytes.len() as u64;
                self.within(upload.put_part(PutPayload::from_bytes(bytes)))
                    .await?;
                at += length;
                told(length);
            }
            self.within(upload.complete()).await.map(drop)
        };
        let outcome = stop.run_until(parts).await;
        let outcome = outcome.unwrap_or(Err(RepositoryError::Stopped));
        if outcome.is_err() {
            // What is left otherwise is for the bucket's own rule about unfinished uploads.
            drop(tokio::time::timeout(ABORT, upload.abort()).await);
        }
        outcome
    }

    /// Appends an object's bytes from `from` on to a file, which has them up to there. `told`: bytes that came.
    pub(super) async fn get_object(
        &self,
        file: &File,
        from: u64,
        into: &mut Handle,
        told: impl Fn(u64),
    ) -> Result<(), RepositoryError> {
        let path = self.object(&file.sha256);
        let options = GetOptions {
            range: (from > 0).then_some(GetRange::Offset(from)),
            ..GetOptions::default()
        };
        if from >= file.bytes && file.bytes > 0 {
            return Ok(());
        }
        let got = self.within(self.store.get_opts(&path, options)).await;
        let got = got.map_err(|e| e.missing(&path))?;
        if got.meta.size != file.bytes {
            return Err(self.damaged(file, format!("it has {} bytes", got.meta.size)));
        }
        let mut body = got.into_stream();
        let mut left = file.bytes - from;
        loop {
            let next = tokio::time::timeout(STALL, body.try_next()).await;
            let next = next.map_err(|_| RepositoryError::late(&self.name, STALL))?;
            let Some(bytes) = next.map_err(|e| self.failed(e))? else {
                break;
            };
            let length = bytes.len() as u64;
            left = left
                .checked_sub(length)
                .ok_or_else(|| self.damaged(file, "it is longer than it says".into()))?;
            into.write_all(&bytes).map_err(RepositoryError::Disk)?;
            told(length);
        }
        if left > 0 {
            return Err(self.damaged(file, format!("{left} bytes are missing")));
        }
        Ok(())
    }

    /// An object that is not what its name says.
    pub(super) fn damaged(&self, file: &File, why: String) -> RepositoryError {
        RepositoryError::Damaged {
            repository: self.name.clone(),
            what: self.object(&file.sha256).to_string(),
            why: format!(
                "{why}; it should be {} bytes of `{}`",
                file.bytes, file.path
            ),
        }
    }

    /// Removes what crashes left in a directory of files that were never whole.
    pub(super) async fn sweep_unfinished(&self, older_than: Duration) -> io::Result<usize> {
        let Some(own) = self.directory.clone() else {
            return Ok(0);
        };
        blocking("store snapshot sweep", move || {
            sweep_unfinished(&own, older_than)
        })
        .await
    }
}

fn sweep_unfinished(own: &FsPath, older_than: Duration) -> io::Result<usize> {
    let mut gone = 0;
    for folder in ["objects", "snapshots"] {
        let entries = match std::fs::read_dir(own.join(folder)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            // As the library names a file that it is writing.
            let unfinished = name
                .to_string_lossy()
                .split_once('#')
                .is_some_and(|(_, n)| !n.is_empty() && n.bytes().all(|c| c.is_ascii_digit()));
            let age = entry.metadata()?.modified()?.elapsed().unwrap_or_default();
            if unfinished && age > older_than {
                std::fs::remove_file(entry.path())?;
                gone += 1;
            }
        }
    }
    Ok(gone)
}

/// The size of the parts of a file of so many bytes.
fn part_bytes(bytes: u64) -> u64 {
    PART_BYTES.max(bytes.div_ceil(MAX_PARTS))
}

async fn part(file: &Arc<Handle>, at: u64, bytes: u64) -> Result<Bytes, RepositoryError> {
    let file = Arc::clone(file);
    let read = blocking("store snapshot read", move || {
        let mut buffer = vec![0; usize::try_from(bytes).unwrap_or_default()];
        file.read_exact_at(&mut buffer, at)?;
        Ok(Bytes::from(buffer))
    });
    read.await.map_err(RepositoryError::Disk)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_file_of_any_size_goes_in_parts_that_a_bucket_takes(bytes in 1..=u64::MAX) {
            let size = part_bytes(bytes);
            prop_assert!(bytes.div_ceil(size) <= MAX_PARTS, "{size}");
            prop_assert!(size >= PART_BYTES);
            prop_assert!(bytes > PART_BYTES * MAX_PARTS || size == PART_BYTES, "{size}");
        }
    }
}
