//! `wharf install`: a host joins a platform. It asks a
//! director for certificates by a token, then goes on as `wharf up` does: files, this binary as the
//! image, the allocator, which starts the host's director and proxy. Invariants: what a director, a port or the engine
//! refuses leaves nothing behind, and a host that was enrolled in vain leaves the platform again; the
//! platform's file is written last, so that half a host is none; run again it repairs. Not here: what a
//! director is told (`join`), leaving (`leave`), a host without an engine (`engineless`).

mod before;
mod director;
mod engineless;
pub(crate) mod join;
mod leave;
mod wait;

pub(crate) use self::leave::uninstall;

use std::{
    collections::BTreeMap,
    net::IpAddr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use wharf_allocator::{
    files::{AllocatorFile, HostRoles},
    host::{HostRunner, Outcome, Role},
};
use wharf_proto::{
    times::millis,
    v1::{EnrollRequest, EnrollResponse, HostPorts, InspectTokenResponse},
};
use wharf_runtime::{
    clock,
    platform_file::{PlatformFile, Ports},
    role_files::{DirectorBootstrap, ProxyFile},
    tls::{KeyedCert, SigningRequest},
};

use self::{
    before::Before,
    join::{Director, Join},
    leave::forget_membership,
};
use crate::{
    args::{HostPlaceArgs, InstallArgs, Output},
    client::{internal, mutation},
    failure::{EXIT_NOT_FOUND, Failure},
    given, print,
    services::Services,
    up::{self, Offer, Progress, engine, files, preflight},
};

/// A clock that is further off than this spoils certificates, sessions and every graph.
pub(crate) const MAX_SKEW_MS: u64 = 5 * 60_000;

/// What a host is of a platform.
enum Standing {
    /// Nothing yet.
    Stranger,
    /// It joined.
    Member(Box<PlatformFile>),
}

/// Joins, or repairs.
pub(crate) async fn install(args: &InstallArgs, output: Output) -> Result<u8, Failure> {
    let mut progress = Progress::new();
    preflight::clock(clock::now_ms())?;
    let given = match (&args.join, &args.join_file) {
        (Some(text), _) => Some(text.clone()),
        (None, Some(path)) => Some(given::document(path)?),
        (None, None) => None,
    }
    .filter(|text| !text.trim().is_empty());
    let guessed = data_dir(&args.place, up::DEFAULT_NAME)?;
    if engineless::is_meant(args, &guessed)? {
        return engineless::install(args, given.as_deref(), &guessed, progress, output).await;
    }
    let docker_host = docker_host(&args.place);
    let Some(text) = given else {
        let data_dir = guessed;
        let Standing::Member(platform) = standing(&data_dir, None)? else {
            return Err(Failure::new(
                "CLI0036",
                format!("this host has not joined: {} is no member's", data_dir.display()),
                "give --join with what `wharf token create --roles ...` printed on a host of the platform",
            )
            .exit(EXIT_NOT_FOUND));
        };
        return repair(args, &platform, &data_dir, &docker_host, progress, output).await;
    };
    let join = Join::parse(&text)?;
    // A host that joined by this very text is repaired, whatever the token is worth by now.
    if let Ok(Standing::Member(platform)) = standing(&guessed, None)
        && join.is_of(&guessed.join("ca.pem"))
    {
        return repair(args, &platform, &guessed, &docker_host, progress, output).await;
    }
    let director = Director::find(&join).await?;
    let told = director.inspect().await?;
    preflight::name(&told.platform_name)?;
    same_time(&told)?;
    let data_dir = data_dir(&args.place, &told.platform_name)?;
    if let Standing::Member(platform) = standing(&data_dir, Some(&told.platform_id))? {
        return repair(args, &platform, &data_dir, &docker_host, progress, output).await;
    }
    progress.done(&format!(
        "platform `{}` answers and is the token's; zone {}, roles {}",
        print::printable(&told.platform_name),
        print::printable(&told.zone),
        print::printable(&told.roles.join(", "))
    ));
    let planned = planned(args, &told, &director)?;
    preflight::room(&data_dir)?;
    let runner = HostRunner::connect(&docker_host, &planned, &data_dir)
        .await
        .map_err(|e| engine(&e))?;
    let facts = runner.facts().await.map_err(|e| engine(&e))?;
    let has = |role: &str| wanted(args, &told).iter().any(|own| own == role);
    let bind: IpAddr = planned
        .bind_address
        .parse()
        .map_err(|error| internal(&error))?;
    preflight::ports(bind, &ports_of(&planned.ports, has))?;
    progress.done(&format!(
        "Docker {} answers at {docker_host}",
        facts.version
    ));

    let allocator = SigningRequest::create("allocator").map_err(|e| internal(&e))?;
    let proxy = SigningRequest::create("proxy").map_err(|e| internal(&e))?;
    let own_director = SigningRequest::create("director").map_err(|e| internal(&e))?;
    let sent = |role: &str, request: &SigningRequest| {
        if has(role) {
            request.csr_pem().to_owned()
        } else {
            String::new()
        }
    };
    let answer = director
        .enroll(EnrollRequest {
            mutation: mutation(),
            host: planned.host.clone(),
            advertised_address: planned.advertised_address.clone(),
            roles: args.roles.clone(),
            allocator_csr_pem: allocator.csr_pem().to_owned(),
            proxy_csr_pem: sent("proxy", &proxy),
            director_csr_pem: sent("director", &own_director),
            ..EnrollRequest::default()
        })
        .await?;
    progress.done(&format!("enrolled as {}", print::printable(&planned.host)));
    let member = Member {
        platform: PlatformFile {
            platform_id: answer.platform_id.clone(),
            domain: answer.domain.clone(),
            directors: answer.directors.clone(),
            ..planned
        },
        data_dir,
        docker_host,
        memory_bytes: facts.memory_bytes,
        fresh: true,
    };
    let allocator = allocator
        .complete(&answer.allocator_certificate_pem)
        .map_err(|e| internal(&e))?;
    let proxy = (!answer.proxy_id.is_empty())
        .then(|| proxy.complete(&answer.proxy_certificate_pem))
        .transpose()
        .map_err(|e| internal(&e))?;
    let own_director = (!answer.director_id.is_empty())
        .then(|| own_director.complete(&answer.director_certificate_pem))
        .transpose()
        .map_err(|e| internal(&e))?;
    let before = Before::of(&member.data_dir);
    let certificates = Certificates {
        allocator: &allocator,
        proxy: proxy.as_ref(),
        director: own_director.as_ref(),
    };
    let made = match member.write(args, &answer, &certificates) {
        Ok(()) => member.start(&mut progress).await,
        Err(failure) => Err(failure),
    };
    if let Err(failure) = made {
        member.undo(&answer.ca_pem, &allocator, before).await;
        return Err(failure);
    }
    member.connected(args, &mut progress, output).await
}

/// Brings back what is missing on a host that joined.
async fn repair(
    args: &InstallArgs,
    platform: &PlatformFile,
    data_dir: &Path,
    docker_host: &str,
    mut progress: Progress,
    output: Output,
) -> Result<u8, Failure> {
    let runner = HostRunner::connect(docker_host, platform, data_dir)
        .await
        .map_err(|e| engine(&e))?;
    let facts = runner.facts().await.map_err(|e| engine(&e))?;
    progress.done(&format!(
        "Docker {} answers at {docker_host}",
        facts.version
    ));
    let member = Member {
        platform: platform.clone(),
        data_dir: data_dir.to_path_buf(),
        docker_host: docker_host.to_owned(),
        memory_bytes: facts.memory_bytes,
        fresh: false,
    };
    let known = AllocatorFile::read(data_dir).map_err(|error| damaged(&error))?;
    let nothing = known
        .as_ref()
        .is_some_and(|file| file.capacity.memory_bytes == 0);
    let id = known.map(|file| file.allocator_id).unwrap_or_default();
    member.allocator_file(args, &id, nothing)?;
    member.start(&mut progress).await?;
    member.connected(args, &mut progress, output).await
}

fn wanted<'a>(args: &'a InstallArgs, told: &'a InspectTokenResponse) -> &'a [String] {
    if args.roles.is_empty() {
        &told.roles
    } else {
        &args.roles
    }
}

/// Ports that the roles of a host that joined listen on.
fn ports_of(ports: &Ports, has: impl Fn(&str) -> bool) -> Vec<(&'static str, u16)> {
    let mine = |what: &str| {
        let role = what.split(',').next().unwrap_or_default();
        role == "allocator" || has(role)
    };
    let all = ports.of_roles().into_iter();
    all.filter(|(what, _)| mine(what)).collect()
}

/// Refuses a host whose clock is far from the director's.
fn same_time(told: &InspectTokenResponse) -> Result<(), Failure> {
    let Some(theirs) = told.server_time.as_ref().map(millis) else {
        return Ok(());
    };
    let own = u64::try_from(clock::now_ms()).unwrap_or(0);
    let skew_ms = own.abs_diff(theirs);
    if skew_ms <= MAX_SKEW_MS {
        return Ok(());
    }
    Err(Failure::new(
        "CLI0025",
        format!(
            "the clock of this host and the director's are {} apart",
            print::duration(skew_ms)
        ),
        "set the one that is wrong, best by an NTP client on both, then run this again",
    ))
}

fn port(number: u32) -> Result<u16, Failure> {
    u16::try_from(number)
        .ok()
        .filter(|port| *port > 0)
        .ok_or_else(|| {
            Failure::new(
                "CLI0002",
                format!("the director names the port {number}"),
                "",
            )
        })
}

fn ports(told: &HostPorts) -> Result<Ports, Failure> {
    Ok(Ports {
        admin: port(told.admin)?,
        internal: port(told.internal)?,
        director_metrics: port(told.director_metrics)?,
        allocator_metrics: port(told.allocator_metrics)?,
        proxy_metrics: port(told.proxy_metrics)?,
        proxy_https: port(told.proxy_https)?,
        proxy_http: port(told.proxy_http)?,
        instances_start: port(told.instances_start)?,
        instances_end: port(told.instances_end)?,
    })
}

/// The host's platform file as it will be; what only the enrollment tells is still missing.
fn planned(
    args: &InstallArgs,
    told: &InspectTokenResponse,
    director: &Director,
) -> Result<PlatformFile, Failure> {
    let address = args.advertise.unwrap_or(director.own_address);
    Ok(PlatformFile {
        platform_id: told.platform_id.clone(),
        name: told.platform_name.clone(),
        domain: String::new(),
        advertised_address: address.to_string(),
        bind_address: if address.is_ipv6() { "::" } else { "0.0.0.0" }.to_owned(),
        zone: told.zone.clone(),
        host: args.host_name.clone().unwrap_or_else(up::host_name),
        ports: ports(told.ports.as_ref().unwrap_or(&HostPorts::default()))?,
        directors: Vec::new(),
    })
}

fn docker_host(place: &HostPlaceArgs) -> String {
    place
        .docker_host
        .clone()
        .filter(|host| !host.is_empty())
        .unwrap_or_else(|| up::DEFAULT_DOCKER_HOST.to_owned())
}

fn data_dir(place: &HostPlaceArgs, name: &str) -> Result<PathBuf, Failure> {
    let name = place.name.as_deref().unwrap_or(name);
    preflight::name(name)?;
    let dir = match &place.data_dir {
        Some(dir) => dir.clone(),
        None => Path::new("/var/lib/wharfinger").join(name),
    };
    std::path::absolute(&dir).map_err(|error| {
        Failure::new(
            "CLI0020",
            format!("{}: {error}", dir.display()),
            "give an absolute --data-dir",
        )
    })
}

fn damaged(error: &dyn std::error::Error) -> Failure {
    Failure::new(
        "CLI0021",
        error.to_string(),
        "restore the file that is named, or `wharf uninstall` and join again",
    )
}

fn identity_path(data_dir: &Path) -> PathBuf {
    data_dir.join("allocator/identity.pem")
}

/// What this host is of a platform; refuses where the platform itself was brought up.
fn standing(data_dir: &Path, platform_id: Option<&str>) -> Result<Standing, Failure> {
    if !PlatformFile::path(data_dir).exists() {
        return Ok(Standing::Stranger);
    }
    if DirectorBootstrap::path(data_dir).exists() {
        return Err(Failure::new(
            "CLI0036",
            "a platform was brought up on this host, it did not join one",
            "`wharf up` repairs it and `wharf down` ends it; another platform needs another --name and --data-dir",
        ));
    }
    let platform = PlatformFile::read(data_dir).map_err(|error| damaged(&error))?;
    if platform_id.is_some_and(|id| id != platform.platform_id) {
        return Err(Failure::new(
            "CLI0036",
            format!(
                "{} belongs to another platform, `{}`",
                data_dir.display(),
                platform.name
            ),
            "`wharf uninstall` ends its part on this host; or give another --data-dir",
        ));
    }
    if Services::path(data_dir).exists() {
        return Err(Failure::new(
            "CLI0036",
            format!(
                "the host of {} joined without an engine",
                data_dir.display()
            ),
            "`wharf install --engine none` repairs it; `wharf uninstall` ends its part of the platform",
        ));
    }
    if !identity_path(data_dir).exists() {
        return Ok(Standing::Stranger);
    }
    Ok(Standing::Member(Box::new(platform)))
}

/// What a host's roles prove themselves by.
struct Certificates<'a> {
    allocator: &'a KeyedCert,
    proxy: Option<&'a KeyedCert>,
    director: Option<&'a KeyedCert>,
}

