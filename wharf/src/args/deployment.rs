//! What can be typed after `wharf deployment`. Not here: what it does (`commands/deployment.rs`).

use clap::{Args, Subcommand};

use super::{ListArgs, WaitArgs};

/// `wharf deployment`
#[derive(Debug, Subcommand)]
pub(crate) enum DeploymentCommand {
    /// Create a deployment from a template
    #[command(
        after_help = "Examples:\n  wharf deployment create --name web --wait\n  wharf \
                            deployment create --name big --memory-mib 4096 --disk-mib 40960"
    )]
    Create(CreateArgs),
    /// List deployments
    #[command(after_help = "Example:\n  wharf deployment list --filter 'health!=HEALTH_HEALTHY'")]
    List(ListArgs),
    /// Show a deployment with its instances
    #[command(after_help = "Example:\n  wharf deployment show system")]
    Show(DeploymentArgs),
    /// Stop a deployment and remove its data
    #[command(after_help = "Example:\n  wharf deployment delete web --yes --wait")]
    Delete(DeleteArgs),
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

/// `wharf deployment create`
#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// Name
    #[arg(long)]
    pub(crate) name: String,
    /// Host name label [default: made from the name]
    #[arg(long, default_value = "")]
    pub(crate) alias: String,
    /// Template to start from
    #[arg(long, default_value = "observability")]
    pub(crate) template: String,
    /// Memory of each storage node, MiB [default: the template's]
    #[arg(long, value_name = "MIB")]
    pub(crate) memory_mib: Option<u64>,
    /// Disk of each storage node, MiB [default: from the memory]
    #[arg(long, value_name = "MIB")]
    pub(crate) disk_mib: Option<u64>,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
    /// Id of this request, for a retry that must not create twice [default: a new one]
    #[arg(long, value_name = "ID")]
    pub(crate) request_id: Option<String>,
}

/// `wharf deployment delete`
#[derive(Debug, Args)]
pub(crate) struct DeleteArgs {
    /// Id, alias or name
    pub(crate) deployment: String,
    /// Do not ask; needed where there is no terminal
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}
