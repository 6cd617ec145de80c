//! What a proxy must know before it starts, read from the data directory.

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use wharf_runtime::{
    platform_file::{PlatformFile, PlatformFileError},
    role_files::ProxyFile,
};

/// Settings of a proxy.
#[derive(Debug, Clone)]
pub struct Config {
    /// 32 lower-case hex.
    pub platform_id: String,
    /// 32 lower-case hex.
    pub proxy_id: String,
    /// Name of this host.
    pub host: String,
    /// Availability zone of this host.
    pub zone: String,
    /// `address:port` of every director's internal listener.
    pub directors: Vec<String>,
    /// Client traffic, TLS.
    pub https: SocketAddr,
    /// Client traffic without TLS; a loopback address.
    pub http: Option<SocketAddr>,
    /// `/health` and `/metrics`; a loopback address.
    pub metrics: SocketAddr,
    /// Its key and certificate.
    pub identity_path: PathBuf,
    /// The platform's CA.
    pub ca_path: PathBuf,
    /// Where the route table is kept.
    pub table_path: PathBuf,
}

impl Config {
    /// Reads the files that `wharf up` wrote.
    ///
    /// # Errors
    /// When one is missing or damaged.
    pub fn from_data_dir(data_dir: &Path) -> Result<Self, PlatformFileError> {
        let platform = PlatformFile::read(data_dir)?;
        let own = ProxyFile::read(data_dir)?;
        let bind: IpAddr = platform
            .bind_address
            .parse()
            .unwrap_or(IpAddr::from([127, 0, 0, 1]));
        let loopback = IpAddr::from([127, 0, 0, 1]);
        Ok(Self {
            platform_id: platform.platform_id,
            proxy_id: own.proxy_id,
            host: platform.host,
            zone: platform.zone,
            directors: platform.directors,
            https: SocketAddr::new(bind, platform.ports.proxy_https),
            http: Some(SocketAddr::new(loopback, platform.ports.proxy_http)),
            metrics: SocketAddr::new(loopback, platform.ports.proxy_metrics),
            identity_path: data_dir.join("proxy/identity.pem"),
            ca_path: data_dir.join("ca.pem"),
            table_path: data_dir.join("proxy/table.bin"),
        })
    }
}
