//! What can be typed after `wharf deployment`. Not here: what it does (`commands/deployment.rs`,
//! `commands/change.rs`).

use clap::{ArgGroup, Args, Subcommand, value_parser};

use super::{ChangeArgs, DeploymentSetArgs, ListArgs, RequestArgs, SnapshotArgs, WaitArgs};

/// `wharf deployment`
#[derive(Debug, Subcommand)]
pub(crate) enum DeploymentCommand {
    /// Create a deployment from a template
    #[command(
        after_help = "Examples:\n  wharf deployment create --name web --wait\n  wharf \
                            deployment create --name big --memory-mib 4096 --disk-mib 40960\n  \
                            wharf deployment create --name big --memory-mib 4096 --dry-run"
    )]
    Create(CreateArgs),
    /// List deployments
    #[command(after_help = "Example:\n  wharf deployment list --filter 'health!=healthy'")]
    List(ListArgs),
    /// Show a deployment with its instances
    #[command(after_help = "Example:\n  wharf deployment show system")]
    Show(DeploymentArgs),
    /// What was done to a deployment: its plans, newest first
    #[command(
        after_help = "The plans of a deployment that is gone are found by its id.\n\nExamples:\n  \
                      wharf deployment history web\n  wharf deployment history web --filter \
                      'status=failed' --limit 5"
    )]
    History {
        /// Id, alias or name
        deployment: String,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Give instances other sizes, one after the other; their data stays
    #[command(
        after_help = "What is not named stays as it is.\n\nExamples:\n  wharf deployment resize web \
                      --memory-mib 2048 --dry-run\n  wharf deployment resize web --memory-mib 2048 \
                      --wait\n  wharf deployment resize system --kind monitoring --memory-mib 512"
    )]
    Resize(ResizeArgs),
    /// Stop and start instances, one after the other
    #[command(
        after_help = "Examples:\n  wharf deployment restart web --wait\n  wharf deployment restart \
                      system --instance monitoring-0"
    )]
    Restart(RestartArgs),
    /// Stop every instance and give its memory back; the data stays
    #[command(
        after_help = "`wharf deployment restore` starts it again.\n\nExamples:\n  wharf deployment \
                      terminate web --yes --wait\n  wharf deployment terminate web --dry-run"
    )]
    Terminate(ConfirmedArgs),
    /// Start the instances of a terminated deployment again, with their data
    #[command(after_help = "Example:\n  wharf deployment restore web --wait")]
    Restore(RestoreArgs),
    /// Make another password; the old one ends with the plan
    #[command(
        after_help = "`wharf deployment credentials` shows the new one.\n\nExample:\n  wharf \
                      deployment reset-password web --wait"
    )]
    ResetPassword(ResetPasswordArgs),
    /// Say where storage nodes keep snapshots, and what becomes of one whose host is lost
    #[command(
        after_help = "Unless it waits it takes writes under a lease of the director's, so that two \
                      never do; what its host has is set aside, never removed.\n\nExamples:\n  wharf \
                      deployment set web --snapshot-repository backups --snapshot-every 5m \
                      --on-host-loss restore\n  wharf deployment set web --on-host-loss empty\n  \
                      wharf deployment set web --on-host-loss wait --no-snapshots"
    )]
    Set(DeploymentSetArgs),
    /// Have every storage node take a snapshot now
    #[command(after_help = "Example:\n  wharf deployment snapshot web --wait")]
    Snapshot(SnapshotArgs),
    /// List the snapshots that a deployment keeps, newest first
    #[command(after_help = "Example:\n  wharf deployment snapshots web")]
    Snapshots(DeploymentArgs),
    /// Stop a deployment and remove its data
    #[command(
        after_help = "Examples:\n  wharf deployment delete web --yes --wait\n  wharf deployment \
                      delete web --dry-run"
    )]
    Delete(ConfirmedArgs),
    /// The address, user and password of a deployment
    #[command(after_help = "Example:\n  wharf deployment credentials system -o json")]
    Credentials(DeploymentArgs),
}

/// A deployment by id, alias or name.
#[derive(Debug, Args)]
pub(crate) struct DeploymentArgs {
    /// Id, alias or name
    pub(crate) deployment: String,
}

/// The size of each instance of one kind.
#[derive(Debug, Args)]
pub(crate) struct SizeArgs {
    /// Memory of each instance, MiB
    #[arg(long, value_name = "MIB", value_parser = value_parser!(u64).range(1..))]
    pub(crate) memory_mib: Option<u64>,
    /// Disk of each instance, MiB
    #[arg(long, value_name = "MIB", value_parser = value_parser!(u64).range(1..))]
    pub(crate) disk_mib: Option<u64>,
    /// CPU of each instance, thousandths of a core
    #[arg(long, value_name = "MILLIS", value_parser = value_parser!(u32).range(1..))]
    pub(crate) cpu_millis: Option<u32>,
    /// Kind of instances that the sizes are for
    #[arg(long, default_value = "storage", value_parser = ["storage", "monitoring"])]
    pub(crate) kind: String,
}

/// `wharf deployment create`
#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// Name
    #[arg(long)]
    pub(crate) name: String,
    /// Host name label [default: made from the name]
    #[arg(long, default_value = "")]
    pub(crate) alias: String,
    /// Template to start from; a size that is not named is the template's, a disk is made from the memory
    #[arg(long, default_value = "observability")]
    pub(crate) template: String,
    #[command(flatten)]
    pub(crate) size: SizeArgs,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
}

/// `wharf deployment resize`
#[derive(Debug, Args)]
#[command(group(
    ArgGroup::new("sizes").args(["memory_mib", "disk_mib", "cpu_millis"]).required(true).multiple(true)
))]
pub(crate) struct ResizeArgs {
    /// Id, alias or name
    pub(crate) deployment: String,
    #[command(flatten)]
    pub(crate) size: SizeArgs,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
}

/// `wharf deployment restart`
#[derive(Debug, Args)]
pub(crate) struct RestartArgs {
    /// Id, alias or name
    pub(crate) deployment: String,
    /// Instance (`storage-0`) or kind of instances (`storage`), again for each [default: all]
    #[arg(long = "instance", value_name = "NAME")]
    pub(crate) instances: Vec<String>,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
}

/// A change that asks before it stops what runs.
#[derive(Debug, Args)]
pub(crate) struct ConfirmedArgs {
    /// Id, alias or name
    pub(crate) deployment: String,
    /// Do not ask; needed where there is no terminal
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
}

/// `wharf deployment restore`
#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// Id, alias or name
    pub(crate) deployment: String,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
}

/// `wharf deployment reset-password`
#[derive(Debug, Args)]
pub(crate) struct ResetPasswordArgs {
    /// Id, alias or name
    pub(crate) deployment: String,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
    #[command(flatten)]
    pub(crate) request: RequestArgs,
}
