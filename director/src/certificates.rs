//! Certificates that the director issues: instances' identities, the leaf of each route, roles'
//! renewals, its own. Those of instances and routes are kept sealed in the state, so that every
//! leader sends the same; a new one is made when the names change or the last third of its life
//! begins, or another authority is to issue. Invariants: names are decided here, never by who asks; the
//! authority that issues is the one of the state; a renewed certificate changes no spec hash. Not here: TLS
//! (`wharf_runtime::tls`), who gets them (`sessions/`).

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};
use wharf_director_core::{
    command::{Body, PutSecret},
    reconcile::{assignment::AssignedSpec, route::RouteEntry},
    state::{CaRecord, State},
    template::MONITORING,
};
use wharf_proto::ids::AllocatorId;
use wharf_runtime::{
    data_dir::read_limited,
    tls::{Authority, CaCerts, Identity, KeyedCert, LeafSpec, ROLE_INSTANCE, TlsError},
};

use crate::{
    propose::{ProposalError, Proposer},
    secrets::{PlatformKey, SecretError},
};

/// What the first line of the authority's file begins with, once it was changed.
const GENERATION: &str = "generation ";
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
    /// What its file held at the start: it counts until the state names another.
    held: Arc<Authority>,
    trusted: CaCerts,
    generation: u64,
    /// The state's, opened.
    opened: Mutex<Option<Arc<Authority>>>,
    platform_id: String,
    key: PlatformKey,
    known: Mutex<HashMap<String, Known>>,
    /// One at a time: two sessions that miss the same certificate get one.
    issuing: tokio::sync::Mutex<()>,
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Certificates").field(&self.held).finish()
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
            held: Arc::new(Authority::from_pem(&pem)?),
            trusted: CaCerts::from_pem(&pem)?,
            generation: pem
                .lines()
                .next()
                .and_then(|line| line.strip_prefix(GENERATION)?.parse().ok())
                .unwrap_or(0),
            opened: Mutex::default(),
            platform_id: platform_id.to_owned(),
            key,
            known: Mutex::default(),
            issuing: tokio::sync::Mutex::default(),
        })
    }

    /// Whom this director trusts when it starts, and of which generation that is.
    #[must_use]
    pub fn at_start(&self) -> (&CaCerts, u64) {
        (&self.trusted, self.generation)
    }

    /// The authority that issues.
    ///
    /// # Errors
    /// When the state's cannot be opened.
    pub fn signer(&self, state: &State) -> Result<Arc<Authority>, CertificateError> {
        let Some(record) = &state.authority else {
            return Ok(Arc::clone(&self.held));
        };
        let sha256 = &record.issuing.sha256;
        let mut opened = lock(&self.opened);
        let known = [Some(&self.held), opened.as_ref()];
        let known = known.into_iter().flatten();
        if let Some(known) = known
            .into_iter()
            .find(|known| known.fingerprint_hex() == *sha256)
        {
            return Ok(Arc::clone(known));
        }
        let name = format!("authority/{sha256}");
        let bytes = self.key.open(&name, &record.issuing.sealed)?;
        let pem = String::from_utf8(bytes).map_err(|_| SecretError::Sealed(name.clone()))?;
        let authority = Arc::new(Authority::from_pem(&pem)?);
        if authority.fingerprint_hex() != *sha256 {
            return Err(SecretError::Sealed(name).into());
        }
        *opened = Some(Arc::clone(&authority));
        Ok(authority)
    }

    /// An authority as the state keeps it.
    ///
    /// # Errors
    /// When it cannot be sealed.
    pub fn sealed(&self, authority: &Authority) -> Result<CaRecord, CertificateError> {
        let sha256 = authority.fingerprint_hex();
        let name = format!("authority/{sha256}");
        Ok(CaRecord {
            sealed: self.key.seal(&name, authority.to_pem().as_bytes())?,
            certificate_pem: authority.certificate_pem().to_owned(),
            sha256,
        })
    }

    /// The certificates that are trusted, PEM.
    #[must_use]
    pub fn ca_pem(&self, state: &State) -> String {
        match &state.authority {
            Some(record) => record.bundle_pem(),
            None => self.held.certificate_pem().to_owned(),
        }
    }

    /// What a director's own file holds: the authority that issues with its key, then the others that
    /// are trusted; the first line names the generation. Secret.
    ///
    /// # Errors
    /// When the state's cannot be opened.
    pub fn file(&self, state: &State) -> Result<String, CertificateError> {
        let signer = self.signer(state)?.to_pem();
        Ok(match &state.authority {
            None => signer,
            Some(record) => {
                let other = record.other.as_ref();
                let other = other.map_or("", |other| other.certificate_pem.as_str());
                format!("{GENERATION}{}\n{signer}{other}", record.generation)
            }
        })
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
        // While it goes elsewhere it runs at both places, with one identity for both.
        let instance = state.instances.get(spec.instance_id.as_str());
        let claimed = instance
            .and_then(|one| one.claim.as_ref())
            .filter(|claim| claim.stage.runs())
            .and_then(|claim| claim.berth.as_ref());
        let places = instance
            .and_then(|one| one.berth.as_ref())
            .into_iter()
            .chain(claimed)
            .map(|berth| &berth.allocator_id);
        hosts.extend(
            places
                .chain(std::iter::once(allocator_id))
                .filter_map(|id| state.allocators.get(id))
                .map(|allocator| allocator.address.clone()),
        );
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
        let signer = self.signer(state)?;
        let issuer = Some(signer.fingerprint_hex());
        let good = |known: &Known| {
            known.hosts == hosts && !known.cert.needs_renewal(now) && known.cert.issuer() == issuer
        };
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
        let cert = signer.issue(&spec, now)?;
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
