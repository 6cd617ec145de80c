//! Certificates that the director issues: instances' identities, the leaf of each route, roles'
//! renewals, its own. Those of instances and routes are kept sealed in the state, so that every
//! leader sends the same; a new one is made when the names change or the last third of its life
//! begins. Invariants: names are decided here, never by who asks; a renewed certificate changes no
//! spec hash. Not here: TLS (`wharf_runtime::tls`), who gets them (`sessions/`).

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};
use wharf_director_core::{
    command::{Body, PutSecret},
    reconcile::{assignment::AssignedSpec, route::RouteEntry},
    state::State,
    template::MONITORING,
};
use wharf_proto::ids::AllocatorId;
use wharf_runtime::{
    data_dir::read_limited,
    tls::{Authority, Identity, KeyedCert, LeafSpec, ROLE_INSTANCE, TlsError},
};

use crate::{
    propose::{ProposalError, Proposer},
    secrets::{PlatformKey, SecretError},
};

/// The authority's file is not larger.
const FILE_BYTES: u64 = 64 * 1024;

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// Issuing failed.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// It cannot be sealed.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// It cannot be kept.
    #[error(transparent)]
    Proposal(#[from] ProposalError),
    /// The authority's file is missing.
    #[error("the platform's authority {0} is missing or unreadable; restore it from a backup")]
    Authority(String),
}

/// A certificate as it is sealed.
#[derive(Serialize, Deserialize)]
struct Kept {
    hosts: Vec<String>,
    pem: String,
}

#[derive(Clone)]
struct Known {
    version: u64,
    hosts: Vec<String>,
    pem: Arc<str>,
    cert: KeyedCert,
}

/// Issues and remembers.
pub struct Certificates {
    authority: Arc<Authority>,
    platform_id: String,
    key: PlatformKey,
    known: Mutex<HashMap<String, Known>>,
    /// One at a time: two sessions that miss the same certificate get one.
    issuing: tokio::sync::Mutex<()>,
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Certificates")
            .field(&self.authority)
            .finish()
    }
}

impl Certificates {
    /// Issues with the authority in that file. Blocks.
    ///
    /// # Errors
    /// When the file is missing or broken.
    pub fn load(
        path: &Path,
        platform_id: &str,
        key: PlatformKey,
    ) -> Result<Self, CertificateError> {
        let missing = || CertificateError::Authority(path.display().to_string());
        let bytes = read_limited(path, FILE_BYTES)
            .ok()
            .flatten()
            .ok_or_else(missing)?;
        let pem = String::from_utf8(bytes).map_err(|_| missing())?;
        Ok(Self {
            authority: Arc::new(Authority::from_pem(&pem)?),
            platform_id: platform_id.to_owned(),
            key,
            known: Mutex::default(),
            issuing: tokio::sync::Mutex::default(),
        })
    }

    /// The authority.
    #[must_use]
    pub fn authority(&self) -> &Arc<Authority> {
        &self.authority
    }

    /// The certificate of an instance, PEM: key, then chain.
    ///
    /// # Errors
    /// See [`CertificateError`].
    pub async fn instance(
        &self,
        state: &State,
        proposer: &Proposer,
        allocator_id: &AllocatorId,
        spec: &AssignedSpec,
        now_ms: u64,
    ) -> Result<Arc<str>, CertificateError> {
        let mut hosts = vec!["localhost".to_owned()];
        if let Some(allocator) = state.allocators.get(allocator_id) {
            hosts.push(allocator.address.clone());
        }
        hosts.extend(names(
            state,
            &spec.alias,
            &spec.resource_kind,
            &spec.deployment_id,
        ));
        let identity = Identity::new(&self.platform_id, ROLE_INSTANCE, &spec.instance_id)
            .map_err(|error| TlsError::Certificate(error.to_string()))?;
        let name = format!("instance/{}/identity", spec.instance_id);
        self.kept(state, proposer, &name, hosts, Some(identity), now_ms)
            .await
    }

    /// The leaf of a route, PEM: key, then chain.
    ///
    /// # Errors
    /// See [`CertificateError`].
    pub async fn route(
        &self,
        state: &State,
        proposer: &Proposer,
        entry: &RouteEntry,
        now_ms: u64,
    ) -> Result<Arc<str>, CertificateError> {
        let hosts = names(
            state,
            &entry.alias,
            &entry.resource_kind,
            &entry.deployment_id,
        );
        let name = format!("resource/{}/identity", entry.resource_id);
        self.kept(state, proposer, &name, hosts, None, now_ms).await
    }

