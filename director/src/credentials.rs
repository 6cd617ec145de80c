//! What a person shows to be let in, as HTTP carries it: name and password or a token in the header
//! `authorization`, else the cookie of a browser. Not here: whether it is right (`auth`).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, header::AUTHORIZATION};
use tonic::Status;
use wharf_admin_ui::browser::cookie;

use crate::{auth::wrong, browser};

/// Bytes of an authorization header at most.
const HEADER_BYTES: usize = 4 * 1024;

/// What a caller shows.
#[derive(PartialEq, Eq)]
pub(crate) enum Credentials {
    /// A user's own.
    Password {
        /// The login name.
        username: String,
        /// In the clear.
        password: String,
    },
    /// A token's text.
    Token(String),
    /// A session's cookie.
    Session(String),
}

/// The credentials of a call.
///
/// # Errors
/// When there are none, they cannot be read, or a cookie comes from elsewhere than the admin UI.
pub(crate) fn shown(headers: &HeaderMap, platform_id: &str) -> Result<Credentials, Status> {
    if let Some(header) = headers.get(AUTHORIZATION) {
        return in_header(header.as_bytes()).ok_or_else(|| wrong("the credentials cannot be read"));
    }
    let cookie = cookie(headers, platform_id).ok_or_else(|| wrong("there are no credentials"))?;
    browser::check_from_ui(headers)?;
    Ok(Credentials::Session(cookie.to_owned()))
}

/// What an authorization header holds.
fn in_header(header: &[u8]) -> Option<Credentials> {
    if let Some((username, password)) = basic(header) {
        return Some(Credentials::Password { username, password });
    }
    let text = std::str::from_utf8(header)
        .ok()
        .filter(|text| text.len() <= HEADER_BYTES)?;
    let (scheme, token) = text.split_once(' ')?;
    let token = token.trim();
    let is_token = scheme.eq_ignore_ascii_case("bearer") && !token.is_empty();
    is_token.then(|| Credentials::Token(token.to_owned()))
}

fn basic(header: &[u8]) -> Option<(String, String)> {
    let text = std::str::from_utf8(header)
        .ok()
        .filter(|text| text.len() <= HEADER_BYTES)?;
    let (scheme, encoded) = text.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (username, password) = decoded.split_once(':')?;
    Some((username.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_read_as_http_writes_them() {
        let header = format!("Basic {}", STANDARD.encode("ada:a:b"));
        let read = basic(header.as_bytes()).unwrap();
        assert_eq!(read, ("ada".to_owned(), "a:b".to_owned()));
        assert!(basic(b"Bearer x").is_none());
        assert!(in_header(b"Bearer x") == Some(Credentials::Token("x".to_owned())));
        assert!(in_header(b"Bearer ").is_none() && in_header(b"Digest x").is_none());
    }

    #[test]
    fn a_header_goes_before_a_cookie_and_a_cookie_alone_is_refused() {
        let cookie = wharf_admin_ui::browser::giving("p", "x");
        let mut headers = HeaderMap::new();
        headers.insert(http::header::COOKIE, cookie.parse().unwrap());
        let refused = shown(&headers, "p").err().map(|status| status.code());
        assert_eq!(refused, Some(tonic::Code::PermissionDenied));
        headers.insert("x-wharf-session", "1".parse().unwrap());
        assert!(shown(&headers, "p").ok() == Some(Credentials::Session("x".to_owned())));
        headers.insert(AUTHORIZATION, "Bearer y".parse().unwrap());
        assert!(shown(&headers, "p").ok() == Some(Credentials::Token("y".to_owned())));
    }

    proptest::proptest! {
        #[test]
        fn no_header_panics(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..64)) {
            let _ = in_header(&bytes);
        }
    }
}
