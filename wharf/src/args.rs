//! The command line: what can be typed, one file a group of nouns below `args/`. Every command has
//! a description and an example, which a test checks. Nothing here acts; each command's code is in
//! `commands/`.

mod allocator;
mod authority;
mod deployment;
mod director;
mod host;
mod instance;
mod inventory;
mod monitor;
mod people;
mod plan;
mod platform;
mod repository;
mod run;
mod size;
mod tag;
#[cfg(test)]
mod tests;
mod tools;
mod zone;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use self::{
    allocator::{AllocatorCommand, AllocatorSetArgs, Switch, VacateArgs, VacateCommand, VacateRef},
    authority::{AuthorityCommand, RotateArgs},
    deployment::{
        ConfirmedArgs, CreateArgs, DeploymentCommand, ResetPasswordArgs, ResizeArgs, RestartArgs,
        RestoreArgs, SizeArgs,
    },
    director::DirectorCommand,
    host::{HostPlaceArgs, InstallArgs, PreflightArgs, UninstallArgs, is_none},
    instance::{ExplainArgs, InstanceCommand, PlacementCommand},
    inventory::{ContainerCommand, ProxyCommand, TemplateCommand},
    monitor::{
        AlertCommand, ServicesArgs, SpanArgs, WatchArgs, WatchCommand, WatchCreateArgs,
        WatchRefArgs,
    },
    people::{TokenCommand, TokenCreateArgs, UserCommand},
    plan::{CancelArgs, DiffArgs, PlanArgs, PlanCommand, ReapplyArgs},
    platform::{ChannelCommand, ConfigCommand, EventsArgs},
    repository::{DeploymentSetArgs, RepositoryArgs, RepositoryCommand, SnapshotArgs},
    run::{MonitorArgs, RoleArgs, RunCommand, StoreArgs},
    tools::{ApiArgs, CompletionArgs, DiagnosticsArgs, ManArgs, Shell},
    zone::{ZoneCommand, ZoneLocationArgs},
};

/// Wharfinger, a control plane for monitoring stacks: it places storage nodes on Docker hosts,
/// routes clients to them, and watches every container of every host.
#[derive(Debug, Parser)]
#[command(
    name = "wharf",
    version,
    arg_required_else_help = true,
    after_help = "Settings come from flags, then WHARF_* variables, then the profile that \
                  `wharf up` wrote.\n\nExamples:\n  wharf up\n  wharf status\n  wharf top\n  \
                  wharf logs -f my-container\n  wharf deployment create --name web --wait"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Settings that every command that talks to a director takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct GlobalArgs {
    /// Director to talk to, `host:port`; several, separated by commas, are tried in turn
    #[arg(
        long,
        global = true,
        env = "WHARF_DIRECTOR",
        value_name = "HOST:PORT",
        help_heading = "Connection"
    )]
    pub(crate) director: Option<String>,
    /// Profile whose settings to use
    #[arg(
        long,
        global = true,
        env = "WHARF_PROFILE",
        value_name = "NAME",
        help_heading = "Connection"
    )]
    pub(crate) profile: Option<String>,
    /// User to log in as
    #[arg(
        long,
        global = true,
        env = "WHARF_USERNAME",
        value_name = "NAME",
        help_heading = "Connection"
    )]
    pub(crate) username: Option<String>,
    /// File that holds the password (or set WHARF_PASSWORD)
    #[arg(
        long,
        global = true,
        env = "WHARF_PASSWORD_FILE",
        value_name = "FILE",
        help_heading = "Connection"
    )]
    pub(crate) password_file: Option<PathBuf>,
    /// File that holds a token (or set WHARF_TOKEN); it stands for its user instead of a password
    #[arg(
        long,
        global = true,
        env = "WHARF_TOKEN_FILE",
        value_name = "FILE",
        help_heading = "Connection"
    )]
    pub(crate) token_file: Option<PathBuf>,
    /// The platform's CA certificate, PEM
    #[arg(
        long,
        global = true,
        env = "WHARF_CA_FILE",
        value_name = "FILE",
        help_heading = "Connection"
    )]
    pub(crate) ca_file: Option<PathBuf>,
    /// How to print: tables for people, the others for programs
    #[arg(short, long, global = true, env = "WHARF_OUTPUT", value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,
}

