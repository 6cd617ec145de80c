//! `wharf preflight`: whether a host is fit for a platform. Each check says ok, warn or bad, why, and what
//! to do; `--fix` mends what can be mended safely and says what it did. Invariants: without `--fix` nothing
//! is changed; what `wharf up` refuses to go on with is judged by the same code. Not here: how each thing
//! is judged (`checks`), the mending (`fix`).

mod checks;
mod fix;

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
};

use serde::Serialize;
use wharf_allocator::host::HostRunner;
use wharf_proto::times::millis;
use wharf_runtime::{
    clock,
    platform_file::{PlatformFile, Ports},
};

use crate::{
    args::{Output, PreflightArgs, is_none},
    failure::{EXIT_FAILED, Failure},
    install::{MAX_SKEW_MS, join},
    print::{self, Table},
    services::systemd,
    up::{self, preflight as needs},
};

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// As it should be.
    Ok,
    /// A platform runs, worse than it could.
    Warn,
    /// A platform would not run.
    Bad,
}

impl Verdict {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }
}

/// What was looked at, and how it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Check {
    /// Its name.
    pub(crate) check: String,
    pub(crate) verdict: Verdict,
    /// What was found.
    pub(crate) why: String,
    /// What to do; empty when nothing is.
    pub(crate) what_to_do: String,
    /// Whether `--fix` mends it.
    pub(crate) fixable: bool,
    /// What `--fix` did; empty when nothing.
    pub(crate) fixed: String,
}

impl Check {
    fn new(check: &str, verdict: Verdict, why: impl Into<String>, todo: impl Into<String>) -> Self {
        Self {
            check: check.to_owned(),
            verdict,
            why: why.into(),
            what_to_do: todo.into(),
            fixable: false,
            fixed: String::new(),
        }
    }

    fn ok(check: &str, why: impl Into<String>) -> Self {
        Self::new(check, Verdict::Ok, why, "")
    }

    fn of(check: &str, good: String, result: Result<(), Failure>) -> Self {
        match result {
            Ok(()) => Self::ok(check, good),
            Err(failure) => {
                let why = format!("{} {}", failure.code, failure.message);
                Self::new(check, Verdict::Bad, why, failure.hint)
            }
        }
    }

    fn fixable(mut self) -> Self {
        self.fixable = self.verdict != Verdict::Ok;
        self
    }
}

/// Bytes of this host's memory; zero where the kernel does not tell.
pub(crate) fn host_memory() -> u64 {
    checks::total_memory()
}

/// Looks at this host.
pub(crate) async fn run(args: &PreflightArgs, output: Output) -> Result<u8, Failure> {
    let name = args.place.name.as_deref().unwrap_or(up::DEFAULT_NAME);
    needs::name(name)?;
    let data_dir: PathBuf = match &args.place.data_dir {
        Some(dir) => dir.clone(),
        None => Path::new("/var/lib/wharfinger").join(name),
    };
    let docker_host = args
        .place
        .docker_host
        .clone()
        .filter(|host| !host.is_empty())
        .unwrap_or_else(|| up::DEFAULT_DOCKER_HOST.to_owned());
    let ports = match args.port_base {
        Some(base) => Ports::from_base(base).ok_or_else(|| {
            Failure::new(
                "CLI0023",
                format!("no room for every port above {base}"),
                format!("give a --port-base from 1024 to {}", Ports::MAX_BASE),
            )
        })?,
        None => Ports::default(),
    };
    let services = is_none(args.engine.as_deref());
    let mut found = vec![if services {
        checks::systemd(systemd::look().await)
    } else {
        engine(&docker_host, &data_dir, name, ports).await
    }];
    found.push(checks::controllers());
    // Without instances nothing maps files of indices, and nobody needs their ports.
    let kernel = checks::kernel().into_iter();
    found.extend(kernel.filter(|check| !services || check.check != "vm.max_map_count"));
    if !services {
        found.push(checks::port_ranges(&ports));
    }
    found.push(if PlatformFile::path(&data_dir).exists() {
        Check::ok("ports", "a platform has them already")
    } else {
        let any = IpAddr::from([0, 0, 0, 0]);
        let good = format!(
            "{} to {} and the others are free",
            ports.admin, ports.internal
        );
        let mut own = ports.of_roles().to_vec();
        own.retain(|(what, _)| !services || !what.starts_with("allocator"));
        Check::of("ports", good, needs::ports(any, &own))
    });
    let good = format!("at least {} MiB are free", needs::MIN_FREE_BYTES >> 20);
    found.push(Check::of("disk", good, needs::room(&data_dir)));
    found.push(checks::file_system(&data_dir));
    found.push(checks::memory());
    if !services {
        found.push(checks::capture());
    }
    found.push(time(args.join.as_deref()).await?);
    if args.fix {
        for check in found.iter_mut().filter(|check| check.fixable) {
            fix::mend(check);
        }
    }
    let worst = found.iter().map(|check| check.verdict).max();
    let json = serde_json::to_value(&found)
        .map_err(|error| Failure::new("CLI0002", error.to_string(), ""))?;
    print::result(output, &json, || table(&found, args.fix));
    Ok(if worst == Some(Verdict::Bad) {
        EXIT_FAILED
    } else {
        0
    })
}

