//! A deployment that a scenario does things to: made if it is not there, where its instances lie, what the
//! platform says of them. Not here: the load on it (`load`).

use std::{collections::BTreeMap, net::Ipv4Addr, time::Duration};

use serde_json::Value;

use super::Timeline;
use crate::testbed::Fleet;

/// A plan on machines that are busy.
const PATIENCE: Duration = Duration::from_secs(180);

/// An instance as the platform tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// 32 hex.
    pub id: String,
    /// `storage-0`.
    pub name: String,
    /// Number of its host; none while it has none.
    pub host: Option<usize>,
    /// The engine's id of its container.
    pub container_id: String,
    /// Whether it is said to run and to be healthy.
    pub healthy: bool,
    /// What the platform says when it is not.
    pub reason: String,
}

/// A deployment with one storage and one monitoring node.
#[derive(Debug)]
pub struct Deployed {
    /// Its name.
    pub name: String,
    /// What `wharf deployment credentials` prints.
    pub credentials: Value,
}

impl Deployed {
    /// The deployment of this name; created when there is none.
    ///
    /// # Panics
    /// When it does not become healthy.
    #[must_use]
    pub fn ensure(fleet: &Fleet, timeline: &Timeline, name: &str) -> Self {
        let desk = fleet.desk();
        if desk.ask(&["deployment", "show", name]).is_err() {
            timeline.note(format_args!("> create the deployment {name}"));
            let words = ["deployment", "create", "--name", name, "--wait"];
            let sizes = ["--memory-mib", "512", "--disk-mib", "1024"];
            let made = crate::testbed::run(desk.wharf(&words).args(sizes));
            assert!(
                made.status.success(),
                "{name} was not created: {}",
                String::from_utf8_lossy(&made.stderr)
            );
        }
        let credentials = desk.ask(&["deployment", "credentials", name]);
        let deployed = Self {
            name: name.to_owned(),
            credentials: credentials.expect("an admin is shown the credentials"),
        };
        timeline.until(&format!("{name} is healthy"), PATIENCE, || {
            deployed.healthy(fleet)
        });
        timeline.note(deployed.told(fleet));
        deployed
    }

    /// Its instances, `monitoring-0` before `storage-0`.
    ///
    /// # Errors
    /// When no director answers.
    pub fn instances(&self, fleet: &Fleet) -> Result<Vec<Instance>, String> {
        let hosts: BTreeMap<String, usize> = fleet
            .desk()
            .list(&["allocator", "list"])?
            .iter()
            .filter_map(|row| {
                let number = fleet.number(row["host"].as_str()?)?;
                Some((row["id"].as_str()?.to_owned(), number))
            })
            .collect();
        let shown = fleet.desk().ask(&["deployment", "show", &self.name])?;
        let resources = shown["resources"].as_array().into_iter().flatten();
        let mut found: Vec<Instance> = resources
            .filter_map(|resource| resource["instances"].as_array())
            .flatten()
            .map(|one| {
                let text = |field: &str| one[field].as_str().unwrap_or_default().to_owned();
                Instance {
                    id: text("id"),
                    name: text("name"),
                    host: hosts.get(&text("allocator_id")).copied(),
                    container_id: text("container_id"),
                    healthy: text("state") == "INSTANCE_STATE_RUNNING"
                        && text("health") == "HEALTH_HEALTHY",
                    reason: text("reason"),
                }
            })
            .collect();
        found.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    /// The instance of this name.
    ///
    /// # Errors
    /// When no director answers or there is none.
    pub fn instance(&self, fleet: &Fleet, name: &str) -> Result<Instance, String> {
        let all = self.instances(fleet)?;
        let found = all.iter().find(|one| one.name == name).cloned();
        found.ok_or_else(|| format!("no {name} in {all:?}"))
    }

    /// Number of the host that the instance of this name lies on.
    ///
    /// # Panics
    /// When it lies nowhere.
    #[must_use]
    pub fn host_of(&self, fleet: &Fleet, name: &str) -> usize {
        let found = self.instance(fleet, name).expect("a director answers");
        found.host.expect("the instance lies on a host")
    }

    /// The name that its clients dial.
    ///
    /// # Panics
    /// When the credentials have no address.
    #[must_use]
    pub fn domain(&self) -> String {
        let url = self.credentials["url"].as_str().expect("an address");
        let name = url.trim_start_matches("https://").split([':', '/']).next();
        name.unwrap_or_default().to_owned()
    }

    /// Where each instance listens on its host, by id.
    ///
    /// # Errors
    /// When no director answers.
    pub fn ports(&self, fleet: &Fleet) -> Result<BTreeMap<String, u64>, String> {
        let shown = fleet.desk().ask(&["deployment", "show", &self.name])?;
        let resources = shown["resources"].as_array().into_iter().flatten();
        Ok(resources
            .filter_map(|resource| resource["instances"].as_array())
            .flatten()
            .filter_map(|one| Some((one["id"].as_str()?.to_owned(), one["port"].as_u64()?)))
            .collect())
    }

    /// Nothing when all of it is healthy.
    ///
    /// # Errors
    /// What the platform says.
    pub fn healthy(&self, fleet: &Fleet) -> Result<(), String> {
        let ill: Vec<String> = self
            .instances(fleet)?
            .iter()
            .filter(|one| !one.healthy)
            .map(|one| format!("{}: {}", one.name, one.reason))
            .collect();
        if ill.is_empty() {
            Ok(())
        } else {
            Err(ill.join("; "))
        }
    }

    /// Where everything lies, in words.
    #[must_use]
    pub fn told(&self, fleet: &Fleet) -> String {
        let instances = match self.instances(fleet) {
            Ok(instances) => instances,
            Err(error) => return error,
        };
        let places: Vec<String> = instances
            .iter()
            .map(|one| {
                let host = one
                    .host
                    .map_or("no host".to_owned(), |host| fleet.name(host));
                format!("{} on {host}", one.name)
            })
            .collect();
        format!("{}: {}", self.name, places.join(", "))
    }

    /// Addresses of proxies that no given host has and no director's, so that what happens to those hosts
    /// and to leaders' hosts is not the clients' way.
    #[must_use]
    pub fn proxies_without(fleet: &Fleet, without: &[usize]) -> Vec<Ipv4Addr> {
        let hosts = fleet.hosts().iter().enumerate();
        hosts
            .filter(|(number, _)| !without.contains(number) && !fleet.layout().is_director(*number))
            .filter_map(|(_, host)| host.address())
            .collect()
    }
}