/// How a result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// Aligned columns.
    Table,
    /// One JSON document.
    Json,
    /// One YAML document.
    Yaml,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Bring a platform up on this machine's Docker engine, or repair it
    Up(UpArgs),
    /// Stop and remove what `wharf up` made
    Down(DownArgs),
    /// Make this host part of a platform that runs elsewhere, or repair its part
    Install(Box<InstallArgs>),
    /// Take this host out of the platform that it joined
    Uninstall(UninstallArgs),
    /// Is this host fit for a platform, and if not, why and what to do
    Preflight(PreflightArgs),
    /// Is the platform healthy, and if not, why and what to do
    #[command(after_help = "Example:\n  wharf status -o json | jq '.healthy, .problems[].message'")]
    Status(StatusArgs),
    /// Live table of every container of every host
    #[command(
        after_help = "Keys: q quit, s next sort column, r reverse, / filter, j k or arrows \
                            move, space pause.\n\nExamples:\n  wharf top\n  wharf top --sort \
                            memory --filter application=web\n  wharf top --once"
    )]
    Top(TopArgs),
    /// Log lines of a container
    #[command(
        after_help = "Examples:\n  wharf logs my-container\n  wharf logs -f my-container\n  \
                            wharf logs --since 10m --tail 500 my-container"
    )]
    Logs(LogsArgs),
    /// Deployments: what the platform runs for its users
    #[command(
        subcommand,
        visible_alias = "deployments",
        after_help = "Example:\n  wharf deployment list"
    )]
    Deployment(DeploymentCommand),
    /// Plans: how a deployment gets to its desired state
    #[command(
        subcommand,
        visible_alias = "plans",
        after_help = "Example:\n  wharf plan list --deployment web"
    )]
    Plan(PlanCommand),
    /// Allocators: the agents on hosts
    #[command(
        subcommand,
        visible_alias = "allocators",
        after_help = "Example:\n  wharf allocator list"
    )]
    Allocator(AllocatorCommand),
    /// Zones: hosts that fail together, and where they are
    #[command(
        subcommand,
        visible_alias = "zones",
        after_help = "Example:\n  wharf zone list"
    )]
    Zone(ZoneCommand),
    /// Vacates: the emptying of hosts
    #[command(
        subcommand,
        visible_alias = "vacates",
        after_help = "Example:\n  wharf vacate list"
    )]
    Vacate(VacateCommand),
    /// Instances: the containers of deployments, wherever they lie
    #[command(
        subcommand,
        visible_alias = "instances",
        after_help = "Example:\n  wharf instance list"
    )]
    Instance(InstanceCommand),
    /// Placement: where instances go, and why
    #[command(
        subcommand,
        after_help = "Example:\n  wharf placement explain web/storage-0"
    )]
    Placement(PlacementCommand),
    /// Directors: who decides, and who leads
    #[command(
        subcommand,
        visible_alias = "directors",
        after_help = "Example:\n  wharf director list"
    )]
    Director(DirectorCommand),
    /// Proxies: the routers of client traffic
    #[command(
        subcommand,
        visible_alias = "proxies",
        after_help = "Example:\n  wharf proxy list"
    )]
    Proxy(ProxyCommand),
    /// Containers of every host, with their last sample
    #[command(
        subcommand,
        visible_alias = "containers",
        after_help = "Example:\n  wharf container list --sort 'memory desc'"
    )]
    Container(ContainerCommand),
    /// Templates: starting points of deployments
    #[command(
        subcommand,
        visible_alias = "templates",
        after_help = "Example:\n  wharf template list"
    )]
    Template(TemplateCommand),
    /// Watches: searches of a deployment's storage that tell when something is wrong
    #[command(
        subcommand,
        visible_alias = "watches",
        after_help = "Example:\n  wharf watch list"
    )]
    Watch(WatchCommand),
    /// Alerts: what watches found
    #[command(
        subcommand,
        visible_alias = "alerts",
        after_help = "Example:\n  wharf alert list"
    )]
    Alert(AlertCommand),
    /// Services: what runs, with its traffic, its errors and its resources
    #[command(
        after_help = "Examples:\n  wharf services\n  wharf services --window 2h --sort 'error_ratio desc'"
    )]
    Services(ServicesArgs),
    /// Users: people who may use the platform
    #[command(
        subcommand,
        visible_alias = "users",
        after_help = "Example:\n  wharf user list"
    )]
    User(UserCommand),
    /// Tokens: secrets that stand for oneself in programs, or by which hosts join
    #[command(
        subcommand,
        visible_alias = "tokens",
        after_help = "Example:\n  wharf token list"
    )]
    Token(TokenCommand),
    /// Certificate authorities: shown, fetched, changed while everything runs
    #[command(subcommand, after_help = "Example:\n  wharf authority show")]
    Authority(AuthorityCommand),
    /// Settings of the platform
    #[command(subcommand, after_help = "Example:\n  wharf config list")]
    Config(ConfigCommand),
    /// Channels: where the platform's messages go
    #[command(
        subcommand,
        visible_alias = "channels",
        after_help = "Example:\n  wharf channel list"
    )]
    Channel(ChannelCommand),
    /// Repositories: where storage nodes keep snapshots outside of their hosts
    #[command(
        subcommand,
        visible_alias = "repositories",
        after_help = "Example:\n  wharf repository list"
    )]
    Repository(RepositoryCommand),
    /// What happened on the platform and to its containers
    #[command(
        after_help = "Examples:\n  wharf events --since 2h\n  wharf events --filter 'actor=admin'\n  wharf events -f --filter 'kind~container'"
    )]
    Events(EventsArgs),
    /// Change a role's log level while it runs
    #[command(after_help = "Example:\n  wharf log-level allocator wharf_allocator=debug")]
    LogLevel(LogLevelArgs),
    /// Call any method of the director's API with JSON, or list the methods
    #[command(
        after_help = "Examples:\n  wharf api\n  wharf api Platform/GetStatus\n  wharf api \
                      Plans/ListPlans '{\"options\": {\"page_size\": 5}}'\n  wharf api \
                      Deployments/CreateDeployment - <request.json"
    )]
    Api(ApiArgs),
    /// Gather what is needed to look into a problem into one archive, without secrets
    #[command(
        after_help = "Nothing is changed. Passwords, keys and tokens are replaced before anything \
                      is written.\n\nExamples:\n  wharf diagnostics\n  wharf diagnostics --file \
                      /tmp/lab.tar.gz --name lab"
    )]
    Diagnostics(DiagnosticsArgs),
    /// Print the completion of a shell
    #[command(
        after_help = "Examples:\n  wharf completion bash >/etc/bash_completion.d/wharf\n  wharf \
                      completion zsh >~/.zfunc/_wharf\n  wharf completion fish \
                      >~/.config/fish/completions/wharf.fish"
    )]
    Completion(CompletionArgs),
    /// Write a man page for each command
    #[command(after_help = "Example:\n  wharf man /usr/local/share/man/man1")]
    Man(ManArgs),
    /// Run a role or a node (started by the platform, not by hand)
    #[command(subcommand, hide = true)]
    Run(RunCommand),
}

