//! What a change of the platform's authority waits for: who has not been seen to trust what is to be
//! trusted, or still shows a certificate of an authority that does not issue. Pure. Invariant: what a
//! role said counts only for the generation that it named, so that a late word of one phase never ends
//! another; who is silent is waited for. Not here: the phases (`apply/authority`), sending and hearing
//! (the shell).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use wharf_proto::{
    ids::{AllocatorId, ProxyId},
    v1,
};

use crate::{
    apply::engineless,
    observe::Observations,
    refusal::cut,
    state::{AuthorityPhase, AuthorityRecord, HostRecord, HostRole, State},
};

/// Uses of one role that are read from a report.
const USES: usize = 4_000;
/// Authorities of one use that are read.
const TRUSTED: usize = 8;
/// Bytes kept of a name.
const NAME_BYTES: usize = 128;

/// What a role said of the authorities that it follows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorityReport {
    /// The generation of the order that it carried out.
    pub generation: u64,
    /// SHA-256 of each authority that it trusts.
    pub trusted: BTreeSet<String>,
    /// SHA-256 of the authority that issued the certificate that it shows.
    pub issuer: String,
    /// Others that it answers for: instances, collectors, certificates of routes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uses: Vec<AuthorityUse>,
}

/// What trusts or shows a certificate by way of a role.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorityUse {
    /// For people: `the instance storage-0`.
    pub name: String,
    /// SHA-256 of each authority that it trusts; empty: it verifies nobody.
    pub trusted: BTreeSet<String>,
    /// SHA-256 of the authority that issued its certificate; empty: it shows none.
    pub issuer: String,
    /// What it has in force is not known yet.
    pub pending: bool,
}

impl From<&v1::AuthorityReport> for AuthorityReport {
    fn from(message: &v1::AuthorityReport) -> Self {
        let set = |list: &[String]| -> BTreeSet<String> {
            let named = list.iter().take(TRUSTED);
            named.map(|name| cut(name, NAME_BYTES).to_owned()).collect()
        };
        Self {
            generation: message.generation,
            trusted: set(&message.trusted),
            issuer: cut(&message.issuer, NAME_BYTES).to_owned(),
            uses: message
                .uses
                .iter()
                .take(USES)
                .map(|one| AuthorityUse {
                    name: cut(&one.name, NAME_BYTES).to_owned(),
                    trusted: set(&one.trusted),
                    issuer: cut(&one.issuer, NAME_BYTES).to_owned(),
                    pending: one.pending || message.uses.len() > USES,
                })
                .collect(),
        }
    }
}

/// What roles said whose session is open. Directors say it in their records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuthorityReports {
    /// By allocator.
    pub allocators: BTreeMap<AllocatorId, AuthorityReport>,
    /// By proxy.
    pub proxies: BTreeMap<ProxyId, AuthorityReport>,
}

/// Whom a phase waits for, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// `the allocator on h2`.
    pub who: String,
    /// What it has not done.
    pub reason: String,
}

/// What the present phase waits for; nothing: it may end. At rest there is nothing to wait for.
#[must_use]
pub fn waits(state: &State, reports: &AuthorityReports, now_ms: u64) -> Vec<Wait> {
    let Some(record) = &state.authority else {
        return Vec::new();
    };
    if record.phase == AuthorityPhase::Rest {
        return Vec::new();
    }
    let mut waits = Vec::new();
    if record.phase == AuthorityPhase::Trust && now_ms < record.trust_until_ms {
        waits.push(Wait {
            who: "clients outside".to_owned(),
            reason: "the time that they were given to fetch the new authority is not over"
                .to_owned(),
        });
    }
    let mut look = |who: String, report: Option<&AuthorityReport>| {
        let reason = match report {
            None => Some("it is not connected".to_owned()),
            Some(report) => undone(record, report),
        };
        waits.extend(reason.map(|reason| Wait { who, reason }));
    };
    for director in state.directors.values() {
        let who = format!("the director on {}", director.facts.host);
        match &director.facts.authority {
            Some(report) => look(who, Some(report)),
            None => look(who, Some(&AuthorityReport::default())),
        }
    }
    for (id, host) in allocators(state) {
        look(
            format!("the allocator on {host}"),
            reports.allocators.get(&id),
        );
    }
    for (id, host) in proxies(state) {
        look(format!("the proxy on {host}"), reports.proxies.get(&id));
    }
    waits
}

/// Allocators and proxies that are away: a change that begins now would wait for them.
#[must_use]
pub fn away(state: &State, seen: &Observations) -> Vec<Wait> {
    let wait = |who: String| Wait {
        who,
        reason: "it is not connected".to_owned(),
    };
    let allocators = allocators(state).into_iter();
    let allocators = allocators
        .filter(|(id, _)| !seen.connected(id))
        .map(|(_, host)| wait(format!("the allocator on {host}")));
    let connected = |id: &ProxyId| seen.proxies.get(id).is_some_and(|known| known.connected);
    let proxies = proxies(state).into_iter();
    let proxies = proxies
        .filter(|(id, _)| !connected(id))
        .map(|(_, host)| wait(format!("the proxy on {host}")));
    allocators.chain(proxies).collect()
}

/// Every allocator that holds a certificate, also one that has not said hello yet, by host name.
fn allocators(state: &State) -> BTreeMap<AllocatorId, String> {
    let enrolled = engineless::with_allocator(state);
    let known = state.allocators.values();
    let known = known.map(|record| (record.id.clone(), record.host.clone()));
    enrolled.chain(known).collect()
}

/// The same of proxies; one whose host lost the role keeps its id and is heard of no more.
fn proxies(state: &State) -> BTreeMap<ProxyId, String> {
    let routes =
        |host: &&HostRecord| host.left_ms.is_none() && host.roles.contains(&HostRole::Proxy);
    let enrolled = state.hosts.values().filter(routes);
    let enrolled = enrolled.filter_map(|host| Some((host.proxy_id.clone()?, host.host.clone())));
    let known = state.proxies.values();
    let known = known.map(|record| (record.id.clone(), record.host.clone()));
    enrolled.chain(known).collect()
}

/// What a role has not done; none when it has done all.
fn undone(record: &AuthorityRecord, report: &AuthorityReport) -> Option<String> {
    if report.generation != record.generation {
        return Some("it has not carried out the order of this phase".to_owned());
    }
    let trusted = record.trusted();
    let issuing = record.issuing.sha256.as_str();
    if report.trusted != trusted {
        return Some("it does not trust what is to be trusted".to_owned());
    }
    if report.issuer != issuing {
        return Some("its certificate is of the other authority".to_owned());
    }
    report.uses.iter().find_map(|one| {
        let why = if one.pending {
            "is not known to have its new files in force"
        } else if !one.trusted.is_empty() && one.trusted != trusted {
            "does not trust what is to be trusted"
        } else if !one.issuer.is_empty() && one.issuer != issuing {
            "has a certificate of the other authority"
        } else {
            return None;
        };
        Some(format!("{} {why}", one.name))
    })
}

#[cfg(test)]
mod tests;
