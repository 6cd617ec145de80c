//! What can be typed after `wharf repository`, and of snapshots after `wharf deployment`. Invariant: a
//! secret key is never an argument. Not here: what it does (`commands/repository.rs`,
//! `commands/snapshot.rs`).

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand, value_parser};

use super::{ListArgs, RequestArgs};

/// `wharf repository`
#[derive(Debug, Subcommand)]
pub(crate) enum RepositoryCommand {
    /// Create a repository for snapshots: a bucket, or a folder that every host has
    #[command(
        after_help = "The secret key comes from a file, or from WHARF_S3_SECRET_ACCESS_KEY; nobody is \
                      shown it again.\n\nExamples:\n  wharf repository create backups --s3-endpoint \
                      https://s3.example.org --bucket backups --access-key-id AKIA123 \
                      --secret-access-key-file key.txt\n  wharf repository create nfs --path \
                      /mnt/backups"
    )]
    Create(RepositoryArgs),
    /// List repositories
    #[command(after_help = "Example:\n  wharf repository list --filter 'kind=s3'")]
    List(ListArgs),
    /// Show a repository, without its secret
    #[command(after_help = "Example:\n  wharf repository show backups")]
    Show {
        /// Name
        name: String,
    },
    /// Replace a repository; while deployments use it, it stays where it is
    #[command(
        after_help = "It is replaced whole: what is not named is as by default. The secret key alone is \
                      kept when none is given.\n\nExample:\n  wharf \
                      repository update backups --s3-endpoint https://s3.example.org --bucket \
                      backups --access-key-id AKIA456 --secret-access-key-file new.txt"
    )]
    Update(RepositoryArgs),
    /// Forget a repository that no deployment uses; what is in it stays
    #[command(after_help = "Example:\n  wharf repository delete backups --yes")]
    Delete {
        /// Name
        name: String,
        /// Do not ask; needed where there is no terminal
        #[arg(long)]
        yes: bool,
    },
}

/// What a repository is made of.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("place").args(["bucket", "path"]).required(true)))]
pub(crate) struct RepositoryArgs {
    /// Name
    pub(crate) name: String,
    /// Folder that every allocator's host has, because a network file system is mounted there
    #[arg(long, value_name = "PATH")]
    pub(crate) path: Option<String>,
    /// Bucket
    #[arg(long, requires = "access_key_id")]
    pub(crate) bucket: Option<String>,
    /// Where the bucket is [default: Amazon's of the region]
    #[arg(long, value_name = "URL", requires = "bucket")]
    pub(crate) s3_endpoint: Option<String>,
    /// Region that requests are signed for [default: us-east-1]
    #[arg(long, requires = "bucket")]
    pub(crate) region: Option<String>,
    /// Id of the key
    #[arg(long, value_name = "ID", requires = "bucket")]
    pub(crate) access_key_id: Option<String>,
    /// File with the secret key; `-` reads standard input [default: WHARF_S3_SECRET_ACCESS_KEY]
    #[arg(long, value_name = "FILE", requires = "bucket")]
    pub(crate) secret_access_key_file: Option<PathBuf>,
    /// Authorities that the endpoint's certificate may be of, PEM
    #[arg(long, value_name = "FILE", requires = "bucket")]
    pub(crate) s3_ca_file: Option<PathBuf>,
    /// The bucket stands in the host name instead of in the path
    #[arg(long, requires = "bucket")]
    pub(crate) virtual_hosted: bool,
    /// Below which everything lies
    #[arg(long, default_value = "")]
    pub(crate) prefix: String,
    #[command(flatten)]
    pub(crate) request: RequestArgs,
}

/// `wharf deployment set`
#[derive(Debug, Args)]
#[command(group(
    ArgGroup::new("wishes")
        .args(["on_host_loss", "snapshot_repository", "snapshot_every", "snapshot_keep", "no_snapshots"])
        .required(true)
        .multiple(true)
))]
pub(crate) struct DeploymentSetArgs {
    /// Id, alias or name
    pub(crate) deployment: String,
    /// Wait for the host, restore the last snapshot elsewhere, or start empty elsewhere
    #[arg(long, value_parser = ["wait", "restore", "empty"])]
    pub(crate) on_host_loss: Option<String>,
    /// Repository that the storage nodes keep snapshots in
    #[arg(long, value_name = "NAME", conflicts_with = "no_snapshots")]
    pub(crate) snapshot_repository: Option<String>,
    /// Between two snapshots: `5m`, `2h` [default: as it is, else 30m]
    #[arg(long, value_name = "AGE", conflicts_with = "no_snapshots")]
    pub(crate) snapshot_every: Option<String>,
    /// So many are kept of each storage node [default: as it is, else 100]
    #[arg(long, value_name = "COUNT", conflicts_with = "no_snapshots",
          value_parser = value_parser!(u32).range(1..))]
    pub(crate) snapshot_keep: Option<u32>,
    /// Take no more snapshots; those that are there stay
    #[arg(long)]
    pub(crate) no_snapshots: bool,
    #[command(flatten)]
    pub(crate) request: RequestArgs,
}

/// `wharf deployment snapshot`
#[derive(Debug, Args)]
pub(crate) struct SnapshotArgs {
    /// Id, alias or name
    pub(crate) deployment: String,
    /// Wait until every storage node has one
    #[arg(long)]
    pub(crate) wait: bool,
    /// With --wait: give up after this many seconds (the snapshot goes on)
    #[arg(long, default_value_t = 600, value_name = "SECONDS")]
    pub(crate) wait_timeout: u64,
    #[command(flatten)]
    pub(crate) request: RequestArgs,
}
