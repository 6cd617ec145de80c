//! What of instances lies on the hosts, by the engines' own lists and the folders on their disks, against
//! what the platform says should: each instance has one running container and one folder, on its host, and
//! nothing else is there. Not here: containers of roles.

use std::{collections::BTreeMap, fs};

use super::Deployed;
use crate::testbed::{Fleet, run};

/// What lies on one host, by instance id.
#[derive(Debug, Default)]
struct Lying {
    /// With whether it runs.
    containers: Vec<(String, bool)>,
    folders: Vec<String>,
}

/// Nothing when every instance of every deployment has one container and one folder, and no more are there.
///
/// # Errors
/// What is too much or missing, or why it cannot be seen.
pub(super) fn each_once(fleet: &Fleet) -> Result<(), String> {
    let mut instances = Vec::new();
    for row in fleet.desk().list(&["deployment", "list"])? {
        let deployed = Deployed {
            name: row["name"].as_str().unwrap_or_default().to_owned(),
            credentials: serde_json::Value::Null,
        };
        let own = deployed.instances(fleet)?;
        instances.extend(own.into_iter().map(|one| (one.id, one.host)));
    }
    let mut hosts = Vec::new();
    for host in 0..fleet.layout().hosts {
        hosts.push(lying(fleet, host).map_err(|error| format!("{}: {error}", fleet.name(host)))?);
    }
    let breaches = breaches(&instances, &hosts);
    if breaches.is_empty() {
        Ok(())
    } else {
        Err(breaches.join("; "))
    }
}

fn lying(fleet: &Fleet, host: usize) -> Result<Lying, String> {
    let format = "{{.Label \"io.wharfinger.instance\"}} {{.State}}";
    let label = "label=io.wharfinger.role=instance";
    let list = ["ps", "-a", "--filter", label, "--format", format];
    let listed = run(&mut fleet.host(host).docker(&list));
    if !listed.status.success() {
        return Err(String::from_utf8_lossy(&listed.stderr).trim().to_owned());
    }
    let containers = String::from_utf8_lossy(&listed.stdout)
        .lines()
        .map(|line| {
            let (id, state) = line.split_once(' ').unwrap_or((line, ""));
            (id.to_owned(), state == "running")
        })
        .collect();
    let folder = fleet.host(host).data_dir().join("instances");
    let folders = match fs::read_dir(&folder) {
        Ok(entries) => entries
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(format!("{}: {error}", folder.display())),
    };
    Ok(Lying {
        containers,
        folders,
    })
}

/// What is too much or missing; instances with their hosts, `hosts` by number.
fn breaches(instances: &[(String, Option<usize>)], hosts: &[Lying]) -> Vec<String> {
    let mut breaches = Vec::new();
    let mut where_it_should: BTreeMap<&str, usize> = BTreeMap::new();
    for (id, host) in instances {
        match host {
            Some(host) => drop(where_it_should.insert(id, *host)),
            None => breaches.push(format!("{id} lies on no host")),
        }
    }
    for (id, host) in &where_it_should {
        let lying = hosts.get(*host);
        let running = lying.map_or(0, |lying| {
            let own = lying.containers.iter().filter(|(of, _)| of == id);
            own.filter(|(_, runs)| *runs).count()
        });
        if running != 1 {
            breaches.push(format!(
                "{running} running containers of {id} on h{}",
                host + 1
            ));
        }
        if !lying.is_some_and(|lying| lying.folders.iter().any(|of| of == id)) {
            breaches.push(format!("no folder of {id} on h{}", host + 1));
        }
    }
    for (host, lying) in hosts.iter().enumerate() {
        let strange = |id: &String| where_it_should.get(id.as_str()) != Some(&host);
        for (id, runs) in &lying.containers {
            if strange(id) {
                breaches.push(format!(
                    "a container of {id} on h{}, running: {runs}",
                    host + 1
                ));
            } else if !runs {
                breaches.push(format!("a container of {id} on h{} does not run", host + 1));
            }
        }
        for id in lying.folders.iter().filter(|id| strange(id)) {
            breaches.push(format!("a folder {id} on h{}", host + 1));
        }
    }
    breaches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(id: &str, host: Option<usize>) -> (String, Option<usize>) {
        (id.to_owned(), host)
    }

    fn lying(containers: &[(&str, bool)], folders: &[&str]) -> Lying {
        let own = |(id, runs): &(&str, bool)| ((*id).to_owned(), *runs);
        Lying {
            containers: containers.iter().map(own).collect(),
            folders: folders.iter().map(|id| (*id).to_owned()).collect(),
        }
    }

    #[test]
    fn one_container_and_one_folder_each_on_its_host_is_as_it_should_be() {
        let hosts = [lying(&[("a", true)], &["a"]), lying(&[("b", true)], &["b"])];
        let all = [instance("a", Some(0)), instance("b", Some(1))];
        assert_eq!(breaches(&all, &hosts), Vec::<String>::new());
    }

    #[test]
    fn whatever_is_too_much_or_missing_is_named() {
        let good = || lying(&[("a", true)], &["a"]);
        let all = [instance("a", Some(0))];
        let cases = [
            (
                "2 running",
                vec![lying(&[("a", true), ("a", true)], &["a"])],
            ),
            ("0 running", vec![lying(&[], &["a"])]),
            (
                "does not run",
                vec![lying(&[("a", true), ("a", false)], &["a"])],
            ),
            ("no folder", vec![lying(&[("a", true)], &[])]),
            (
                "a container of a on h2",
                vec![good(), lying(&[("a", false)], &[])],
            ),
            (
                "a container of b on h1",
                vec![lying(&[("a", true), ("b", true)], &["a"])],
            ),
            ("a folder a on h2", vec![good(), lying(&[], &["a"])]),
            ("a folder b on h1", vec![lying(&[("a", true)], &["a", "b"])]),
        ];
        for (expected, hosts) in cases {
            let found = breaches(&all, &hosts);
            assert!(
                found.iter().any(|breach| breach.contains(expected)),
                "{expected} was expected in {found:?}"
            );
        }
        let nowhere = breaches(&[instance("a", None)], &[]);
        assert_eq!(nowhere, ["a lies on no host"]);
    }
}
