//! The route table in use: swapped atomically, kept on disk, with the certificates of its aliases.
//! A proxy that starts while no director answers serves from the table on disk.

use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use arc_swap::ArcSwap;
use prost::Message as _;
use wharf_proto::v1::{RouteDelta, RouteTable as TableMessage};
use wharf_proxy_core::{Refused, RouteTable};
use wharf_runtime::{
    data_dir::{read_limited, write_atomic},
    tls::{KeyedCert, SniTable},
};

/// A table of ten thousand routes with their certificates takes about 30 MB.
const MAX_TABLE_BYTES: u64 = 256 << 20;

/// The table in use and what is known of its age.
#[derive(Debug)]
pub(crate) struct Routes {
    path: PathBuf,
    table: ArcSwap<RouteTable>,
    certs: Arc<SniTable>,
    issuers: ArcSwap<BTreeMap<String, String>>,
    updated_ms: AtomicI64,
    taken_ms: AtomicI64,
    connected: AtomicBool,
}

impl Routes {
    /// The table on disk, or an empty one. A damaged file is not used, and said so: the director
    /// sends a whole table anyway.
    #[must_use]
    pub(crate) fn load(path: PathBuf, certs: Arc<SniTable>) -> Self {
        let routes = Self {
            path,
            table: ArcSwap::default(),
            certs,
            issuers: ArcSwap::default(),
            updated_ms: AtomicI64::new(0),
            taken_ms: AtomicI64::new(0),
            connected: AtomicBool::new(false),
        };
        match routes.read() {
            Ok(Some((message, written_ms))) => {
                tracing::info!(generation = message.generation, "serving the table on disk");
                routes.put(RouteTable::new(message), written_ms);
            }
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(path = %routes.path.display(), %error, "the table on disk cannot be used");
            }
        }
        routes
    }

    fn read(&self) -> io::Result<Option<(TableMessage, i64)>> {
        let Some(bytes) = read_limited(&self.path, MAX_TABLE_BYTES)? else {
            return Ok(None);
        };
        let (sum, body) = bytes
            .split_at_checked(4)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it is too short"))?;
        if sum != checksum(body) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "its checksum is wrong",
            ));
        }
        let message = TableMessage::decode(body)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let written_ms = std::fs::metadata(&self.path)?
            .modified()?
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |age| i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        Ok(Some((message, written_ms)))
    }

    /// The table now.
    #[must_use]
    pub(crate) fn table(&self) -> Arc<RouteTable> {
        self.table.load_full()
    }

    /// The authorities that issued the table's certificates, each with one of its names. An empty
    /// authority is one that is not known.
    #[must_use]
    pub(crate) fn issuers(&self) -> Arc<BTreeMap<String, String>> {
        self.issuers.load_full()
    }

    /// When the director last confirmed the table, milliseconds since 1970; zero for never.
    #[must_use]
    pub(crate) fn updated_ms(&self) -> i64 {
        self.updated_ms.load(Ordering::Relaxed)
    }

    /// When the table in use was taken, also by an earlier process, milliseconds since 1970; zero for never.
    #[must_use]
    pub(crate) fn taken_ms(&self) -> i64 {
        self.taken_ms.load(Ordering::Relaxed)
    }

    /// Whether a director's session is open.
    #[must_use]
    pub(crate) fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Relaxed)
    }

    /// A session was opened or lost.
    pub(crate) fn set_connected(&self, connected: bool) {
        self.connected.store(connected, Ordering::Relaxed);
    }

    /// The director was heard from and has nothing newer.
    pub(crate) fn confirm(&self, now_ms: i64) {
        self.updated_ms.store(now_ms, Ordering::Relaxed);
    }

    /// Takes a whole table.
    ///
    /// # Errors
    /// When it is older than the one in use.
    pub(crate) fn replace(&self, snapshot: TableMessage, now_ms: i64) -> Result<(), Refused> {
        let next = self.table().replaced(snapshot)?;
        self.take(next, now_ms);
        Ok(())
    }

    /// Takes a change.
    ///
    /// # Errors
    /// When it does not fit the table in use: the whole one must be asked for.
    pub(crate) fn change(&self, delta: &RouteDelta, now_ms: i64) -> Result<(), Refused> {
        let next = self.table().changed(delta)?;
        self.take(next, now_ms);
        Ok(())
    }

    fn take(&self, next: RouteTable, now_ms: i64) {
        let body = next.message().encode_to_vec();
        let mut bytes = checksum(&body).to_vec();
        bytes.extend_from_slice(&body);
        // It holds the aliases' keys.
        if let Err(error) = write_atomic(&self.path, &bytes, 0o600) {
            tracing::warn!(path = %self.path.display(), %error, "the table cannot be kept on disk");
        }
        self.put(next, now_ms);
    }

    fn put(&self, next: RouteTable, now_ms: i64) {
        let domain = next.domain().to_owned();
        let mut certs = Vec::new();
        for route in next
            .routes()
            .iter()
            .filter(|route| !route.identity_pem.is_empty())
        {
            match KeyedCert::from_pem(&route.identity_pem) {
                Ok(cert) => {
                    let monitor = if route.resource_kind == "monitoring" {
                        "-monitor"
                    } else {
                        ""
                    };
                    certs.push((format!("{}{monitor}.{domain}", route.alias), cert));
                }
                Err(error) => {
                    tracing::error!(alias = route.alias, %error, "the alias's certificate cannot be used");
                }
            }
        }
        let issuers = certs.iter();
        let issuers = issuers.map(|(name, cert)| (cert.issuer().unwrap_or_default(), name.clone()));
        let issuers = issuers.collect();
        self.certs
            .replace_all(certs.iter().map(|(name, cert)| (name.clone(), cert)));
        self.issuers.store(Arc::new(issuers));
        self.table.store(Arc::new(next));
        self.taken_ms.store(now_ms, Ordering::Relaxed);
        self.updated_ms.store(now_ms, Ordering::Relaxed);
    }
}

