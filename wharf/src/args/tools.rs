//! What can be typed after `wharf api`, `diagnostics`, `completion` and `man`. Not here: what these
//! commands do (`commands/`).

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::PlatformArgs;

/// `wharf api`
#[derive(Debug, Args)]
pub(crate) struct ApiArgs {
    /// Method, `wharf.v1.Plans/GetPlan` or as much of its end as names one; without it the methods are listed
    pub(crate) method: Option<String>,
    /// Request as JSON with the field names of the contracts; `-` reads it from standard input, which
    /// is where a secret belongs [default: an empty request]
    pub(crate) request: Option<String>,
    /// Refuse a message of the answer that is larger than this
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=1024), value_name = "MIB")]
    pub(crate) max_answer_mib: u64,
}

/// `wharf diagnostics`
#[derive(Debug, Args)]
pub(crate) struct DiagnosticsArgs {
    #[command(flatten)]
    pub(crate) platform: PlatformArgs,
    /// Archive to write; never one that is there [default: wharf-diagnostics-NAME-TIME.tar.gz]
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Lines of each role's log
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(0..=100_000), value_name = "N")]
    pub(crate) log_lines: u32,
}

/// `wharf completion`
#[derive(Debug, Args)]
pub(crate) struct CompletionArgs {
    /// Shell to complete in
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

/// Shells that can complete our commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    /// GNU Bash.
    Bash,
    /// Zsh.
    Zsh,
    /// Fish.
    Fish,
}

/// `wharf man`
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Folder to write the pages into; made when it is missing
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
}
