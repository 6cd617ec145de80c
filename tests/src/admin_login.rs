//! The admin's way to the API without the command: whom an answer is taken from, name and password, and
//! a channel to directors. For what must be seen or done the moment it happens. Not here: what is asked.

use std::{sync::Arc, time::Duration};

use base64::Engine as _;
use rustls::ClientConfig;
use serde_json::Value;
use tonic::{
    Request,
    metadata::{Ascii, MetadataValue},
    transport::Channel,
};
use wharf_runtime::{
    net::{Addresses, channel},
    tls::{CaCerts, Expect, ExpectedIdentity, ROLE_DIRECTOR, client_config, install_provider},
};

/// Who asks, and whom an answer is taken from.
#[derive(Debug)]
pub(crate) struct AdminLogin {
    config: Arc<ClientConfig>,
    header: MetadataValue<Ascii>,
}

impl AdminLogin {
    /// What the profile says.
    ///
    /// # Panics
    /// When the profile cannot be used.
    pub(crate) fn of(profile: &Value) -> Self {
        install_provider();
        let text = |field: &str| profile[field].as_str().unwrap_or_default();
        let ca = CaCerts::load(text("ca_file")).expect("the CA file can be read");
        let expect = Expect::Identity(ExpectedIdentity::role(ROLE_DIRECTOR));
        let config = client_config(&ca, expect, None).expect("a TLS configuration");
        Self::new(config, text("username"), text("password"))
    }

    /// As this admin, over connections that are verified like this.
    pub(crate) fn new(config: Arc<ClientConfig>, username: &str, password: &str) -> Self {
        let login = format!("{username}:{password}");
        let login = base64::engine::general_purpose::STANDARD.encode(login);
        let mut header: MetadataValue<Ascii> = format!("Basic {login}").parse().expect("a header");
        header.set_sensitive(true);
        Self { config, header }
    }

    /// A channel to the first of these `HOST:PORT` that answers; made inside a runtime.
    pub(crate) fn channel(&self, addresses: &[String]) -> Channel {
        channel(&Addresses::new(addresses), Arc::clone(&self.config))
    }

    /// The message with name and password, for a call that may last: a stream.
    pub(crate) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let header = self.header.clone();
        request.metadata_mut().insert("authorization", header);
        request
    }

    /// The same for a call with one answer, which must be there in time.
    pub(crate) fn request_within<T>(&self, time: Duration, message: T) -> Request<T> {
        let mut request = self.request(message);
        request.set_timeout(time);
        request
    }
}
