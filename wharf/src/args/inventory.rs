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
    /// Sum up containers by what they have in common, the group that uses most memory first
    #[command(
        after_help = "`--filter` and `--sort` are about groups: key, containers, running, cpu, memory, \
                      restarts, out_of_memory.\n\nExamples:\n  wharf container groups\n  wharf \
                      container groups --by host --sort 'cpu desc'\n  wharf container groups --by \
                      deployment --of 'zone=zone-1'"
    )]
    Groups {
        /// application, deployment, host, zone, service, image or state
        #[arg(long, default_value = "application")]
        by: String,
        /// Only containers that this filter lets through, as in a list of them
        #[arg(long, value_name = "FILTER", default_value = "")]
        of: String,
        #[command(flatten)]
        list: ListArgs,
    },
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