    async fn kept(
        &self,
        state: &State,
        proposer: &Proposer,
        name: &str,
        mut hosts: Vec<String>,
        identity: Option<Identity>,
        now_ms: u64,
    ) -> Result<Arc<str>, CertificateError> {
        let now = i64::try_from(now_ms).unwrap_or(i64::MAX);
        hosts.sort_unstable();
        hosts.dedup();
        let good = |known: &Known| known.hosts == hosts && !known.cert.needs_renewal(now);
        if let Some(known) = self.known(state, name).filter(good) {
            return Ok(known.pem);
        }
        let _turn = self.issuing.lock().await;
        if let Some(known) = self.remembered(name).filter(good) {
            return Ok(known.pem);
        }
        let mut spec = LeafSpec {
            common_name: hosts.first().cloned().unwrap_or_default(),
            ..LeafSpec::default()
        };
        spec.identity = identity;
        for host in &hosts {
            spec = spec.with_host(host);
        }
        let cert = self.authority.issue(&spec, now)?;
        let kept = Kept {
            hosts: hosts.clone(),
            pem: cert.to_pem().to_owned(),
        };
        let bytes = serde_json::to_vec(&kept).map_err(|_| SecretError::Sealed(name.to_owned()))?;
        let sealed = self.key.seal(name, &bytes)?;
        let put = Body::PutSecret(PutSecret {
            name: name.to_owned(),
            sealed,
        });
        let outcome = proposer.own(put).await?;
        let version = match outcome {
            wharf_director_core::outcome::Outcome::Version { version } => version,
            _ => 0,
        };
        tracing::info!(name, "a certificate was issued");
        let pem: Arc<str> = cert.to_pem().into();
        let known = Known {
            version,
            hosts,
            pem: Arc::clone(&pem),
            cert,
        };
        lock(&self.known).insert(name.to_owned(), known);
        Ok(pem)
    }

    fn remembered(&self, name: &str) -> Option<Known> {
        lock(&self.known).get(name).cloned()
    }

    /// What the state holds, opened once and remembered by its version.
    fn known(&self, state: &State, name: &str) -> Option<Known> {
        let record = state.secrets.get(name)?;
        if let Some(known) = self
            .remembered(name)
            .filter(|known| known.version >= record.version)
        {
            return Some(known);
        }
        let bytes = match self.key.open(name, &record.sealed) {
            Ok(bytes) => bytes,
            Err(error) => {
                tracing::error!(%error, "a kept certificate is made anew");
                return None;
            }
        };
        let kept: Kept = serde_json::from_slice(&bytes).ok()?;
        let cert = KeyedCert::from_pem(&kept.pem).ok()?;
        let known = Known {
            version: record.version,
            hosts: kept.hosts,
            pem: kept.pem.into(),
            cert,
        };
        lock(&self.known).insert(name.to_owned(), known.clone());
        Some(known)
    }

    /// Forgets certificates of what is gone.
    pub fn forget_gone(&self, state: &State) {
        lock(&self.known).retain(|name, _| state.secrets.contains_key(name));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // The table is whole after every statement.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Host names of a resource: by its alias and by the deployment's id.
fn names(state: &State, alias: &str, kind: &str, deployment_id: &str) -> Vec<String> {
    let domain = state
        .platform
        .as_ref()
        .map_or("localhost", |platform| platform.domain.as_str());
    if kind == MONITORING {
        return vec![format!("{alias}-monitor.{domain}")];
    }
    vec![
        format!("{alias}.{domain}"),
        format!("{deployment_id}.{domain}"),
    ]
}

/// The leaf of a role: names that it is reached at.
#[must_use]
pub fn role_spec(identity: Identity, address: &str, domain: &str) -> LeafSpec {
    let proxy = identity.role == wharf_runtime::tls::ROLE_PROXY;
    let mut spec = LeafSpec::for_identity(identity)
        .with_host("localhost")
        .with_host("127.0.0.1");
    if !address.is_empty() && address != "127.0.0.1" && address != "localhost" {
        spec = spec.with_host(address);
    }
    if proxy {
        spec = spec.with_host(&format!("proxy.{domain}"));
    }
    spec
}
