//! The route table: immutable, at a generation, built from a snapshot and moved on by deltas. A
//! table refuses to become older, and refuses to become empty unless the director says so in a
//! newer snapshot. Choosing an instance takes health, zone, ejection and load into account.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use wharf_proto::v1::{Route, RouteDelta, RouteTable as TableMessage};

use crate::cluster::Cluster;

/// The kind of resource that a plain alias means.
const STORAGE: &str = "storage";
const MONITORING: &str = "monitoring";

/// Why a table was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Older than what is held.
    #[error("the table of generation {given} is older than {held}, which is held")]
    Older {
        /// What was offered.
        given: u64,
        /// What is held.
        held: u64,
    },
    /// Does not start where this table is.
    #[error(
        "the change from generation {from} does not fit {held}, which is held: ask for the whole table"
    )]
    Gap {
        /// Where the change starts.
        from: u64,
        /// What is held.
        held: u64,
    },
    /// The same generation must be the same table.
    #[error("generation {0} was given twice with different routes")]
    Changed(u64),
}

/// Where a request may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// 32 lower-case hex.
    pub instance_id: String,
    /// `address:port`
    pub address: String,
    /// Availability zone.
    pub zone: String,
    /// As the director sees it.
    pub healthy: bool,
}

/// A resource that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// 32 lower-case hex.
    pub deployment_id: String,
    /// For logs.
    pub deployment_name: String,
    /// 32 lower-case hex.
    pub resource_id: String,
    /// `storage`, `monitoring`.
    pub resource_kind: String,
    /// Its instances.
    pub targets: Vec<Target>,
}

/// The table.
#[derive(Debug, Clone, Default)]
pub struct RouteTable {
    message: TableMessage,
    by_resource: BTreeMap<String, usize>,
    /// (alias or deployment id, kind) to the route.
    by_name: HashMap<(String, String), usize>,
}

impl RouteTable {
    /// The table of a snapshot.
    #[must_use]
    pub fn new(mut message: TableMessage) -> Self {
        message
            .routes
            .sort_by(|a, b| a.resource_id.cmp(&b.resource_id));
        message
            .routes
            .dedup_by(|a, b| a.resource_id == b.resource_id);
        let mut table = Self::default();
        for (index, route) in message.routes.iter().enumerate() {
            table.by_resource.insert(route.resource_id.clone(), index);
            for name in [&route.alias, &route.deployment_id] {
                table.by_name.insert(
                    (name.to_ascii_lowercase(), route.resource_kind.clone()),
                    index,
                );
            }
        }
        table.message = message;
        table
    }

    /// The generation that this table is of; zero when there has been none.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.message.generation
    }

    /// Host names are `<alias>.<domain>`.
    #[must_use]
    pub fn domain(&self) -> &str {
        if self.message.domain.is_empty() {
            "localhost"
        } else {
            &self.message.domain
        }
    }

    /// The routes, ordered by resource id.
    #[must_use]
    pub fn routes(&self) -> &[Route] {
        &self.message.routes
    }

    /// The snapshot that makes this table again; what is kept on disk.
    #[must_use]
    pub fn message(&self) -> &TableMessage {
        &self.message
    }

    /// The table after a snapshot.
    ///
    /// # Errors
    /// When the snapshot is older than this table.
    pub fn replaced(&self, snapshot: TableMessage) -> Result<Self, Refused> {
        let held = self.generation();
        let given = snapshot.generation;
        if given < held {
            return Err(Refused::Older { given, held });
        }
        let next = Self::new(snapshot);
        if given == held && held > 0 && next.message != self.message {
            return Err(Refused::Changed(given));
        }
        Ok(next)
    }

    /// The table after a change.
    ///
    /// # Errors
    /// When the change does not start at this table's generation or leads backwards.
    pub fn changed(&self, delta: &RouteDelta) -> Result<Self, Refused> {
        let held = self.generation();
        if delta.from_generation != held {
            return Err(Refused::Gap {
                from: delta.from_generation,
                held,
            });
        }
        if delta.to_generation <= held {
            return Err(Refused::Older {
                given: delta.to_generation,
                held,
            });
        }
        let gone: BTreeSet<&str> = delta
            .removed_resource_ids
            .iter()
            .map(String::as_str)
            .collect();
        let mut routes: BTreeMap<String, Route> = self
            .message
            .routes
            .iter()
            .filter(|route| !gone.contains(route.resource_id.as_str()))
            .map(|route| (route.resource_id.clone(), route.clone()))
            .collect();
        for route in &delta.changed {
            routes.insert(route.resource_id.clone(), route.clone());
        }
        Ok(Self::new(TableMessage {
            generation: delta.to_generation,
            domain: self.message.domain.clone(),
            routes: routes.into_values().collect(),
        }))
    }

    /// The resource that a request names.
    #[must_use]
    pub fn find(&self, cluster: &Cluster) -> Option<Choice> {
        let by = |name: &str, kind: &str| {
            self.by_name
                .get(&(name.to_owned(), kind.to_owned()))
                .copied()
        };
        // A deployment may be called `x-monitor` itself.
        let index = by(&cluster.name, STORAGE).or_else(|| {
            cluster
                .monitoring
                .then(|| by(cluster.base(), MONITORING))
                .flatten()
        })?;
        let route = &self.message.routes[index];
        Some(Choice {
            deployment_id: route.deployment_id.clone(),
            deployment_name: route.deployment_name.clone(),
            resource_id: route.resource_id.clone(),
            resource_kind: route.resource_kind.clone(),
            targets: route
                .instances
                .iter()
                .map(|instance| Target {
                    instance_id: instance.instance_id.clone(),
                    address: host_port(&instance.address, instance.port),
                    zone: instance.zone.clone(),
                    healthy: instance.healthy,
                })
                .collect(),
        })
    }
}

