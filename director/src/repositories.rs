//! Repositories between their three forms: the message of the API, the sealed text in the state, the file
//! that a storage node reads. Invariants: nothing here prints a secret key; what is handed to a storage
//! node lies below a prefix of its own. Not here: who may see one (`api/repositories`), speaking to one
//! (the storage node).

use http::Uri;
use prost::Message;
use serde_json::json;
use wharf_director_core::{
    reconcile::assignment::AssignedSpec,
    refusal::{Refusal, RefusalKind, codes, cut},
    state::{RepositoryRecord, State},
};
use wharf_proto::v1::{self, repository::Kind};
use wharf_runtime::tls::CaCerts;

use crate::secrets::{PlatformKey, SecretError};

/// Where the folder of a `file` repository is inside a container.
const MOUNTED_AT: &str = "/repository";
/// Bytes of a text of a repository.
const TEXT_BYTES: usize = 512;
/// Bytes of authorities.
const PEM_BYTES: usize = 24 * 1024;
/// Folders of the host's own system, of its engine and of platforms: storage nodes may write into a
/// repository, and nothing of it belongs there.
const SYSTEM_FOLDERS: [&str; 15] = [
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib64",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/sys",
    "/usr",
    "/var/lib/docker",
    "/var/lib/wharfinger",
    "/var/run",
];

/// A repository as it is kept.
#[derive(Debug, PartialEq, Eq)]
pub struct Checked {
    /// `s3` or `file`.
    pub kind: &'static str,
    /// For people; says which place it is.
    pub location: String,
    /// Folder on the hosts; empty of other kinds.
    pub path: String,
}

fn secret_name(name: &str) -> String {
    format!("repository/{name}")
}

fn refuse(field: &str, message: impl Into<String>) -> Refusal {
    Refusal::new(RefusalKind::InvalidArgument, codes::REPOSITORY, message)
        .field(format!("repository.{field}"))
        .hint("docs/errors/DIR0096.md has an example of each kind")
}

fn plain(field: &str, text: &str) -> Result<(), Refusal> {
    if text.is_empty() || text.len() > TEXT_BYTES || !text.bytes().all(|c| c.is_ascii_graphic()) {
        return Err(refuse(
            field,
            format!("is no text of 1 to {TEXT_BYTES} letters without spaces"),
        ));
    }
    Ok(())
}

/// A prefix without slashes at its ends.
fn prefix(text: &str) -> Result<String, Refusal> {
    let trimmed = text.trim_matches('/');
    let part = |part: &str| {
        let good = |c: u8| c.is_ascii_alphanumeric() || b"-_.".contains(&c);
        !part.is_empty() && !matches!(part, "." | "..") && part.bytes().all(good)
    };
    if trimmed.len() > TEXT_BYTES || !(trimmed.is_empty() || trimmed.split('/').all(part)) {
        return Err(refuse(
            "prefix",
            "is no list of names of letters, digits, `-`, `_`, `.`, joined by `/`",
        ));
    }
    Ok(trimmed.to_owned())
}

fn bucket(s3: &v1::S3Repository) -> Result<String, Refusal> {
    if !s3.region.is_empty() {
        plain("s3.region", &s3.region)?;
    }
    plain("s3.access_key_id", &s3.access_key_id)?;
    plain("s3.secret_access_key", &s3.secret_access_key)?;
    let good = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b"-.".contains(&c);
    if !(3..=63).contains(&s3.bucket.len()) || !s3.bucket.bytes().all(good) {
        return Err(refuse(
            "s3.bucket",
            "is no bucket's name: 3 to 63 lower-case letters, digits, `-` or `.`",
        ));
    }
    if s3.ca_pem.len() > PEM_BYTES {
        return Err(refuse(
            "s3.ca_pem",
            format!("is longer than {PEM_BYTES} bytes"),
        ));
    }
    if !s3.ca_pem.is_empty() {
        let certs = CaCerts::from_pem(&s3.ca_pem).and_then(|certs| certs.root_store());
        certs.map_err(|error| refuse("s3.ca_pem", error.to_string()))?;
    }
    let authority = if s3.endpoint.is_empty() {
        let region = if s3.region.is_empty() {
            "us-east-1"
        } else {
            &s3.region
        };
        format!("https://s3.{region}.amazonaws.com")
    } else {
        let wrong = || {
            refuse(
                "s3.endpoint",
                "must be `https://HOST[:PORT]`, or the same with http where the network is trusted, \
                 without user and path",
            )
        };
        plain("s3.endpoint", &s3.endpoint).map_err(|_| wrong())?;
        let uri: Uri = s3.endpoint.parse().map_err(|_| wrong())?;
        let bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
        match (uri.scheme_str(), uri.authority()) {
            (Some(scheme @ ("https" | "http")), Some(authority))
                if bare && !authority.as_str().contains('@') && !authority.host().is_empty() =>
            {
                format!("{scheme}://{authority}")
            }
            _ => return Err(wrong()),
        }
    };
    Ok(format!("{authority}/{}", s3.bucket))
}

