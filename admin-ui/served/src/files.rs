//! The admin UI's files, as they are in the binary. Invariants: only what is in the list is served,
//! whatever a path says; what has its hash in its name is kept by browsers for good, everything else
//! is asked for again; the page carries a nonce of its own in each answer, and nothing else may run or
//! style in it; it says whose pages it shows. Not here: the calls that the UI makes, who is let in.

use std::collections::BTreeMap;

use axum::{
    body::Body,
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode,
        header::{
            ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY,
            CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
            X_FRAME_OPTIONS,
        },
    },
};
use sha2::{Digest, Sha256};
use wharf_runtime::random;

/// The page that every route of the UI is.
const PAGE: &str = "/index.html";
/// What stands in the page for the nonce of an answer.
const PLACEHOLDER: &str = "__CSP_NONCE__";
/// What stands in the page for the deployment that alone is shown.
const DEPLOYMENT: &str = "__WHARF_DEPLOYMENT__";
/// Bytes of a nonce.
const NONCE_BYTES: usize = 18;
/// Characters of the hash that a built file has before its ending.
const HASH_CHARS: usize = 8;

/// A file of the binary.
#[derive(Debug, Clone, Copy)]
pub struct Shipped {
    /// From the root on, `/index.html`.
    pub path: &'static str,
    /// As it is.
    pub plain: &'static [u8],
    /// Compressed, for those who take it so.
    pub brotli: Option<&'static [u8]>,
    /// The same.
    pub gzip: Option<&'static [u8]>,
}

/// What this binary was built with.
static SHIPPED: &[Shipped] = &include!(concat!(env!("OUT_DIR"), "/admin_ui.rs"));

/// Whose pages a server shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Serves {
    /// All of the platform.
    Platform,
    /// The data of the deployment with this name, and nothing else.
    Deployment(String),
}

struct File {
    shipped: Shipped,
    /// Of the content, hex.
    hash: String,
    kind: &'static str,
}

/// The files by their paths.
pub struct AdminUi {
    files: BTreeMap<&'static str, File>,
    /// The page, cut where the nonce belongs; none was built in.
    page: Option<Vec<String>>,
}

impl std::fmt::Debug for AdminUi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AdminUi of {} files", self.files.len())
    }
}

impl AdminUi {
    /// What this binary was built with.
    #[must_use]
    pub fn shipped(serves: &Serves) -> Self {
        Self::of(SHIPPED, serves)
    }

    /// These files.
    #[must_use]
    pub fn of(files: &[Shipped], serves: &Serves) -> Self {
        let page = files.iter().find(|file| file.path == PAGE);
        let page = page.and_then(|file| std::str::from_utf8(file.plain).ok());
        let deployment = match serves {
            Serves::Platform => String::new(),
            Serves::Deployment(name) => escaped(name),
        };
        // A name is put in after the page was cut: it cannot get a nonce, whatever it is.
        let page = page.map(|text| {
            let parts = text.split(PLACEHOLDER);
            let parts = parts.map(|part| part.replace(DEPLOYMENT, &deployment));
            parts.collect()
        });
        let files = files.iter().map(|shipped| {
            let file = File {
                shipped: *shipped,
                hash: hex::encode(&Sha256::digest(shipped.plain)[..16]),
                kind: kind(shipped.path),
            };
            (shipped.path, file)
        });
        Self {
            files: files.collect(),
            page,
        }
    }

    /// Whether there is a UI to serve.
    #[must_use]
    pub const fn is_built_in(&self) -> bool {
        self.page.is_some()
    }

