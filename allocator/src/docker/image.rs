//! The platform's image: the static binary itself, handed to the engine as a tar of one file.
//!
//! Invariants: no registry and no network is needed; the tag is the binary's SHA-256, so the same
//! binary is loaded once and another one never hides behind an old tag; the tar is streamed, so
//! memory stays flat whatever the binary's size; only images with the platform's label are pruned,
//! and none that a container uses. Not here: containers.

use std::{
    collections::HashSet,
    io,
    path::{Path, PathBuf},
};

use bollard::{
    body_try_stream,
    query_parameters::{
        CreateImageOptionsBuilder, ListContainersOptionsBuilder, ListImagesOptionsBuilder,
        RemoveImageOptionsBuilder,
    },
};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use sha2::{Digest as _, Sha256};
use tokio::{fs::File, io::AsyncReadExt as _};
use tokio_util::io::ReaderStream;

use super::{
    engine::{CALL_DEADLINE, Engine, EngineError, IMAGE_DEADLINE, SLOW_DEADLINE},
    labels,
};

/// Largest binary that is loaded, as a guard against a wrong path.
pub const MAX_BINARY: u64 = 4 << 30;

/// A loaded image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The engine's content id, `sha256:…`.
    pub id: String,
    /// `wharfinger/<platform>:<12 hex>`.
    pub tag: String,
    /// It was loaded by this call.
    pub loaded: bool,
}

/// Why the image is not there.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The engine refused.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// ALL0010
    #[error("cannot read the binary {}: {source}; give the path of the wharf binary", path.display())]
    Binary {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

impl ImageError {
    /// The code, with a page in `docs/errors`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Engine(error) => error.code(),
            Self::Binary { .. } => "ALL0010",
        }
    }
}

/// The digest of a binary, kept for as long as its file is the same one, unchanged.
#[derive(Debug, Default)]
pub struct Digested(Option<(Mark, String)>);

/// What changes when a file does: device, inode, size, times of its content and of its entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    place: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Digested {
    /// Size and SHA-256 of the file.
    async fn of(&mut self, binary: &Path) -> io::Result<(u64, String)> {
        let before = Mark::of(binary).await?;
        if let Some((mark, sha256)) = &self.0
            && *mark == before
        {
            return Ok((before.size, sha256.clone()));
        }
        self.0 = None;
        let (size, sha256) = digest(binary).await?;
        // One that was written meanwhile is not believed a second time.
        if Mark::of(binary).await? == before {
            self.0 = Some((before, sha256.clone()));
        }
        Ok((size, sha256))
    }
}

impl Mark {
    async fn of(path: &Path) -> io::Result<Self> {
        use std::os::unix::fs::MetadataExt as _;
        let meta = tokio::fs::metadata(path).await?;
        Ok(Self {
            place: (meta.dev(), meta.ino()),
            size: meta.len(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        })
    }
}

/// Makes sure that the engine has the image of this binary, under the platform's name and label.
///
/// # Errors
/// When the binary cannot be read, or the engine does not take it.
pub async fn ensure(
    engine: &Engine,
    platform_id: &str,
    platform_name: &str,
    binary: &Path,
    digested: &mut Digested,
) -> Result<Image, ImageError> {
    let failed = |source| ImageError::Binary {
        path: binary.to_owned(),
        source,
    };
    let (size, sha256) = digested.of(binary).await.map_err(failed)?;
    let repository = labels::image_repository(platform_name);
    let tag = &sha256[..12];
    let reference = format!("{repository}:{tag}");
    if let Some(id) = find(engine, &reference, platform_id, &sha256).await? {
        return Ok(Image {
            id,
            tag: reference,
            loaded: false,
        });
    }
    let file = File::open(binary).await.map_err(failed)?;
    let changes = vec![
        r#"ENTRYPOINT ["/wharf"]"#.to_owned(),
        format!("LABEL {}={platform_id}", labels::PLATFORM),
        format!("LABEL {}={sha256}", labels::BINARY),
    ];
    let options = CreateImageOptionsBuilder::new()
        .from_src("-")
        .repo(&repository)
        .tag(tag)
        .message("the wharf binary")
        .changes(changes)
        .build();
    let body = body_try_stream(tar_of(file, size).map_err(failed)?);
    let patient = engine.docker().clone().with_timeout(IMAGE_DEADLINE);
    let load = patient.create_image(Some(options), Some(body), None);
    engine
        .call(
            "load the image",
            IMAGE_DEADLINE,
            load.try_for_each(|_| async { Ok(()) }),
        )
        .await?;
    match find(engine, &reference, platform_id, &sha256).await? {
        Some(id) => Ok(Image {
            id,
            tag: reference,
            loaded: true,
        }),
        None => Err(EngineError::Refused {
            doing: "load the image",
            status: 0,
            message: format!("{reference} is not there after loading it"),
        }
        .into()),
    }
}

/// The id of an image of that name, when it is ours and of that binary.
async fn find(
    engine: &Engine,
    reference: &str,
    platform_id: &str,
    sha256: &str,
) -> Result<Option<String>, EngineError> {
    let asked = engine.docker().inspect_image(reference);
    let image = match engine.call("inspect an image", CALL_DEADLINE, asked).await {
        Ok(image) => image,
        Err(error) if error.is_missing() => return Ok(None),
        Err(error) => return Err(error),
    };
    let found = image
        .config
        .and_then(|config| config.labels)
        .unwrap_or_default();
    let ours = found
        .get(labels::PLATFORM)
        .is_some_and(|id| id == platform_id)
        && found.get(labels::BINARY).is_some_and(|sha| sha == sha256);
    Ok(if ours { image.id } else { None })
}

/// The name of an image of this id, which people read in lists of containers; the id itself when it
/// has no name.
///
/// # Errors
/// When the engine does not answer or has no such image.
pub async fn name_of(engine: &Engine, id: &str) -> Result<String, EngineError> {
    let asked = engine.docker().inspect_image(id);
    let image = engine
        .call("inspect an image", CALL_DEADLINE, asked)
        .await?;
    let names = image.repo_tags.unwrap_or_default();
    Ok(names.into_iter().next().unwrap_or_else(|| id.to_owned()))
}

/// Removes the platform's images that no container uses, but for `keep`; returns what was removed.
///
/// # Errors
/// When the engine does not answer; an image that it refuses to remove is skipped.
pub async fn prune(
    engine: &Engine,
    platform_id: &str,
    keep: Option<&str>,
) -> Result<Vec<String>, EngineError> {
    let containers = ListContainersOptionsBuilder::new().all(true).build();
    let containers = engine
        .call(
            "list containers",
            CALL_DEADLINE,
            engine.docker().list_containers(Some(containers)),
        )
        .await?;
    let used: HashSet<String> = containers
        .into_iter()
        .filter_map(|one| one.image_id)
        .collect();
    let options = ListImagesOptionsBuilder::new()
        .all(true)
        .filters(&labels::filter(platform_id))
        .build();
    let images = engine
        .call(
            "list images",
            CALL_DEADLINE,
            engine.docker().list_images(Some(options)),
        )
        .await?;
    let mut removed = Vec::new();
    for image in images {
        if used.contains(&image.id) || keep == Some(image.id.as_str()) {
            continue;
        }
        let options = RemoveImageOptionsBuilder::new().force(true).build();
        let remove = engine.docker().remove_image(&image.id, Some(options), None);
        match engine.call("remove an image", SLOW_DEADLINE, remove).await {
            Ok(_) => removed.push(image.id),
            Err(error) if error.is_down() => return Err(error),
            Err(error) => tracing::warn!(image = image.id, %error, "an old image stays"),
        }
    }
    Ok(removed)
}

async fn digest(binary: &Path) -> io::Result<(u64, String)> {
    let mut file = File::open(binary).await?;
    let mut hash = Sha256::new();
    let mut size = 0_u64;
    let mut buffer = vec![0; 1 << 18];
    loop {
        let read = file.read(&mut buffer).await?;
        if read == 0 {
            break;
        }
        size += read as u64;
        if size > MAX_BINARY {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "it is larger than 4 GiB",
            ));
        }
        hash.update(&buffer[..read]);
    }
    Ok((size, hex::encode(hash.finalize())))
}

