//! Asking systemd: whether it is what runs this host, how old it is, and what `systemctl` is told. Commands
//! are vectors of arguments, never text for a shell. Not here: what is asked for (`keep`), units (`unit`).

use std::{path::Path, process::Stdio};

use crate::failure::Failure;

/// Where a systemd that is process 1 has a folder.
const BOOTED: &str = "/run/systemd/system";
/// The oldest that gives folders of folders to a user who exists for a service.
pub(crate) const OLDEST: Version = Version(240);
/// From this one on everything that units ask for is known.
pub(crate) const WHOLE: Version = Version(247);

/// Of systemd.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(pub(crate) u32);

/// What is wrong with the host's systemd, or its version.
pub(crate) async fn look() -> Result<Version, Failure> {
    if !Path::new(BOOTED).is_dir() {
        return Err(absent(
            "systemd does not run this host: it is not process 1",
        ));
    }
    let version = told(&["--version"]).await?;
    match parse(&version) {
        Some(version) if version >= OLDEST => Ok(version),
        Some(Version(found)) => Err(absent(&format!(
            "systemd {found} is too old: {} is the least",
            OLDEST.0
        ))),
        None => Err(absent("`systemctl --version` names no version")),
    }
}

fn absent(what: &str) -> Failure {
    Failure::new(
        "CLI0051",
        what,
        "use a host that systemd runs, or install Docker there and leave `--engine none` out",
    )
}

/// The version in what `systemctl --version` says first: `systemd 252 (252.38-1)`.
fn parse(text: &str) -> Option<Version> {
    let number = text.lines().next()?.strip_prefix("systemd ")?;
    let digits = number.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok().map(Version)
}

/// Runs `systemctl`; what it says when it fails is told.
pub(super) async fn systemctl(arguments: &[&str]) -> Result<(), Failure> {
    told(arguments).await.map(|_| ())
}

/// Whether a unit runs, or is about to.
pub(super) async fn runs(unit: &str) -> Result<bool, Failure> {
    // `is-active` tells by its exit code; a unit that is being started is one that waits to serve.
    let output = ask(&["show", "--property=ActiveState", "--value", unit]).await?;
    let state = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Ok(["active", "activating", "reloading"].contains(&state.as_str()))
}

async fn told(arguments: &[&str]) -> Result<String, Failure> {
    let output = ask(arguments).await?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said: String = said.trim().chars().take(500).collect();
    Err(failed(arguments, &said))
}

async fn ask(arguments: &[&str]) -> Result<std::process::Output, Failure> {
    tokio::process::Command::new("systemctl")
        .args(arguments)
        .stdin(Stdio::null())
        // What it says is shown to people as it is, and must not wait for a key.
        .env("SYSTEMD_PAGER", "")
        .env("LC_ALL", "C")
        .output()
        .await
        .map_err(|error| failed(arguments, &error.to_string()))
}

fn failed(arguments: &[&str], why: &str) -> Failure {
    Failure::new(
        "CLI0052",
        format!("`systemctl {}` failed: {why}", arguments.join(" ")),
        "run this as root; `journalctl -u` with the unit's name says more; then run this again",
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn versions_are_read_from_what_distributions_say() {
        for (text, version) in [
            ("systemd 252 (252.38-1~deb12u1)\n+PAM\n", Some(252)),
            ("systemd 257~rc1 (x)", Some(257)),
            ("systemd 239", Some(239)),
            ("systemd", None),
            ("busybox", None),
            ("", None),
        ] {
            assert_eq!(parse(text), version.map(Version), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(systemd )?[ -~\n]{0,100}") {
            let _ = parse(&text);
        }
    }
}
