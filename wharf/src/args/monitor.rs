//! What can be typed after `wharf watch`, `alert` and `services`: what a deployment's monitoring node
//! is asked. Not here: what these commands do (`commands/`).

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::ListArgs;

/// Whose monitoring node is asked.
#[derive(Debug, Clone, Args)]
pub(crate) struct MonitorArgs {
    /// Deployment whose monitoring node is asked: id, alias or name
    #[arg(long, default_value = "system", value_name = "DEPLOYMENT")]
    pub(crate) deployment: String,
}

/// `wharf watch`
#[derive(Debug, Subcommand)]
pub(crate) enum WatchCommand {
    /// List watches with their last run
    #[command(
        after_help = "Examples:\n  wharf watch list\n  wharf watch list --filter 'firing!=0' --sort 'name'"
    )]
    List {
        #[command(flatten)]
        monitor: MonitorArgs,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Show a watch and its document
    #[command(after_help = "Example:\n  wharf watch show host-memory")]
    Show(WatchArgs),
    /// Create a watch from a document
    #[command(
        after_help = "The document is YAML or JSON; docs/guide/watches.md has its fields.\n\n\
                      Examples:\n  wharf watch create -f checkout-slow.yaml\n  wharf watch create -f - \
                      --replace <watch.json"
    )]
    Create(WatchCreateArgs),
    /// Edit a watch's document in $VISUAL or $EDITOR
    #[command(
        after_help = "What somebody else changed meanwhile is not overwritten.\n\nExample:\n  wharf \
                      watch edit host-memory"
    )]
    Edit(WatchArgs),
    /// Delete a watch, or one's changes to a shipped one
    #[command(after_help = "Example:\n  wharf watch delete checkout-slow --yes")]
    Delete {
        #[command(flatten)]
        watch: WatchArgs,
        /// Do not ask; needed where there is no terminal
        #[arg(long)]
        yes: bool,
    },
    /// Let a watch's trigger run it
    #[command(after_help = "Example:\n  wharf watch enable checkout-slow")]
    Enable(WatchArgs),
    /// Let a watch's trigger run it no longer
    #[command(after_help = "Example:\n  wharf watch disable checkout-slow")]
    Disable(WatchArgs),
    /// Run a watch now: alerts change and messages are sent
    #[command(after_help = "Example:\n  wharf watch run host-memory")]
    Run(WatchArgs),
    /// Search and judge now; nothing is stored and nothing sent
    #[command(
        after_help = "Examples:\n  wharf watch test host-memory\n  wharf watch test -f \
                      checkout-slow.yaml --at 2026-01-31T12:00:00Z"
    )]
    Test {
        #[command(flatten)]
        watch: WatchRefArgs,
        /// As if it were this time: RFC 3339, or an age like `2h` [default: now]
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
    },
    /// When a watch would have fired in a span of the past
    #[command(
        after_help = "Examples:\n  wharf watch preview host-memory --from 3d\n  wharf watch \
                      preview -f checkout-slow.yaml"
    )]
    Preview {
        #[command(flatten)]
        watch: WatchRefArgs,
        #[command(flatten)]
        span: SpanArgs,
    },
    /// Past runs, each with its search, its result and its messages
    #[command(
        after_help = "Examples:\n  wharf watch history host-memory --limit 20\n  wharf watch \
                      history --from 1h --filter 'outcome=error'"
    )]
    History {
        /// Name [default: of every watch]
        #[arg(default_value = "", hide_default_value = true)]
        name: String,
        #[command(flatten)]
        span: SpanArgs,
        #[command(flatten)]
        monitor: MonitorArgs,
        #[command(flatten)]
        list: ListArgs,
    },
}

/// A watch by name.
#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// Name
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) monitor: MonitorArgs,
}

/// `wharf watch create`
#[derive(Debug, Args)]
pub(crate) struct WatchCreateArgs {
    /// File with the document; `-` reads standard input
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Also when there is one of that name, which is replaced
    #[arg(long)]
    pub(crate) replace: bool,
    #[command(flatten)]
    pub(crate) monitor: MonitorArgs,
}

/// A watch by name, or a document that is not kept.
#[derive(Debug, Args)]
pub(crate) struct WatchRefArgs {
    /// Name
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    pub(crate) name: Option<String>,
    /// File with a document instead; `-` reads standard input
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) monitor: MonitorArgs,
}

/// A span of the past.
#[derive(Debug, Args)]
pub(crate) struct SpanArgs {
    /// Begin: RFC 3339, or an age like `2h`
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// End: RFC 3339, or an age like `1h` [default: now]
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
}

/// `wharf alert`
#[derive(Debug, Subcommand)]
pub(crate) enum AlertCommand {
    /// List alerts that fire or are acknowledged
    #[command(
        after_help = "Examples:\n  wharf alert list\n  wharf alert list --recovered --filter \
                      'watch=host-memory'"
    )]
    List {
        /// Recovered ones too
        #[arg(long)]
        recovered: bool,
        #[command(flatten)]
        monitor: MonitorArgs,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Show an alert
    #[command(after_help = "Example:\n  wharf alert show 0123456789abcdef")]
    Show(AlertArgs),
    /// Acknowledge an alert: no more messages until it has recovered
    #[command(after_help = "Example:\n  wharf alert ack 0123456789abcdef --comment 'on it'")]
    Ack {
        #[command(flatten)]
        alert: AlertArgs,
        /// What the others should know
        #[arg(long, default_value = "", hide_default_value = true)]
        comment: String,
    },
    /// Send no messages about an alert for a time, whatever it does
    #[command(after_help = "Example:\n  wharf alert silence 0123456789abcdef --for 2h")]
    Silence {
        #[command(flatten)]
        alert: AlertArgs,
        /// How long, one minute to thirty days: `30m`, `2h`, `1d`
        #[arg(long = "for", value_name = "TIME")]
        duration: String,
        /// What the others should know
        #[arg(long, default_value = "", hide_default_value = true)]
        comment: String,
    },
    /// Send messages about a silenced alert again
    #[command(after_help = "Example:\n  wharf alert unsilence 0123456789abcdef")]
    Unsilence(AlertArgs),
}

/// An alert by id.
#[derive(Debug, Args)]
pub(crate) struct AlertArgs {
    /// Id, as `wharf alert list` shows it
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) monitor: MonitorArgs,
}

/// `wharf services`
#[derive(Debug, Args)]
pub(crate) struct ServicesArgs {
    /// Sum up the last so much, at most a day: `90s`, `15m`, `2h`
    #[arg(long, default_value = "15m", value_name = "TIME")]
    pub(crate) window: String,
    #[command(flatten)]
    pub(crate) monitor: MonitorArgs,
    #[command(flatten)]
    pub(crate) list: ListArgs,
}
