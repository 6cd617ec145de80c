//! `wharf up` and `wharf down`: a whole platform on this machine's engine, and its end. `up` writes
//! the files that roles read, loads this binary as their image, starts the allocator - which
//! starts director and proxy by the same code - and waits until the first document is found. Every
//! step can be run again: it repairs and changes nothing that is right.

pub(crate) mod files;
pub(crate) mod preflight;
mod wait;

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use wharf_allocator::{
    files::{AllocatorFile, Capacity, HostRoles},
    host::{HostError, HostRunner, Outcome, Role},
};
use wharf_runtime::{
    clock,
    platform_file::{PlatformFile, Ports},
};

use crate::{
    args::{DownArgs, Output, PlatformArgs, UpArgs},
    failure::{EXIT_NOT_FOUND, EXIT_UNREACHABLE, Failure},
    print,
    profile::{self, Profile},
};

pub(crate) const DEFAULT_DOCKER_HOST: &str = "unix:///var/run/docker.sock";
/// Name of the platform that writes the default profile.
pub(crate) const DEFAULT_NAME: &str = "wharfinger";
const MIB: u64 = 1 << 20;
/// CPU is handed out this many times over: an instance's share is a ceiling that few reach at the
/// same time, while memory and disk are held all the time.
const CPU_OVERCOMMIT: u32 = 4;

/// Prints a line per step with its seconds.
pub(crate) struct Progress {
    pub(crate) started: Instant,
    step: Instant,
    steps: Vec<(String, f64)>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        Self {
            started: now,
            step: now,
            steps: Vec::new(),
        }
    }

    pub(crate) fn done(&mut self, what: &str) {
        let seconds = self.step.elapsed().as_secs_f64();
        print::remark(&format!("  {seconds:6.1} s  {what}"));
        self.steps.push((what.to_owned(), seconds));
        self.step = Instant::now();
    }

    /// The steps, for programs.
    pub(crate) fn steps(&self) -> Vec<serde_json::Value> {
        let steps = self.steps.iter();
        steps
            .map(|(what, seconds)| serde_json::json!({"step": what, "seconds": seconds}))
            .collect()
    }
}

/// Brings a platform up, or repairs it.
pub(crate) async fn up(args: &UpArgs, output: Output) -> Result<u8, Failure> {
    let mut progress = Progress::new();
    let data_dir = data_dir(&args.platform)?;
    let docker_host = docker_host(&args.platform);
    preflight::name(&args.platform.name)?;
    files::not_joined(&data_dir)?;
    preflight::clock(clock::now_ms())?;
    preflight::room(&data_dir)?;
    let choice = choice(args, &data_dir)?;

    // The engine is asked before anything is written, so that a refusal leaves nothing behind.
    let planned = planned_platform(&choice)?;
    let runner = HostRunner::connect(&docker_host, &planned, &data_dir)
        .await
        .map_err(|e| engine(&e))?;
    let facts = runner.facts().await.map_err(|e| engine(&e))?;
    if !PlatformFile::path(&data_dir).exists() {
        let bind = if args.advertise.is_some() {
            IpAddr::from([0, 0, 0, 0])
        } else {
            IpAddr::from([127, 0, 0, 1])
        };
        preflight::ports(bind, &planned.ports.of_roles())?;
    }
    progress.done(&format!(
        "Docker {} answers at {docker_host}",
        facts.version
    ));

    let moves = PlatformFile::path(&data_dir).exists()
        && choice
            .advertise
            .is_some_and(|address| address.to_string() != planned.advertised_address);
    if moves {
        // Before the file changes, so that whatever starts after it has the new address.
        runner.remove_containers().await.map_err(|e| engine(&e))?;
        progress.done(&format!(
            "containers with the address {} removed, their data stays",
            planned.advertised_address
        ));
    }
    let ca_file = data_dir.join("ca.pem");
    let profile_name = profile_name(&args.platform.name);
    let written = files::ensure(&choice, clock::now_ms(), |platform, password| {
        keep_password(platform, password, profile_name, &ca_file).map(|_| ())
    })?;
    let platform = &written.platform;
    let runner = HostRunner::connect(&docker_host, platform, &data_dir)
        .await
        .map_err(|e| engine(&e))?;
    allocator_file(
        &Offer {
            memory_mib: args.capacity_memory_mib,
            disk_mib: args.capacity_disk_mib,
            ..Offer::default()
        },
        &data_dir,
        &written.allocator_id,
        &docker_host,
        facts.memory_bytes,
    )?;
    progress.done(&format!("files in {}", data_dir.display()));

    let image = runner
        .ensure_image(Path::new("/proc/self/exe"))
        .await
        .map_err(|e| engine(&e))?;
    let held = HostRoles::read(&data_dir)
        .ok()
        .flatten()
        .unwrap_or_default();
    let roles = HostRoles {
        image: image.id.clone(),
        // A director that was removed does not come back.
        director: held.generation == 0 || held.director,
        proxy: true,
        ..held
    };
    roles
        .write(&data_dir)
        .map_err(|error| Failure::new("CLI0020", error.to_string(), "run as root"))?;
    progress.done(&format!("image {}", image.tag));
    let ready = Instant::now();

    let (_, outcome) = runner
        .ensure_role(Role::Allocator, &image.id)
        .await
        .map_err(|e| engine(&e))?;
    progress.done(match outcome {
        Outcome::Unchanged => "allocator runs",
        _ => "allocator started",
    });

    let admin = admin(
        platform,
        profile_name,
        &ca_file,
        files::director_removed(&data_dir),
    )?;
    let deadline = Instant::now() + Duration::from_secs(args.timeout);
    wait::healthy(&admin, deadline, |what| progress.done(what)).await?;
    let first_document = ready.elapsed().as_secs_f64();
    let _ = runner.prune_images(&image.id).await;

    finish(
        &written,
        &admin,
        profile_name,
        &progress,
        first_document,
        output,
    );
    Ok(0)
}

