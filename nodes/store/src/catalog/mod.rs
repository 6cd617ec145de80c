//! What exists: indices, data streams, templates, policies; kept in files, found by name.
//!
//! Invariants: an index exists once its file is written and until that file is removed; everything else is in
//! `catalog.json`, replaced atomically before a change counts. A backing index whose stream does not list it (crash between
//! the two) is removed at start: nothing was acknowledged into it. Not here: rows (`engine`), HTTP.

pub(crate) mod change;
pub(crate) mod index;
pub(crate) mod resolve;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wharf_runtime::clock::Clock;
use wharf_runtime::data_dir::make_dir;
use wharf_runtime::journal::Journal;
use wharf_store_core::error::{EsError, EsResult};
use wharf_store_core::template::{Templates, builtin_templates};

use crate::config::Config;
use crate::engine::{Cache, Shard};
use crate::files::write_json;
use index::Index;

/// A data stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DataStream {
    pub(crate) generation: u64,
    /// Names of its backing indices, the write index last.
    pub(crate) indices: Vec<String>,
    #[serde(default)]
    pub(crate) template: Option<String>,
    #[serde(default)]
    pub(crate) hidden: bool,
}

/// A lifecycle policy as it was put.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Policy {
    pub(crate) version: u64,
    pub(crate) modified_ms: i64,
    pub(crate) policy: Value,
}

/// What is kept in `catalog.json`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Definitions {
    #[serde(default)]
    pub(crate) cluster_uuid: String,
    #[serde(default)]
    pub(crate) data_streams: BTreeMap<String, DataStream>,
    #[serde(flatten)]
    pub(crate) templates: Templates,
    #[serde(default)]
    pub(crate) policies: BTreeMap<String, Policy>,
    #[serde(default)]
    pub(crate) settings: BTreeMap<String, Value>,
}

/// Everything that exists now.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) indices: BTreeMap<String, Arc<Index>>,
    pub(crate) definitions: Definitions,
}

/// The catalog.
pub(crate) struct Catalog {
    dir: PathBuf,
    state: RwLock<State>,
    /// One change at a time; held while files are written.
    changing: Mutex<()>,
    pub(crate) journal: Journal,
    pub(crate) cache: Arc<Cache>,
    uids: Arc<AtomicU64>,
    pub(crate) clock: Clock,
    /// Fresh rows of one index after which they are sealed, and of all indices together.
    memtable_bytes: usize,
    memtables_bytes: usize,
    /// Fresh rows of all indices, as last counted by maintenance.
    pub(crate) fresh_bytes: AtomicUsize,
    /// Set by the disk guard: no writes but deletions.
    pub(crate) flooded: AtomicBool,
}

const FILE: &str = "catalog.json";

