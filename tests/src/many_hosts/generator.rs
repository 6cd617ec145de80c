//! Hosts and what runs on them, made from a seed: the same seed gives the same hosts, names, containers and
//! first figures; `drift` lets the figures wander as those of real containers do. Pure. Not here: telling a
//! director of them (`host`).

use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use wharf_proto::{times::timestamp, v1};

use super::Size;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
/// What the wharf binary calls its image.
pub const IMAGE: &str = "wharf:0.1.0";
/// Cores and memory of machines as they are bought.
const MACHINES: [(u32, u64); 4] = [(8, 32), (16, 64), (32, 128), (64, 256)];
const KINDS: [&str; 5] = ["web", "db", "ci", "edge", "gpu"];

/// A service of an application: its name, its image, what it typically takes of memory (MiB) and of a core
/// (percent).
type Service = (&'static str, &'static str, u64, f64);

const APPLICATIONS: [(&str, &[Service]); 14] = [
    (
        "shop",
        &[
            ("web", "nginx:1.29", 40, 3.0),
            ("till", "shop/till:7.2", 620, 12.0),
            ("cart", "redis:8.2", 120, 2.0),
        ],
    ),
    (
        "mail",
        &[
            ("smtp", "postfix:3.10", 70, 1.0),
            ("queue", "rabbitmq:4.1", 310, 4.0),
        ],
    ),
    (
        "wiki",
        &[
            ("app", "wiki/app:41", 510, 6.0),
            ("db", "postgres:18", 430, 5.0),
        ],
    ),
    (
        "ci",
        &[
            ("runner", "ci/runner:19", 940, 85.0),
            ("cache", "ci/cache:19", 210, 1.0),
        ],
    ),
    ("node-exporter", &[("exporter", "exporter:1.10", 22, 0.4)]),
    ("video", &[("encoder", "video/encoder:3", 2_100, 180.0)]),
    (
        "billing",
        &[
            ("api", "billing/api:112", 350, 9.0),
            ("worker", "billing/worker:112", 420, 22.0),
            ("ledger", "postgres:18", 830, 11.0),
        ],
    ),
    (
        "search",
        &[
            ("crawler", "search/crawler:5", 710, 34.0),
            ("index", "search/index:5", 1_600, 28.0),
        ],
    ),
    (
        "forum",
        &[
            ("app", "forum/app:2026.11", 380, 5.0),
            ("db", "mariadb:12", 300, 3.0),
        ],
    ),
    (
        "chat",
        &[
            ("gateway", "chat/gateway:88", 160, 14.0),
            ("presence", "chat/presence:88", 90, 6.0),
        ],
    ),
    ("trainer", &[("trainer", "ml/trainer:0.9", 6_200, 390.0)]),
    ("dns", &[("resolver", "unbound:1.24", 30, 0.8)]),
    (
        "grafting",
        &[
            ("api", "grafting/api:4", 270, 4.0),
            ("jobs", "grafting/jobs:4", 540, 16.0),
        ],
    ),
    ("backup", &[("agent", "backup/agent:2", 110, 2.0)]),
];

/// A host as it is before it joins.
#[derive(Debug, Clone)]
pub struct HostPlan {
    /// Its name.
    pub name: String,
    /// Its zone.
    pub zone: String,
    /// Where other hosts would reach it.
    pub address: String,
    /// A proxy runs there, too.
    pub proxy: bool,
    /// What it is.
    pub facts: v1::HostFacts,
    /// What is wrong on it.
    pub problems: Vec<v1::HostProblem>,
    /// What runs on it at first, without instances of the platform.
    pub containers: Vec<v1::Container>,
    /// Where its own randomness begins.
    pub seed: u64,
}

impl HostPlan {
    /// What it offers to the platform.
    #[must_use]
    pub fn capacity(&self) -> v1::Size {
        v1::Size {
            memory_bytes: self.facts.memory_bytes * 3 / 4,
            disk_bytes: self.facts.disk_bytes * 3 / 4,
            cpu_millis: self.facts.cpus * 1_000,
        }
    }
}

/// The hosts of a size, with all its containers on them. The first of each zone has a proxy.
#[must_use]
pub fn hosts(size: &Size, now_ms: u64) -> Vec<HostPlan> {
    let mut random = StdRng::seed_from_u64(size.seed);
    let shares = shares(&mut random, size.hosts, size.containers);
    shares
        .into_iter()
        .enumerate()
        .map(|(number, share)| host(&mut random, size, number, share, now_ms))
        .collect()
}

/// How many containers each host has: a few hosts have many, every host has its allocator.
fn shares(random: &mut StdRng, hosts: usize, containers: usize) -> Vec<usize> {
    let weights: Vec<f64> = (0..hosts)
        .map(|_| random.random_range(0.3_f64..1.0).powi(-2))
        .collect();
    let sum: f64 = weights.iter().sum();
    let rest = containers.saturating_sub(hosts);
    let mut shares: Vec<usize> = weights
        .iter()
        .map(|weight| 1 + (weight / sum * rest as f64) as usize)
        .collect();
    let mut given: usize = shares.iter().sum();
    while given < containers {
        let lucky = random.random_range(0..hosts);
        shares[lucky] += 1;
        given += 1;
    }
    shares
}