fn checksum(body: &[u8]) -> [u8; 4] {
    crc32fast::hash(body).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use wharf_proto::v1::Route;

    use super::*;

    fn message(generation: u64) -> TableMessage {
        TableMessage {
            generation,
            domain: "localhost".into(),
            routes: vec![Route {
                resource_id: "r".into(),
                alias: "a".into(),
                ..Route::default()
            }],
        }
    }

    #[test]
    fn a_table_is_served_from_disk_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("table.bin");
        let routes = Routes::load(path.clone(), SniTable::new());
        assert_eq!(routes.table().generation(), 0);
        routes.replace(message(7), 123).unwrap();
        let again = Routes::load(path, SniTable::new());
        assert_eq!(again.table().generation(), 7);
        assert!(again.updated_ms() > 0, "its age is that of the file");
        let taken_ms = again.taken_ms();
        again.confirm(taken_ms + 5_000);
        assert_eq!(
            (again.taken_ms(), again.updated_ms()),
            (taken_ms, taken_ms + 5_000),
            "a table that is confirmed is no new one"
        );
        assert!(!again.is_connected());
    }

    #[test]
    fn a_damaged_table_is_not_served() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("table.bin");
        Routes::load(path.clone(), SniTable::new())
            .replace(message(7), 1)
            .unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(
            Routes::load(path.clone(), SniTable::new())
                .table()
                .generation(),
            0
        );
        std::fs::write(&path, b"x").unwrap();
        assert_eq!(Routes::load(path, SniTable::new()).table().generation(), 0);
    }

    #[test]
    fn an_older_table_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let routes = Routes::load(dir.path().join("table.bin"), SniTable::new());
        routes.replace(message(7), 1).unwrap();
        assert!(routes.replace(message(6), 2).is_err());
        assert_eq!((routes.table().generation(), routes.updated_ms()), (7, 1));
    }
}
