//! What can be typed after `wharf install`, `uninstall` and `preflight`: a host that joins a platform,
//! leaves it, or is looked at. Not here: what these commands do (`install/`, `preflight/`).

use std::{net::IpAddr, path::PathBuf};

use clap::Args;

use super::tag;

/// What runs containers on a host.
pub(super) const ENGINES: [&str; 2] = ["docker", "none"];
/// What hosts can be.
pub(super) const HOST_ROLES: [&str; 4] = ["director", "allocator", "proxy", "collector"];

/// Whether an engine that was named is none.
pub(crate) fn is_none(engine: Option<&str>) -> bool {
    engine == Some(ENGINES[1])
}

/// `wharf install`
#[derive(Debug, Args)]
#[command(
    after_help = "On a host of the platform, `wharf token create --roles allocator,proxy --zone zone-b` \
                  prints what follows --join. Run again, it repairs what is wrong and changes nothing \
                  that is right; the token is needed once.\n\nWhat is given as an argument can be seen in \
                  the host's list of processes while the command runs; --join-file and WHARF_JOIN \
                  cannot.\n\nExamples:\n  wharf install --join-file join.txt\n  wharf install --join \
                  TOKEN@10.0.0.5:12443 --advertise 10.0.0.6\n  wharf install --join-file join.txt \
                  --engine none --roles director,proxy\n  wharf install"
)]
pub(crate) struct InstallArgs {
    /// What `wharf token create --roles ...` printed: the token, `@`, and directors' addresses
    #[arg(
        long,
        env = "WHARF_JOIN",
        hide_env_values = true,
        value_name = "TOKEN@HOST[:PORT]"
    )]
    pub(crate) join: Option<String>,
    /// File that holds it; `-` reads standard input
    #[arg(long, value_name = "FILE", conflicts_with = "join")]
    pub(crate) join_file: Option<PathBuf>,
    /// Address that other hosts reach this one at [default: the one that it reaches the director from]
    #[arg(long, env = "WHARF_ADVERTISE", value_name = "ADDRESS")]
    pub(crate) advertise: Option<IpAddr>,
    /// Container engine of this host; without one its director and proxy are services of systemd, and it
    /// can be nothing else [default: docker, or as the host joined]
    #[arg(long, env = "WHARF_ENGINE", value_parser = ENGINES, value_name = "ENGINE")]
    pub(crate) engine: Option<String>,
    /// Roles, no more than the token carries [default: all of them]
    #[arg(long, value_delimiter = ',', value_parser = HOST_ROLES, value_name = "ROLE,...")]
    pub(crate) roles: Vec<String>,
    /// Name of this host in the platform [default: the system's]
    #[arg(long, env = "WHARF_HOST_NAME", value_name = "NAME")]
    pub(crate) host_name: Option<String>,
    /// Label of this host that instance configurations look at; may be given several times
    #[arg(long = "tags", value_delimiter = ',', value_parser = tag::parse, value_name = "KEY=VALUE,...")]
    pub(crate) tags: Vec<(String, String)>,
    /// Memory that instances may be given together, in MiB [default: 85 % of the host's]
    #[arg(long, value_name = "MIB")]
    pub(crate) capacity_memory_mib: Option<u64>,
    /// Disk that instances may be given together, in MiB [default: 85 % of what is free]
    #[arg(long, value_name = "MIB")]
    pub(crate) capacity_disk_mib: Option<u64>,
    #[command(flatten)]
    pub(crate) place: HostPlaceArgs,
    /// Give up when the host is not connected after this many seconds
    #[arg(long, default_value_t = 120, value_name = "SECONDS")]
    pub(crate) timeout: u64,
}

/// Where a host's part of a platform lies.
#[derive(Debug, Args)]
pub(crate) struct HostPlaceArgs {
    /// Name of the platform [default: wharfinger; when joining, the token's]
    #[arg(long, env = "WHARF_NAME", value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Data directory [default: /var/lib/wharfinger/NAME]
    #[arg(long, env = "WHARF_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Docker engine, `unix:///path` [default: DOCKER_HOST, else unix:///var/run/docker.sock]
    #[arg(long, env = "DOCKER_HOST", value_name = "URL")]
    pub(crate) docker_host: Option<String>,
}

/// `wharf uninstall`
#[derive(Debug, Args)]
#[command(
    after_help = "Nothing is removed while instances run on this host. A director that cannot be reached \
                  is not waited for: what is left for it is said. A host whose director is in the group \
                  stays: `wharf director remove` comes first, or --remove-director. A host without an \
                  engine keeps no data that is worth anything then: all goes, with --purge or \
                  without.\n\nExamples:\n  wharf \
                  uninstall --yes\n  wharf uninstall --purge --yes\n  wharf uninstall --remove-director \
                  --purge --yes"
)]
pub(crate) struct UninstallArgs {
    #[command(flatten)]
    pub(crate) place: HostPlaceArgs,
    /// Remove the data directory too
    #[arg(long)]
    pub(crate) purge: bool,
    /// Take this host's director out of the group before, when it is in it; the last with a vote stays
    #[arg(long)]
    pub(crate) remove_director: bool,
    /// Do not ask; needed where there is no terminal
    #[arg(long)]
    pub(crate) yes: bool,
}

/// `wharf preflight`
#[derive(Debug, Args)]
#[command(
    after_help = "Exits with 1 when something is bad. Nothing is changed without --fix, which says what \
                  it did.\n\nExamples:\n  wharf preflight\n  wharf preflight --fix\n  wharf preflight \
                  --engine none\n  wharf preflight -o \
                  json"
)]
pub(crate) struct PreflightArgs {
    #[command(flatten)]
    pub(crate) place: HostPlaceArgs,
    /// Container engine that the host is to have; `none` looks at what services of systemd need
    /// [default: docker]
    #[arg(long, env = "WHARF_ENGINE", value_parser = ENGINES, value_name = "ENGINE")]
    pub(crate) engine: Option<String>,
    /// As for `wharf up`
    #[arg(long, env = "WHARF_PORT_BASE", value_name = "PORT")]
    pub(crate) port_base: Option<u16>,
    /// Compare the clock with the director of this token, which stays unused
    #[arg(
        long,
        env = "WHARF_JOIN",
        hide_env_values = true,
        value_name = "TOKEN@HOST[:PORT]"
    )]
    pub(crate) join: Option<String>,
    /// Mend what can be mended safely
    #[arg(long)]
    pub(crate) fix: bool,
}
