//! What can be typed after `wharf authority`. Not here: what it does (`commands/authority.rs`).

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `wharf authority`
#[derive(Debug, Subcommand)]
pub(crate) enum AuthorityCommand {
    /// Show which authorities are trusted, and what a change of them waits for
    #[command(after_help = "Example:\n  wharf authority show")]
    Show,
    /// Write the trusted certificates into the CA file, over the connection that it verifies
    #[command(
        after_help = "Run it while a change is in its phase `trust`; afterwards the old file verifies nobody.\n\nExamples:\n  wharf authority fetch\n  wharf authority fetch --to /etc/ssl/wharf-ca.pem"
    )]
    Fetch {
        /// Write this file instead of the one that commands use
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
    /// Put a new authority in the place of the present one while everything runs
    #[command(
        after_help = "Every role trusts both, then gets a certificate of the new one, then trusts the old one no more. Each phase waits until every host was seen to have done its part.\n\nExamples:\n  wharf authority rotate --dry-run\n  wharf authority rotate --trust-for 7d --follow"
    )]
    Rotate(RotateArgs),
    /// Take a change back that has not come to its last phase
    #[command(after_help = "Example:\n  wharf authority cancel")]
    Cancel,
}

/// `wharf authority rotate`
#[derive(Debug, Args)]
pub(crate) struct RotateArgs {
    /// How long both are trusted before the new one issues, at least: time for clients outside to fetch it
    #[arg(long, default_value = "24h", value_name = "DURATION")]
    pub(crate) trust_for: String,
    /// Say which hosts it would wait for and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Wait until it has ended; the CA file follows
    #[arg(short, long, conflicts_with = "dry_run")]
    pub(crate) follow: bool,
}
