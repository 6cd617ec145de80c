//! A platform of a test: a testbed host on which `wharf up` has run.

use std::time::Duration;

use serde_json::Value;

use crate::{
    elastic::Elastic,
    patience::wait_for,
    testbed::{Host, must},
};

/// A host with a healthy platform and busybox as an image for applications.
#[derive(Debug)]
pub struct Platform {
    /// The host.
    pub host: Host,
    credentials: Value,
}

impl Platform {
    /// Brings a platform up on a fresh host.
    ///
    /// # Panics
    /// When it does not become healthy.
    #[must_use]
    pub fn up(name: &str) -> Self {
        Self::up_on(Host::start(name))
    }

    /// As [`Self::up`], with the platform's data on a disk of its own of this size, which a test
    /// can fill without harm.
    ///
    /// # Panics
    /// As [`Self::up`].
    #[must_use]
    pub fn up_on_disk(name: &str, bytes: u64) -> Self {
        let host = Host::start(name);
        host.mount_data_disk(bytes);
        Self::up_on(host)
    }

    fn up_on(host: Host) -> Self {
        must(&mut host.wharf(&["up"]));
        host.import_busybox();
        let credentials = host.wharf_json(&["deployment", "credentials", "system"]);
        Self { host, credentials }
    }

    /// Runs code in the host's network with a client of the `system` deployment.
    ///
    /// # Panics
    /// With the code's own panic.
    pub fn with_system<T: Send>(&self, code: impl FnOnce(&Elastic) -> T + Send) -> T {
        self.host.inside(|| code(&Elastic::new(&self.credentials)))
    }

    /// Credentials of the `system` deployment.
    #[must_use]
    pub fn credentials(&self) -> &Value {
        &self.credentials
    }

    /// Waits until `wharf status` says healthy.
    ///
    /// # Panics
    /// When it does not within two minutes.
    pub fn wait_healthy(&self) {
        self.wait_healthy_but_for(&[]);
    }

    /// Waits until `wharf status` knows no problem but those that a test has made on purpose.
    ///
    /// # Panics
    /// When it does not within two minutes.
    pub fn wait_healthy_but_for(&self, codes: &[&str]) {
        wait_for("a healthy platform", Duration::from_secs(120), || {
            let output = self
                .host
                .wharf(&["status", "-o", "json"])
                .output()
                .map_err(|error| error.to_string())?;
            let status: Value = serde_json::from_slice(&output.stdout)
                .map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned())?;
            let expected = |problem: &Value| {
                let code = problem["code"].as_str().unwrap_or_default();
                codes.contains(&code)
            };
            let problems = status["problems"].as_array().cloned().unwrap_or_default();
            if status["healthy"] == true || (!codes.is_empty() && problems.iter().all(expected)) {
                Ok(())
            } else {
                Err(status["problems"].to_string())
            }
        });
    }

    /// Starts an application from busybox; gives its container id.
    ///
    /// # Panics
    /// When the engine refuses.
    #[must_use]
    pub fn start(&self, name: &str, options: &[&str], script: &str) -> String {
        let mut command = self.host.docker(&["run", "-d", "--name", name]);
        command
            .args(options)
            .args(["busybox:test", "sh", "-c", script]);
        must(&mut command).trim().to_owned()
    }
}
