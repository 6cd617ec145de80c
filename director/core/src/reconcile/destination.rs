//! Where collectors ship to: the system deployment, through a proxy. Chosen per host: the proxy on
//! the same host, else one in the same zone, else the first. Looked up once for all hosts: each of them
//! asks after every change. Credentials are added by the shell.

use std::collections::BTreeMap;

use wharf_proto::ids::{AllocatorId, DeploymentId, ProxyId};

use crate::state::{AllocatorRecord, State};

/// Where a host's collectors ship to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The system deployment, whose credentials they use.
    pub deployment_id: DeploymentId,
    /// Sent as `X-Found-Cluster`.
    pub cluster: String,
    /// `https://address:port` of a proxy.
    pub url: String,
}

/// The proxies whose addresses are known, and the deployment that collectors ship to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Destinations {
    system: Option<(DeploymentId, String)>,
    proxies: Vec<Way>,
}

/// A proxy and how it is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Way {
    proxy_id: ProxyId,
    host: String,
    zone: String,
    url: String,
}

impl Destinations {
    /// Those of a state.
    #[must_use]
    pub fn of(state: &State) -> Self {
        let system = state
            .system_deployment()
            .filter(|deployment| !deployment.deleting)
            .map(|deployment| (deployment.id.clone(), deployment.alias.clone()));
        let Some(platform) = &state.platform else {
            return Self {
                system,
                proxies: Vec::new(),
            };
        };
        let mut addresses: BTreeMap<&str, Option<&str>> = state
            .proxies
            .values()
            .map(|proxy| (proxy.host.as_str(), None))
            .collect();
        // Every host with a proxy has an allocator, which knows the host's address.
        for allocator in state.allocators.values() {
            if let Some(address) = addresses.get_mut(allocator.host.as_str()) {
                address.get_or_insert(&allocator.address);
            }
        }
        let port = platform.proxy_https_port;
        let proxies = state.proxies.values().filter_map(|proxy| {
            let address = (*addresses.get(proxy.host.as_str())?)?;
            Some(Way {
                proxy_id: proxy.id.clone(),
                host: proxy.host.clone(),
                zone: proxy.zone.clone(),
                url: if address.contains(':') {
                    format!("https://[{address}]:{port}")
                } else {
                    format!("https://{address}:{port}")
                },
            })
        });
        Self {
            system,
            proxies: proxies.collect(),
        }
    }

    /// The destination of an allocator's collectors; none while there is no system deployment or no
    /// proxy whose address is known: they spool.
    #[must_use]
    pub fn destination(&self, state: &State, allocator_id: &AllocatorId) -> Option<Destination> {
        let (deployment_id, cluster) = self.system.clone()?;
        Some(Destination {
            deployment_id,
            cluster,
            url: self.proxy_url(state, allocator_id)?,
        })
    }

    /// `https://address:port` of the proxy that what runs on an allocator's host is to use.
    #[must_use]
    pub fn proxy_url(&self, state: &State, allocator_id: &AllocatorId) -> Option<String> {
        let own = state.allocators.get(allocator_id)?;
        let nearest = self
            .proxies
            .iter()
            .min_by_key(|way| (way.distance(own), &way.proxy_id));
        nearest.map(|way| way.url.clone())
    }
}

impl Way {
    fn distance(&self, own: &AllocatorRecord) -> u8 {
        if self.host == own.host {
            0
        } else if self.zone == own.zone {
            1
        } else {
            2
        }
    }
}