fn host(
    random: &mut StdRng,
    size: &Size,
    number: usize,
    containers: usize,
    now_ms: u64,
) -> HostPlan {
    let zone = number % size.zones.max(1);
    let (cpus, memory) = *MACHINES.choose(random).expect("there are machines");
    let kind = KINDS.choose(random).expect("there are kinds");
    let name = format!("{kind}-{number:04}");
    let disk = u64::from(cpus) * 60 * GIB;
    let mut all = vec![of_role(random, "allocator", now_ms)];
    for _ in 1..containers {
        all.push(foreign(random, memory * GIB, now_ms));
    }
    // One host in two hundred has something to say.
    let problems = if random.random_bool(0.005) {
        vec![v1::HostProblem {
            code: "ALL0003".into(),
            message: "the data directory's disk is 93 % full".into(),
            hint: "free space, or move instances to another host".into(),
        }]
    } else {
        Vec::new()
    };
    let mut plan = HostPlan {
        name,
        zone: zone_name(zone),
        address: format!(
            "10.{}.{}.{}",
            1 + number / 60_000,
            number / 240 % 250,
            1 + number % 240
        ),
        proxy: number < size.zones,
        facts: v1::HostFacts {
            os: "Debian GNU/Linux 13 (trixie)".into(),
            kernel: "6.12.48+deb13-amd64".into(),
            engine_version: "28.5.1".into(),
            engine_api_version: "1.51".into(),
            cgroup: "v2".into(),
            memory_bytes: memory * GIB,
            cpus,
            disk_bytes: disk,
            disk_free_bytes: disk / 100 * random.random_range(20..90),
            wharf_version: "0.1.0".into(),
            image_id: format!("sha256:{}", "5e".repeat(32)),
            ..Default::default()
        },
        problems,
        containers: all,
        seed: random.random(),
    };
    sum_up(&mut plan.facts, &plan.containers);
    plan
}

/// The name of a zone by its number.
#[must_use]
pub fn zone_name(zone: usize) -> String {
    format!("zone-{}", zone + 1)
}

fn hex(random: &mut StdRng, characters: usize) -> String {
    (0..characters)
        .map(|_| char::from(b"0123456789abcdef"[random.random_range(0..16)]))
        .collect()
}

/// A container of the platform itself.
fn of_role(random: &mut StdRng, role: &str, now_ms: u64) -> v1::Container {
    v1::Container {
        id: hex(random, 64),
        name: format!("wharf-many-{role}"),
        image: IMAGE.into(),
        application: "wharf".into(),
        role: role.into(),
        state: "running".into(),
        health: "healthy".into(),
        created_at: Some(timestamp(now_ms)),
        started_at: Some(timestamp(now_ms)),
        sample: Some(sample(90 * MIB, 512 * MIB, 2.0, now_ms)),
        ..Default::default()
    }
}

/// The container of an instance that was assigned.
#[must_use]
pub fn of_instance(
    random: &mut StdRng,
    instance: &v1::AssignedInstance,
    now_ms: u64,
) -> v1::Container {
    let limit = instance.size.as_ref().map_or(GIB, |size| size.memory_bytes);
    let share = random.random_range(20..80);
    v1::Container {
        name: format!("{}-{}", instance.alias, instance.instance_name),
        role: "instance".into(),
        service: instance.resource_kind.clone(),
        deployment_id: instance.deployment_id.clone(),
        deployment_name: instance.deployment_name.clone(),
        instance_id: instance.instance_id.clone(),
        sample: Some(sample(limit / 100 * share, limit, 8.0, now_ms)),
        ..of_role(random, "instance", now_ms)
    }
}

/// A container of somebody else.
fn foreign(random: &mut StdRng, memory: u64, now_ms: u64) -> v1::Container {
    let (application, services) = APPLICATIONS.choose(random).expect("there are applications");
    let (service, image, typical, cpu) = services.choose(random).expect("each has a service");
    let age_ms = random.random_range(60_000..40 * 24 * 3_600_000_u64);
    let id = hex(random, 64);
    let mut container = v1::Container {
        name: format!("{application}-{service}-{}", &id[..6]),
        id,
        image: (*image).to_owned(),
        application: (*application).to_owned(),
        service: (*service).to_owned(),
        state: "running".into(),
        created_at: Some(timestamp(now_ms - age_ms)),
        started_at: Some(timestamp(now_ms - age_ms / 2)),
        ..Default::default()
    };
    match random.random_range(0..100) {
        0..3 => {
            container.state = "exited".into();
            container.exit_code = *[0, 1, 137].choose(random).expect("a code");
            container.out_of_memory = container.exit_code == 137;
        }
        3 => container.state = "paused".into(),
        4..35 => container.health = "healthy".into(),
        35 => container.health = "unhealthy".into(),
        _ => {}
    }
    if container.state != "exited" {
        let used = typical * MIB * random.random_range(40..260) / 100;
        let limit = if random.random_bool(0.4) {
            used * 2
        } else {
            memory
        };
        let cpu = cpu * random.random_range(0.1_f64..2.5);
        container.sample = Some(sample(used.min(limit), limit, cpu, now_ms));
    }
    container
}

