//! Whom the hosts of a fleet trust and whose certificates they show, told by what lies on their disks and by
//! new connections to everything that listens. Invariant: nothing here is the platform's own word. Not here:
//! what changes it (`authority`).

use std::{
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use serde_json::Value;
use wharf_proto::v1::RenewRequest;
use wharf_runtime::{
    net::{Addresses, ClientOptions, HttpsClient, channel, dial_tls},
    tls::{
        CaCerts, CertSlot, Expect, ExpectedIdentity, IDENTITY_FILE, KeyedCert, ROLE_DIRECTOR,
        SigningRequest, client_config, install_provider,
    },
};
use wharf_services::v1::enrollment_client::EnrollmentClient;

use super::Deployed;
use crate::testbed::{Desk, Fleet};

/// Of one connection.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Said of a call that was not answered in time.
pub(super) const SILENT: &str = "no answer";
/// Of the directors' people and roles, and of proxies, as shipped.
const ADMIN_PORT: u16 = 12_443;
const INTERNAL_PORT: u16 = 12_190;
const PROXY_PORT: u16 = 9_243;

/// A file of a host that trusts authorities or shows a certificate of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    /// Where it is.
    pub(super) path: PathBuf,
    /// SHA-256 of each authority that it names.
    pub(super) authorities: Vec<String>,
}

/// Every file below a host's data directory that has to do with trust; the data of instances aside.
///
/// # Errors
/// When one cannot be read: it may just have been replaced.
pub(super) fn held(fleet: &Fleet, host: usize) -> Result<Vec<Held>, String> {
    let mut found = Vec::new();
    walk(&fleet.host(host).data_dir(), &mut found)?;
    Ok(found)
}

fn walk(folder: &Path, found: &mut Vec<Held>) -> Result<(), String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", folder.display());
    for entry in fs::read_dir(folder).map_err(|error| failed(&error))? {
        let path = entry.map_err(|error| failed(&error))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            // Indices and logs: large, and none of the platform's trust.
            if name != "data" && name != "spool" {
                walk(&path, found)?;
            }
        } else if name == IDENTITY_FILE {
            let cert = KeyedCert::load(&path).map_err(|error| failed(&error))?;
            let cert = cert.ok_or_else(|| failed(&"it is gone"))?;
            let issuer = cert.issuer().ok_or_else(|| failed(&"no issuer"))?;
            let authorities = vec![issuer];
            found.push(Held { path, authorities });
        } else if name.ends_with(".pem") {
            let certs = CaCerts::load(&path).map_err(|error| failed(&error))?;
            let authorities = certs.fingerprints();
            found.push(Held { path, authorities });
        }
    }
    Ok(())
}

/// Nothing when every such file of every host names this authority alone.
///
/// # Errors
/// The first ones that do not.
pub(super) fn only(fleet: &Fleet, authority: &str) -> Result<(), String> {
    let mut others = Vec::new();
    for host in 0..fleet.layout().hosts {
        let files = held(fleet, host)?;
        // `ca.pem`, and the identities of allocator and proxy at least.
        if files.len() < 3 {
            return Err(format!("{} has {files:?} only", fleet.name(host)));
        }
        let other = |one: &&Held| one.authorities != [authority];
        others.extend(files.iter().filter(other).map(|one| one.path.clone()));
    }
    if others.is_empty() {
        Ok(())
    } else {
        Err(format!(
            "{} files name another authority: {:?}",
            others.len(),
            &others[..others.len().min(3)]
        ))
    }
}

/// Something that listens with a certificate of the platform.
#[derive(Debug, Clone)]
pub(super) struct Listener {
    /// In words.
    pub(super) what: String,
    /// `ADDRESS:PORT`.
    pub(super) at: String,
    name: String,
    expect: Expect,
}

fn address(fleet: &Fleet, host: usize) -> Ipv4Addr {
    fleet.host(host).address().expect("a host of the network")
}

/// Everything that listens: directors for people and for roles, proxies by a deployment's name, instances.
///
/// # Errors
/// When no director tells where instances are.
pub(super) fn listeners(fleet: &Fleet, deployments: &[&Deployed]) -> Result<Vec<Listener>, String> {
    let director = Expect::Identity(ExpectedIdentity::role(ROLE_DIRECTOR));
    let mut found = Vec::new();
    let mut add = |what: String, host: usize, port: u64, name: &str, expect: Expect| {
        found.push(Listener {
            what,
            at: format!("{}:{port}", address(fleet, host)),
            name: name.to_owned(),
            expect,
        });
    };
    for host in 0..fleet.layout().hosts {
        let on = fleet.name(host);
        if fleet.layout().is_director(host) {
            for (port, whom) in [(ADMIN_PORT, "people"), (INTERNAL_PORT, "roles")] {
                let what = format!("the director on {on} for {whom}");
                add(what, host, port.into(), "localhost", director.clone());
            }
        }
        for one in deployments {
            let what = format!("the proxy on {on} for {}", one.name);
            add(what, host, PROXY_PORT.into(), &one.domain(), Expect::Name);
        }
    }
    for one in deployments {
        let ports = one.ports(fleet)?;
        for instance in one.instances(fleet)? {
            let what = format!("{} of {}", instance.name, one.name);
            let host = instance.host.ok_or(format!("{what} lies nowhere"))?;
            let port = ports.get(&instance.id).copied();
            let port = port.ok_or(format!("{what} has no port"))?;
            add(what, host, port, "localhost", Expect::Name);
        }
    }
    Ok(found)
}

