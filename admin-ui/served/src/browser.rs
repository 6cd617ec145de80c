//! What a browser shows of a log-in, and the proof that a call comes from the admin UI and not from another
//! site's page. Invariants: the cookie is one that only this host's pages over TLS send and no script reads; a
//! cookie alone lets nobody in. Not here: which secrets are good, and for how long (whoever keeps sessions).

use http::{
    HeaderMap, HeaderName,
    header::{COOKIE, HOST, ORIGIN},
    request::Parts,
};

/// What the admin UI sends with each call: a page of another site needs leave for it, which nobody
/// gets.
const FROM_UI: HeaderName = HeaderName::from_static("x-wharf-session");
/// Cookies of these names are taken over TLS, for the whole host and from the host itself alone.
const PREFIX: &str = "__Host-wharf-";
/// What a cookie may be used for.
const LIMITS: &str = "Path=/; Secure; HttpOnly; SameSite=Strict";

/// The call is none of the admin UI's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotTheUi {
    /// Another site's page made it.
    #[error("the call comes from the page of another site")]
    OtherSite,
    /// It lacks the header that the UI sends.
    #[error("the call has the cookie of a log-in and not the header `x-wharf-session: 1`")]
    NoHeader,
}

/// The `set-cookie` that gives a browser its session. It names whose session it is: cookies of a host do
/// not tell its ports apart, and a machine may have several platforms.
#[must_use]
pub fn giving(owner: &str, cookie: &str) -> String {
    format!("{PREFIX}{owner}={cookie}; {LIMITS}")
}

/// The `set-cookie` that takes it away.
#[must_use]
pub fn taking(owner: &str) -> String {
    format!("{PREFIX}{owner}=; Max-Age=0; {LIMITS}")
}

/// The session's cookie of this owner among those of a call.
#[must_use]
pub fn cookie<'a>(headers: &'a HeaderMap, owner: &str) -> Option<&'a str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| name.strip_prefix(PREFIX) == Some(owner))
        .map(|(_, cookie)| cookie)
}

/// Refuses a call that a browser makes for a page of another site.
///
/// # Errors
/// When its origin is not the address that it was sent to.
pub fn check_origin(head: &Parts) -> Result<(), NotTheUi> {
    let Some(origin) = head.headers.get(ORIGIN) else {
        return Ok(());
    };
    let host = head.headers.get(HOST).and_then(|host| host.to_str().ok());
    let own = head.uri.authority().map(|authority| authority.as_str());
    let same = origin
        .to_str()
        .ok()
        .and_then(|origin| origin.strip_prefix("https://"))
        .zip(own.or(host))
        .is_some_and(|(origin, own)| origin.eq_ignore_ascii_case(own));
    if same {
        return Ok(());
    }
    Err(NotTheUi::OtherSite)
}

/// Refuses a call with a cookie that the admin UI did not make.
///
/// # Errors
/// When it lacks the header that the UI sends.
pub fn check_from_ui(headers: &HeaderMap) -> Result<(), NotTheUi> {
    if headers.get(FROM_UI).is_some_and(|value| value == "1") {
        return Ok(());
    }
    Err(NotTheUi::NoHeader)
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    const PLATFORM: &str = "0123456789abcdef0123456789abcdef";

    fn head(uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn the_cookie_is_found_among_others_and_one_of_another_owner_is_not_taken() {
        let given = giving(PLATFORM, "secret");
        let pair = given.split(';').next().expect("a pair");
        for headers in [
            vec![format!("a=b; {pair}; c=d")],
            vec!["a=b".to_owned(), pair.to_owned()],
        ] {
            let mut map = HeaderMap::new();
            for value in &headers {
                map.append(COOKIE, value.parse().unwrap());
            }
            assert_eq!(cookie(&map, PLATFORM), Some("secret"), "{headers:?}");
            assert_eq!(cookie(&map, "fedcba9876543210fedcba9876543210"), None);
        }
    }

    #[test]
    fn the_cookie_is_for_this_host_over_tls_and_no_script_reads_it() {
        for text in [giving(PLATFORM, "x"), taking(PLATFORM)] {
            assert!(text.starts_with("__Host-"), "{text}");
            for word in ["; Secure", "; HttpOnly", "; SameSite=Strict", "; Path=/"] {
                assert!(text.contains(word), "`{text}` lacks `{word}`");
            }
            assert!(!text.contains("Domain"), "{text}");
        }
        assert!(taking(PLATFORM).contains("Max-Age=0"));
    }

    #[test]
    fn a_call_for_another_sites_page_is_refused_whatever_tells_the_own_address() {
        let own = [
            "https://h1:12443/wharf.v1.Users/WhoAmI",
            "/wharf.v1.Users/WhoAmI",
        ];
        for uri in own {
            let at = |origin: &str| {
                let headers = [("host", "h1:12443"), ("origin", origin)];
                check_origin(&head(uri, &headers)).is_ok()
            };
            assert!(at("https://h1:12443") && at("https://H1:12443"), "{uri}");
            for other in [
                "https://h1",
                "http://h1:12443",
                "https://h1:1",
                "null",
                "",
                "https://evil",
            ] {
                assert!(!at(other), "`{other}` was taken at {uri}");
            }
        }
        let none = head(own[0], &[]);
        assert!(check_origin(&none).is_ok(), "programs send no origin");
        assert!(check_origin(&head("/x", &[("origin", "https://h1")])).is_err());
    }

    #[test]
    fn only_the_header_of_the_ui_lets_a_cookie_in() {
        for (value, taken) in [("1", true), ("0", false), ("", false)] {
            let head = head("/", &[("x-wharf-session", value)]);
            assert_eq!(check_from_ui(&head.headers).is_ok(), taken, "{value}");
        }
        assert!(check_from_ui(&HeaderMap::new()).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_header_panics(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..80)) {
            if let Ok(value) = http::HeaderValue::from_bytes(&bytes) {
                let mut headers = HeaderMap::new();
                headers.insert(COOKIE, value.clone());
                let _ = cookie(&headers, PLATFORM);
                let mut head = head("/", &[]);
                head.headers.insert(ORIGIN, value);
                let _ = check_origin(&head);
            }
        }
    }
}
