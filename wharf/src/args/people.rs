//! What can be typed after `wharf user` and `wharf token`: who may use the platform, and by what hosts join it. Invariant: no
//! secret is an argument, and no argument takes the id of `--username`, which says who logs in. Not here: what these commands do (`commands/`).

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::ListArgs;

/// Roles that a person can have.
const ROLES: [&str; 4] = [
    "platform_admin",
    "platform_viewer",
    "deployments_manager",
    "deployments_viewer",
];

/// `wharf user`
#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Create a user
    #[command(
        after_help = "The password is asked for on the terminal unless a file is given.\n\nExamples:\n  \
                      wharf user create alice --role deployments_manager\n  wharf user create bot \
                      --role platform_viewer --new-password-file - <password.txt"
    )]
    Create {
        /// Name to log in with
        #[arg(id = "user", value_name = "USERNAME")]
        username: String,
        #[command(flatten)]
        roles: RolesArgs,
        #[command(flatten)]
        password: NewPasswordArgs,
    },
    /// List users
    #[command(after_help = "Example:\n  wharf user list --filter 'disabled=true'")]
    List(ListArgs),
    /// Show a user, or who one is oneself
    #[command(after_help = "Examples:\n  wharf user show\n  wharf user show alice")]
    Show {
        /// Name [default: whoever calls, with the roles that the call has]
        #[arg(id = "user", value_name = "USERNAME")]
        username: Option<String>,
    },
    /// Set a user's password, or one's own
    #[command(
        after_help = "The password is asked for on the terminal unless a file is given. The user's \
                      open streams end; tokens stay valid.\n\nExamples:\n  wharf user set-password \
                      alice\n  wharf user set-password --new-password-file new.txt"
    )]
    SetPassword {
        /// Name [default: one's own]
        #[arg(id = "user", value_name = "USERNAME")]
        username: Option<String>,
        #[command(flatten)]
        password: NewPasswordArgs,
    },
    /// Give a user these roles and no others
    #[command(after_help = "Example:\n  wharf user set-roles alice --role platform_viewer")]
    SetRoles {
        /// Name
        #[arg(id = "user", value_name = "USERNAME")]
        username: String,
        #[command(flatten)]
        roles: RolesArgs,
    },
    /// Let a user log in no longer, nor with tokens
    #[command(after_help = "Example:\n  wharf user disable alice")]
    Disable {
        /// Name
        #[arg(id = "user", value_name = "USERNAME")]
        username: String,
    },
    /// Let a disabled user log in again
    #[command(after_help = "Example:\n  wharf user enable alice")]
    Enable {
        /// Name
        #[arg(id = "user", value_name = "USERNAME")]
        username: String,
    },
    /// Delete a user with the user's tokens
    #[command(after_help = "Example:\n  wharf user delete alice --yes")]
    Delete {
        /// Name
        #[arg(id = "user", value_name = "USERNAME")]
        username: String,
        /// Do not ask; needed where there is no terminal
        #[arg(long)]
        yes: bool,
    },
}

/// Roles of a user or a token.
#[derive(Debug, Args)]
pub(crate) struct RolesArgs {
    /// Role; may be given several times
    #[arg(long = "role", required = true, value_parser = ROLES, value_name = "ROLE")]
    pub(crate) roles: Vec<String>,
}

/// Where a new password comes from.
#[derive(Debug, Args)]
pub(crate) struct NewPasswordArgs {
    /// File that holds the new password, `-` is standard input [default: asked for on the terminal]
    #[arg(long, value_name = "FILE")]
    pub(crate) new_password_file: Option<PathBuf>,
}

/// `wharf token create`
#[derive(Debug, Args)]
pub(crate) struct TokenCreateArgs {
    /// What it is for
    #[arg(long, required_unless_present = "host_roles")]
    pub(crate) name: Option<String>,
    /// Role, no more than one has oneself; may be given several times [default: the same]
    #[arg(long = "role", value_parser = ROLES, value_name = "ROLE")]
    pub(crate) roles: Vec<String>,
    /// How long it is valid: `2h`, `30d` [default: 90 days, or the platform's limit]
    #[arg(long, value_name = "TIME")]
    pub(crate) lifetime: Option<String>,
    /// Write the secret into this file, which must not be there, and do not print it
    #[arg(long, value_name = "FILE")]
    pub(crate) secret_file: Option<PathBuf>,
    /// What hosts that join by it may be; `collector`: watched, nothing is placed there
    #[arg(
        id = "host_roles",
        long = "roles",
        value_delimiter = ',',
        value_parser = super::host::HOST_ROLES,
        value_name = "ROLE,...",
        conflicts_with_all = ["name", "roles", "lifetime"],
        help_heading = "Hosts that join"
    )]
    pub(crate) host_roles: Vec<String>,
    /// Availability zone of those hosts
    #[arg(
        long,
        default_value = "zone-1",
        value_name = "ZONE",
        help_heading = "Hosts that join"
    )]
    pub(crate) zone: String,
    /// How long hosts can join by it: `30m`, `7d` [default: 1h]
    #[arg(
        long,
        value_name = "TIME",
        requires = "host_roles",
        help_heading = "Hosts that join"
    )]
    pub(crate) ttl: Option<String>,
    /// How many hosts can join by it
    #[arg(
        long,
        default_value_t = 1,
        value_name = "N",
        help_heading = "Hosts that join"
    )]
    pub(crate) uses: u32,
}

/// `wharf token`
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Create a token: one that stands for oneself in programs, or with --roles one by which hosts join
    #[command(
        after_help = "The secret is shown once. Programs give it in WHARF_TOKEN or with --token-file; a \
                      host that joins gives it to `wharf install`.\n\nExamples:\n  wharf token create \
                      --name ci --role deployments_manager --lifetime 30d\n  wharf token create --name ci \
                      --secret-file /run/ci/wharf-token\n  wharf token create --roles allocator,proxy \
                      --zone zone-b --ttl 1h\n  wharf token create --roles collector --uses 20 --ttl 7d"
    )]
    Create(Box<TokenCreateArgs>),
    /// List tokens: one's own, or everybody's for those who see the platform
    #[command(
        after_help = "Examples:\n  wharf token list --filter 'expired=false'\n  wharf token list \
                      --enrollment --filter 'state=usable'"
    )]
    List {
        /// Those by which hosts join instead
        #[arg(long)]
        enrollment: bool,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Revoke a token at once
    #[command(after_help = "Example:\n  wharf token revoke 0123456789abcdef0123456789abcdef")]
    Revoke {
        /// Token id, as `wharf token list` shows it
        token_id: String,
    },
}
