//! What can be typed after `wharf config`, `channel` and `events`: settings of the platform, where its
//! messages go, what happened. Not here: what these commands do (`commands/`).

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::ListArgs;

/// `wharf config`
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// List settings with their values
    #[command(after_help = "Example:\n  wharf config list --filter 'set=true'")]
    List(ListArgs),
    /// Show a setting with what it takes
    #[command(after_help = "Example:\n  wharf config show tokens.max_lifetime_seconds")]
    Show {
        /// Key
        key: String,
    },
    /// Set a setting; it acts at once
    #[command(after_help = "Example:\n  wharf config set tokens.max_lifetime_seconds 2592000")]
    Set {
        /// Key
        key: String,
        /// Value
        value: String,
    },
    /// Put a setting back to its default
    #[command(after_help = "Example:\n  wharf config reset tokens.max_lifetime_seconds")]
    Reset {
        /// Key
        key: String,
    },
}

/// `wharf channel`
#[derive(Debug, Subcommand)]
pub(crate) enum ChannelCommand {
    /// Create a channel from a document
    #[command(
        after_help = "The document is YAML or JSON. It holds secrets and is therefore never an \
                      argument; nobody is shown them again.\n\n  name: ops\n  webhook: {url: \
                      'https://hooks.example.org/T0/B0/x', format: slack}\n\n  name: mail\n  email: \
                      {host: mail.example.org, tls: starttls, username: wharf, password: x, from: \
                      wharf@example.org, to: [ops@example.org]}\n\nExamples:\n  wharf channel create -f \
                      ops.yaml\n  wharf channel create -f - <ops.json"
    )]
    Create(ChannelFileArgs),
    /// List channels
    #[command(after_help = "Example:\n  wharf channel list")]
    List(ListArgs),
    /// Show a channel, without its secrets
    #[command(after_help = "Example:\n  wharf channel show ops")]
    Show {
        /// Name
        name: String,
    },
    /// Replace a channel by a whole new document
    #[command(after_help = "Example:\n  wharf channel update -f ops.yaml")]
    Update(ChannelFileArgs),
    /// Delete a channel
    #[command(after_help = "Example:\n  wharf channel delete ops --yes")]
    Delete {
        /// Name
        name: String,
        /// Do not ask; needed where there is no terminal
        #[arg(long)]
        yes: bool,
    },
    /// Send a message that says that it is a test; exit with 1 when it does not arrive
    #[command(after_help = "Example:\n  wharf channel test ops")]
    Test {
        /// Name
        name: String,
    },
}

/// A channel's document.
#[derive(Debug, Args)]
pub(crate) struct ChannelFileArgs {
    /// File with the document; `-` reads standard input
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: PathBuf,
}

/// `wharf events`
#[derive(Debug, Args)]
pub(crate) struct EventsArgs {
    /// Go on with new events until interrupted
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Not before this time: RFC 3339, or an age like `2h`
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Before this time: RFC 3339, or an age like `1h`
    #[arg(long, value_name = "TIME", conflicts_with = "follow")]
    pub(crate) until: Option<String>,
    /// Events to keep: `field=value`, `field!=value`, `field~text`, joined by ` and `
    #[arg(long, default_value = "", value_name = "FILTER")]
    pub(crate) filter: String,
    /// The newest so many
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub(crate) tail: usize,
}
