//! Where collectors ship to: the system deployment, through a proxy. Chosen per host: the proxy on
//! the same host, else one in the same zone, else the first. Credentials are added by the shell.

use wharf_proto::ids::{AllocatorId, DeploymentId};

use crate::state::{AllocatorRecord, ProxyRecord, State};

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

/// The destination of an allocator's collectors; none while there is no system deployment or no
/// proxy whose address is known: they spool.
#[must_use]
pub fn destination(state: &State, allocator_id: &AllocatorId) -> Option<Destination> {
    let deployment = state
        .system_deployment()
        .filter(|deployment| !deployment.deleting)?;
    Some(Destination {
        deployment_id: deployment.id.clone(),
        cluster: deployment.alias.clone(),
        url: proxy_url(state, allocator_id)?,
    })
}

/// `https://address:port` of the proxy that what runs on an allocator's host is to use.
#[must_use]
pub fn proxy_url(state: &State, allocator_id: &AllocatorId) -> Option<String> {
    let platform = state.platform.as_ref()?;
    let own = state.allocators.get(allocator_id)?;
    let address = state
        .proxies
        .values()
        .filter_map(|proxy| Some((distance(own, proxy), &proxy.id, address_of(state, proxy)?)))
        .min()
        .map(|(_, _, address)| address)?;
    let port = platform.proxy_https_port;
    Some(if address.contains(':') {
        format!("https://[{address}]:{port}")
    } else {
        format!("https://{address}:{port}")
    })
}

fn distance(own: &AllocatorRecord, proxy: &ProxyRecord) -> u8 {
    if proxy.host == own.host {
        0
    } else if proxy.zone == own.zone {
        1
    } else {
        2
    }
}

/// Every host with a proxy has an allocator, which knows the host's address.
fn address_of<'a>(state: &'a State, proxy: &ProxyRecord) -> Option<&'a str> {
    state
        .allocators
        .values()
        .find(|allocator| allocator.host == proxy.host)
        .map(|allocator| allocator.address.as_str())
}
