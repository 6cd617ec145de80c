//! Hosts that somebody should know of: silent ones and what waits for them, those that are emptied, those
//! in maintenance mode. Read beside what a command shows, so a caller who may not read it sees less and
//! fails at nothing. Not here: what the platform calls a problem (the director).

use std::collections::BTreeMap;

use wharf_proto::v1::{Allocator, Vacate};

use super::{allocator, fleet_tables, instance, vacate};
use crate::{
    args::ListArgs,
    client::Client,
    print::{self, Table},
};

/// Hosts that are read.
const HOSTS: usize = 200;
/// Names of waiting instances that a row shows.
const NAMES: usize = 5;

/// What is to be known of hosts.
#[derive(Debug, Default)]
pub(crate) struct Attention {
    hosts: Vec<Allocator>,
    /// By id.
    vacates: BTreeMap<String, Vacate>,
    /// Names of the instances of silent hosts, by the host's allocator.
    waiting: BTreeMap<String, Vec<String>>,
}

fn rows(filter: &str, sort: &str, limit: usize) -> ListArgs {
    ListArgs {
        filter: filter.to_owned(),
        sort: sort.to_owned(),
        limit: Some(limit),
    }
}

impl Attention {
    /// Reads the hosts alone; what cannot be read is left out.
    pub(crate) async fn hosts(client: &Client) -> Self {
        let mut hosts = Vec::new();
        for filter in ["connected=false", "connected=true and maintenance=true"] {
            let list = rows(filter, "host", HOSTS);
            hosts.extend(allocator::read(client, &list).await.unwrap_or_default());
        }
        Self {
            hosts,
            ..Self::default()
        }
    }

    /// The same with what waits for them and what they wait for.
    pub(crate) async fn read(client: &Client) -> Self {
        let mut found = Self::hosts(client).await;
        if found.hosts.iter().any(|host| !host.vacate_id.is_empty()) {
            let running = rows("status=running", "", HOSTS);
            let vacates = vacate::read(client, "", &running).await.unwrap_or_default();
            found.vacates = vacates
                .into_iter()
                .map(|one| (one.id.clone(), one))
                .collect();
        }
        for host in found.hosts.iter().filter(|host| !host.connected) {
            let placed = instance::read(client, "", &host.id, &rows("", "", NAMES)).await;
            let names = placed.unwrap_or_default().into_iter().map(|placed| {
                let name = placed.instance.unwrap_or_default().name;
                format!("{}/{name}", placed.deployment_name)
            });
            found.waiting.insert(host.id.clone(), names.collect());
        }
        found
    }

    /// A table; empty when there is nothing to know.
    pub(crate) fn table(&self, now_ms: u64) -> String {
        if self.hosts.is_empty() {
            return String::new();
        }
        let mut table = Table::new(&["HOST", "STATE", "SINCE", ">INSTANCES", "WHAT"]);
        for host in &self.hosts {
            table.row([
                host.host.clone(),
                allocator::state(host).to_owned(),
                if host.connected {
                    "-".to_owned()
                } else {
                    print::age(now_ms, host.since.as_ref())
                },
                host.instances.to_string(),
                self.what(host),
            ]);
        }
        table.render()
    }

    fn what(&self, host: &Allocator) -> String {
        let mut parts = Vec::new();
        if let Some(names) = self.waiting.get(&host.id).filter(|names| !names.is_empty()) {
            let more = usize::try_from(host.instances)
                .unwrap_or(usize::MAX)
                .saturating_sub(names.len());
            let rest = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            parts.push(format!("lie there: {}{rest}", names.join(", ")));
        }
        if let Some(vacate) = self.vacates.get(&host.vacate_id) {
            let mut text = format!("{} instances moved", fleet_tables::moved(vacate));
            if !vacate.reason.is_empty() {
                text.push_str(&format!(", {}", vacate.reason));
            }
            parts.push(text);
        }
        if parts.is_empty() {
            "-".to_owned()
        } else {
            parts.join("; ")
        }
    }

    /// The same in a line: `1 host silent, 2 emptied`; empty when there is nothing to know.
    pub(crate) fn line(&self) -> String {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for host in &self.hosts {
            *counts.entry(allocator::state(host)).or_insert(0) += 1;
        }
        let words = [
            ("silent", "silent"),
            ("vacating", "being emptied"),
            ("maintenance", "in maintenance"),
        ];
        let parts: Vec<String> = words
            .iter()
            .filter_map(|(state, word)| counts.get(state).map(|count| format!("{count} {word}")))
            .collect();
        if parts.is_empty() {
            String::new()
        } else {
            format!("hosts: {}", parts.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attention() -> Attention {
        let host = |name: &str, connected: bool, vacate_id: &str| Allocator {
            id: name.repeat(32),
            host: name.to_owned(),
            connected,
            maintenance: connected,
            instances: 7,
            vacate_id: vacate_id.to_owned(),
            ..Allocator::default()
        };
        let vacate = Vacate {
            id: "v".into(),
            reason: "waits for room".into(),
            moves: vec![Default::default(); 3],
            ..Vacate::default()
        };
        let names = vec!["web/storage-0".to_owned(), "logs/storage-0".to_owned()];
        Attention {
            hosts: vec![
                host("a", false, ""),
                host("b", true, "v"),
                host("c", true, ""),
            ],
            vacates: [("v".to_owned(), vacate)].into(),
            waiting: [("a".repeat(32), names)].into(),
        }
    }

    #[test]
    fn a_silent_host_names_what_waits_for_it_and_an_emptied_one_what_it_waits_for() {
        let table = attention().table(0);
        let lines: Vec<&str> = table.lines().collect();
        assert!(
            lines[1].ends_with("lie there: web/storage-0, logs/storage-0 and 5 more"),
            "{table}"
        );
        assert!(lines[2].contains("vacating"), "{table}");
        assert!(
            lines[2].ends_with("0 of 3 instances moved, waits for room"),
            "{table}"
        );
        assert!(lines[3].contains("maintenance"), "{table}");
        assert_eq!(lines.len(), 4);
    }

    #[test]
    fn a_platform_where_all_is_well_says_nothing() {
        let nothing = Attention::default();
        assert_eq!(
            (nothing.table(0), nothing.line()),
            (String::new(), String::new())
        );
        assert_eq!(
            attention().line(),
            "hosts: 1 silent, 1 being emptied, 1 in maintenance"
        );
    }
}
