//! Making and removing indices and data streams, rolling them over.
//!
//! Invariants: a change is on disk before it is seen; a removed index's file goes first, its rows after; a name is taken by one
//! thing only. Not here: what templates give (core), when retention or rollover is due (`lifecycle_task`).

use std::sync::{Arc, PoisonError};

use serde_json::{Value, json};
use wharf_store_core::error::{EsError, EsResult};
use wharf_store_core::lifecycle::{backing_index_name, next_rollover_name};
use wharf_store_core::template::{IndexBody, Resolved};
use wharf_store_core::wildcard::check_index_name;

use super::index::{Facts, Index, NewIndex};
use super::resolve::WriteTarget;
use super::{Catalog, DataStream};
use crate::engine::Shard;

/// Indices at most, so that a client cannot exhaust memory with names.
const MAX_INDICES: usize = 5000;

impl Catalog {
    /// Makes an index as a request says, on top of what templates give.
    pub(crate) fn create_index(&self, name: &str, body: &IndexBody) -> EsResult<Arc<Index>> {
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.check_flood(name)?;
        check_index_name(name)?;
        let composed = {
            let state = self.read();
            if state.kind_of(name).is_some() {
                return Err(already_exists(&state, name));
            }
            state.definitions.templates.resolve(name)?
        };
        if composed.data_stream.is_some() {
            return Err(EsError::illegal_argument(format!(
                "cannot create index with name [{name}], because it matches with template [{}] that creates data streams only, use create data stream api instead",
                composed.template.unwrap_or_default()
            )));
        }
        self.create_locked(name, composed.with(body), None)
    }

    fn create_locked(
        &self,
        name: &str,
        composed: Resolved,
        stream: Option<&str>,
    ) -> EsResult<Arc<Index>> {
        if self.read().indices.len() >= MAX_INDICES {
            return Err(EsError::new(
                400,
                "validation_exception",
                format!("this store holds at most {MAX_INDICES} indices; delete some"),
            ));
        }
        let mapping = composed.mapping()?;
        let mut settings = composed.settings;
        let created_ms = self.now_ms();
        let uuid = wharf_runtime::random::token(16);
        settings.set_default("index.number_of_shards", "1");
        settings.set_default("index.number_of_replicas", "0");
        settings.set("index.provided_name", name);
        settings.set("index.creation_date", &created_ms.to_string());
        settings.set("index.uuid", &uuid);
        settings.set("index.version.created", "8521000");
        let mut aliases = composed.aliases;
        if stream.is_some() {
            settings.set("index.hidden", "true");
            aliases.clear();
        }
        let dir = self.dir.join("indices").join(&uuid);
        let shard = Shard::open(&dir.join("rows"), &uuid, &self.cache, &self.uids)
            .map_err(EsError::from)?;
        let new = NewIndex {
            name: name.to_owned(),
            uuid,
            created_ms,
            data_stream: stream.map(str::to_owned),
            facts: Facts {
                settings,
                aliases,
                rolled_over_ms: None,
            },
            mapping,
        };
        let created = Index::create(new, &dir, shard).and_then(|index| {
            crate::files::sync_dir(&self.dir.join("indices"))
                .map_err(|e| EsError::internal(format!("cannot keep index [{name}]: {e}")))?;
            Ok(index)
        });
        let index = match created {
            Ok(index) => Arc::new(index),
            Err(error) => {
                // Nothing refers to it yet; the room may be what is missing.
                let _ = std::fs::remove_dir_all(&dir);
                return Err(error);
            }
        };
        self.write()
            .indices
            .insert(name.to_owned(), Arc::clone(&index));
        tracing::info!(index = name, uuid = %index.uuid, "index created");
        Ok(index)
    }

    /// Makes a data stream with its first backing index.
    pub(crate) fn create_data_stream(&self, name: &str) -> EsResult<Arc<Index>> {
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.check_flood(name)?;
        check_index_name(name)?;
        let composed = {
            let state = self.read();
            if state.definitions.data_streams.contains_key(name) {
                return Err(EsError::new(
                    400,
                    "resource_already_exists_exception",
                    format!("data_stream [{name}] already exists"),
                ));
            }
            if state.kind_of(name).is_some() {
                return Err(already_exists(&state, name));
            }
            state.definitions.templates.resolve(name)?
        };
        let Some(flags) = composed.data_stream.clone() else {
            return Err(EsError::illegal_argument(format!(
                "no matching index template found for data stream [{name}]"
            )));
        };
        let backing = backing_index_name(name, self.now_ms(), 1);
        let template = composed.template.clone();
        let index = self.create_locked(&backing, composed, Some(name))?;
        let hidden = flags
            .get("hidden")
            .and_then(Value::as_bool)
            .unwrap_or(false);
        let stream = DataStream {
            generation: 1,
            indices: vec![backing],
            template,
            hidden,
        };
        self.define_locked(|d| {
            d.data_streams.insert(name.to_owned(), stream);
            Ok(())
        })?;
        Ok(index)
    }