fn sample(memory: u64, limit: u64, cpu: f64, now_ms: u64) -> v1::ContainerSample {
    v1::ContainerSample {
        at: Some(timestamp(now_ms)),
        cpu_percent: cpu,
        memory_bytes: memory,
        memory_limit_bytes: limit,
        network_in_bytes_per_second: cpu * 2_000.0,
        network_out_bytes_per_second: cpu * 3_000.0,
        block_read_bytes_per_second: 0.0,
        block_write_bytes_per_second: cpu * 500.0,
        processes: 4,
        ..Default::default()
    }
}

/// Lets every figure of the containers that run wander for so many seconds.
pub fn drift(random: &mut StdRng, containers: &mut [v1::Container], seconds: u64, now_ms: u64) {
    for sample in containers.iter_mut().filter_map(|one| one.sample.as_mut()) {
        let step = random.random_range(0.93_f64..1.07);
        let memory = sample.memory_bytes as f64 * step;
        sample.memory_bytes = (memory as u64).clamp(MIB, sample.memory_limit_bytes);
        sample.cpu_percent =
            (sample.cpu_percent * random.random_range(0.7_f64..1.4)).clamp(0.05, 900.0);
        let moved = |rate: f64| (rate * seconds as f64) as u64;
        sample.network_in_bytes_per_second = sample.cpu_percent * 2_000.0;
        sample.network_out_bytes_per_second = sample.cpu_percent * 3_000.0;
        sample.block_write_bytes_per_second = sample.cpu_percent * 500.0;
        sample.network_in_bytes += moved(sample.network_in_bytes_per_second);
        sample.network_out_bytes += moved(sample.network_out_bytes_per_second);
        sample.block_write_bytes += moved(sample.block_write_bytes_per_second);
        sample.at = Some(timestamp(now_ms));
    }
}

/// What the host as a whole uses, from what its containers use.
pub fn sum_up(facts: &mut v1::HostFacts, containers: &[v1::Container]) {
    let samples = || containers.iter().filter_map(|one| one.sample.as_ref());
    let memory: u64 = samples().map(|sample| sample.memory_bytes).sum();
    let cpu: f64 = samples().map(|sample| sample.cpu_percent).sum();
    facts.memory_used_bytes = (memory + 600 * MIB).min(facts.memory_bytes);
    facts.cpu_percent = (cpu / f64::from(facts.cpus)).min(100.0);
    facts.load_1 = cpu / 100.0;
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const NOW_MS: u64 = 1_800_000_000_000;

    fn size(seed: u64) -> Size {
        Size {
            hosts: 500,
            containers: 5_000,
            zones: 3,
            deployments: 0,
            seed,
        }
    }

    #[test]
    fn a_seed_gives_the_same_hosts_again_and_another_gives_others() {
        let told = |seed| format!("{:?}", hosts(&size(seed), NOW_MS));
        assert_eq!(told(7), told(7), "the same seed gave two platforms");
        assert_ne!(told(7), told(8), "two seeds gave one platform");
    }

    #[test]
    fn hosts_have_as_many_containers_as_asked_for_and_no_two_are_alike() {
        let all = hosts(&size(7), NOW_MS);
        let count: usize = all.iter().map(|host| host.containers.len()).sum();
        assert_eq!((all.len(), count), (500, 5_000));
        let most = all.iter().map(|host| host.containers.len()).max();
        assert!(most >= Some(25), "hosts are not equally full: {most:?}");
        let unique =
            |of: &dyn Fn(&HostPlan) -> String| all.iter().map(of).collect::<BTreeSet<_>>().len();
        assert_eq!(unique(&|host| host.name.clone()), 500, "names");
        assert_eq!(unique(&|host| host.address.clone()), 500, "addresses");
        let ids: BTreeSet<&str> = all
            .iter()
            .flat_map(|host| host.containers.iter().map(|one| one.id.as_str()))
            .collect();
        assert_eq!(ids.len(), 5_000, "ids of containers");
        assert_eq!(
            all.iter().filter(|host| host.proxy).count(),
            3,
            "a proxy in each zone"
        );
    }

    #[test]
    fn figures_wander_within_what_a_container_may_use() {
        let mut host = hosts(&size(7), NOW_MS).swap_remove(0);
        let before = host.containers.clone();
        let mut random = StdRng::seed_from_u64(host.seed);
        for second in 0..500 {
            drift(
                &mut random,
                &mut host.containers,
                10,
                NOW_MS + second * 10_000,
            );
        }
        assert_ne!(before, host.containers, "nothing moved");
        for sample in host.containers.iter().filter_map(|one| one.sample.as_ref()) {
            let fits = sample.memory_bytes <= sample.memory_limit_bytes;
            assert!(fits && sample.cpu_percent <= 900.0, "{sample:?}");
        }
    }
}