/// A host as a part of its platform.
struct Part<'a> {
    platform: &'a PlatformFile,
    director: bool,
    proxy: bool,
    /// Its roles are services of systemd.
    without_engine: bool,
    /// It joined just now.
    fresh: bool,
}

impl Part<'_> {
    /// Says that it is one.
    fn say(&self, progress: &Progress, output: Output) {
        let platform = self.platform;
        let seconds = progress.started.elapsed().as_secs_f64();
        let json = serde_json::json!({
            "platform": platform.name,
            "platform_id": platform.platform_id,
            "host": platform.host,
            "address": platform.advertised_address,
            "zone": platform.zone,
            "engine": if self.without_engine { "none" } else { "docker" },
            "proxy": self.proxy,
            "director": self.director,
            "joined": self.fresh,
            "seconds": seconds,
            "steps": progress.steps(),
        });
        print::result(output, &json, || {
            let how = if self.fresh { "joined" } else { "is part of" };
            let (by, list) = match (self.without_engine, self.director) {
                (true, true) => (", as services of systemd", "director"),
                (true, false) => (", as services of systemd", "proxy"),
                (false, true) => ("", "director"),
                (false, false) => ("", "allocator"),
            };
            format!(
                "\nThe host `{}` {how} the platform `{}` in {}{by}; {seconds:.1} s.\n\nOn a host with a profile: wharf {list} list\n",
                platform.host, platform.name, platform.zone,
            )
        });
    }
}

