//! A platform of a test: a testbed host on which `wharf up` has run.

use std::time::Duration;

use serde_json::Value;
use tonic::{Request, Response, Status, transport::Channel};

use crate::{
    admin_login::AdminLogin,
    elastic::Elastic,
    patience::wait_for,
    testbed::{Host, must},
};

/// For one answer of the director.
const ANSWER: Duration = Duration::from_secs(20);

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

    /// The admin's profile, which `wharf up` has written.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn profile(&self) -> Value {
        let path = "home/.config/wharfinger/profiles/default.yaml";
        let text = std::fs::read_to_string(self.host.dir().join(path)).expect("the profile");
        serde_yaml_ng::from_str(&text).expect("a profile is YAML")
    }

    /// Asks the monitoring node of the `system` deployment as the admin UI does: through the director, with the
    /// admin's own name and password.
    ///
    /// # Errors
    /// What was answered instead.
    ///
    /// # Panics
    /// When the profile cannot be used.
    pub fn ask_monitoring<Q: Send, A: Send>(
        &self,
        question: Q,
        call: impl AsyncFnOnce(Channel, Request<Q>) -> Result<Response<A>, Status> + Send,
    ) -> Result<A, Status> {
        let profile = self.profile();
        self.host.inside(|| {
            let login = AdminLogin::of(&profile);
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime can be made");
            runtime.block_on(async {
                let director = profile["director"].as_str().unwrap_or_default();
                let channel = login.channel(&[director.to_owned()]);
                let mut request = login.request_within(ANSWER, question);
                let metadata = request.metadata_mut();
                metadata.insert("x-wharf-deployment", "system".parse().expect("a name"));
                call(channel, request).await.map(Response::into_inner)
            })
        })
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