/// The profile that a platform's name writes.
pub(crate) fn profile_name(platform: &str) -> &str {
    if platform == DEFAULT_NAME {
        profile::DEFAULT
    } else {
        platform
    }
}

fn profile_folder() -> Result<PathBuf, Failure> {
    profile::folder().ok_or_else(|| {
        Failure::new(
            "CLI0004",
            "neither XDG_CONFIG_HOME nor HOME is set",
            "set HOME",
        )
    })
}

fn admin_address(platform: &PlatformFile) -> String {
    let (address, port) = (&platform.advertised_address, platform.ports.admin);
    if address.contains(':') {
        format!("[{address}]:{port}")
    } else {
        format!("{address}:{port}")
    }
}

/// Writes the profile, which alone keeps the admin's password.
fn keep_password(
    platform: &PlatformFile,
    password: &str,
    name: &str,
    ca_file: &Path,
) -> Result<Profile, Failure> {
    let profile = Profile {
        director: admin_address(platform),
        username: files::ADMIN.to_owned(),
        password: password.to_owned(),
        ca_file: ca_file.to_path_buf(),
        platform: platform.name.clone(),
    };
    profile::write(&profile_folder()?, name, &profile)?;
    Ok(profile)
}

/// The admin's profile; made anew for a user who gives the password.
fn admin(
    platform: &PlatformFile,
    name: &str,
    ca_file: &Path,
    director_removed: bool,
) -> Result<Profile, Failure> {
    let stored = profile::read(&profile_folder()?, name)?;
    if let Some(profile) = stored.filter(|profile| profile.platform == platform.name) {
        // The platform may have another address since; with the director elsewhere it is not this host's.
        let own = admin_address(platform);
        if director_removed || profile.director.split(',').any(|one| one.trim() == own) {
            return Ok(profile);
        }
        return keep_password(platform, &profile.password, name, ca_file);
    }
    let password = std::env::var("WHARF_PASSWORD").map_err(|_| {
        Failure::new(
            "CLI0005",
            format!("no profile `{name}` holds the admin's password"),
            "run as the user who ran `wharf up` first, or set WHARF_PASSWORD",
        )
    })?;
    keep_password(platform, &password, name, ca_file)
}

