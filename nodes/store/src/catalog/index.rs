//! One index: its name, mapping, settings, aliases and rows.
//!
//! Invariants: the mapping only grows; a changed mapping, setting or alias is in the index's file before it is
//! used; writes of one index change its mapping one at a time (`changing`). Not here: which names lead here (`resolve`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wharf_store_core::error::{EsError, EsResult};
use wharf_store_core::lifecycle::IndexFacts;
use wharf_store_core::mapping::{Mapping, MappingChange};
use wharf_store_core::settings::IndexSettings;
use wharf_store_core::template::Alias;

use crate::engine::Shard;
use crate::files::write_json;

pub(crate) const INDEX_FILE: &str = "index.json";

/// What may change about an index.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Facts {
    pub(crate) settings: IndexSettings,
    pub(crate) aliases: BTreeMap<String, Alias>,
    /// Set when the index was replaced as a write index.
    #[serde(default)]
    pub(crate) rolled_over_ms: Option<i64>,
}

/// The file of an index.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    name: String,
    uuid: String,
    created_ms: i64,
    #[serde(default)]
    data_stream: Option<String>,
    facts: Facts,
    mappings: Value,
}

/// An index.
pub(crate) struct Index {
    pub(crate) name: String,
    pub(crate) uuid: String,
    pub(crate) created_ms: i64,
    /// The data stream that it backs.
    pub(crate) data_stream: Option<String>,
    pub(crate) facts: ArcSwap<Facts>,
    mapping: ArcSwap<Mapping>,
    pub(crate) shard: Shard,
    dir: PathBuf,
    changing: Mutex<()>,
}

/// What a new index is made of.
pub(crate) struct NewIndex {
    pub(crate) name: String,
    pub(crate) uuid: String,
    pub(crate) created_ms: i64,
    pub(crate) data_stream: Option<String>,
    pub(crate) facts: Facts,
    pub(crate) mapping: Mapping,
}

impl Index {
    /// Writes a new index to its directory.
    pub(crate) fn create(new: NewIndex, dir: &Path, shard: Shard) -> EsResult<Self> {
        let mapping = new.mapping.with_limits(new.facts.settings.mapping_limits());
        let index = Self {
            name: new.name,
            uuid: new.uuid,
            created_ms: new.created_ms,
            data_stream: new.data_stream,
            facts: ArcSwap::from_pointee(new.facts),
            mapping: ArcSwap::from_pointee(mapping),
            shard,
            dir: dir.into(),
            changing: Mutex::new(()),
        };
        index.store(&index.facts.load(), &index.mapping.load())?;
        Ok(index)
    }

    /// Reads an index from its directory; `None` when its making or removal did not complete.
    pub(crate) fn load(
        dir: &Path,
        open_shard: impl FnOnce(&str) -> EsResult<Shard>,
    ) -> EsResult<Option<Self>> {
        let path = dir.join(INDEX_FILE);
        let damaged = |why: String| EsError::internal(format!("{}: {why}", path.display()));
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(damaged(e.to_string())),
        };
        let stored: Stored = serde_json::from_slice(&bytes).map_err(|e| damaged(e.to_string()))?;
        let limits = stored.facts.settings.mapping_limits();
        let mapping = Mapping::parse_body(&stored.mappings, limits)?;
        let shard = open_shard(&stored.uuid)?;
        Ok(Some(Self {
            name: stored.name,
            uuid: stored.uuid,
            created_ms: stored.created_ms,
            data_stream: stored.data_stream,
            facts: ArcSwap::from_pointee(stored.facts),
            mapping: ArcSwap::from_pointee(mapping),
            shard,
            dir: dir.into(),
            changing: Mutex::new(()),
        }))
    }

    /// The mapping now.
    pub(crate) fn mapping(&self) -> Arc<Mapping> {
        self.mapping.load_full()
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether stars leave it out.
    pub(crate) fn hidden(&self) -> bool {
        self.data_stream.is_some() || self.facts.load().settings.is_set("index.hidden")
    }

    fn store(&self, facts: &Facts, mapping: &Mapping) -> EsResult<()> {
        let stored = Stored {
            name: self.name.clone(),
            uuid: self.uuid.clone(),
            created_ms: self.created_ms,
            data_stream: self.data_stream.clone(),
            facts: facts.clone(),
            mappings: mapping.render(),
        };
        write_json(&self.dir.join(INDEX_FILE), &stored, 0o640).map_err(|e| {
            EsError::new(
                503,
                "cluster_block_exception",
                format!("cannot keep index [{}]: {e}", self.name),
            )
        })
    }

    /// Applies a `PUT _mapping`.
    pub(crate) fn put_mapping(&self, body: &Value) -> EsResult<()> {
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let next = self.mapping.load().merged(body)?;
        self.store(&self.facts.load(), &next)?;
        self.mapping.store(Arc::new(next));
        Ok(())
    }

    /// Takes in the fields that a document brought; another document may have brought them before.
    pub(crate) fn grow(&self, change: &MappingChange) -> EsResult<Arc<Mapping>> {
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let next = Arc::new(self.mapping.load().grown(change)?);
        self.store(&self.facts.load(), &next)?;
        self.mapping.store(Arc::clone(&next));
        Ok(next)
    }

    /// Changes settings or aliases.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Facts) -> EsResult<()>) -> EsResult<()> {
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = (**self.facts.load()).clone();
        change(&mut next)?;
        let mapping = self.mapping.load();
        self.store(&next, &mapping)?;
        let limits = next.settings.mapping_limits();
        if limits != mapping.limits() {
            self.mapping
                .store(Arc::new((**mapping).clone().with_limits(limits)));
        }
        self.facts.store(Arc::new(next));
        Ok(())
    }

    /// What lifecycle decisions need to know.
    pub(crate) fn facts_now(&self, is_write: bool) -> IndexFacts {
        let stats = self.shard.stats();
        IndexFacts {
            name: self.name.clone(),
            created_ms: self.created_ms,
            rolled_ms: self.facts.load().rolled_over_ms,
            newest_ms: None,
            docs: stats.docs,
            bytes: stats.disk_bytes + stats.memory_bytes,
            is_write,
        }
    }

    /// A setting's text.
    pub(crate) fn setting(&self, name: &str) -> Option<String> {
        self.facts.load().settings.text(name).map(str::to_owned)
    }

    /// Why writes are refused, if they are.
    pub(crate) fn write_block(&self) -> Option<EsError> {
        let facts = self.facts.load();
        for (key, what) in [
            ("index.blocks.write", "index write (api)"),
            ("index.blocks.read_only", "index read-only (api)"),
        ] {
            if facts.settings.is_set(key) {
                return Some(EsError::new(
                    403,
                    "cluster_block_exception",
                    format!("index [{}] blocked by: [FORBIDDEN/8/{what}];", self.name),
                ));
            }
        }
        None
    }
}