/// Which platform of this machine is meant.
#[derive(Debug, Args)]
pub(crate) struct PlatformArgs {
    /// Name of the platform; containers and the data directory carry it
    #[arg(
        long,
        env = "WHARF_NAME",
        default_value = "wharfinger",
        value_name = "NAME"
    )]
    pub(crate) name: String,
    /// Data directory [default: /var/lib/wharfinger/NAME]
    #[arg(long, env = "WHARF_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Docker engine, `unix:///path` [default: DOCKER_HOST, else unix:///var/run/docker.sock]
    #[arg(long, env = "DOCKER_HOST", value_name = "URL")]
    pub(crate) docker_host: Option<String>,
}

/// `wharf up`
#[derive(Debug, Args)]
#[command(
    after_help = "Run again it repairs what is wrong and changes nothing that is \
                        right. Another --advertise changes address and certificates in \
                        place.\n\nExamples:\n  wharf up\n  wharf up --advertise 10.0.0.5\n  wharf up --name lab --port-base 22000"
)]
pub(crate) struct UpArgs {
    #[command(flatten)]
    pub(crate) platform: PlatformArgs,
    /// Put every port within 3,000 of this one, so that two platforms live side by side
    #[arg(long, env = "WHARF_PORT_BASE", value_name = "PORT")]
    pub(crate) port_base: Option<u16>,
    /// Address that other hosts reach this one at; without it everything stays on loopback
    #[arg(long, env = "WHARF_ADVERTISE", value_name = "ADDRESS")]
    pub(crate) advertise: Option<std::net::IpAddr>,
    /// Memory that instances may be given together, in MiB [default: 85 % of the host's]
    #[arg(long, value_name = "MIB")]
    pub(crate) capacity_memory_mib: Option<u64>,
    /// Disk that instances may be given together, in MiB [default: 85 % of what is free]
    #[arg(long, value_name = "MIB")]
    pub(crate) capacity_disk_mib: Option<u64>,
    /// Give up when the platform is not healthy after this many seconds
    #[arg(long, default_value_t = 120, value_name = "SECONDS")]
    pub(crate) timeout: u64,
}

