//! From names in requests to indices: expressions for reading, one target for writing.
//!
//! Invariants: an expression may name indices, aliases and data streams, dates and stars in them; a write goes to exactly one
//! index: itself, an alias's write index, a stream's newest. Not here: making what is missing (`change`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;
use wharf_store_core::error::{EsError, EsResult};
use wharf_store_core::wildcard::{Candidate, NameOptions, select};

use super::index::Index;
use super::{Catalog, State};

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NameKind {
    Index,
    Alias,
    DataStream,
}

/// Where a write goes.
pub(crate) enum WriteTarget {
    /// To this index; `stream` when it backs a data stream (then only `create` is allowed).
    Index {
        /// The index.
        index: Arc<Index>,
        /// Whether the name was a data stream's.
        stream: bool,
    },
    /// Nothing has that name yet.
    Missing,
}

/// An index as an expression leads to it.
pub(crate) struct Seen {
    pub(crate) index: Arc<Index>,
    /// Queries of which a document must match one; `None`: all documents are seen.
    pub(crate) filters: Option<Vec<Value>>,
}

impl State {
    /// Indices that an alias stands for.
    pub(crate) fn alias_indices(&self, alias: &str) -> Vec<Arc<Index>> {
        let has = |index: &&Arc<Index>| index.facts.load().aliases.contains_key(alias);
        self.indices.values().filter(has).cloned().collect()
    }

    /// What a name stands for.
    pub(crate) fn kind_of(&self, name: &str) -> Option<NameKind> {
        if self.indices.contains_key(name) {
            Some(NameKind::Index)
        } else if self.definitions.data_streams.contains_key(name) {
            Some(NameKind::DataStream)
        } else if !self.alias_indices(name).is_empty() {
            Some(NameKind::Alias)
        } else {
            None
        }
    }

    /// Selects names of indices, aliases and data streams by an expression.
    pub(crate) fn select_names(
        &self,
        expression: &str,
        options: NameOptions,
        now_ms: i64,
    ) -> EsResult<Vec<(String, NameKind)>> {
        let mut aliases: BTreeSet<(String, bool)> = BTreeSet::new();
        for index in self.indices.values() {
            for (alias, facts) in &index.facts.load().aliases {
                aliases.insert((alias.clone(), facts.is_hidden == Some(true)));
            }
        }
        let indices = self.indices.values().map(|i| Candidate {
            name: &i.name,
            hidden: i.hidden(),
            closed: false,
        });
        let streams = self
            .definitions
            .data_streams
            .iter()
            .map(|(name, s)| Candidate {
                name,
                hidden: s.hidden,
                closed: false,
            });
        let aliases = aliases.iter().map(|(name, hidden)| Candidate {
            name,
            hidden: *hidden,
            closed: false,
        });
        let candidates: Vec<Candidate<'_>> = indices.chain(streams).chain(aliases).collect();
        let names = select(expression, &candidates, options, now_ms)?;
        Ok(names
            .into_iter()
            .filter_map(|name| self.kind_of(&name).map(|kind| (name, kind)))
            .collect())
    }

    /// The indices of an expression, without repetition.
    pub(crate) fn select_indices(
        &self,
        expression: &str,
        options: NameOptions,
        now_ms: i64,
    ) -> EsResult<Vec<Arc<Index>>> {
        let seen = self.select_seen(expression, options, now_ms)?;
        Ok(seen.into_iter().map(|seen| seen.index).collect())
    }

    /// The indices of an expression, each with the filters through which it is seen: any of them is enough. None where some
    /// name leads to all of the index.
    pub(crate) fn select_seen(
        &self,
        expression: &str,
        options: NameOptions,
        now_ms: i64,
    ) -> EsResult<Vec<Seen>> {
        let mut found: Vec<Seen> = Vec::new();
        let mut at = BTreeMap::new();
        for (name, kind) in self.select_names(expression, options, now_ms)? {
            let indices = match kind {
                NameKind::Index => self.indices.get(&name).cloned().into_iter().collect(),
                NameKind::Alias => self.alias_indices(&name),
                NameKind::DataStream => self.stream_indices(&name),
            };
            for index in indices {
                let filter = match kind {
                    NameKind::Alias => index
                        .facts
                        .load()
                        .aliases
                        .get(&name)
                        .and_then(|alias| alias.filter.clone()),
                    _ => None,
                };
                match at.get(&index.name) {
                    None => {
                        at.insert(index.name.clone(), found.len());
                        let filters = filter.map(|filter| vec![filter]);
                        found.push(Seen { index, filters });
                    }
                    Some(at) => {
                        let seen: &mut Seen = &mut found[*at];
                        match (&mut seen.filters, filter) {
                            (Some(filters), Some(filter)) => filters.push(filter),
                            (filters, _) => *filters = None,
                        }
                    }
                }
            }
        }
        Ok(found)
    }

    /// The backing indices of a stream, oldest first.
    pub(crate) fn stream_indices(&self, name: &str) -> Vec<Arc<Index>> {
        self.definitions
            .data_streams
            .get(name)
            .map(|s| {
                s.indices
                    .iter()
                    .filter_map(|i| self.indices.get(i).cloned())
                    .collect()
            })
            .unwrap_or_default()
    }
}

impl Catalog {
    /// The indices of an expression.
    pub(crate) fn select(
        &self,
        expression: &str,
        options: NameOptions,
    ) -> EsResult<Vec<Arc<Index>>> {
        self.read()
            .select_indices(expression, options, self.now_ms())
    }

    /// The indices of an expression with the filters of the aliases that led there.
    pub(crate) fn select_seen(
        &self,
        expression: &str,
        options: NameOptions,
    ) -> EsResult<Vec<Seen>> {
        self.read().select_seen(expression, options, self.now_ms())
    }

    /// Where a write to a name goes.
    pub(crate) fn write_target(&self, name: &str) -> EsResult<WriteTarget> {
        let state = self.read();
        if let Some(index) = state.indices.get(name) {
            return Ok(WriteTarget::Index {
                index: Arc::clone(index),
                stream: false,
            });
        }
        if let Some(index) = state.stream_indices(name).pop() {
            return Ok(WriteTarget::Index {
                index,
                stream: true,
            });
        }
        let mut behind = state.alias_indices(name);
        match behind.len() {
            0 => return Ok(WriteTarget::Missing),
            1 => {
                let index = behind.remove(0);
                let refused = index
                    .facts
                    .load()
                    .aliases
                    .get(name)
                    .and_then(|a| a.is_write_index)
                    == Some(false);
                if !refused {
                    return Ok(WriteTarget::Index {
                        index,
                        stream: false,
                    });
                }
            }
            _ => {
                let write = behind.into_iter().find(|i| {
                    i.facts
                        .load()
                        .aliases
                        .get(name)
                        .and_then(|a| a.is_write_index)
                        == Some(true)
                });
                if let Some(index) = write {
                    return Ok(WriteTarget::Index {
                        index,
                        stream: false,
                    });
                }
            }
        }
        Err(EsError::illegal_argument(format!(
            "no write index is defined for alias [{name}]. The write index may be explicitly disabled using is_write_index=false or the alias points to multiple indices without one being designated as a write index"
        )))
    }
}
