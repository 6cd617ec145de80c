//! An answer before it becomes bytes: JSON filtered and pretty as asked, text, or bytes made already.
//!
//! Invariant: the content type mirrors the vendor type of `Accept`. Not here: what is answered.

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use wharf_store_core::error::EsError;
use wharf_store_core::search::filter_path;

use super::call::percent_decode;

/// Kind of the error for a path that no handler has.
pub(crate) const NO_HANDLER: &str = "no_handler";
/// Kind of the error for a method that a path does not have.
pub(crate) const WRONG_METHOD: &str = "method_not_allowed";

/// How the client wants its answer.
pub(crate) struct Style {
    pretty: bool,
    filter: Option<String>,
    vendor: Option<&'static str>,
}

impl Style {
    pub(crate) fn of(request: &Request) -> Self {
        let mut style = Self {
            pretty: false,
            filter: None,
            vendor: None,
        };
        for pair in request
            .uri()
            .query()
            .unwrap_or_default()
            .split('&')
            .take(256)
        {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "pretty" => style.pretty = value != "false",
                "filter_path" => style.filter = percent_decode(value, true).ok(),
                _ => {}
            }
        }
        let accept = request
            .headers()
            .get(header::ACCEPT)
            .and_then(|v| v.to_str().ok());
        if let Some(accept) = accept
            && accept.contains("application/vnd.elasticsearch+")
        {
            style.vendor = Some(if accept.contains("compatible-with=9") {
                "application/vnd.elasticsearch+json;compatible-with=9"
            } else {
                "application/vnd.elasticsearch+json;compatible-with=8"
            });
        }
        style
    }
}

enum Content {
    Json(Value),
    /// JSON text that was written and filtered by the handler.
    Written(Vec<u8>),
    Text(String),
    Empty,
}

/// An answer.
pub(crate) struct Reply {
    status: u16,
    content: Content,
    /// `filter_path` leaves errors whole.
    whole: bool,
    headers: Vec<(header::HeaderName, String)>,
}

impl Reply {
    pub(crate) fn json(value: Value) -> Self {
        Self::status(200, value)
    }

    pub(crate) fn status(status: u16, value: Value) -> Self {
        Self {
            status,
            content: Content::Json(value),
            whole: false,
            headers: Vec::new(),
        }
    }

    pub(crate) fn written(bytes: Vec<u8>) -> Self {
        Self {
            status: 200,
            content: Content::Written(bytes),
            whole: false,
            headers: Vec::new(),
        }
    }

    pub(crate) fn text(text: String) -> Self {
        Self {
            status: 200,
            content: Content::Text(text),
            whole: false,
            headers: Vec::new(),
        }
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self {
            status,
            content: Content::Empty,
            whole: false,
            headers: Vec::new(),
        }
    }

    pub(crate) fn acknowledged() -> Self {
        Self::json(json!({"acknowledged": true}))
    }

    /// An error in Elasticsearch's shape; paths and methods that do not exist have one of their own.
    pub(crate) fn error(error: &EsError) -> Self {
        let reply = match error.kind() {
            NO_HANDLER => Self::status(error.status(), json!({"error": error.reason()})),
            WRONG_METHOD => Self::status(
                error.status(),
                json!({"error": error.reason(), "status": error.status()}),
            ),
            _ => Self::status(error.status(), error.body()),
        };
        reply.unfiltered()
    }

    /// `filter_path` does not apply: it is an error.
    pub(crate) fn unfiltered(mut self) -> Self {
        self.whole = true;
        self
    }

    pub(crate) fn with_header(
        mut self,
        name: header::HeaderName,
        value: impl Into<String>,
    ) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn into_response(self, style: &Style) -> Response {
        let json_type = style.vendor.unwrap_or("application/json");
        let (kind, bytes) = match self.content {
            Content::Json(mut value) => {
                if let Some(filter) = &style.filter
                    && !self.whole
                {
                    value = filter_path(value, filter);
                }
                let bytes = if style.pretty {
                    serde_json::to_vec_pretty(&value).map(|mut b| {
                        b.push(b'\n');
                        b
                    })
                } else {
                    serde_json::to_vec(&value)
                };
                (json_type, bytes.unwrap_or_default())
            }
            Content::Written(bytes) => (json_type, bytes),
            Content::Text(text) => ("text/plain; charset=UTF-8", text.into_bytes()),
            Content::Empty => (json_type, Vec::new()),
        };
        let mut response = Response::new(Body::from(bytes));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(
            "x-elastic-product",
            HeaderValue::from_static("Elasticsearch"),
        );
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        response
    }
}
