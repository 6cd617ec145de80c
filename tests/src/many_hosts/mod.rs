//! A platform with thousands of hosts that are not there: a real director, as a process of the binary; hosts
//! that join it by tokens and hold a session over TLS each, tell of their containers as these change and obey
//! what is assigned; deployments that are created through the API and placed on them. All from a seed. Run by
//! `scripts/many-hosts`; a small one is among the quick tests. Not here: hosts with engines (`testbed`).

mod browser;
pub mod generator;
mod host;
mod join;
pub mod lists;
mod pages;
mod proxy;
mod told;

use std::{
    fs,
    future::Future,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::{runtime::Runtime, task::JoinHandle};
use wharf_runtime::{
    clock,
    net::{Addresses, channel},
    random, task,
};

use self::told::Told;
pub use self::{
    browser::{Answer, Browser, Refused},
    pages::{Figures, Page, Stream, pages, table},
};
use crate::{
    agent_cost::{cpu_seconds, resident},
    lone_director::{ADMIN, LoneDirector, PASSWORD, Premises},
};

/// No host's: what the platform says that it is reached at.
const ADVERTISED: &str = "10.0.0.1";
/// Deployments that are created at a time.
const AT_ONCE: usize = 8;
/// For a step on busy cores.
const PATIENCE: Duration = Duration::from_secs(600);
/// Without an entry for so long the log is at rest: leaders look every second.
const LOG_RESTS: Duration = Duration::from_secs(3);
/// What follows the loss of a zone at once is written by then.
const LOSS_SETTLES: Duration = Duration::from_secs(30);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How large it is, and what else is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Size {
    /// Hosts.
    pub hosts: usize,
    /// Containers on all of them, without the instances of deployments.
    pub containers: usize,
    /// Zones.
    pub zones: usize,
    /// Deployments beside the platform's own.
    pub deployments: usize,
    /// The same seed gives the same hosts and containers.
    pub seed: u64,
}

/// What the loss of hosts wrote into the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    /// Hosts and proxies that went.
    pub hosts: u64,
    /// Entries of the log until it was at rest again.
    pub entries: u64,
}

/// A platform of that size, until it is dropped.
#[derive(Debug)]
pub struct ManyHosts {
    size: Size,
    // Hosts go before the director does.
    runtime: Option<Runtime>,
    browser: Arc<Browser>,
    told: Arc<Told>,
    hosts: Mutex<Vec<(String, JoinHandle<()>)>>,
    director: LoneDirector,
    premises: Premises,
    data: PathBuf,
}

impl Drop for ManyHosts {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// As many files as may be open: each host has a connection, at both ends.
pub fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    let current = maximum;
    // What there is has to do then; a host that cannot connect says so.
    let _ = setrlimit(Resource::Nofile, Rlimit { current, maximum });
}

impl ManyHosts {
    /// Brings it up in a folder that is there: waits until every host is connected, every container known,
    /// every deployment healthy. `say` hears how far it is.
    ///
    /// # Panics
    /// When something is refused or not there in time.
    #[must_use]
    pub fn raise(size: &Size, data: &Path, say: &dyn Fn(&str)) -> Self {
        fs::create_dir_all(data).expect("a folder");
        let premises = Premises::write_as(data, "many", ADVERTISED);
        let director = premises.start(&data.join("director.log"));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime can be made");
        let people = premises.for_people().to_string();
        let browser = runtime.block_on(async {
            let channel = channel(&Addresses::new([people.as_str()]), premises.trust());
            Browser::log_in(channel, ADMIN, PASSWORD).await
        });
        let many = Self {
            size: size.clone(),
            runtime: Some(runtime),
            browser: Arc::new(browser),
            told: Arc::default(),
            hosts: Mutex::default(),
            director,
            premises,
            data: data.to_path_buf(),
        };
        many.block_on(many.populate(&people, say));
        many
    }

    async fn populate(&self, people: &str, say: &dyn Fn(&str)) {
        let began = Instant::now();
        let after = |what: String| say(&format!("{:6.1} s  {what}", began.elapsed().as_secs_f64()));
        let now_ms = u64::try_from(clock::now_ms()).unwrap_or_default();
        let plans = generator::hosts(&self.size, now_ms);
        let authority = self.premises.authority();
        let directors = Addresses::new([self.premises.for_roles().to_string()]);
        let begin = |joined| self.begin(joined, &directors);
        let joined = join::join_all(&self.browser, people, authority, plans, begin).await;
        after(format!("{joined} hosts have joined by token"));
        let (hosts, containers) = (self.size.hosts as u64, self.size.containers as u64);
        self.until(
            "every host is connected and has told of its containers",
            |status| {
                let connected = status["allocators_connected"] == hosts;
                connected && status["containers"].as_u64() >= Some(containers)
            },
        )
        .await;
        after(format!(
            "{hosts} sessions are open, {containers} containers known"
        ));
        self.create_deployments().await;
        after(format!(
            "{} deployments were created",
            self.size.deployments
        ));
        let wanted = self.size.deployments as u64 + 1;
        self.until("every deployment is healthy, no plan is open", |status| {
            status["deployments_healthy"] == wanted && status["plans_running"] == 0
        })
        .await;
        after("every deployment is healthy".to_owned());
    }