    /// The answer to a request, when it is one for the UI: a file of it, or one of its routes.
    #[must_use]
    pub fn answer(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
    ) -> Option<Response<Body>> {
        let page = self.page.as_deref()?;
        if method != Method::GET && method != Method::HEAD {
            return None;
        }
        let file = self.files.get(path).filter(|_| path != PAGE);
        let mut answer = match file {
            Some(file) => file.answer(headers),
            None if is_route(path) => page_answer(page),
            None => return None,
        };
        let same_site = HeaderValue::from_static("same-origin");
        let headers = answer.headers_mut();
        headers.insert(REFERRER_POLICY, same_site.clone());
        headers.insert(
            HeaderName::from_static("cross-origin-opener-policy"),
            same_site.clone(),
        );
        headers.insert(
            HeaderName::from_static("cross-origin-resource-policy"),
            same_site,
        );
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        Some(answer)
    }
}

/// A text as an attribute's value has it.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            letter => safe.push(letter),
        }
    }
    safe
}

/// Whether a path is for the UI's own router: it names neither a file nor what its server answers.
fn is_route(path: &str) -> bool {
    let first = path.split('/').nth(1).unwrap_or_default();
    // Names of gRPC services have dots, and so have files of the root.
    path == PAGE || !(first.contains('.') || first == "api" || first == "assets")
}

fn page_answer(page: &[String]) -> Response<Body> {
    let nonce = random::token(NONCE_BYTES);
    let mut answer = Response::new(Body::from(page.join(&nonce)));
    let headers = answer.headers_mut();
    if let Ok(policy) = HeaderValue::try_from(policy(&nonce)) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind(PAGE)));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    answer
}

fn policy(nonce: &str) -> String {
    format!(
        "default-src 'self'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; \
         img-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; \
         form-action 'self'; frame-ancestors 'none'"
    )
}

impl File {
    fn answer(&self, asked: &HeaderMap) -> Response<Body> {
        let packed = [("br", self.shipped.brotli), ("gzip", self.shipped.gzip)];
        let packed = packed
            .into_iter()
            .filter_map(|(name, bytes)| Some((name, bytes?)))
            .find(|(name, _)| takes(asked, name));
        let (tag, bytes) = match packed {
            Some((name, bytes)) => (format!("\"{}-{name}\"", self.hash), bytes),
            None => (format!("\"{}\"", self.hash), self.shipped.plain),
        };
        let known = asked
            .get_all(IF_NONE_MATCH)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|known| known.trim().trim_start_matches("W/") == tag);
        let mut answer = if known {
            let mut answer = Response::new(Body::empty());
            *answer.status_mut() = StatusCode::NOT_MODIFIED;
            answer
        } else {
            Response::new(Body::from(bytes))
        };
        let headers = answer.headers_mut();
        if let Ok(tag) = HeaderValue::try_from(tag) {
            headers.insert(ETAG, tag);
        }
        if let Some((name, _)) = packed.filter(|_| !known) {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(name));
        }
        if !known {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.kind));
        }
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        headers.insert(
            CACHE_CONTROL,
            HeaderValue::from_static(keeping(self.shipped.path)),
        );
        answer
    }
}

/// How long browsers keep a file.
fn keeping(path: &str) -> &'static str {
    if path.starts_with("/assets/") && has_hash(path) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    }
}

/// Whether another content would have another name: `index-Bx3_k9Qa.js`.
fn has_hash(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let stem = name.split('.').next().unwrap_or_default().as_bytes();
    let Some(dash) = stem.len().checked_sub(HASH_CHARS + 1) else {
        return false;
    };
    let is_hash = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    stem[dash] == b'-' && stem[dash + 1..].iter().all(is_hash)
}

/// Whether a client takes this encoding.
fn takes(asked: &HeaderMap, encoding: &str) -> bool {
    asked
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|offer| {
            let mut parts = offer.split(';').map(str::trim);
            let named = parts
                .next()
                .is_some_and(|name| name.eq_ignore_ascii_case(encoding));
            let weight = parts.find_map(|part| part.strip_prefix("q="));
            named && weight.is_none_or(|weight| weight.parse::<f32>().is_ok_and(|q| q > 0.0))
        })
}

fn kind(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests;