/// A host that has its certificates.
struct Member {
    platform: PlatformFile,
    data_dir: PathBuf,
    docker_host: String,
    memory_bytes: u64,
    /// It joined just now.
    fresh: bool,
}

impl Member {
    /// Writes every file, the one that makes it a member last.
    fn write(
        &self,
        args: &InstallArgs,
        answer: &EnrollResponse,
        certificates: &Certificates<'_>,
    ) -> Result<(), Failure> {
        let dir = &self.data_dir;
        for (folder, mode) in [
            ("", 0o755),
            ("director", 0o700),
            ("allocator", 0o700),
            ("proxy", 0o700),
            ("instances", 0o700),
        ] {
            files::make_folder(&dir.join(folder), mode)?;
        }
        files::write(&dir.join("ca.pem"), answer.ca_pem.as_bytes(), 0o644)?;
        if let Some(director) = certificates.director {
            director::write(dir, answer, director)?;
        }
        if let Some(proxy) = certificates.proxy {
            let path = dir.join("proxy/identity.pem");
            proxy.store(path).map_err(|e| damaged(&e))?;
            let file = ProxyFile {
                proxy_id: answer.proxy_id.clone(),
            };
            files::write_json(&ProxyFile::path(dir), &file, 0o644)?;
        }
        // Of an earlier time on the platform, if there was one.
        let gone = |path: PathBuf| std::fs::remove_file(path).is_ok();
        gone(AllocatorFile::path(dir));
        let nothing = !answer.roles.iter().any(|role| role == "allocator");
        self.allocator_file(args, &answer.allocator_id, nothing)?;
        let roles = HostRoles {
            director: certificates.director.is_some(),
            proxy: certificates.proxy.is_some(),
            ..HostRoles::default()
        };
        roles.write(dir).map_err(|e| damaged(&e))?;
        certificates
            .allocator
            .store(identity_path(dir))
            .map_err(|e| damaged(&e))?;
        files::write_json(&PlatformFile::path(dir), &self.platform, 0o644)
    }

