//! What can be typed after `wharf director`: who decides, and who leads. Not here: what these commands do
//! (`commands/director.rs`).

use clap::Subcommand;

use super::ListArgs;

/// `wharf director`
#[derive(Debug, Subcommand)]
pub(crate) enum DirectorCommand {
    /// List directors, with who leads, who has a vote, what each lacks and when it was heard of
    #[command(
        after_help = "Examples:\n  wharf director list\n  wharf director list --filter 'connected=false'"
    )]
    List(ListArgs),
    /// Say how a host becomes a director; changes nothing
    #[command(
        after_help = "A director joins by a token, as every host does.\n\nExample:\n  wharf director add --zone zone-b"
    )]
    Add {
        /// Availability zone of the host
        #[arg(long, default_value = "zone-1", value_name = "ZONE")]
        zone: String,
    },
    /// Take a director out of the group for good; its host keeps its other roles
    #[command(
        after_help = "The last director with a vote stays. One that leads hands over first. One that was \
                      removed does not come back; its host can join again by a new token, after `wharf \
                      uninstall`.\n\nExample:\n  wharf director remove my-host --yes"
    )]
    Remove {
        /// Id or host name
        #[arg(id = "member", value_name = "DIRECTOR")]
        director: String,
        /// Do not ask; needed where there is no terminal
        #[arg(long)]
        yes: bool,
    },
    /// Let another director lead
    #[command(
        after_help = "Examples:\n  wharf director step-down\n  wharf director step-down --to my-host"
    )]
    StepDown {
        /// Id or host name of the one that is to lead [default: the one with the most of the log]
        #[arg(long, value_name = "DIRECTOR")]
        to: Option<String>,
    },
}
