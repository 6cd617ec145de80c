//! Where documents are shipped to, and the requests for it.
//!
//! Invariants: the password is in no `Debug` output; a server is verified with the given CA.
//! Not here: retries (`shipper_task`).

use std::fmt;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, header};
use http_body_util::Full;
use wharf_runtime::net::{ClientOptions, FetchError, HttpsClient};
use wharf_runtime::tls::{CaCerts, Expect, client_config, pinned_client_config};

/// The most bytes of an answer that are read.
const MAX_ANSWER: usize = 32 * 1024 * 1024;

/// Where documents are shipped to.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Destination {
    /// `https://system.localhost:9243`.
    pub url: String,
    /// Sent as `X-Found-Cluster`, for clients that cannot resolve the URL's host.
    pub cluster: Option<String>,
    /// Connect to this `HOST:PORT` instead of what the URL says.
    pub connect_to: Option<String>,
    /// The CA that the server is verified with; not needed for `http:`.
    pub ca_file: Option<PathBuf>,
    /// SHA-256 of each authority in that file: when they change, it is read again.
    pub authorities: Vec<String>,
    /// The user.
    pub username: String,
    /// Its password.
    pub password: String,
    /// Which password it is; grows with every new one.
    pub credentials_version: u64,
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Destination")
            .field("url", &self.url)
            .field("cluster", &self.cluster)
            .field("connect_to", &self.connect_to)
            .field("ca_file", &self.ca_file)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// Why a request could not be made or had no answer.
#[derive(Debug, thiserror::Error)]
pub enum DestinationError {
    /// The settings are of no use.
    #[error("the destination {url} cannot be used: {reason}; correct it")]
    Settings {
        /// The URL.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// No answer.
    #[error("{0}")]
    Fetch(#[from] FetchError),
}

impl DestinationError {
    /// Whether the store certainly saw nothing of the request.
    pub fn was_not_sent(&self) -> bool {
        match self {
            Self::Settings { .. } => true,
            Self::Fetch(error) => error.was_not_sent(),
        }
    }
}

/// A client for one destination. Has no `Debug`: it holds a password.
pub(crate) struct Client {
    http: HttpsClient,
    base: String,
    authorization: String,
    cluster: Option<String>,
}

impl Client {
    pub(crate) fn new(to: &Destination) -> Result<Self, DestinationError> {
        let wrong = |reason: String| DestinationError::Settings {
            url: to.url.clone(),
            reason,
        };
        let config = match &to.ca_file {
            Some(path) => {
                let ca = CaCerts::load(path).map_err(|error| wrong(error.to_string()))?;
                client_config(&ca, Expect::Name, None)
            }
            // Trusts nobody: only plain connections work, which never ask.
            None => pinned_client_config([0; 32], Expect::Name),
        };
        let options = ClientOptions {
            timeout: Duration::from_secs(60),
            connect_to: to.connect_to.clone(),
            max_idle: 2,
            ..ClientOptions::default()
        };
        let base = to.url.trim_end_matches('/').to_owned();
        base.parse::<http::Uri>()
            .map_err(|error| wrong(error.to_string()))?;
        let credentials = STANDARD.encode(format!("{}:{}", to.username, to.password));
        Ok(Self {
            http: HttpsClient::new(config.map_err(|error| wrong(error.to_string()))?, options),
            base,
            authorization: format!("Basic {credentials}"),
            cluster: to.cluster.clone(),
        })
    }

    /// Sends one request; gives status and body.
    pub(crate) async fn post(
        &self,
        path: &str,
        media_type: &'static str,
        body: Vec<u8>,
        gzipped: bool,
    ) -> Result<(u16, Bytes), DestinationError> {
        let mut request = Request::post(format!("{}{path}", self.base))
            .header(header::CONTENT_TYPE, media_type)
            .header(header::ACCEPT, "application/json")
            .header(header::AUTHORIZATION, &self.authorization)
            .header(header::USER_AGENT, USER_AGENT);
        if gzipped {
            request = request.header(header::CONTENT_ENCODING, "gzip");
        }
        if let Some(cluster) = &self.cluster {
            request = request.header("x-found-cluster", cluster);
        }
        let request = request
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| DestinationError::Settings {
                url: self.base.clone(),
                reason: error.to_string(),
            })?;
        let answer = self.http.fetch(request, MAX_ANSWER).await?;
        Ok((answer.status().as_u16(), answer.into_body()))
    }
}

/// Who asks: the proxy counts these requests instead of logging them, or its log would feed itself.
pub const USER_AGENT: &str = concat!("wharf-collectors/", env!("CARGO_PKG_VERSION"));

/// Compresses a request quickly.
pub(crate) fn gzip(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let out = Vec::with_capacity(body.len() / 6 + 64);
    let mut encoder = flate2::write::GzEncoder::new(out, flate2::Compression::new(1));
    encoder.write_all(body)?;
    encoder.finish()
}