impl Catalog {
    /// Reads what is in the data directory. The journal is not replayed yet.
    pub(crate) fn open(
        config: &Config,
        journal: Journal,
        cache: Arc<Cache>,
        clock: Clock,
    ) -> EsResult<Self> {
        let io =
            |path: &Path, e: std::io::Error| EsError::internal(format!("{}: {e}", path.display()));
        let dir = config.data_dir.as_path();
        let indices_dir = dir.join("indices");
        // Of a copy or a snapshot without an index the definitions are there already, and nothing else makes its name durable.
        make_dir(&indices_dir, 0o755).map_err(|e| io(&indices_dir, e))?;
        let file = dir.join(FILE);
        let mut definitions: Definitions = match std::fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|e| EsError::internal(format!("{}: {e}", file.display())))?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Definitions::default(),
            Err(e) => return Err(io(&file, e)),
        };
        if definitions.cluster_uuid.is_empty() {
            definitions.cluster_uuid = wharf_runtime::random::token(16);
            definitions.templates = builtin_templates()?;
            write_json(&file, &definitions, 0o640).map_err(|e| io(&file, e))?;
        }
        let uids = Arc::new(AtomicU64::new(1));
        let mut indices = BTreeMap::new();
        for entry in std::fs::read_dir(&indices_dir).map_err(|e| io(&indices_dir, e))? {
            let path = entry.map_err(|e| io(&indices_dir, e))?.path();
            let loaded = Index::load(&path, |uuid| {
                Shard::open(&path.join("rows"), uuid, &cache, &uids).map_err(EsError::from)
            })?;
            let orphan = loaded.as_ref().is_some_and(|index| {
                index.data_stream.as_ref().is_some_and(|stream| {
                    definitions
                        .data_streams
                        .get(stream)
                        .is_none_or(|s| !s.indices.contains(&index.name))
                })
            });
            match loaded {
                Some(index) if !orphan => {
                    indices.insert(index.name.clone(), Arc::new(index));
                }
                _ => {
                    tracing::warn!(path = %path.display(), "removing an index that was not completely made or removed");
                    std::fs::remove_dir_all(&path).map_err(|e| io(&path, e))?;
                }
            }
        }
        for stream in definitions.data_streams.values_mut() {
            stream.indices.retain(|name| indices.contains_key(name));
        }
        Ok(Self {
            dir: dir.into(),
            state: RwLock::new(State {
                indices,
                definitions,
            }),
            changing: Mutex::new(()),
            journal,
            cache,
            uids,
            clock,
            memtable_bytes: config.memtable_bytes(),
            memtables_bytes: config.memtables_bytes(),
            fresh_bytes: AtomicUsize::new(0),
            flooded: AtomicBool::new(false),
        })
    }

    /// The state for reading; hold it shortly.
    pub(crate) fn read(&self) -> std::sync::RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every index.
    pub(crate) fn indices(&self) -> Vec<Arc<Index>> {
        self.read().indices.values().cloned().collect()
    }

    /// An index by its own name.
    pub(crate) fn index(&self, name: &str) -> Option<Arc<Index>> {
        self.read().indices.get(name).cloned()
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Changes the definitions: the file first, then memory.
    pub(crate) fn define<T>(
        &self,
        change: impl FnOnce(&mut Definitions) -> EsResult<T>,
    ) -> EsResult<T> {
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.define_locked(change)
    }

    fn define_locked<T>(
        &self,
        change: impl FnOnce(&mut Definitions) -> EsResult<T>,
    ) -> EsResult<T> {
        let mut next = self.read().definitions.clone();
        let answer = change(&mut next)?;
        write_json(&self.dir.join(FILE), &next, 0o640).map_err(|e| {
            EsError::new(
                503,
                "cluster_block_exception",
                format!("cannot keep the change: {e}"),
            )
        })?;
        self.write().definitions = next;
        Ok(answer)
    }

    /// Whether writes are refused because the disk is nearly full.
    pub(crate) fn is_flooded(&self) -> bool {
        self.flooded.load(Ordering::Relaxed)
    }

    /// Refuses writes while the disk is nearly full, as Elasticsearch's flood stage does.
    pub(crate) fn check_flood(&self, index: &str) -> EsResult<()> {
        if self.is_flooded() {
            return Err(EsError::new(
                429,
                "cluster_block_exception",
                format!(
                    "index [{index}] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark, index has read-only-allow-delete block];"
                ),
            )
            .with("index", index));
        }
        Ok(())
    }

    /// Seals an index whose fresh rows grow faster than maintenance seals them: the writer pays for it.
    pub(crate) fn hold_back(&self, index: &Index) {
        if index.shard.fresh_bytes() > self.memtable_bytes.saturating_mul(2)
            && let Err(error) = index.shard.seal()
        {
            tracing::error!(index = %index.name, %error, "cannot seal fresh rows");
        }
    }

    /// Refuses writes while fresh rows take twice what they may: sealing fails or cannot keep up.
    pub(crate) fn check_memory(&self) -> EsResult<()> {
        let held = self.fresh_bytes.load(Ordering::Relaxed);
        if held > self.memtables_bytes.saturating_mul(2) {
            return Err(EsError::rejected(format!(
                "rejected execution of primary operation: {held} bytes of fresh rows wait to be written to disk"
            )));
        }
        Ok(())
    }
}
