//! Where people and their clients sit: a place on the network of the hosts that is none of them, so that it
//! outlives any of them. It has the admin's profile with every director's address, and reaches a
//! deployment through the proxy of its choice. Not here: hosts (`host`).

use std::{net::Ipv4Addr, process::Command, time::Duration};

use serde_json::Value;

use super::{Host, Network, run};
use crate::elastic::Elastic;

/// Of proxies, as shipped.
const PROXY_PORT: u16 = 9243;
/// Of the admin API, as shipped.
const ADMIN_PORT: u16 = 12_443;

/// A place to work at.
#[derive(Debug)]
pub struct Desk {
    place: Host,
    directors: String,
}

impl Desk {
    /// Takes the profile of the host that `wharf up` has run on.
    ///
    /// # Panics
    /// When that host has no profile.
    #[must_use]
    pub(super) fn of(first: &Host, network: &Network) -> Self {
        let place = Host::without_engine("desk", network);
        let folder = "home/.config/wharfinger/profiles";
        let text = std::fs::read_to_string(first.dir().join(folder).join("default.yaml"))
            .expect("`wharf up` wrote a profile");
        let mut profile: Value = serde_yaml_ng::from_str(&text).expect("a profile is YAML");
        // A copy, because the first host's disk is one of those that are lost.
        let ca_file = place.dir().join("ca.pem");
        std::fs::copy(profile["ca_file"].as_str().expect("a CA file"), &ca_file)
            .expect("the CA can be copied");
        profile["ca_file"] = ca_file.display().to_string().into();
        let own = place.dir().join(folder);
        std::fs::create_dir_all(&own).expect("a folder");
        let text = serde_yaml_ng::to_string(&profile).expect("YAML");
        std::fs::write(own.join("default.yaml"), text).expect("the profile can be written");
        Self {
            place,
            directors: admin_address(first),
        }
    }

    /// The place itself: it is made as hosts are.
    pub(super) const fn place(&self) -> &Host {
        &self.place
    }

    /// From now on these `HOST:PORT` are dialed, joined by commas: each when the one before does not answer.
    pub(super) fn dial(&mut self, directors: String) {
        self.directors = directors;
    }

    /// Where the directors are: `HOST:PORT`, joined by commas.
    #[must_use]
    pub fn directors(&self) -> &str {
        &self.directors
    }

    /// The platform's CA and the admin's name and password.
    ///
    /// # Panics
    /// When the profile is damaged.
    #[must_use]
    pub fn profile(&self) -> Value {
        let path = "home/.config/wharfinger/profiles/default.yaml";
        let text = std::fs::read_to_string(self.place.dir().join(path)).expect("the profile");
        serde_yaml_ng::from_str(&text).expect("a profile is YAML")
    }

    /// A command line that opens a shell at this desk, with `wharf` on its path.
    ///
    /// # Panics
    /// When the shell's file cannot be written.
    #[must_use]
    pub fn shell(&self) -> String {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let folder = self.place.dir();
        let commands = folder.join("bin");
        std::fs::create_dir_all(&commands).expect("a folder");
        let _ = symlink(super::binary(), commands.join("wharf"));
        let script = folder.join("shell");
        let text = format!(
            "#!/bin/sh\nexport HOME={home} WHARF_DIRECTOR={directors} PATH={bin}:$PATH\n\
             unset XDG_CONFIG_HOME\nexec nsenter --net=/run/netns/{namespace} ${{SHELL:-/bin/sh}} \"$@\"\n",
            home = folder.join("home").display(),
            directors = self.directors,
            bin = commands.display(),
            namespace = self.place.namespace()
        );
        std::fs::write(&script, text).expect("the shell's file can be written");
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755))
            .expect("the file can be made executable");
        script.display().to_string()
    }

    /// Leaves the desk when this is dropped.
    pub(super) fn leave_running(&mut self) {
        self.place.leave_running();
    }

    /// `wharf` with these arguments, as the admin would call it.
    #[must_use]
    pub fn wharf(&self, arguments: &[&str]) -> Command {
        let mut command = self.place.wharf(arguments);
        command.env("WHARF_DIRECTOR", &self.directors);
        command
    }

    /// What `wharf … -o json` prints.
    ///
    /// # Errors
    /// What the command said when it failed.
    pub fn ask(&self, arguments: &[&str]) -> Result<Value, String> {
        let output = run(self.wharf(arguments).args(["-o", "json"]));
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        }
        serde_json::from_slice(&output.stdout).map_err(|error| format!("no JSON: {error}"))
    }

    /// The same of a list's rows.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub fn list(&self, arguments: &[&str]) -> Result<Vec<Value>, String> {
        match self.ask(arguments)? {
            Value::Array(rows) => Ok(rows),
            other => Err(format!("no list: {other}")),
        }
    }

    /// Runs code whose sockets are at this desk.
    ///
    /// # Panics
    /// With the code's own panic.
    pub fn here<T: Send>(&self, code: impl FnOnce() -> T + Send) -> T {
        self.place.inside(code)
    }

    /// A client of a deployment through the proxy of this host; for use by code that is [`Self::here`].
    #[must_use]
    pub fn client(credentials: &Value, proxy: Ipv4Addr, timeout: Duration) -> Elastic {
        Elastic::through(credentials, timeout, &format!("{proxy}:{PROXY_PORT}"))
    }
}

/// Of a host with a director.
pub(super) fn admin_address(host: &Host) -> String {
    format!(
        "{}:{ADMIN_PORT}",
        host.address().expect("a host of the network")
    )
}
