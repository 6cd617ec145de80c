//! How requests to a bucket are sent: by the platform's own client, which verifies every server.
//!
//! Invariants: there is one TLS library and no way to leave a server unverified; a request that stalls ends. Not here: signing,
//! retries (`object_store`).

use std::time::Duration;

use http::{HeaderValue, header};
use http_body_util::BodyExt as _;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody,
    HttpResponse, HttpResponseBody, HttpService,
};
use wharf_runtime::net::{ClientOptions, FetchError, HttpsClient};
use wharf_runtime::tls::{CaCerts, Expect, TlsError, public_client_config};

/// Time for a part to go and be answered.
const TIMEOUT: Duration = Duration::from_secs(120);

/// The way to a bucket.
#[derive(Debug, Clone)]
pub(super) struct Transport(HttpsClient<HttpRequestBody>);

impl Transport {
    /// Trusts the public authorities, and those of `ca_pem`.
    pub(super) fn new(ca_pem: &str) -> Result<Self, TlsError> {
        let extra = match ca_pem.trim() {
            "" => None,
            pem => Some(CaCerts::from_pem(pem)?),
        };
        let tls = public_client_config(extra.as_ref(), Expect::Name)?;
        let options = ClientOptions {
            timeout: TIMEOUT,
            max_idle: 8,
            idle_timeout: Duration::from_secs(15),
            ..ClientOptions::default()
        };
        Ok(Self(HttpsClient::streaming(tls, options)))
    }
}

impl HttpConnector for Transport {
    fn connect(&self, _: &object_store::ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

// Written out as its macro would: the one method is not worth a dependency.
impl HttpService for Transport {
    fn call<'a, 'b>(
        &'a self,
        mut request: HttpRequest,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            let agent = HeaderValue::from_static(concat!("wharf/", env!("CARGO_PKG_VERSION")));
            request.headers_mut().insert(header::USER_AGENT, agent);
            let answer = self.0.send(request).await.map_err(|error| {
                let kind = match &error {
                    FetchError::Dial(_) => HttpErrorKind::Connect,
                    FetchError::Timeout(_) => HttpErrorKind::Timeout,
                    FetchError::Broken(_) => HttpErrorKind::Interrupted,
                    FetchError::TooLarge(_) => HttpErrorKind::Decode,
                };
                HttpError::new(kind, error)
            })?;
            let (head, body) = answer.into_parts();
            let body = body.map_err(|error| HttpError::new(HttpErrorKind::Interrupted, error));
            Ok(HttpResponse::from_parts(head, HttpResponseBody::new(body)))
        })
    }
}
