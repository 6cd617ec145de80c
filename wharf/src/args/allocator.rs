//! What can be typed after `wharf allocator` and `wharf vacate`: hosts that instances lie on, and their
//! emptying. Not here: what it does (`commands/allocator.rs`, `commands/vacate.rs`).

use clap::{ArgGroup, Args, Subcommand, ValueEnum, value_parser};

use super::{ChangeArgs, ListArgs, RequestArgs, WaitArgs, size, tag};

/// `wharf allocator`
#[derive(Debug, Subcommand)]
pub(crate) enum AllocatorCommand {
    /// List allocators
    #[command(after_help = "Example:\n  wharf allocator list --filter 'connected=false'")]
    List(ListArgs),
    /// Show an allocator
    #[command(after_help = "Example:\n  wharf allocator show my-host")]
    Show {
        /// Id or host name
        allocator: String,
    },
    /// Change zone, tags, capacity or roles of a host while it runs
    #[command(
        after_help = "What is not named stays as it is. A capacity below what is given out is \
                      refused.\n\nExamples:\n  wharf allocator set my-host --zone zone-b\n  wharf \
                      allocator set my-host --tag disk=ssd --untag rack\n  wharf allocator set \
                      my-host --memory 48g --disk 900g --cpu 32\n  wharf allocator set my-host \
                      --roles allocator,proxy"
    )]
    Set(Box<AllocatorSetArgs>),
    /// Place nothing new on a host, or again; what lies there stays and runs
    #[command(
        after_help = "`wharf allocator vacate` moves what lies there.\n\nExamples:\n  wharf allocator \
                      maintenance my-host on\n  wharf allocator maintenance my-host off"
    )]
    Maintenance {
        /// Id or host name
        allocator: String,
        /// Whether nothing new is placed there
        #[arg(value_enum)]
        mode: Switch,
        #[command(flatten)]
        request: RequestArgs,
    },
    /// Move every instance off a host, with its data, a few at a time
    #[command(
        after_help = "The host is in maintenance mode from then on. `wharf vacate follow my-host` \
                      goes on watching, `wharf vacate cancel my-host` ends it.\n\nExamples:\n  wharf \
                      allocator vacate my-host --dry-run\n  wharf allocator vacate my-host --wait\n  \
                      wharf allocator vacate my-host --to other-host --parallelism 1\n  wharf \
                      allocator vacate my-host --host-down --yes"
    )]
    Vacate(VacateArgs),
    /// Forget a host that joined and is gone: its allocator, its proxy, its certificates
    #[command(
        after_help = "Examples:\n  wharf allocator remove my-host --yes\n  wharf allocator remove \
                      my-host --lost --yes"
    )]
    Remove {
        /// Id or host name
        allocator: String,
        /// It is gone for good: give up what lies there, data too; refused while it is connected
        #[arg(long)]
        lost: bool,
        /// Do not ask; needed where there is no terminal
        #[arg(long)]
        yes: bool,
    },
}

/// `on` or `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    /// From now on.
    On,
    /// No more.
    Off,
}

/// `wharf allocator set`
#[derive(Debug, Args)]
#[command(group(
    ArgGroup::new("what")
        .args(["zone", "tags", "untag", "memory", "disk", "cpu", "roles"])
        .required(true)
        .multiple(true)
))]
pub(crate) struct AllocatorSetArgs {
    /// Id or host name
    pub(crate) allocator: String,
    /// Availability zone; refused while instances lie there
    #[arg(long, value_name = "ZONE")]
    pub(crate) zone: Option<String>,
    /// Tag to set, again for each; others stay
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = tag::parse)]
    pub(crate) tags: Vec<(String, String)>,
    /// Tag to take away, again for each
    #[arg(long, value_name = "KEY")]
    pub(crate) untag: Vec<String>,
    /// Memory that instances may be given together: `48g`
    #[arg(long, value_name = "SIZE", value_parser = size::bytes)]
    pub(crate) memory: Option<u64>,
    /// Disk that instances may be given together: `900g`
    #[arg(long, value_name = "SIZE", value_parser = size::bytes)]
    pub(crate) disk: Option<u64>,
    /// Cores that instances may be given together: `32`, `1.5`, `500m`
    #[arg(long, value_name = "CORES", value_parser = size::cores)]
    pub(crate) cpu: Option<u32>,
    /// All that the host is to be
    #[arg(long, value_delimiter = ',', value_name = "ROLES",
          value_parser = ["allocator", "proxy", "collector", "director"])]
    pub(crate) roles: Vec<String>,
}

/// `wharf allocator vacate`
#[derive(Debug, Args)]
pub(crate) struct VacateArgs {
    /// Id or host name
    pub(crate) allocator: String,
    /// Host that may take its instances, again for each [default: any]
    #[arg(long = "to", value_name = "ALLOCATOR")]
    pub(crate) to: Vec<String>,
    /// Moves at a time [default: as many as the platform's budget has]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=1000))]
    pub(crate) parallelism: Option<u32>,
    /// The host is down for good: do not wait for it; what a deployment lets start empty or from a
    /// snapshot elsewhere does
    #[arg(long)]
    pub(crate) host_down: bool,
    /// With --host-down: do not ask; needed where there is no terminal
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
}

/// `wharf vacate`
#[derive(Debug, Subcommand)]
pub(crate) enum VacateCommand {
    /// List vacates, newest first
    #[command(
        after_help = "Examples:\n  wharf vacate list\n  wharf vacate list --allocator my-host --limit 5"
    )]
    List {
        /// Only of this host: id or host name
        #[arg(long, default_value = "", hide_default_value = true)]
        allocator: String,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Show a vacate with what moves where and how far it is
    #[command(after_help = "Example:\n  wharf vacate show my-host")]
    Show(VacateRef),
    /// Follow a vacate until it ends; exit with 4 when it fails or is cancelled
    #[command(
        after_help = "Ctrl-C ends the watching, not the vacate.\n\nExample:\n  wharf vacate follow \
                      my-host"
    )]
    Follow(VacateRef),
    /// Begin no further move and end those that run; what has moved stays there
    #[command(after_help = "Example:\n  wharf vacate cancel my-host --wait")]
    Cancel {
        #[command(flatten)]
        vacate: VacateRef,
        #[command(flatten)]
        wait: WaitArgs,
        #[command(flatten)]
        request: RequestArgs,
    },
}

/// A vacate by its id, or the last one of a host.
#[derive(Debug, Args)]
pub(crate) struct VacateRef {
    /// Id of the vacate, or the host whose last one is meant
    pub(crate) vacate: String,
}