/// Where commands of this profile go first: this host's director, or another when this host has none any more.
fn admin_url(admin: &Profile) -> String {
    let first = admin.director.split(',').next().unwrap_or_default();
    format!("https://{}", first.trim())
}

fn finish(
    written: &files::Written,
    admin: &Profile,
    profile_name: &str,
    progress: &Progress,
    first_document_seconds: f64,
    output: Output,
) {
    let whole = progress.started.elapsed().as_secs_f64();
    let url = admin_url(admin);
    let json = serde_json::json!({
        "platform": written.platform.name,
        "platform_id": written.platform.platform_id,
        "url": url,
        "username": admin.username,
        "password": written.new_password,
        "ca_file": admin.ca_file,
        "profile": profile_name,
        "seconds": whole,
        "first_document_seconds": first_document_seconds,
        "steps": progress.steps(),
    });
    print::result(output, &json, || {
        let mut text = format!(
            "\nThe platform `{}` is healthy: {first_document_seconds:.1} s from image to first document, {whole:.1} s in all.\n\n  admin API  {url}\n  user       {}\n",
            written.platform.name, admin.username
        );
        if let Some(password) = &written.new_password {
            text.push_str(&format!(
                "  password   {password}   (shown this once; the profile keeps it)\n"
            ));
        }
        text.push_str(&format!(
            "  CA file    {}\n  profile    {profile_name}\n\nNext: wharf status, wharf top, wharf deployment credentials system\n",
            admin.ca_file.display()
        ));
        text
    });
}

/// Removes what `up` made on this engine.
pub(crate) async fn down(args: &DownArgs) -> Result<u8, Failure> {
    preflight::name(&args.platform.name)?;
    let data_dir = data_dir(&args.platform)?;
    if !PlatformFile::path(&data_dir).exists() {
        return Err(Failure::new(
            "CLI0027",
            format!("there is no platform at {}", data_dir.display()),
            "give --name or --data-dir of one that was brought up",
        )
        .exit(EXIT_NOT_FOUND));
    }
    let platform = PlatformFile::read(&data_dir)
        .map_err(|error| Failure::new("CLI0021", error.to_string(), "remove the folder by hand"))?;
    if platform.name != args.platform.name {
        return Err(Failure::new(
            "CLI0022",
            format!(
                "{} belongs to the platform `{}`",
                data_dir.display(),
                platform.name
            ),
            format!("--name {}", platform.name),
        ));
    }
    let runner = HostRunner::connect(&docker_host(&args.platform), &platform, &data_dir)
        .await
        .map_err(|e| engine(&e))?;
    let removed = runner
        .remove_all(args.purge)
        .await
        .map_err(|e| engine(&e))?;
    if args.purge
        && let Some(folder) = profile::folder()
    {
        profile::remove(&folder, profile_name(&platform.name), &platform.name)?;
    }
    print::line(&format!(
        "removed {} containers and {} images{}",
        removed.containers.len(),
        removed.images.len(),
        if args.purge {
            ", the data and the profile".to_owned()
        } else {
            format!("; the data stays in {}", data_dir.display())
        }
    ));
    Ok(0)
}

fn choice(args: &UpArgs, data_dir: &Path) -> Result<files::Choice, Failure> {
    let ports = match args.port_base {
        Some(base) => Some(Ports::from_base(base).ok_or_else(|| {
            Failure::new(
                "CLI0023",
                format!("no room for every port above {base}"),
                format!("give a --port-base from 1024 to {}", Ports::MAX_BASE),
            )
        })?),
        None => None,
    };
    Ok(files::Choice {
        name: args.platform.name.clone(),
        data_dir: data_dir.to_path_buf(),
        ports,
        advertise: args.advertise,
        zone: "zone-1".to_owned(),
        host: host_name(),
    })
}

/// The platform as it is, or as it would be made: enough to talk to the engine about it.
fn planned_platform(choice: &files::Choice) -> Result<PlatformFile, Failure> {
    if PlatformFile::path(&choice.data_dir).exists() {
        return PlatformFile::read(&choice.data_dir)
            .map_err(|error| Failure::new("CLI0021", error.to_string(), "wharf down --purge"));
    }
    let ports = choice.ports.unwrap_or_default();
    Ok(files::new_platform(choice, String::new(), ports))
}

