//! The deployment's storage, through the proxy, over TLS.
//!
//! Invariants: every call has a time limit and a limit of its answer; calls that change nothing when
//! they come twice are tried again while the storage cannot be reached; how it is reached may change
//! while calls run; no error holds credentials.
//! Not here: what is asked.

#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use base64::Engine as _;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Method, Request};
use http_body_util::Full;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use wharf_runtime::backoff::Backoff;
use wharf_runtime::net::{ClientOptions, FetchError, HttpsClient};
use wharf_runtime::tls::{CaCerts, Expect, TlsError, client_config, constant_time_eq};

use crate::config::Access;

/// Largest answer.
const MAX_ANSWER: usize = 64 << 20;
/// Time of a call when the caller says none.
const TIMEOUT: Duration = Duration::from_secs(10);
/// By it the proxy knows these requests and does not log them.
const AGENT: &str = concat!("wharf-monitor/", env!("CARGO_PKG_VERSION"));
/// Attempts of a call that may be repeated.
const ATTEMPTS: u32 = 3;

/// Why there is no answer, or not a good one.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum StorageError {
    /// `storage.json` has not been read yet.
    #[error("how the storage is reached is not known yet")]
    NoAccess,
    /// Nobody answered.
    #[error("the storage cannot be reached: {0}")]
    Unreachable(String),
    /// It took too long.
    #[error("the storage did not answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// It answered with an error.
    #[error("the storage refused: HTTP {status} {kind}: {reason}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// `index_not_found_exception`
        kind: String,
        /// What it said.
        reason: String,
    },
    /// It answered with something else than was asked for.
    #[error("the storage's answer cannot be read: {0}")]
    Answer(String),
}

impl StorageError {
    /// Whether what was asked for is not there.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }

    /// Whether a document was of another version, or there already.
    pub(crate) fn is_conflict(&self) -> bool {
        matches!(self, Self::Refused { status: 409, .. })
    }

    /// Whether the storage knows no such question.
    pub(crate) fn is_unknown(&self) -> bool {
        matches!(self, Self::Refused { status, .. } if matches!(status, 400 | 404 | 405 | 410 | 501))
    }

    /// Whether it knows the question and may not answer it to us.
    pub(crate) fn is_forbidden(&self) -> bool {
        matches!(self, Self::Refused { status: 403, .. })
    }

    /// Whether it may work later as it is.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::NoAccess | Self::Unreachable(_) | Self::Timeout(_) => true,
            Self::Refused { status, .. } => matches!(status, 408 | 429 | 502..=504),
            Self::Answer(_) => false,
        }
    }
}

struct Reached {
    client: HttpsClient,
    base: String,
    alias: HeaderValue,
    authorization: HeaderValue,
    version: u64,
}

/// The storage.
#[derive(Default)]
pub(crate) struct Storage {
    reached: ArcSwapOption<Reached>,
}

/// When searches find what is written, in a storage that makes a difference.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Seen {
    /// By the next one.
    AtOnce,
    /// When the storage gets round to it, which costs least.
    Later,
}