    /// What a write to a missing name makes: a data stream or an index, as the templates say.
    pub(crate) fn create_for_write(&self, name: &str) -> EsResult<(Arc<Index>, bool)> {
        let settings = self
            .read()
            .definitions
            .settings
            .get("action.auto_create_index")
            .cloned();
        if settings.is_some_and(|v| v == json!(false) || v == json!("false")) {
            return Err(EsError::index_not_found(name));
        }
        let stream = self.read().definitions.templates.makes_data_stream(name);
        let made = if stream {
            self.create_data_stream(name)
        } else {
            self.create_index(name, &IndexBody::default())
        };
        match made {
            Ok(index) => Ok((index, stream)),
            // Another request was quicker.
            Err(error) if error.kind() == "resource_already_exists_exception" => {
                match self.write_target(name)? {
                    WriteTarget::Index { index, stream } => Ok((index, stream)),
                    WriteTarget::Missing => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Gives a stream a new write index; answers the old and the new name.
    pub(crate) fn rollover_stream(&self, name: &str) -> EsResult<(String, String)> {
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let (stream, composed, old) = {
            let state = self.read();
            let stream = state
                .definitions
                .data_streams
                .get(name)
                .cloned()
                .ok_or_else(|| EsError::index_not_found(name))?;
            let old = state.stream_indices(name).pop();
            (stream, state.definitions.templates.resolve(name)?, old)
        };
        let generation = stream.generation + 1;
        let backing = backing_index_name(name, self.now_ms(), generation);
        self.create_locked(&backing, composed, Some(name))?;
        self.define_locked(|d| {
            if let Some(stream) = d.data_streams.get_mut(name) {
                stream.generation = generation;
                stream.indices.push(backing.clone());
            }
            Ok(())
        })?;
        let now = self.now_ms();
        let mut old_name = String::new();
        if let Some(old) = old {
            old_name.clone_from(&old.name);
            old.change(|facts| {
                facts.rolled_over_ms = Some(now);
                Ok(())
            })?;
        }
        Ok((old_name, backing))
    }

    /// Moves an alias to a new write index; answers the old and the new name.
    pub(crate) fn rollover_alias(
        &self,
        alias: &str,
        new: Option<&str>,
        mut body: IndexBody,
    ) -> EsResult<(String, String)> {
        let WriteTarget::Index { index, .. } = self.write_target(alias)? else {
            return Err(EsError::index_not_found(alias));
        };
        let new = match new {
            Some(given) => given.to_owned(),
            None => next_rollover_name(&index.name).ok_or_else(|| {
                EsError::illegal_argument(format!(
                    "index name [{}] does not match pattern '^.*-\\d+$'",
                    index.name
                ))
            })?,
        };
        let old = index
            .facts
            .load()
            .aliases
            .get(alias)
            .cloned()
            .unwrap_or_default();
        let explicit = old.is_write_index == Some(true);
        body.aliases.insert(alias.to_owned(), old);
        self.create_index(&new, &body)?;
        let now = self.now_ms();
        index.change(|facts| {
            facts.rolled_over_ms = Some(now);
            if !explicit {
                facts.aliases.remove(alias);
            } else if let Some(alias) = facts.aliases.get_mut(alias) {
                alias.is_write_index = Some(false);
            }
            Ok(())
        })?;
        Ok((index.name.clone(), new))
    }

    /// Removes an index with all its rows. A stream's write index stays unless the stream goes.
    pub(crate) fn delete_index(&self, name: &str) -> EsResult<()> {
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let index = self
            .index(name)
            .ok_or_else(|| EsError::index_not_found(name))?;
        if let Some(stream) = &index.data_stream {
            let state = self.read();
            let newest = state
                .definitions
                .data_streams
                .get(stream)
                .and_then(|s| s.indices.last());
            if newest.map(String::as_str) == Some(name) {
                return Err(EsError::illegal_argument(format!(
                    "index [{name}] is the write index for data stream [{stream}] and cannot be deleted"
                )));
            }
            drop(state);
            self.define_locked(|d| {
                if let Some(stream) = d.data_streams.get_mut(stream) {
                    stream.indices.retain(|i| i != name);
                }
                Ok(())
            })?;
        }
        self.remove_locked(&index)
    }

    fn remove_locked(&self, index: &Arc<Index>) -> EsResult<()> {
        self.write().indices.remove(&index.name);
        index.shard.close();
        let failed = |e: std::io::Error| {
            EsError::internal(format!("cannot remove index [{}]: {e}", index.name))
        };
        match std::fs::remove_file(index.dir().join(super::index::INDEX_FILE)) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(failed(e)),
            _ => {}
        }
        crate::files::sync_dir(index.dir()).map_err(failed)?;
        std::fs::remove_dir_all(index.dir()).map_err(failed)?;
        tracing::info!(index = %index.name, "index deleted");
        Ok(())
    }

    /// Removes a data stream with its backing indices.
    pub(crate) fn delete_data_stream(&self, name: &str) -> EsResult<()> {
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let indices = self.read().stream_indices(name);
        self.define_locked(|d| {
            d.data_streams
                .remove(name)
                .ok_or_else(|| EsError::index_not_found(name))
                .map(|_| ())
        })?;
        for index in indices {
            self.remove_locked(&index)?;
        }
        Ok(())
    }
}

fn already_exists(state: &super::State, name: &str) -> EsError {
    use super::resolve::NameKind;
    match state.kind_of(name) {
        Some(NameKind::Alias) => EsError::new(
            400,
            "invalid_index_name_exception",
            format!("Invalid index name [{name}], already exists as alias"),
        ),
        Some(NameKind::DataStream) => EsError::new(
            400,
            "resource_already_exists_exception",
            format!("data_stream [{name}] already exists"),
        ),
        _ => {
            let uuid = state
                .indices
                .get(name)
                .map(|i| i.uuid.clone())
                .unwrap_or_default();
            EsError::new(
                400,
                "resource_already_exists_exception",
                format!("index [{name}/{uuid}] already exists"),
            )
            .with("index_uuid", uuid)
            .with("index", name)
        }
    }
}

/// Year, month and day of a day number since 1970 (Howard Hinnant's algorithm).
pub(crate) fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i64::from(month <= 2);
    (year, month, day)
}
