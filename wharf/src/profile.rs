//! Profiles: how to reach a platform, written by `wharf up`, one file each with mode 0600 because
//! it holds a password. Not here: the order of flags, variables and profile (`settings.rs`).

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use wharf_runtime::net::split_host_port;

use crate::failure::Failure;

/// The profile that commands use when none is named.
pub(crate) const DEFAULT: &str = "default";

/// What a profile holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    /// `host:port` of the admin API; those of several directors are separated by commas.
    pub(crate) director: String,
    pub(crate) username: String,
    pub(crate) password: String,
    pub(crate) ca_file: PathBuf,
    /// Name of the platform that it was written for.
    pub(crate) platform: String,
}

/// Where profiles lie: `$XDG_CONFIG_HOME/wharfinger/profiles`, else under `~/.config`.
pub(crate) fn folder() -> Option<PathBuf> {
    let config = std::env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config")))?;
    Some(config.join("wharfinger/profiles"))
}

fn file(folder: &Path, name: &str) -> Result<PathBuf, Failure> {
    let plain = !name.is_empty()
        && name.len() <= 64
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if plain {
        Ok(folder.join(format!("{name}.yaml")))
    } else {
        Err(Failure::new(
            "CLI0004",
            format!("`{name}` cannot be the name of a profile"),
            "use up to 64 letters, digits, `-` and `_`",
        ))
    }
}

/// Reads a profile; `None` when there is none of that name.
pub(crate) fn read(folder: &Path, name: &str) -> Result<Option<Profile>, Failure> {
    let path = file(folder, name)?;
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(Failure::new(
                "CLI0004",
                format!("cannot read the profile {}: {error}", path.display()),
                "run as the user who ran `wharf up`, or give --director, --username, --ca-file",
            ));
        }
    };
    serde_yaml_ng::from_str(&text).map(Some).map_err(|error| {
        Failure::new(
            "CLI0004",
            format!("the profile {} is damaged: {error}", path.display()),
            "remove it and run `wharf up` again",
        )
    })
}

/// Writes a profile, readable by its owner alone.
pub(crate) fn write(folder: &Path, name: &str, profile: &Profile) -> Result<PathBuf, Failure> {
    let path = file(folder, name)?;
    let text = serde_yaml_ng::to_string(profile)
        .map_err(|error| Failure::new("CLI0004", error.to_string(), ""))?;
    std::fs::create_dir_all(folder)
        .and_then(|()| wharf_runtime::data_dir::write_atomic(&path, text.as_bytes(), 0o600))
        .map_err(|error| {
            Failure::new(
                "CLI0004",
                format!("cannot write the profile {}: {error}", path.display()),
                "see that the folder is writable, or set XDG_CONFIG_HOME",
            )
        })?;
    Ok(path)
}

/// Directors that a profile names at most.
const MOST_DIRECTORS: usize = 16;

/// Lets a profile name these directors. One that names them already, or is not there, stays as it is; so
/// does one that names none of them: its way there is a tunnel or a name that directors do not know.
pub(crate) fn follow<'a>(
    name: &str,
    addresses: impl Iterator<Item = &'a str>,
) -> Result<(), Failure> {
    match folder() {
        Some(folder) => follow_in(&folder, name, addresses),
        None => Ok(()),
    }
}

fn follow_in<'a>(
    folder: &Path,
    name: &str,
    addresses: impl Iterator<Item = &'a str>,
) -> Result<(), Failure> {
    let Some(held) = read(folder, name)? else {
        return Ok(());
    };
    let usable = |one: &&str| one.len() <= 256 && split_host_port(one).is_ok();
    let mut told: Vec<&str> = addresses.filter(usable).take(MOST_DIRECTORS).collect();
    let mut dialed = held.director.split(',').map(str::trim);
    // The one that is dialed first stays the first.
    let first = dialed.clone().next().unwrap_or_default();
    told.sort_by_key(|one| *one != first);
    let director = told.join(",");
    if !dialed.any(|one| told.contains(&one)) || director == held.director {
        return Ok(());
    }
    let next = Profile { director, ..held };
    write(folder, name, &next).map(|_| ())
}

/// Removes a profile when it is of this platform.
pub(crate) fn remove(folder: &Path, name: &str, platform: &str) -> Result<(), Failure> {
    if read(folder, name)?.is_some_and(|profile| profile.platform == platform) {
        let path = file(folder, name)?;
        std::fs::remove_file(&path).map_err(|error| {
            Failure::new(
                "CLI0004",
                format!("cannot remove {}: {error}", path.display()),
                "",
            )
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn profile() -> Profile {
        Profile {
            director: "127.0.0.1:12443".into(),
            username: "admin".into(),
            password: "secret".into(),
            ca_file: "/x/ca.pem".into(),
            platform: "wharfinger".into(),
        }
    }

    #[test]
    fn a_profile_is_for_its_owner_alone_and_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = write(folder.path(), DEFAULT, &profile()).unwrap();
        assert_eq!(
            std::fs::metadata(path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(read(folder.path(), DEFAULT).unwrap(), Some(profile()));
    }

    #[test]
    fn a_profile_follows_the_directors_and_nobody_tells_it_to_forget_all() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), DEFAULT, &profile()).unwrap();
        let told = ["10.0.0.2:12443", "nonsense", "127.0.0.1:12443"];
        follow_in(folder.path(), DEFAULT, told.into_iter()).unwrap();
        let held = || read(folder.path(), DEFAULT).unwrap().unwrap();
        assert_eq!(held().director, "127.0.0.1:12443,10.0.0.2:12443");
        assert_eq!(held().password, profile().password);
        follow_in(folder.path(), DEFAULT, std::iter::empty()).unwrap();
        assert_eq!(held().director, "127.0.0.1:12443,10.0.0.2:12443");
        follow_in(folder.path(), "other", told.into_iter()).unwrap();
        assert!(read(folder.path(), "other").unwrap().is_none());
    }

    #[test]
    fn a_profile_that_names_none_of_the_directors_keeps_its_own_way_to_them() {
        let folder = tempfile::tempdir().unwrap();
        let told = ["10.0.0.2:12443", "10.0.0.3:12443"];
        let held = || read(folder.path(), DEFAULT).unwrap().unwrap();
        for director in ["localhost:9443", "admin.example:443,tunnel.example:443"] {
            let director = director.to_owned();
            let own = Profile {
                director,
                ..profile()
            };
            write(folder.path(), DEFAULT, &own).unwrap();
            follow_in(folder.path(), DEFAULT, told.into_iter()).unwrap();
            assert_eq!(held(), own, "its way to the directors is gone");
        }
        let one = Profile {
            director: "localhost:9443, 10.0.0.3:12443".into(),
            ..profile()
        };
        write(folder.path(), DEFAULT, &one).unwrap();
        follow_in(folder.path(), DEFAULT, told.into_iter()).unwrap();
        assert_eq!(
            held().director,
            told.join(","),
            "one that is known is enough to follow"
        );
    }

    #[test]
    fn a_name_that_leaves_the_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["", "../x", "a/b", "a b"] {
            assert_eq!(
                read(folder.path(), name).unwrap_err().code,
                "CLI0004",
                "`{name}`"
            );
        }
    }

    #[test]
    fn the_profile_of_another_platform_is_not_removed() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), DEFAULT, &profile()).unwrap();
        remove(folder.path(), DEFAULT, "lab").unwrap();
        assert!(read(folder.path(), DEFAULT).unwrap().is_some());
        remove(folder.path(), DEFAULT, "wharfinger").unwrap();
        assert!(read(folder.path(), DEFAULT).unwrap().is_none());
    }
}