fn folder(path: &str) -> Result<String, Refusal> {
    let trimmed = path.trim_end_matches('/');
    let parts: Vec<&str> = trimmed.split('/').skip(1).collect();
    let whole = path.starts_with('/')
        && path.len() <= TEXT_BYTES
        && !path.chars().any(char::is_control)
        && !parts.is_empty()
        && parts.iter().all(|part| !matches!(*part, "" | "." | ".."));
    if !whole {
        return Err(refuse(
            "file.path",
            "is no absolute path of a folder without `.` and `..`",
        ));
    }
    let is_below = |path: &str, folder: &str| {
        let rest = path.strip_prefix(folder);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let of_the_system = SYSTEM_FOLDERS
        .iter()
        .any(|folder| is_below(trimmed, folder) || is_below(folder, trimmed));
    if of_the_system {
        return Err(refuse(
            "file.path",
            format!("`{}` belongs to the host's system", cut(trimmed, 80)),
        ));
    }
    Ok(trimmed.to_owned())
}

/// Checks everything that can be known without speaking to it, and brings it into one form.
///
/// # Errors
/// Names the field that is wrong, never a secret.
pub fn checked(message: &mut v1::Repository) -> Result<Checked, Refusal> {
    message.prefix = prefix(&message.prefix)?;
    match &mut message.kind {
        Some(Kind::S3(s3)) => Ok(Checked {
            kind: "s3",
            location: bucket(s3)?,
            path: String::new(),
        }),
        Some(Kind::File(file)) => {
            file.path = folder(&file.path)?;
            Ok(Checked {
                kind: "file",
                location: file.path.clone(),
                path: file.path.clone(),
            })
        }
        None => Err(refuse("kind", "is neither `s3` nor `file`")),
    }
}

/// Fills in the secret key that is there, when none is given; whether it did.
pub fn keep_secret(message: &mut v1::Repository, before: &v1::Repository) -> bool {
    if let (Some(Kind::S3(s3)), Some(Kind::S3(known))) = (&mut message.kind, &before.kind)
        && s3.secret_access_key.is_empty()
    {
        s3.secret_access_key.clone_from(&known.secret_access_key);
        return true;
    }
    false
}

/// Seals a repository for the state.
///
/// # Errors
/// See [`PlatformKey::seal`].
pub fn seal(key: &PlatformKey, message: &v1::Repository) -> Result<String, SecretError> {
    key.seal(&secret_name(&message.name), &message.encode_to_vec())
}

/// The message that a record was made from, with its secrets: for storage nodes.
///
/// # Errors
/// When it was sealed with another platform key, or is damaged.
pub fn open(key: &PlatformKey, record: &RepositoryRecord) -> Result<v1::Repository, SecretError> {
    let name = secret_name(&record.name);
    let bytes = key.open(&name, &record.sealed)?;
    v1::Repository::decode(bytes.as_slice()).map_err(|_| SecretError::Sealed(name))
}

/// What a storage node is told of its snapshots; none when its deployment keeps none.
#[must_use]
pub fn file_of(key: &PlatformKey, state: &State, spec: &AssignedSpec) -> Option<String> {
    let deployment = state.deployments.get(spec.deployment_id.as_str())?;
    let policy = deployment.snapshot_policy.as_ref()?;
    let record = state.repositories.get(&policy.repository)?;
    let platform = &state.platform.as_ref()?.id;
    let message = match open(key, record) {
        Ok(message) => message,
        Err(error) => {
            tracing::error!(%error, repository = record.name, "a repository cannot be handed out");
            return None;
        }
    };
    let own = format!("{platform}/{}/{}", spec.deployment_id, spec.instance_id);
    let prefix = match message.prefix.as_str() {
        "" => own,
        below => format!("{below}/{own}"),
    };
    let mut file = json!({
        "repository": record.name,
        "kind": record.kind,
        "location": record.location,
        "prefix": prefix,
        "incarnation": spec.incarnation,
        "interval_seconds": policy.interval_seconds,
        "keep": policy.keep,
        "requested": deployment.snapshot_requested,
    });
    match message.kind? {
        Kind::S3(s3) => {
            file["s3"] = json!({
                "endpoint": s3.endpoint,
                "region": if s3.region.is_empty() { "us-east-1" } else { &s3.region },
                "bucket": s3.bucket,
                "access_key_id": s3.access_key_id,
                "secret_access_key": s3.secret_access_key,
                "ca_pem": s3.ca_pem,
                "path_style": !s3.virtual_hosted,
            });
        }
        Kind::File(_) => file["path"] = MOUNTED_AT.into(),
    }
    Some(file.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s3() -> v1::Repository {
        v1::Repository {
            name: "backups".into(),
            kind: Some(Kind::S3(v1::S3Repository {
                endpoint: "https://s3.example.org:9000".into(),
                bucket: "backups".into(),
                access_key_id: "AK".into(),
                secret_access_key: "hush".into(),
                ..Default::default()
            })),
            prefix: "/a/b/".into(),
        }
    }

    fn file(path: &str) -> v1::Repository {
        v1::Repository {
            name: "folder".into(),
            kind: Some(Kind::File(v1::FileRepository { path: path.into() })),
            prefix: String::new(),
        }
    }

    fn edited(edit: impl FnOnce(&mut v1::S3Repository)) -> v1::Repository {
        let mut message = s3();
        let Some(Kind::S3(s3)) = &mut message.kind else {
            unreachable!("it is a bucket");
        };
        edit(s3);
        message
    }

    #[test]
    fn a_repository_is_what_it_was_after_sealing_and_the_seal_hides_its_key() {
        let key = PlatformKey::new(&[7; 32]);
        let mut message = s3();
        let known = checked(&mut message).unwrap();
        assert_eq!(known.location, "https://s3.example.org:9000/backups");
        assert_eq!(message.prefix, "a/b");
        let sealed = seal(&key, &message).unwrap();
        assert!(!sealed.contains("hush"));
        let record = RepositoryRecord {
            name: message.name.clone(),
            kind: known.kind.into(),
            location: known.location,
            prefix: message.prefix.clone(),
            path: String::new(),
            sealed,
            created_ms: 1,
            changed_ms: 1,
            version: 1,
        };
        assert_eq!(open(&key, &record).unwrap(), message);
        let renamed = RepositoryRecord {
            name: "other".into(),
            ..record
        };
        assert!(open(&key, &renamed).is_err(), "sealed under another name");
        let mut update = edited(|s3| s3.secret_access_key.clear());
        assert!(keep_secret(&mut update, &message));
        assert!(!keep_secret(&mut update, &message), "one is given now");
        assert_eq!(checked(&mut update).unwrap().kind, "s3");
    }

    #[test]
    fn what_cannot_be_one_is_refused_with_its_field_and_without_its_key() {
        wharf_runtime::tls::install_provider();
        let wrong = [
            (edited(|s3| s3.endpoint = "ftp://x".into()), "s3.endpoint"),
            (
                edited(|s3| s3.endpoint = "https://hush@x".into()),
                "s3.endpoint",
            ),
            (
                edited(|s3| s3.endpoint = "https://x/hush".into()),
                "s3.endpoint",
            ),
            (edited(|s3| s3.bucket = "Backups".into()), "s3.bucket"),
            (edited(|s3| s3.bucket = "a/../b".into()), "s3.bucket"),
            (edited(|s3| s3.access_key_id.clear()), "s3.access_key_id"),
            (
                edited(|s3| s3.secret_access_key = "hush hush".into()),
                "s3.secret_access_key",
            ),
            (edited(|s3| s3.ca_pem = "hush".into()), "s3.ca_pem"),
            (file("mnt"), "file.path"),
            (file("/"), "file.path"),
            (file("/mnt/../etc"), "file.path"),
            (file("/etc/wharf"), "file.path"),
            (
                v1::Repository {
                    prefix: "a/../b".into(),
                    ..s3()
                },
                "prefix",
            ),
            (v1::Repository { kind: None, ..s3() }, "kind"),
        ];
        for (mut message, field) in wrong {
            let refusal = checked(&mut message).unwrap_err();
            assert_eq!(refusal.field, format!("repository.{field}"), "{refusal}");
            assert!(!refusal.to_string().contains("hush"), "{refusal}");
        }
        assert_eq!(checked(&mut file("/mnt/b/")).unwrap().path, "/mnt/b");
        assert_eq!(checked(&mut file("/etcetera")).unwrap().path, "/etcetera");
    }

    proptest::proptest! {
        #[test]
        fn no_text_from_outside_leaves_the_folder_that_it_names(
            path in "(/[a-z.]{0,3}){0,4}|\\PC{0,40}", below in "[a-z./]{0,12}|\\PC{0,40}"
        ) {
            let mut message = file(&path);
            message.prefix = below;
            if let Ok(known) = checked(&mut message) {
                proptest::prop_assert!(known.path.starts_with('/'));
                let parts: Vec<&str> = known.path.split('/').chain(message.prefix.split('/')).collect();
                proptest::prop_assert!(!parts.contains(&".."));
            }
        }
    }
}