/// A document with its version.
#[derive(Debug, Deserialize)]
pub(crate) struct Found {
    #[serde(rename = "_id")]
    pub(crate) id: String,
    #[serde(rename = "_seq_no", default)]
    pub(crate) seq_no: u64,
    #[serde(rename = "_primary_term", default)]
    pub(crate) primary_term: u64,
    /// None where it is gone or was not asked for.
    #[serde(rename = "_source", default)]
    pub(crate) source: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Hits {
    hits: Inner,
}

#[derive(Deserialize)]
struct Inner {
    hits: Vec<Found>,
}

#[derive(Deserialize)]
struct Docs {
    docs: Vec<Found>,
}

/// `Basic …`
pub(crate) fn basic(username: &str, password: &str) -> Option<HeaderValue> {
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("{username}:{password}"));
    let mut value = HeaderValue::from_str(&format!("Basic {pair}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// A document's id in a path.
pub(crate) fn escaped(id: &str) -> String {
    let mut text = String::new();
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            text.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

impl Storage {
    /// Takes in how the storage is reached from now on.
    pub(crate) fn set_access(&self, access: &Access, ca: &CaCerts) -> Result<(), TlsError> {
        let wrong = || TlsError::Pem("storage.json has an impossible value".to_owned());
        let host = access.url.trim_start_matches("https://");
        let port = host.rsplit_once(':').map_or("443", |(_, port)| port);
        let address = match host.rsplit_once(':') {
            Some(_) => host.to_owned(),
            None => format!("{host}:443"),
        };
        let options = ClientOptions {
            timeout: Duration::from_secs(70),
            connect_timeout: Duration::from_secs(3),
            connect_to: Some(address),
            max_idle: 8,
            ..ClientOptions::default()
        };
        let reached = Reached {
            client: HttpsClient::new(client_config(ca, Expect::Name, None)?, options),
            base: format!("https://{}:{port}", access.server_name),
            alias: HeaderValue::from_str(&access.alias).map_err(|_| wrong())?,
            authorization: basic(&access.username, access.password.reveal()).ok_or_else(wrong)?,
            version: access.version,
        };
        self.reached.store(Some(Arc::new(reached)));
        Ok(())
    }

    /// The node's own credentials, as a request carries them; none before there are any.
    pub(crate) fn authorization(&self) -> Option<HeaderValue> {
        let reached = self.reached.load();
        reached
            .as_ref()
            .map(|reached| reached.authorization.clone())
    }

    /// The version of the credentials in force; zero before there are any.
    pub(crate) fn credentials_version(&self) -> u64 {
        self.reached
            .load()
            .as_ref()
            .map_or(0, |reached| reached.version)
    }

    /// One call that may be repeated; its answer as JSON, null when it has no body.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, StorageError> {
        let body = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
        let bytes = self.repeat(&method, path, body, TIMEOUT).await?;
        parse_json(&bytes)
    }

    /// One call that must not be repeated, for it would find its own work.
    pub(crate) async fn call_once(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, StorageError> {
        let body = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
        let bytes = self.fetch(&method, path, body, None, TIMEOUT).await?;
        parse_json(&bytes)
    }

    /// A search that is cut off after a time; not repeated, its time is its watch's.
    pub(crate) async fn search(
        &self,
        indices: &str,
        body: &Value,
        timeout: Duration,
    ) -> Result<Value, StorageError> {
        let path = format!("/{indices}/_search?ignore_unavailable=true&allow_no_indices=true");
        let body = Bytes::from(body.to_string());
        let bytes = self
            .fetch(&Method::POST, &path, body, None, timeout)
            .await?;
        parse_json(&bytes)
    }

    /// Documents of an index, at most `size`, with versions; without sources when not asked for.
    pub(crate) async fn list(
        &self,
        index: &str,
        size: usize,
        with_source: bool,
    ) -> Result<Vec<Found>, StorageError> {
        let body = serde_json::json!({
            "size": size, "seq_no_primary_term": true, "_source": with_source,
            "query": {"match_all": {}},
        });
        let path = format!("/{index}/_search?ignore_unavailable=true&allow_no_indices=true");
        let body = Bytes::from(body.to_string());
        let bytes = self.repeat(&Method::POST, &path, body, TIMEOUT).await?;
        let hits: Hits = parse(&bytes)?;
        Ok(hits.hits.hits)
    }

    /// Documents by id; one that is gone has no source.
    pub(crate) async fn documents(
        &self,
        index: &str,
        ids: &[String],
    ) -> Result<Vec<Found>, StorageError> {
        let body = Bytes::from(serde_json::json!({ "ids": ids }).to_string());
        let path = format!("/{index}/_mget");
        let bytes = self.repeat(&Method::POST, &path, body, TIMEOUT).await?;
        let docs: Docs = parse(&bytes)?;
        Ok(docs.docs)
    }

    /// Writes many documents; the answer has an item for each.
    pub(crate) async fn bulk(&self, lines: String, seen: Seen) -> Result<Value, StorageError> {
        let path = match seen {
            Seen::AtOnce => "/_bulk?refresh=true",
            Seen::Later => "/_bulk",
        };
        let bytes = self
            .repeat(&Method::POST, path, Bytes::from(lines), TIMEOUT * 3)
            .await?;
        parse_json(&bytes)
    }

    /// Whether these credentials are the deployment's, as the storage says. One that does not know the question
    /// (OpenSearch) takes the node's own for the deployment's: so do we, and no others, for a storage without
    /// users of its own takes any.
    pub(crate) async fn verify(&self, authorization: &HeaderValue) -> Result<bool, StorageError> {
        let call = self.fetch(
            &Method::GET,
            "/_security/_authenticate",
            Bytes::new(),
            Some(authorization),
            TIMEOUT,
        );
        match call.await {
            Ok(_) => Ok(true),
            Err(StorageError::Refused {
                status: 401 | 403, ..
            }) => Ok(false),
            // Not a 404, which says that there is no storage.
            Err(StorageError::Refused {
                status: 400 | 405, ..
            }) => Ok(self
                .authorization()
                .is_some_and(|own| constant_time_eq(own.as_bytes(), authorization.as_bytes()))),
            Err(error) => Err(error),
        }
    }

    async fn repeat(
        &self,
        method: &Method,
        path: &str,
        body: Bytes,
        timeout: Duration,
    ) -> Result<Bytes, StorageError> {
        let mut backoff = Backoff::new(50, 1_000);
        let mut attempts = 1;
        loop {
            let answer = self.fetch(method, path, body.clone(), None, timeout).await;
            match answer {
                Err(error) if error.may_pass() && attempts < ATTEMPTS => {
                    attempts += 1;
                    let wait = backoff.next(wharf_runtime::random::next_u64());
                    tokio::time::sleep(wait).await;
                }
                answer => return answer,
            }
        }
    }

    async fn fetch(
        &self,
        method: &Method,
        path: &str,
        body: Bytes,
        authorization: Option<&HeaderValue>,
        timeout: Duration,
    ) -> Result<Bytes, StorageError> {
        let reached = self.reached.load_full().ok_or(StorageError::NoAccess)?;
        let kind = match path {
            path if path.starts_with("/_bulk") => "application/x-ndjson",
            _ => "application/json",
        };
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", reached.base))
            .header("x-found-cluster", &reached.alias)
            .header(
                AUTHORIZATION,
                authorization.unwrap_or(&reached.authorization),
            )
            .header(CONTENT_TYPE, kind)
            .header(USER_AGENT, AGENT)
            .body(Full::new(body))
            .map_err(|error| StorageError::Answer(error.to_string()))?;
        let answer = reached.client.fetch(request, MAX_ANSWER);
        let answer = match tokio::time::timeout(timeout, answer).await {
            Err(_) | Ok(Err(FetchError::Timeout(_))) => return Err(StorageError::Timeout(timeout)),
            Ok(Err(error @ FetchError::TooLarge(_))) => {
                return Err(StorageError::Answer(error.to_string()));
            }
            Ok(Err(error)) => return Err(StorageError::Unreachable(error.to_string())),
            Ok(Ok(answer)) => answer,
        };
        let status = answer.status().as_u16();
        if answer.status().is_success() {
            return Ok(answer.into_body());
        }
        let error: Value = serde_json::from_slice(answer.body()).unwrap_or(Value::Null);
        let text = |pointer: &str| {
            let text = error.pointer(pointer).and_then(Value::as_str);
            text.unwrap_or_default()
                .chars()
                .take(500)
                .collect::<String>()
        };
        // A search's own reason says only that all parts failed.
        let root = match text("/error/root_cause/0/reason") {
            reason if reason.is_empty() => "/error",
            _ => "/error/root_cause/0",
        };
        let reason = match text(&format!("{root}/reason")) {
            // OpenSearch has a text alone where no handler takes a request.
            reason if reason.is_empty() => text("/error"),
            reason => reason,
        };
        Err(StorageError::Refused {
            status,
            kind: text(&format!("{root}/type")),
            reason,
        })
    }
}

fn parse<T: for<'a> Deserialize<'a>>(bytes: &[u8]) -> Result<T, StorageError> {
    serde_json::from_slice(bytes).map_err(|error| StorageError::Answer(error.to_string()))
}

fn parse_json(bytes: &[u8]) -> Result<Value, StorageError> {
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    parse(bytes)
}