fn host_port(address: &str, port: u32) -> String {
    if address.contains(':') {
        format!("[{address}]:{port}")
    } else {
        format!("{address}:{port}")
    }
}

impl Choice {
    /// Picks an instance: healthy ones that are not ejected, of the own zone when there is one,
    /// the less busy of two drawn at random. When every healthy one is ejected, ejection is
    /// ignored: a doubtful instance is better than none. `tried` are left out.
    #[must_use]
    pub fn pick(
        &self,
        own_zone: &str,
        tried: &[&str],
        ejected: impl Fn(&str) -> bool,
        busy: impl Fn(&str) -> usize,
        random: u64,
    ) -> Option<&Target> {
        let open: Vec<&Target> = self
            .targets
            .iter()
            .filter(|target| target.healthy && !tried.contains(&target.instance_id.as_str()))
            .collect();
        let trusted: Vec<&Target> = open
            .iter()
            .copied()
            .filter(|target| !ejected(&target.instance_id))
            .collect();
        let pool = if trusted.is_empty() { open } else { trusted };
        let near: Vec<&Target> = pool
            .iter()
            .copied()
            .filter(|target| target.zone == own_zone)
            .collect();
        let pool = if near.is_empty() { pool } else { near };
        let len = u64::try_from(pool.len()).ok().filter(|len| *len > 0)?;
        let at = |number: u64| {
            pool.get(usize::try_from(number % len).unwrap_or(0))
                .copied()
        };
        let first = at(random)?;
        let second = at((random >> 32).wrapping_add(1 + random % len)).unwrap_or(first);
        Some(if busy(&second.instance_id) < busy(&first.instance_id) {
            second
        } else {
            first
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use wharf_proto::v1::RouteInstance;

    use super::*;
    use crate::cluster::requested_cluster;

    fn route(resource: &str, alias: &str, kind: &str, instances: &[(&str, &str, bool)]) -> Route {
        Route {
            resource_id: resource.into(),
            deployment_id: format!("id-of-{alias}"),
            deployment_name: alias.into(),
            resource_kind: kind.into(),
            alias: alias.into(),
            instances: instances
                .iter()
                .map(|(id, zone, healthy)| RouteInstance {
                    instance_id: (*id).into(),
                    address: "127.0.0.1".into(),
                    port: 18000,
                    zone: (*zone).into(),
                    healthy: *healthy,
                })
                .collect(),
            identity_pem: String::new(),
        }
    }

    fn table(generation: u64, routes: Vec<Route>) -> RouteTable {
        RouteTable::new(TableMessage {
            generation,
            domain: "localhost".into(),
            routes,
        })
    }

    fn found(table: &RouteTable, host: &str) -> Option<String> {
        let cluster = requested_cluster(Some(host), None, table.domain()).ok()?;
        table.find(&cluster).map(|choice| choice.resource_id)
    }

    #[test]
    fn storage_and_monitoring_of_a_deployment_have_names_of_their_own() {
        let table = table(
            1,
            vec![
                route("r1", "team", "storage", &[]),
                route("r2", "team", "monitoring", &[]),
                route("r3", "x-monitor", "storage", &[]),
            ],
        );
        assert_eq!(found(&table, "team.localhost").as_deref(), Some("r1"));
        assert_eq!(
            found(&table, "team-monitor.localhost").as_deref(),
            Some("r2")
        );
        assert_eq!(found(&table, "x-monitor.localhost").as_deref(), Some("r3"));
        assert_eq!(found(&table, "id-of-team.localhost").as_deref(), Some("r1"));
        assert_eq!(found(&table, "nobody.localhost"), None);
    }

    #[test]
    fn an_older_table_is_refused_and_the_same_generation_must_be_the_same() {
        let held = table(5, vec![route("r", "a", "storage", &[])]);
        let older = TableMessage {
            generation: 4,
            ..TableMessage::default()
        };
        assert_eq!(
            held.replaced(older).unwrap_err(),
            Refused::Older { given: 4, held: 5 }
        );
        let empty = TableMessage {
            generation: 5,
            domain: "localhost".into(),
            routes: vec![],
        };
        assert_eq!(held.replaced(empty).unwrap_err(), Refused::Changed(5));
        assert!(held.replaced(held.message().clone()).is_ok());
    }

    #[test]
    fn a_change_that_does_not_fit_is_refused() {
        let held = table(5, vec![route("r", "a", "storage", &[])]);
        let delta = RouteDelta {
            from_generation: 6,
            to_generation: 7,
            ..RouteDelta::default()
        };
        assert_eq!(
            held.changed(&delta).unwrap_err(),
            Refused::Gap { from: 6, held: 5 }
        );
        let back = RouteDelta {
            from_generation: 5,
            to_generation: 5,
            ..RouteDelta::default()
        };
        assert!(held.changed(&back).is_err());
    }

    #[test]
    fn the_own_zone_comes_first_and_an_unhealthy_instance_never() {
        let table = table(
            1,
            vec![route(
                "r",
                "a",
                "storage",
                &[("x", "z1", true), ("y", "z2", true), ("d", "z2", false)],
            )],
        );
        let cluster = requested_cluster(Some("a.localhost"), None, "localhost").unwrap();
        let choice = table.find(&cluster).unwrap();
        for random in 0..50 {
            let picked = choice.pick("z2", &[], |_| false, |_| 0, random).unwrap();
            assert_eq!(picked.instance_id, "y");
        }
        let other = choice.pick("z2", &["y"], |_| false, |_| 0, 3).unwrap();
        assert_eq!(
            other.instance_id, "x",
            "a retry goes to another zone rather than nowhere"
        );
        let ejected = choice.pick("z2", &[], |_| true, |_| 0, 3).unwrap();
        assert_eq!(
            ejected.instance_id, "y",
            "when all are ejected one is still tried"
        );
    }

    proptest! {
        #[test]
        fn the_busier_of_two_is_never_preferred_among_two(random in any::<u64>()) {
            let table = table(1, vec![route("r", "a", "storage", &[("x", "z", true), ("y", "z", true)])]);
            let cluster = requested_cluster(Some("a.localhost"), None, "localhost").unwrap();
            let choice = table.find(&cluster).unwrap();
            let busy = |id: &str| usize::from(id == "x") * 10;
            let picked = choice.pick("z", &[], |_| false, busy, random).unwrap();
            // Two draws may hit the same instance; never is the busier taken when both were drawn.
            prop_assert!(picked.instance_id == "y" || random % 2 == 0);
        }

        #[test]
        fn deltas_lead_to_the_same_table_as_the_snapshot(
            before in proptest::collection::btree_set(0_u8..20, 0..10),
            after in proptest::collection::btree_map(0_u8..20, any::<bool>(), 0..10),
        ) {
            let name = |n: u8| format!("r{n:02}");
            let old = table(1, before.iter().map(|n| route(&name(*n), &name(*n), "storage", &[])).collect());
            let routes: Vec<Route> = after
                .iter()
                .map(|(n, healthy)| route(&name(*n), &name(*n), "storage", &[("i", "z", *healthy)]))
                .collect();
            let delta = RouteDelta {
                from_generation: 1,
                to_generation: 2,
                changed: routes.clone(),
                removed_resource_ids: before.iter().filter(|n| !after.contains_key(n)).map(|n| name(*n)).collect(),
            };
            let moved = old.changed(&delta).unwrap();
            let whole = table(2, routes);
            prop_assert_eq!(moved.message(), whole.message());
        }
    }
}
