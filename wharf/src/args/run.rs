//! What follows `wharf run`: how the platform starts its roles and nodes. Not here: what they do with it
//! (`roles.rs`).

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `wharf run`
#[derive(Debug, Subcommand)]
pub(crate) enum RunCommand {
    /// The director
    Director(RoleArgs),
    /// The allocator
    Allocator(RoleArgs),
    /// The proxy
    Proxy(RoleArgs),
    /// A storage node
    Store(Box<StoreArgs>),
    /// A monitoring node
    Monitor(Box<MonitorArgs>),
}

/// Where a role finds its files.
#[derive(Debug, Args)]
pub(crate) struct RoleArgs {
    /// The platform's data directory
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: PathBuf,
}

/// Settings that every node takes; none of them is secret.
#[derive(Debug, Args)]
pub(crate) struct NodeArgs {
    /// Where it keeps its data
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: PathBuf,
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: std::net::SocketAddr,
    /// Memory it may use
    #[arg(long, value_name = "N")]
    pub(crate) memory_bytes: u64,
    /// Disk it may use
    #[arg(long, value_name = "N")]
    pub(crate) disk_bytes: u64,
    /// Its instance id
    #[arg(long, default_value = "")]
    pub(crate) instance_id: String,
    /// Its deployment's id
    #[arg(long, default_value = "")]
    pub(crate) deployment_id: String,
    /// Its deployment's name
    #[arg(long, default_value = "wharf")]
    pub(crate) deployment_name: String,
    /// Its resource's id
    #[arg(long, default_value = "")]
    pub(crate) resource_id: String,
    /// The platform's id
    #[arg(long, default_value = "")]
    pub(crate) platform_id: String,
}

/// Settings of a storage node.
#[derive(Debug, Args)]
pub(crate) struct StoreArgs {
    #[command(flatten)]
    pub(crate) node: NodeArgs,
    /// Where identity.pem, ca.pem and users.json lie; without it the node serves plain HTTP on loopback to anybody
    #[arg(long, value_name = "DIR")]
    pub(crate) secrets_dir: Option<PathBuf>,
    /// Its instance name
    #[arg(long, default_value = "storage-0")]
    pub(crate) instance_name: String,
}

/// Settings of a monitoring node.
#[derive(Debug, Args)]
pub(crate) struct MonitorArgs {
    #[command(flatten)]
    pub(crate) node: NodeArgs,
    /// Where identity.pem, ca.pem, storage.json and channels.json lie
    #[arg(long, value_name = "DIR")]
    pub(crate) secrets_dir: PathBuf,
    /// Its instance name
    #[arg(long, default_value = "monitoring-0")]
    pub(crate) instance_name: String,
}