    fn allocator_file(&self, args: &InstallArgs, id: &str, nothing: bool) -> Result<(), Failure> {
        let offer = Offer {
            memory_mib: args.capacity_memory_mib,
            disk_mib: args.capacity_disk_mib,
            tags: args.tags.iter().cloned().collect::<BTreeMap<_, _>>(),
            nothing,
        };
        let (docker, memory) = (&self.docker_host, self.memory_bytes);
        up::allocator_file(&offer, &self.data_dir, id, docker, memory)
    }

    async fn runner(&self) -> Result<HostRunner, Failure> {
        HostRunner::connect(&self.docker_host, &self.platform, &self.data_dir)
            .await
            .map_err(|e| engine(&e))
    }

    /// Loads the image and starts the allocator, which starts the other roles by the same code.
    async fn start(&self, progress: &mut Progress) -> Result<(), Failure> {
        let runner = self.runner().await?;
        let image = runner
            .ensure_image(Path::new("/proc/self/exe"))
            .await
            .map_err(|e| engine(&e))?;
        let roles = HostRoles {
            image: image.id.clone(),
            ..HostRoles::read(&self.data_dir)
                .ok()
                .flatten()
                .unwrap_or_default()
        };
        roles.write(&self.data_dir).map_err(|e| damaged(&e))?;
        progress.done(&format!("image {}", image.tag));
        let (_, outcome) = runner
            .ensure_role(Role::Allocator, &image.id)
            .await
            .map_err(|e| engine(&e))?;
        progress.done(match outcome {
            Outcome::Unchanged => "allocator runs",
            _ => "allocator started",
        });
        let _ = runner.prune_images(&image.id).await;
        Ok(())
    }

