//! What can be typed after `wharf plan`. Not here: what it does (`commands/plan.rs`).

use clap::{Args, Subcommand};

use super::{ChangeArgs, ListArgs, RequestArgs};

/// `wharf plan`
#[derive(Debug, Subcommand)]
pub(crate) enum PlanCommand {
    /// List plans, newest first
    #[command(
        after_help = "Examples:\n  wharf plan list --deployment web --limit 5\n  wharf plan list --host h1"
    )]
    List {
        /// Only of this deployment
        #[arg(long, default_value = "")]
        deployment: String,
        /// Only those that act on this host
        #[arg(long, default_value = "")]
        host: String,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Show a plan with its changes, its steps and their logs
    #[command(after_help = "Example:\n  wharf plan show 0123456789abcdef0123456789abcdef")]
    Show(PlanArgs),
    /// Follow a plan's steps until it ends; exit with 4 when it fails or is cancelled
    #[command(after_help = "Example:\n  wharf plan follow 0123456789abcdef0123456789abcdef")]
    Follow(PlanArgs),
    /// End a plan at its next step
    #[command(
        after_help = "What was changed stays; what was begun and is not healthy is taken back. A \
                      deletion that has begun to remove data cannot be cancelled.\n\nExample:\n  \
                      wharf plan cancel 0123456789abcdef0123456789abcdef --wait"
    )]
    Cancel(CancelArgs),
    /// Make a new plan to what an ended plan wanted, from what there is now
    #[command(
        after_help = "Examples:\n  wharf plan reapply 0123456789abcdef0123456789abcdef --dry-run\n  \
                      wharf plan reapply 0123456789abcdef0123456789abcdef --wait"
    )]
    Reapply(ReapplyArgs),
    /// What a plan wanted against another
    #[command(
        after_help = "Examples:\n  wharf plan diff 0123456789abcdef0123456789abcdef\n  wharf plan \
                      diff 0123456789abcdef0123456789abcdef --from fedcba9876543210fedcba9876543210"
    )]
    Diff(DiffArgs),
}

/// A plan by id.
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// Plan id
    pub(crate) plan_id: String,
}

/// `wharf plan cancel`
#[derive(Debug, Args)]
pub(crate) struct CancelArgs {
    /// Plan id
    pub(crate) plan_id: String,
    /// Follow the plan until it ends; exit with 4 when it ends in another way than by being cancelled
    #[arg(long)]
    pub(crate) wait: bool,
    /// With --wait: give up after this many seconds (the cancelling goes on)
    #[arg(long, default_value_t = 600, value_name = "SECONDS")]
    pub(crate) wait_timeout: u64,
    #[command(flatten)]
    pub(crate) request: RequestArgs,
}

/// `wharf plan reapply`
#[derive(Debug, Args)]
pub(crate) struct ReapplyArgs {
    /// Id of a plan that has ended
    pub(crate) plan_id: String,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
}

/// `wharf plan diff`
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// Plan id
    pub(crate) plan_id: String,
    /// Plan to compare with [default: the one it started from]
    #[arg(long, default_value = "", value_name = "PLAN_ID")]
    pub(crate) from: String,
}