    /// Lets a host and its proxy live.
    fn begin(&self, joined: join::Joined, directors: &Addresses) {
        let zone = joined.host.zone().to_owned();
        let live = joined.host.live(directors.clone(), Arc::clone(&self.told));
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.push((zone.clone(), task::spawn("host", live)));
        if let Some(proxy) = joined.proxy {
            let live = proxy.live(directors.clone(), Arc::clone(&self.told));
            hosts.push((zone, task::spawn("proxy", live)));
        }
    }

    /// Every host of a zone goes, as if its power was cut, and waits until the platform says so of each and
    /// has written it down.
    ///
    /// # Panics
    /// When it is not said in time.
    pub async fn lose_zone(&self, zone: &str) -> Loss {
        let before = self.log_index().await;
        let mut lost = 0;
        for (of, host) in self
            .hosts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
        {
            if of == zone {
                host.abort();
                lost += 1;
            }
        }
        // Its proxy, if it has one, is a problem of its own.
        self.until("each host of the zone is named as silent", |status| {
            status["problems_total"].as_u64() >= Some(lost)
        })
        .await;
        let entries = self.settled_log(LOSS_SETTLES).await - before;
        Loss {
            hosts: lost,
            entries,
        }
    }

    /// The last entry of the log that the director has applied.
    ///
    /// # Panics
    /// When the director does not tell.
    pub async fn log_index(&self) -> u64 {
        let status = self
            .browser
            .call_patiently("wharf.v1.Platform/GetStatus", &json!({}))
            .await;
        let status = status.expect("the status is told");
        let index = &status["directors"][0]["applied_index"];
        let number = index.as_u64();
        let number = number.or_else(|| index.as_str()?.parse().ok());
        number.unwrap_or_else(|| panic!("no index of the log in {status}"))
    }

    /// The same once nothing has come for a while; a log that never rests is taken as it is by then.
    async fn settled_log(&self, at_most: Duration) -> u64 {
        let began = Instant::now();
        let (mut index, mut since) = (self.log_index().await, began);
        while since.elapsed() < LOG_RESTS && began.elapsed() < at_most {
            tokio::time::sleep(LOOK_EVERY).await;
            let now = self.log_index().await;
            if now != index {
                (index, since) = (now, Instant::now());
            }
        }
        index
    }

    async fn create_deployments(&self) {
        let create = |number: usize| async move {
            let ask = json!({
                "mutation": { "request_id": random::new_id() },
                "name": format!("team-{number:03}"),
            });
            let created = self
                .browser
                .call_patiently("wharf.v1.Deployments/CreateDeployment", &ask)
                .await;
            created.expect("a deployment is created");
        };
        let all = (0..self.size.deployments).map(create);
        stream::iter(all)
            .buffer_unordered(AT_ONCE)
            .collect::<()>()
            .await;
    }

    async fn until(&self, what: &str, done: impl Fn(&Value) -> bool) {
        let began = Instant::now();
        loop {
            let status = self
                .browser
                .call_patiently("wharf.v1.Platform/GetStatus", &json!({}))
                .await;
            let status = status.expect("the status is told");
            if done(&status) {
                return;
            }
            let (lost, reasons) = self.told.ended();
            assert!(
                began.elapsed() < PATIENCE,
                "{what}: not within {} s; {lost} sessions ended: {reasons:?}; last seen: {status}",
                PATIENCE.as_secs()
            );
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Waits for what is asked of it.
    ///
    /// # Panics
    /// When called within another runtime.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let runtime = self.runtime.as_ref();
        runtime.expect("it is up").block_on(future)
    }

    /// Somebody who is logged in.
    #[must_use]
    pub fn browser(&self) -> &Browser {
        &self.browser
    }

    /// How its sessions are.
    #[must_use]
    pub fn told(&self) -> &Told {
        &self.told
    }

    /// User and system time of the director, seconds.
    #[must_use]
    pub fn cpu_seconds(&self) -> f64 {
        cpu_seconds(self.director.pid())
    }

    /// Resident memory of the director, bytes.
    #[must_use]
    pub fn resident(&self) -> f64 {
        resident(self.director.pid())
    }

    /// What a browser has to be told to come here, as the variables of `admin-ui/e2e`.
    #[must_use]
    pub fn address(&self) -> String {
        format!(
            "WHARF_UI_URL=https://{} WHARF_UI_USERNAME={ADMIN} WHARF_UI_PASSWORD='{PASSWORD}' WHARF_UI_CA_FILE={}",
            self.premises.for_people(),
            self.data.join("ca.pem").display()
        )
    }
}
