//! Which headers pass. Hop-by-hop headers stay at their hop (RFC 9110 7.6.1), and what a client
//! says about who it is forwarded for is not believed.

/// Headers of one connection, never passed on.
pub const HOP_BY_HOP: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// Headers that only a proxy in front may set, or a director that asks a monitoring node for a person; a
/// client's are dropped.
pub const FORWARDING: [&str; 6] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "x-wharf-user",
];

/// Whether a request's header goes to the instance. `named` are the names that its `connection`
/// header lists, lower case.
#[must_use]
pub fn passes(name: &str, named: &[String]) -> bool {
    !HOP_BY_HOP.contains(&name) && !FORWARDING.contains(&name) && !named.iter().any(|n| n == name)
}

/// Whether an answer's header goes to the client.
#[must_use]
pub fn answer_passes(name: &str, named: &[String]) -> bool {
    !HOP_BY_HOP.contains(&name) && !named.iter().any(|n| n == name)
}

/// The names in a `connection` header, lower case; at most 32 are looked at.
#[must_use]
pub fn connection_names(value: &str) -> Vec<String> {
    value
        .split(',')
        .take(32)
        .map(|name| name.trim().to_ascii_lowercase())
        .collect()
}

/// Whether the requests of this user agent are the platform's own, which are counted, not
/// logged: logging the collectors' would make documents of documents, and a monitoring node asks
/// every other second.
#[must_use]
pub fn is_own(user_agent: Option<&str>) -> bool {
    let own = ["wharf-collectors/", "wharf-monitor/"];
    user_agent.is_some_and(|agent| own.iter().any(|name| agent.starts_with(name)))
}

/// Longest prefix of a path, bytes.
const MAX_PREFIX: usize = 64;

/// What a path belongs to, for counting by part of an application: its first segment with the slash
/// before it, cut to a bounded length; `/` when the path has none.
#[must_use]
pub fn path_prefix(path: &str) -> &str {
    let rest = path.strip_prefix('/').unwrap_or(path);
    let length = rest.find('/').unwrap_or(rest.len());
    let mut end = (path.len() - rest.len() + length).min(MAX_PREFIX);
    while !path.is_char_boundary(end) {
        end -= 1;
    }
    if length == 0 { "/" } else { &path[..end] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_connection_header_names_stays_at_its_hop() {
        let named = connection_names("close, X-Private");
        assert!(!passes("x-private", &named));
        assert!(passes("x-public", &named));
        assert!(!passes("transfer-encoding", &[]));
        assert!(!answer_passes("x-private", &named));
    }

    #[test]
    fn a_client_cannot_say_whom_it_speaks_for() {
        for name in FORWARDING {
            assert!(!passes(name, &[]), "{name} of a client must be dropped");
        }
    }

    #[test]
    fn the_prefix_is_the_first_segment() {
        for (path, expected) in [
            ("/shop/_search", "/shop"),
            ("/_bulk", "/_bulk"),
            ("/", "/"),
            ("", "/"),
            ("//x", "/"),
        ] {
            assert_eq!(path_prefix(path), expected, "{path}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_path_has_a_bounded_prefix(path in ".{0,200}") {
            let prefix = path_prefix(&path);
            proptest::prop_assert!(prefix.len() <= MAX_PREFIX);
            proptest::prop_assert!(prefix == "/" || path.starts_with(prefix));
        }
    }

    #[test]
    fn only_the_platforms_own_agents_are_silent() {
        assert!(is_own(Some("wharf-collectors/0.1.0")));
        assert!(is_own(Some("wharf-monitor/0.1.0")));
        assert!(!is_own(Some("curl/8 wharf-collectors/")));
        assert!(!is_own(None));
    }
}