/// What a host offers to the platform.
#[derive(Debug, Default)]
pub(crate) struct Offer {
    pub(crate) memory_mib: Option<u64>,
    pub(crate) disk_mib: Option<u64>,
    pub(crate) tags: std::collections::BTreeMap<String, String>,
    /// The host is only watched.
    pub(crate) nothing: bool,
}

/// Writes what the allocator may hand out, unless it has been written.
pub(crate) fn allocator_file(
    offer: &Offer,
    data_dir: &Path,
    allocator_id: &str,
    docker_host: &str,
    host_memory_bytes: u64,
) -> Result<(), Failure> {
    let unusable = |error: &dyn std::error::Error| {
        Failure::new(
            "CLI0021",
            error.to_string(),
            "remove the file that is named, then run this again",
        )
    };
    let found = AllocatorFile::read(data_dir).map_err(|error| unusable(&error))?;
    let space = wharf_runtime::disk::space(data_dir)
        .map_err(|error| Failure::new("CLI0020", error.to_string(), "give another --data-dir"))?;
    let cores = std::thread::available_parallelism()
        .map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX));
    let mut file = found.unwrap_or_else(|| AllocatorFile {
        allocator_id: allocator_id.to_owned(),
        capacity: Capacity {
            memory_bytes: host_memory_bytes / 100 * 85,
            disk_bytes: space.available_bytes / 100 * 85,
            cpu_millis: cores.saturating_mul(1000 * CPU_OVERCOMMIT),
        },
        tags: offer.tags.clone(),
        docker_host: docker_host.to_owned(),
    });
    docker_host.clone_into(&mut file.docker_host);
    if let Some(mib) = offer.memory_mib {
        file.capacity.memory_bytes = mib.saturating_mul(MIB);
    }
    if let Some(mib) = offer.disk_mib {
        file.capacity.disk_bytes = mib.saturating_mul(MIB);
    }
    if offer.nothing {
        file.capacity = Capacity::default();
    }
    if !offer.tags.is_empty() {
        file.tags.clone_from(&offer.tags);
    }
    file.write(data_dir).map_err(|error| unusable(&error))
}

/// The data directory that is meant, absolute.
pub(crate) fn data_dir(args: &PlatformArgs) -> Result<PathBuf, Failure> {
    let dir = args
        .data_dir
        .clone()
        .unwrap_or_else(|| Path::new("/var/lib/wharfinger").join(&args.name));
    if dir.is_absolute() {
        return Ok(dir);
    }
    std::path::absolute(&dir).map_err(|error| {
        Failure::new(
            "CLI0020",
            format!("{}: {error}", dir.display()),
            "give an absolute --data-dir",
        )
    })
}

/// The engine that is meant.
pub(crate) fn docker_host(args: &PlatformArgs) -> String {
    args.docker_host
        .clone()
        .filter(|host| !host.is_empty())
        .unwrap_or_else(|| DEFAULT_DOCKER_HOST.to_owned())
}

pub(crate) fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map(|name| name.trim().to_owned())
        .ok()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "localhost".to_owned())
}

pub(crate) fn engine(error: &HostError) -> Failure {
    Failure::new(error.code(), error.to_string(), "").exit(EXIT_UNREACHABLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_that_is_told_is_the_one_that_the_next_command_dials() {
        let of = |director: &str| {
            admin_url(&Profile {
                director: director.to_owned(),
                username: files::ADMIN.to_owned(),
                password: String::new(),
                ca_file: PathBuf::new(),
                platform: DEFAULT_NAME.to_owned(),
            })
        };
        assert_eq!(of("10.0.0.1:12443"), "https://10.0.0.1:12443");
        // This host's director was removed: those that are left are in the profile.
        assert_eq!(
            of("10.0.0.2:12443, 10.0.0.3:12443"),
            "https://10.0.0.2:12443"
        );
        assert_eq!(of("[fd00::2]:12443"), "https://[fd00::2]:12443");
    }
}