/// `wharf down`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  wharf down\n  wharf down --purge")]
pub(crate) struct DownArgs {
    #[command(flatten)]
    pub(crate) platform: PlatformArgs,
    /// Taken for the sake of symmetry with `up`; the platform's file knows its ports
    #[arg(long, hide = true)]
    pub(crate) port_base: Option<u16>,
    /// As `--port-base`
    #[arg(long, hide = true)]
    pub(crate) advertise: Option<std::net::IpAddr>,
    /// Remove the data, the image and the profile too
    #[arg(long)]
    pub(crate) purge: bool,
}

/// `wharf status`
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Exit with 6 when the platform is not healthy
    #[arg(long)]
    pub(crate) check: bool,
}

/// How a list is asked for.
#[derive(Debug, Args, Clone, Default)]
pub(crate) struct ListArgs {
    /// Rows to keep: `field=value`, `field!=value`, `field~text`, joined by ` and `; an unknown field is
    /// answered with those that there are
    #[arg(long, default_value = "", value_name = "FILTER")]
    pub(crate) filter: String,
    /// Order of rows: a field, or `field desc`
    #[arg(long, default_value = "", value_name = "FIELD")]
    pub(crate) sort: String,
    /// At most this many rows [default: all]
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
}

/// `wharf top`
#[derive(Debug, Args)]
pub(crate) struct TopArgs {
    /// Column to sort by
    #[arg(long, value_enum, default_value_t = TopSort::Cpu)]
    pub(crate) sort: TopSort,
    /// Rows to keep, as in `wharf container list`; a bare word matches the name
    #[arg(long, default_value = "", value_name = "FILTER")]
    pub(crate) filter: String,
    /// Print one page and end
    #[arg(long)]
    pub(crate) once: bool,
    /// Seconds between two readings
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=3600), value_name = "SECONDS")]
    pub(crate) interval: u64,
}

/// Columns that `wharf top` sorts by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TopSort {
    /// Percent of one core, most first.
    Cpu,
    /// Bytes in use, most first.
    Memory,
    /// Bytes per second in and out, most first.
    Network,
    /// Bytes per second read and written, most first.
    Block,
    /// Name, from A.
    Name,
}

/// `wharf logs`
#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// Container: id, the beginning of it, or name
    pub(crate) container: String,
    /// Go on with new lines until interrupted
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Begin with the last N lines
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(0..=10_000), value_name = "N")]
    pub(crate) tail: u32,
    /// Only lines newer than this: `90s`, `10m`, `2h`, `1d`
    #[arg(long, value_name = "AGE")]
    pub(crate) since: Option<String>,
    /// Print each line's time before it
    #[arg(short, long)]
    pub(crate) timestamps: bool,
}

/// Whether to stay until a plan has ended.
#[derive(Debug, Args)]
pub(crate) struct WaitArgs {
    /// Follow the plan's steps until it ends; exit with 4 when it fails or is cancelled
    #[arg(long)]
    pub(crate) wait: bool,
    /// With --wait: give up after this many seconds (the plan goes on)
    #[arg(long, default_value_t = 600, value_name = "SECONDS")]
    pub(crate) wait_timeout: u64,
}

/// How a change that a plan carries out is asked for.
#[derive(Debug, Args)]
pub(crate) struct ChangeArgs {
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
    /// Say what would be done, step by step, and change nothing; exit with 4 when it would wait
    #[arg(long, conflicts_with = "wait")]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) request: RequestArgs,
}

/// Which request a change belongs to.
#[derive(Debug, Args)]
pub(crate) struct RequestArgs {
    /// Id of this request, 32 of 0-9 and a-f, for a retry that must not act twice [default: a new one]
    #[arg(long, value_name = "ID")]
    pub(crate) request_id: Option<String>,
}

/// `wharf log-level`
#[derive(Debug, Args)]
pub(crate) struct LogLevelArgs {
    /// Role to change, on every host
    #[arg(value_parser = ["director", "allocator", "proxy"])]
    pub(crate) role: String,
    /// Level or filter: `info`, `debug`, `wharf_proxy=trace`
    pub(crate) filter: String,
}
