//! A client of the Elasticsearch API for tests: a deployment through the proxy, as its user, with
//! the platform's CA. Blocking; its sockets belong to the thread that uses it, so that a thread
//! inside a testbed host's network reaches that host.

use std::time::Duration;

use base64::Engine as _;
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use serde_json::Value;
use wharf_runtime::{
    net::{ClientOptions, HttpsClient},
    tls::{CaCerts, Expect, client_config, install_provider},
};

const MAX_ANSWER_BYTES: usize = 256 << 20;

/// One deployment's store.
pub struct Elastic {
    http: HttpsClient,
    url: String,
    authorization: String,
    runtime: tokio::runtime::Runtime,
}

impl Elastic {
    /// A client from what `wharf deployment credentials -o json` printed.
    ///
    /// # Panics
    /// When the credentials lack a field or the CA cannot be read.
    #[must_use]
    pub fn new(credentials: &Value) -> Self {
        Self::with_timeout(credentials, Duration::from_secs(30))
    }

    /// The same, with the time that a request may take.
    ///
    /// # Panics
    /// As [`Self::new`].
    #[must_use]
    pub fn with_timeout(credentials: &Value, timeout: Duration) -> Self {
        let options = ClientOptions {
            timeout,
            ..ClientOptions::default()
        };
        Self::with_options(credentials, options)
    }

    /// The same through the proxy at this `HOST:PORT`, wherever the deployment's name leads.
    ///
    /// # Panics
    /// As [`Self::new`].
    #[must_use]
    pub fn through(credentials: &Value, timeout: Duration, proxy: &str) -> Self {
        let options = ClientOptions {
            timeout,
            connect_timeout: Duration::from_secs(5),
            connect_to: Some(proxy.to_owned()),
            ..ClientOptions::default()
        };
        Self::with_options(credentials, options)
    }

    fn with_options(credentials: &Value, options: ClientOptions) -> Self {
        install_provider();
        let text = |field: &str| {
            credentials[field]
                .as_str()
                .unwrap_or_else(|| panic!("the credentials lack `{field}`: {credentials}"))
                .to_owned()
        };
        let ca = CaCerts::load(text("ca_file")).expect("the CA file can be read");
        let config = client_config(&ca, Expect::Name, None).expect("a TLS configuration");
        let login = format!("{}:{}", text("username"), text("password"));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime can be made");
        Self {
            http: HttpsClient::new(config, options),
            url: text("url"),
            authorization: format!(
                "Basic {}",
                base64::engine::general_purpose::STANDARD.encode(login)
            ),
            runtime,
        }
    }

    /// Sends a request; the body is JSON or NDJSON. Gives status and JSON answer.
    ///
    /// # Errors
    /// When no answer came.
    ///
    /// # Panics
    /// When method or path are no HTTP.
    pub fn call(&self, method: &str, path: &str, body: &str) -> Result<(u16, Value), String> {
        let kind = if path.contains("_bulk") {
            "application/x-ndjson"
        } else {
            "application/json"
        };
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("content-type", kind)
            .header("authorization", &self.authorization)
            .body(Full::new(Bytes::from(body.to_owned())))
            .expect("a request");
        let answer = self
            .runtime
            .block_on(self.http.fetch(request, MAX_ANSWER_BYTES))
            .map_err(|error| error.to_string())?;
        let json = serde_json::from_slice(answer.body()).unwrap_or(Value::Null);
        Ok((answer.status().as_u16(), json))
    }

    /// The answer of a request that must succeed.
    ///
    /// # Errors
    /// When no answer came or it is not a success; the text says which.
    pub fn json(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let (status, json) = self.call(method, path, &body)?;
        if (200..300).contains(&status) {
            Ok(json)
        } else {
            Err(format!("{status}: {json}"))
        }
    }

    /// How many documents match a query.
    ///
    /// # Errors
    /// As [`Self::json`].
    pub fn count(&self, index: &str, query: &Value) -> Result<u64, String> {
        let path = format!("/{index}/_count?ignore_unavailable=true");
        let answer = self.json("POST", &path, &serde_json::json!({ "query": query }))?;
        answer["count"]
            .as_u64()
            .ok_or_else(|| format!("no count in {answer}"))
    }
}
