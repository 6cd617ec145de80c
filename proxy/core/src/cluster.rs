//! What a request asks for, from its host name and headers: an alias or a deployment id, and
//! which resource of it. Not here: whether that exists (`table`).

/// No host name that a client sends is longer.
const MAX_HOST: usize = 255;
/// Ends the first label of a host name that asks for the monitoring resource.
const MONITOR_SUFFIX: &str = "-monitor";

/// What a request names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// An alias or a deployment id, lower case.
    pub name: String,
    /// By the host name: `<alias>-monitor`. A deployment may really be called so, therefore the
    /// table tries the whole label first.
    pub monitoring: bool,
}

/// Why no cluster could be read from a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Neither a host name below the domain nor the header.
    #[error(
        "the request names no cluster: use the host name <alias>.{domain} or the header X-Found-Cluster"
    )]
    Missing {
        /// The platform's domain.
        domain: String,
    },
    /// Not a label.
    #[error("`{0}` cannot be the name of a cluster")]
    Malformed(String),
}

/// Reads what a request asks for. The header wins over the host name, as in ECE: it is what
/// clients use that cannot resolve the name.
///
/// # Errors
/// When neither names a cluster.
pub fn requested_cluster(
    host: Option<&str>,
    found_cluster: Option<&str>,
    domain: &str,
) -> Result<Cluster, NameError> {
    if let Some(value) = found_cluster {
        return label(value.trim());
    }
    let host = host.unwrap_or_default();
    let missing = || NameError::Missing {
        domain: domain.to_owned(),
    };
    if host.len() > MAX_HOST {
        return Err(missing());
    }
    let name = without_port(host)
        .trim_end_matches('.')
        .to_ascii_lowercase();
    let below = name
        .strip_suffix(&domain.to_ascii_lowercase())
        .and_then(|rest| rest.strip_suffix('.'));
    match below {
        Some(first) if !first.is_empty() && !first.contains('.') => label(first),
        _ => Err(missing()),
    }
}

/// The alias or id of a name; `x-monitor` is kept whole, with the flag set.
fn label(text: &str) -> Result<Cluster, NameError> {
    let name = text.to_ascii_lowercase();
    let is_label = (1..=63).contains(&name.len())
        && name
            .bytes()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-');
    if !is_label {
        return Err(NameError::Malformed(text.chars().take(80).collect()));
    }
    let monitoring = name.len() > MONITOR_SUFFIX.len() && name.ends_with(MONITOR_SUFFIX);
    Ok(Cluster { name, monitoring })
}

impl Cluster {
    /// The name without the monitoring suffix.
    #[must_use]
    pub fn base(&self) -> &str {
        if self.monitoring {
            &self.name[..self.name.len() - MONITOR_SUFFIX.len()]
        } else {
            &self.name
        }
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|c| c.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn named(host: &str) -> Result<String, NameError> {
        requested_cluster(Some(host), None, "localhost").map(|cluster| cluster.name)
    }

    #[test]
    fn an_alias_is_the_one_label_before_the_domain() {
        assert_eq!(named("system.localhost:9243"), Ok("system".into()));
        assert_eq!(named("SYSTEM.LocalHost."), Ok("system".into()));
        assert!(named("a.b.localhost").is_err());
        assert!(named("localhost:9243").is_err());
        assert!(named("127.0.0.1").is_err());
        assert!(named("systemlocalhost").is_err());
    }

    #[test]
    fn the_header_wins_over_the_host_name() {
        let cluster = requested_cluster(Some("a.localhost"), Some(" B "), "localhost").unwrap();
        assert_eq!(cluster.name, "b");
    }

    #[test]
    fn a_monitoring_name_keeps_its_base() {
        let cluster = requested_cluster(Some("team-monitor.localhost"), None, "localhost").unwrap();
        assert!(cluster.monitoring);
        assert_eq!(cluster.base(), "team");
        let plain = requested_cluster(None, Some("-monitor"), "localhost");
        assert!(plain.is_err(), "a suffix alone names nothing");
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_read_is_a_label(
            host in proptest::option::of(".{0,300}"),
            header in proptest::option::of(".{0,100}"),
        ) {
            if let Ok(cluster) = requested_cluster(host.as_deref(), header.as_deref(), "localhost") {
                prop_assert!(cluster.name.len() <= 63);
                prop_assert!(!cluster.base().is_empty());
            }
        }
    }
}