/// A tar of `/tmp/` and `/wharf`, made while it is read.
fn tar_of(
    file: File,
    size: u64,
) -> io::Result<impl futures::Stream<Item = io::Result<Bytes>> + Send + 'static> {
    let mut head = header("tmp/", tar::EntryType::Directory, 0o1777, 0)?;
    head.extend_from_slice(&header("wharf", tar::EntryType::Regular, 0o755, size)?);
    let padding = usize::try_from((512 - size % 512) % 512).unwrap_or(0);
    let tail = vec![0; padding + 1024];
    let content = ReaderStream::with_capacity(file.take(size), 1 << 18);
    Ok(futures::stream::once(async move { Ok(Bytes::from(head)) })
        .chain(content)
        .chain(futures::stream::once(async move { Ok(Bytes::from(tail)) })))
}

fn header(path: &str, kind: tar::EntryType, mode: u32, size: u64) -> io::Result<Vec<u8>> {
    let mut header = tar::Header::new_ustar();
    header.set_path(path)?;
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header.set_cksum();
    Ok(header.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_binary_is_read_again_only_when_its_file_changed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("wharf");
        std::fs::write(&path, "one").unwrap();
        let mut digested = Digested::default();
        let one = digested.of(&path).await.unwrap();
        // What is remembered is given, not what would be read.
        digested.0.as_mut().unwrap().1 = "remembered".to_owned();
        let again = digested.of(&path).await.unwrap();
        assert_eq!(again, (3, "remembered".to_owned()));
        // Another file of the same size in its place.
        let next = dir.path().join("next");
        std::fs::write(&next, "two").unwrap();
        std::fs::rename(&next, &path).unwrap();
        let two = digested.of(&path).await.unwrap();
        assert_eq!(two, digest(&path).await.unwrap());
        assert_ne!(two, one);
    }

    #[tokio::test]
    async fn the_stream_is_a_tar_that_holds_the_file_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("wharf");
        for size in [0_usize, 1, 511, 512, 513, 300_000] {
            let content: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
            std::fs::write(&path, &content).unwrap();
            let (length, sha256) = digest(&path).await.unwrap();
            assert_eq!((length, sha256.len()), (size as u64, 64));
            let file = File::open(&path).await.unwrap();
            let bytes: Vec<Bytes> = tar_of(file, length).unwrap().try_collect().await.unwrap();
            let bytes = bytes.concat();
            let mut names = vec![];
            for entry in tar::Archive::new(bytes.as_slice()).entries().unwrap() {
                let mut entry = entry.unwrap();
                names.push(entry.path().unwrap().display().to_string());
                if names.len() == 2 {
                    let mut read = vec![];
                    io::Read::read_to_end(&mut entry, &mut read).unwrap();
                    assert_eq!(read, content);
                    assert_eq!(entry.header().mode().unwrap(), 0o755);
                }
            }
            assert_eq!(names, ["tmp/", "wharf"]);
        }
    }
}
