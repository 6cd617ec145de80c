//! What can be typed after `wharf instance` and `wharf placement`: containers of deployments, where they
//! lie and why there. Not here: what it does (`commands/instance.rs`, `commands/placement.rs`).

use clap::{Args, Subcommand, value_parser};

use super::{ChangeArgs, ListArgs, RequestArgs, WaitArgs, size};

/// `wharf instance`
#[derive(Debug, Subcommand)]
pub(crate) enum InstanceCommand {
    /// List instances of every deployment, with where they lie and how far a move is
    #[command(
        after_help = "Examples:\n  wharf instance list\n  wharf instance list --allocator my-host\n  \
                      wharf instance list --deployment system"
    )]
    List {
        /// Only of this deployment: id, alias or name
        #[arg(long, default_value = "", hide_default_value = true)]
        deployment: String,
        /// Only on this host: id or host name
        #[arg(long, default_value = "", hide_default_value = true)]
        allocator: String,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Move an instance to another host; its data goes with it
    #[command(
        after_help = "Its old place serves until the new one has all.\n\nExamples:\n  wharf instance \
                      move web/storage-0 --dry-run\n  wharf instance move web/storage-0 --to \
                      other-host --wait"
    )]
    Move {
        #[command(flatten)]
        instance: InstanceRef,
        /// Host to move to: id or host name [default: wherever placement puts it]
        #[arg(
            long = "to",
            default_value = "",
            hide_default_value = true,
            value_name = "ALLOCATOR"
        )]
        to: String,
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Stop an instance and keep its data, place and memory, until it is resumed
    #[command(after_help = "Example:\n  wharf instance pause web/storage-0 --wait")]
    Pause {
        #[command(flatten)]
        instance: InstanceRef,
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Start a paused instance again
    #[command(after_help = "Example:\n  wharf instance resume web/storage-0 --wait")]
    Resume {
        #[command(flatten)]
        instance: InstanceRef,
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Let proxies send an instance nothing; it goes on running
    #[command(after_help = "Example:\n  wharf instance stop-routing web/storage-0")]
    StopRouting {
        #[command(flatten)]
        instance: InstanceRef,
        #[command(flatten)]
        request: RequestArgs,
    },
    /// Let proxies send to an instance again
    #[command(after_help = "Example:\n  wharf instance start-routing web/storage-0")]
    StartRouting {
        #[command(flatten)]
        instance: InstanceRef,
        #[command(flatten)]
        request: RequestArgs,
    },
    /// List data that replacements left behind on hosts: read-only, never removed by the platform
    #[command(after_help = "Example:\n  wharf instance set-aside")]
    SetAside(ListArgs),
}

/// An instance.
#[derive(Debug, Args)]
pub(crate) struct InstanceRef {
    /// Id, or deployment and name as in `web/storage-0`
    pub(crate) instance: String,
}

/// `wharf placement`
#[derive(Debug, Subcommand)]
pub(crate) enum PlacementCommand {
    /// How placement sees every host for an instance, best first, and why it refuses the others
    #[command(
        after_help = "An instance that is there is judged as if it were placed anew.\n\nExamples:\n  \
                      wharf placement explain web/storage-0\n  wharf placement explain --kind storage \
                      --memory 1g"
    )]
    Explain(ExplainArgs),
    /// Move instances so that zones and hosts are loaded more evenly
    #[command(
        after_help = "Few moves, and none when little would be gained.\n\nExamples:\n  wharf placement \
                      rebalance --dry-run\n  wharf placement rebalance --moves 3 --wait\n  wharf placement \
                      rebalance --status"
    )]
    Rebalance {
        /// At most this many moves [default: 10]
        #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=100))]
        moves: Option<u32>,
        /// Say what would move and why, and change nothing
        #[arg(long, conflicts_with = "wait")]
        dry_run: bool,
        /// Say how the platform rebalances by itself, what it waits for and since when
        #[arg(long, conflicts_with_all = ["wait", "dry_run", "moves"])]
        status: bool,
        #[command(flatten)]
        wait: WaitArgs,
        #[command(flatten)]
        request: RequestArgs,
    },
}

/// `wharf placement explain`
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// Id, or deployment and name as in `web/storage-0`
    #[arg(required_unless_present = "kind", conflicts_with = "kind")]
    pub(crate) instance: Option<String>,
    /// Of a new instance of this kind instead
    #[arg(long, value_parser = ["storage", "monitoring"])]
    pub(crate) kind: Option<String>,
    /// Its memory: `1g` [default: the template's]
    #[arg(long, requires = "kind", value_name = "SIZE", value_parser = size::bytes)]
    pub(crate) memory: Option<u64>,
    /// Its disk: `20g` [default: made from the memory]
    #[arg(long, requires = "kind", value_name = "SIZE", value_parser = size::bytes)]
    pub(crate) disk: Option<u64>,
    /// Its cores: `1.5` [default: made from the memory]
    #[arg(long, requires = "kind", value_name = "CORES", value_parser = size::cores)]
    pub(crate) cpu: Option<u32>,
}
