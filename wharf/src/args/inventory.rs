//! What can be typed after `wharf proxy`, `container` and `template`: what a platform has. Not here: what these commands do (`commands/`).

use clap::Subcommand;

use super::ListArgs;

/// `wharf proxy`
#[derive(Debug, Subcommand)]
pub(crate) enum ProxyCommand {
    /// List proxies
    #[command(after_help = "Example:\n  wharf proxy list -o json")]
    List(ListArgs),
}

/// `wharf container`
#[derive(Debug, Subcommand)]
pub(crate) enum ContainerCommand {
    /// List containers of every host
    #[command(
        after_help = "Example:\n  wharf container list --filter 'application=web' --sort 'memory desc'"
    )]
    List(ListArgs),
    /// Show a container
    #[command(after_help = "Example:\n  wharf container show my-container -o yaml")]
    Show {
        /// Id, the beginning of it, or name
        container: String,
    },
}

/// `wharf template`
#[derive(Debug, Subcommand)]
pub(crate) enum TemplateCommand {
    /// List templates
    #[command(after_help = "Example:\n  wharf template list")]
    List(ListArgs),
    /// Show a template
    #[command(after_help = "Example:\n  wharf template show observability")]
    Show {
        /// Template id
        template: String,
    },
}