fn table(found: &[Check], fix: bool) -> String {
    let mut table = Table::new(&["CHECK", "VERDICT", "WHY"]);
    for check in found {
        let verdict = check.verdict.as_str();
        table.row([check.check.as_str(), verdict, check.why.as_str()]);
    }
    let mut text = table.render();
    for check in found {
        if !check.fixed.is_empty() {
            text.push_str(&format!("\n{}: {}\n", check.check, check.fixed));
        } else if check.verdict != Verdict::Ok {
            let by_itself = if check.fixable && !fix {
                " (or: wharf preflight --fix)"
            } else {
                ""
            };
            text.push_str(&format!(
                "\n{}: {}{by_itself}\n",
                check.check, check.what_to_do
            ));
        }
    }
    text
}

async fn engine(docker_host: &str, data_dir: &Path, name: &str, ports: Ports) -> Check {
    let choice = up::files::Choice {
        name: name.to_owned(),
        data_dir: data_dir.to_path_buf(),
        ports: Some(ports),
        advertise: None,
        zone: String::new(),
        host: up::host_name(),
    };
    let platform = up::files::new_platform(&choice, String::new(), ports);
    let asked = async {
        HostRunner::connect(docker_host, &platform, data_dir)
            .await?
            .facts()
            .await
    };
    match asked.await {
        Ok(facts) => {
            let why = format!(
                "Docker {} (API {}) answers at {docker_host}",
                facts.version, facts.api_version
            );
            let lacks = match (facts.cpu_quota, facts.pids_limit) {
                (true, true) => return Check::ok("engine", why),
                (false, _) => "CPU quotas",
                _ => "limits on processes",
            };
            let why = format!("{why}, without {lacks}");
            let todo = "see that the kernel has the cgroup controllers `cpu` and `pids`";
            Check::new("engine", Verdict::Warn, why, todo)
        }
        Err(error) => {
            let why = format!("{} {error}", error.code());
            let todo = "install and start Docker 20.10 or newer, and run this as root";
            Check::new("engine", Verdict::Bad, why, todo)
        }
    }
}

/// Compares the clock with the director's when there is a token, else with what is possible.
async fn time(join: Option<&str>) -> Result<Check, Failure> {
    let now_ms = clock::now_ms();
    if let Err(failure) = needs::clock(now_ms) {
        return Ok(Check::of("clock", String::new(), Err(failure)));
    }
    let Some(text) = join else {
        return Ok(Check::ok("clock", "shows a time that is possible"));
    };
    let director = join::Director::find(&join::Join::parse(text)?).await?;
    let told = director.inspect().await?;
    let theirs = told.server_time.as_ref().map_or(0, millis);
    let own_ms = u64::try_from(clock::now_ms()).unwrap_or(0);
    Ok(checks::skew(own_ms, theirs, MAX_SKEW_MS))
}