    /// Waits until the directors have the host, and says so.
    async fn connected(
        &self,
        args: &InstallArgs,
        progress: &mut Progress,
        output: Output,
    ) -> Result<u8, Failure> {
        let roles = HostRoles::read(&self.data_dir)
            .map_err(|e| damaged(&e))?
            .unwrap_or_default();
        let deadline = Instant::now() + Duration::from_secs(args.timeout);
        let ports = &self.platform.ports;
        let pages: Vec<_> = [
            (true, "allocator", ports.allocator_metrics),
            (roles.director, "director", ports.director_metrics),
            (roles.proxy, "proxy", ports.proxy_metrics),
        ]
        .into_iter()
        .filter_map(|(here, role, port)| here.then_some((role, port)))
        .collect();
        wait::connected(&pages, deadline, |what| progress.done(what)).await?;
        let part = Part {
            platform: &self.platform,
            director: roles.director,
            proxy: roles.proxy,
            without_engine: false,
            fresh: self.fresh,
        };
        part.say(progress, output);
        Ok(0)
    }

    /// Takes back all that a join in vain made, here and at the director.
    async fn undo(&self, ca_pem: &str, allocator: &KeyedCert, before: Before) {
        if let Ok(runner) = self.runner().await
            && let Err(error) = runner.remove_all(false).await
        {
            print::remark(&format!("  left on the engine: {error}"));
        }
        forget_membership(&self.data_dir);
        if let Err(error) = before.restore(&self.data_dir) {
            print::remark(&format!("  left: {}: {error}", self.data_dir.display()));
        }
        match join::leave(&self.platform, ca_pem, allocator, true).await {
            Ok(()) => print::remark("  taken back; the token's use is spent"),
            Err(failure) => {
                print::remark(&format!("  the director still knows this host: {failure}"))
            }
        }
    }
}
