//! What can be typed after `wharf plan`. Not here: what it does (`commands/plan.rs`).

use clap::{Args, Subcommand};

use super::ListArgs;

/// `wharf plan`
#[derive(Debug, Subcommand)]
pub(crate) enum PlanCommand {
    /// List plans, newest first
    #[command(after_help = "Example:\n  wharf plan list --deployment web --limit 5")]
    List {
        /// Only of this deployment
        #[arg(long, default_value = "")]
        deployment: String,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Show a plan with its steps and their logs
    #[command(after_help = "Example:\n  wharf plan show 0123456789abcdef0123456789abcdef")]
    Show(PlanArgs),
    /// Follow a plan's steps until it ends; exit with 4 when it fails
    #[command(after_help = "Example:\n  wharf plan follow 0123456789abcdef0123456789abcdef")]
    Follow(PlanArgs),
}

/// A plan by id.
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// Plan id
    pub(crate) plan_id: String,
}