fn run<T: Send>(desk: &Desk, work: impl AsyncFnOnce() -> T + Send) -> T {
    desk.here(|| {
        install_provider();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime can be made");
        runtime.block_on(work())
    })
}

/// Nothing when a new client that trusts these authorities alone accepts what the listener shows.
///
/// # Errors
/// Why not.
pub(super) fn accepts(desk: &Desk, trust: &CaCerts, to: &Listener) -> Result<(), String> {
    run(desk, async || {
        let config = client_config(trust, to.expect.clone(), None).expect("settings");
        let opened = dial_tls(&to.at, &to.name, config, TIMEOUT).await;
        opened.map(drop).map_err(|error| error.to_string())
    })
}

/// Nothing when every listener is accepted by who trusts `trusted` alone, and by none who trusts `other`.
///
/// # Errors
/// The first that is otherwise.
pub(super) fn all_show(
    desk: &Desk,
    to: &[Listener],
    trusted: &CaCerts,
    other: &CaCerts,
) -> Result<(), String> {
    for one in to {
        let told = |error: String| format!("{} at {}: {error}", one.what, one.at);
        accepts(desk, trusted, one).map_err(told)?;
        match accepts(desk, other, one) {
            // It must have been reached, and refused for its certificate.
            Err(why) if why.contains("invalid peer certificate") => {}
            Err(why) => return Err(told(why)),
            Ok(()) => return Err(told("its certificate is of the other authority".into())),
        }
    }
    Ok(())
}

/// Asks the director on that host to renew the certificate `own`, over a connection that shows it.
///
/// # Errors
/// How it was refused.
pub(super) fn renew(
    fleet: &Fleet,
    host: usize,
    trust: &CaCerts,
    own: &KeyedCert,
) -> Result<(), String> {
    let at = format!("{}:{INTERNAL_PORT}", address(fleet, host));
    run(fleet.desk(), async || {
        let expect = Expect::Identity(ExpectedIdentity::role(ROLE_DIRECTOR));
        let config = client_config(trust, expect, Some(CertSlot::new(own))).expect("settings");
        let csr = SigningRequest::create("scenario").expect("a request");
        let csr_pem = csr.csr_pem().to_owned();
        let mut client = EnrollmentClient::new(channel(&Addresses::new([at]), config));
        let asked = client.renew(RenewRequest { csr_pem });
        match tokio::time::timeout(TIMEOUT, asked).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(status)) => Err(format!("{:?}: {}", status.code(), status.message())),
            Err(_) => Err(SILENT.to_owned()),
        }
    })
}

/// The status of an answer of the storage node at `at` to a client that shows `own`.
///
/// # Errors
/// How the connection was refused.
pub(super) fn knocked(
    desk: &Desk,
    at: &str,
    trust: &CaCerts,
    own: &Arc<CertSlot>,
) -> Result<u16, String> {
    run(desk, async || {
        let config = client_config(trust, Expect::Name, Some(Arc::clone(own))).expect("settings");
        let options = ClientOptions {
            timeout: TIMEOUT,
            connect_to: Some(at.to_owned()),
            ..ClientOptions::default()
        };
        let request = Request::get("https://localhost/")
            .body(Full::new(Bytes::new()))
            .expect("a request");
        let client = HttpsClient::new(config, options);
        let answer = client.fetch(request, 1 << 20).await;
        let answer = answer.map_err(|error| error.to_string())?;
        Ok(answer.status().as_u16())
    })
}

/// The hosts whose collectors' documents of after `since` are in the `system` deployment.
///
/// # Errors
/// When it does not answer.
pub(super) fn shipping_since(
    fleet: &Fleet,
    system: &Deployed,
    since: jiff::Timestamp,
) -> Result<Vec<String>, String> {
    let proxies = Deployed::proxies_without(fleet, &[]);
    let body = serde_json::json!({
        "size": 0,
        "query": {"range": {"@timestamp": {"gte": since.to_string()}}},
        "aggs": {"hosts": {"terms": {"field": "host.name", "size": 100}}},
    });
    let answer = fleet.desk().here(|| {
        Desk::client(&system.credentials, proxies[0], TIMEOUT).json(
            "POST",
            "/metrics-system.*/_search",
            &body,
        )
    })?;
    let hosts = answer["aggregations"]["hosts"]["buckets"].as_array();
    let hosts = hosts.into_iter().flatten();
    let named = hosts.filter_map(|one: &Value| one["key"].as_str());
    Ok(named.map(str::to_owned).collect())
}
