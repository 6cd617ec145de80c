//! Connections to monitoring nodes, kept for the next call. Whoever answers must show the certificate of the very
//! instance that is expected, from the platform's authority. Invariants: at most [`MOST`] are kept, those that were
//! used last; one to a place that its instance has left is never used and soon dropped. Not here: what is sent.

use std::sync::{Arc, Mutex, PoisonError};

use tonic::transport::Channel;
use wharf_runtime::{
    net::{Addresses, channel},
    tls::{Expect, ExpectedIdentity, ROLE_INSTANCE, TlsError, TrustSlot, following_client_config},
};

/// Connections that are kept.
const MOST: usize = 64;

struct Link {
    instance_id: String,
    address: String,
    channel: Channel,
}

/// See the module.
pub(crate) struct Links {
    platform_id: String,
    trust: Arc<TrustSlot>,
    /// Used last: last.
    kept: Mutex<Vec<Link>>,
}

impl Links {
    /// None at first.
    pub(crate) fn new(platform_id: String, trust: Arc<TrustSlot>) -> Self {
        Self {
            platform_id,
            trust,
            kept: Mutex::default(),
        }
    }

    /// The connection to an instance at `HOST:PORT`. Those of which `lies_at` says (by id and address) that the
    /// instance is not there any more are dropped.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub(crate) fn to(
        &self,
        instance_id: &str,
        address: &str,
        lies_at: impl Fn(&str, &str) -> bool,
    ) -> Result<Channel, TlsError> {
        // The list is whole after every statement.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|link| lies_at(&link.instance_id, &link.address));
        let known = kept
            .iter()
            .position(|link| link.instance_id == instance_id && link.address == address);
        let link = match known {
            Some(at) => kept.remove(at),
            None => self.connect(instance_id, address)?,
        };
        let channel = link.channel.clone();
        kept.push(link);
        if kept.len() > MOST {
            kept.remove(0);
        }
        Ok(channel)
    }

    fn connect(&self, instance_id: &str, address: &str) -> Result<Link, TlsError> {
        let expected = ExpectedIdentity::role(ROLE_INSTANCE)
            .on_platform(&self.platform_id)
            .with_id(instance_id);
        let config = following_client_config(&self.trust, Expect::Identity(expected), None)?;
        Ok(Link {
            instance_id: instance_id.to_owned(),
            address: address.to_owned(),
            channel: channel(&Addresses::new([address]), config),
        })
    }
}

#[cfg(test)]
mod tests {
    use wharf_runtime::tls::{Authority, install_provider};

    use super::*;

    fn links() -> Links {
        install_provider();
        let authority = Authority::create("p", 1_700_000_000_000).unwrap();
        let trust = TrustSlot::new(&authority.certs()).unwrap();
        Links::new("p".into(), trust)
    }

    fn kept(links: &Links) -> Vec<String> {
        let kept = links.kept.lock().unwrap();
        kept.iter()
            .map(|link| format!("{} {}", link.instance_id, link.address))
            .collect()
    }

    #[tokio::test]
    async fn a_connection_to_where_an_instance_was_is_dropped() {
        let links = links();
        links.to("a", "h1:1", |_, _| true).unwrap();
        links.to("b", "h1:2", |_, _| true).unwrap();
        links.to("b", "h1:2", |_, _| true).unwrap();
        assert_eq!(kept(&links), ["a h1:1", "b h1:2"], "one for each instance");
        links
            .to("a", "h2:1", |id, at| (id, at) != ("a", "h1:1"))
            .unwrap();
        assert_eq!(kept(&links), ["b h1:2", "a h2:1"], "it moved");
        links.to("a", "h2:1", |id, _| id == "a").unwrap();
        assert_eq!(kept(&links), ["a h2:1"], "`b` is gone");
    }

    #[tokio::test]
    async fn few_connections_are_kept_those_used_last() {
        let links = links();
        for number in 0..MOST + 5 {
            links.to(&format!("i{number}"), "h:1", |_, _| true).unwrap();
            links.to("i0", "h:1", |_, _| true).unwrap();
        }
        let kept = kept(&links);
        assert_eq!(kept.len(), MOST);
        assert_eq!(kept.last().unwrap(), "i0 h:1", "used last");
        assert!(!kept.contains(&"i1 h:1".to_owned()), "not used for long");
    }
}
