//! Writing documents: each operation finds its index, is parsed by its mapping, applied, and journaled.
//!
//! Invariants: operations on one index are applied in the order given; results keep the order of operations; nothing is
//! answered as done before its journal record is durable; one operation's error is its own. Not here: HTTP, `_bulk` lines.

mod fill;
mod update;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::{Value, json};
use wharf_runtime::journal::{AppendError, Ticket};
use wharf_store_core::document::{ID_BYTES_LIMIT, Outcome};
use wharf_store_core::error::{EsError, EsResult};

use crate::catalog::Catalog;
use crate::catalog::index::Index;
use crate::catalog::resolve::WriteTarget;
use crate::engine::{Applied, Condition, Write, WriteError};
pub(crate) use fill::Parsed;

/// Operations that are applied under one lock: bounds how long others wait.
const BATCH_OPS: usize = 512;
const BATCH_BYTES: usize = 2 * 1024 * 1024;

/// What an operation is called in requests and answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Index,
    Create,
    Update,
    Delete,
}

/// One operation.
#[derive(Debug, Clone)]
pub(crate) struct Operation<'a> {
    pub(crate) verb: Verb,
    pub(crate) index: Cow<'a, str>,
    pub(crate) id: Option<Cow<'a, str>>,
    /// The document, or the update's body; empty for deletions.
    pub(crate) body: Cow<'a, [u8]>,
    /// Required sequence number and primary term.
    pub(crate) if_seq: Option<(u64, u64)>,
    /// The name must be an alias.
    pub(crate) require_alias: bool,
    /// The name must be a data stream's.
    pub(crate) require_data_stream: bool,
    pub(crate) retry_on_conflict: u32,
}

/// What a write is called in its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Result_ {
    Created,
    Updated,
    Deleted,
    NotFound,
    Noop,
}

impl Result_ {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
            Self::NotFound => "not_found",
            Self::Noop => "noop",
        }
    }

    pub(crate) fn status(self) -> u16 {
        match self {
            Self::Created => 201,
            Self::Updated | Self::Deleted | Self::Noop => 200,
            Self::NotFound => 404,
        }
    }
}

/// What an operation did.
#[derive(Debug, Clone)]
pub(crate) struct Done {
    pub(crate) index: Arc<str>,
    pub(crate) id: String,
    pub(crate) version: u64,
    pub(crate) seq: u64,
    pub(crate) result: Result_,
    /// The document after an update, when it is asked for.
    pub(crate) source: Option<Vec<u8>>,
}

impl Done {
    /// The members of an answer.
    pub(crate) fn body(&self) -> Value {
        let shards = u8::from(self.result != Result_::Noop);
        json!({
            "_index": &*self.index,
            "_id": self.id,
            "_version": self.version,
            "result": self.result.name(),
            "_shards": {"total": shards, "successful": shards, "failed": 0},
            "_seq_no": self.seq,
            "_primary_term": 1,
        })
    }
}

/// An operation that could not be done.
#[derive(Debug, Clone)]
pub(crate) struct Failed {
    pub(crate) index: String,
    pub(crate) id: Option<String>,
    pub(crate) error: EsError,
}

/// The outcome of one operation.
pub(crate) type ItemOutcome = Result<Done, Failed>;

struct Pending<'a> {
    index: Arc<Index>,
    name: Arc<str>,
    ops: Vec<(usize, PendingOp<'a>)>,
    bytes: usize,
}

struct PendingOp<'a> {
    verb: Verb,
    id: Option<Cow<'a, str>>,
    document: Option<(&'a [u8], Parsed<'a>)>,
    condition: Condition,
}

/// Applies operations.
pub(crate) struct Ingest<'a, 'c> {
    catalog: &'c Catalog,
    targets: HashMap<String, EsResult<(Arc<Index>, bool)>>,
    pending: HashMap<String, Pending<'a>>,
    /// Backing indices of data streams that documents went to.
    written: HashSet<String>,
    outcomes: Vec<Option<ItemOutcome>>,
    tickets: Vec<(Ticket, Vec<usize>)>,
}

impl<'a, 'c> Ingest<'a, 'c> {
    pub(crate) fn new(catalog: &'c Catalog) -> Self {
        Self {
            catalog,
            targets: HashMap::new(),
            pending: HashMap::new(),
            written: HashSet::new(),
            outcomes: Vec::new(),
            tickets: Vec::new(),
        }
    }

    /// Adds the outcome of an operation that could not even be read.
    pub(crate) fn refuse(&mut self, index: String, id: Option<String>, error: EsError) {
        self.outcomes.push(Some(Err(Failed { index, id, error })));
    }

    /// Adds an operation. It may be applied now or with [`Self::finish`].
    pub(crate) fn push(&mut self, op: &'a Operation<'a>) {
        let at = self.outcomes.len();
        self.outcomes.push(None);
        let refused = match self.target(op) {
            Err(error) => Some((op.index.to_string(), error)),
            // As OpenSearch: the stream is named until a document of the request went to its backing index.
            Ok((index, true)) if op.verb != Verb::Create => {
                let known = self.written.contains(&index.name);
                let name = if known { &index.name } else { &*op.index };
                Some((
                    name.to_owned(),
                    EsError::illegal_argument(
                        "only write ops with an op_type of create are allowed in data streams",
                    ),
                ))
            }
            Ok((index, stream)) => {
                if stream {
                    self.written.insert(index.name.clone());
                }
                let outcome = self.prepare(at, op, &index, stream);
                outcome.err().map(|error| (index.name.clone(), error))
            }
        };
        if let Some((index, error)) = refused {
            let id = op.id.as_ref().map(ToString::to_string);
            self.outcomes[at] = Some(Err(Failed { index, id, error }));
        }
    }

    fn target(&mut self, op: &Operation<'_>) -> EsResult<(Arc<Index>, bool)> {
        if let Some(known) = self.targets.get(&*op.index) {
            return known.clone();
        }
        let found = self.find_target(op);
        self.targets.insert(op.index.to_string(), found.clone());
        found
    }

    fn find_target(&self, op: &Operation<'_>) -> EsResult<(Arc<Index>, bool)> {
        let catalog = self.catalog;
        let name = wharf_store_core::datemath::index_name(&op.index, catalog.now_ms())?;
        let kind = catalog.read().kind_of(&name);
        if op.require_alias && kind != Some(crate::catalog::resolve::NameKind::Alias) {
            return Err(EsError::new(
                404,
                "index_not_found_exception",
                format!(
                    "no such index [{name}] and [require_alias] request flag is [true] and [{name}] is not an alias"
                ),
            ));
        }
        if op.require_data_stream && kind != Some(crate::catalog::resolve::NameKind::DataStream) {
            return Err(EsError::new(
                404,
                "index_not_found_exception",
                format!(
                    "no such index [{name}] and [require_data_stream] request flag is [true] and [{name}] is not a data stream"
                ),
            ));
        }
        let (index, stream) = match catalog.write_target(&name)? {
            WriteTarget::Index { index, stream } => (index, stream),
            WriteTarget::Missing if op.verb == Verb::Delete => {
                return Err(EsError::index_not_found(&name));
            }
            WriteTarget::Missing => catalog.create_for_write(&name)?,
        };
        if let Some(block) = index.write_block() {
            return Err(block);
        }
        Ok((index, stream))
    }

    fn prepare(
        &mut self,
        at: usize,
        op: &'a Operation<'a>,
        index: &Arc<Index>,
        stream: bool,
    ) -> EsResult<()> {
        if op.verb != Verb::Delete {
            self.catalog.check_flood(&index.name)?;
            self.catalog.check_memory()?;
        }
        check_id(op.id.as_deref())?;
        if op.verb == Verb::Update {
            self.flush_index(&index.name);
            self.outcomes[at] = Some(self.update(index, op));
            return Ok(());
        }
        if op.verb == Verb::Delete && op.id.is_none() {
            return Err(EsError::action_request_validation(
                "Validation Failed: 1: id is missing;",
            ));
        }
        let document = match op.verb {
            Verb::Delete => None,
            _ => {
                let source: &'a [u8] = &op.body;
                let parsed = parse(index, op.id.as_deref().unwrap_or_default(), source)?;
                if stream {
                    check_timestamp(&parsed)?;
                }
                Some((source, parsed))
            }
        };
        let condition = match (op.if_seq, op.verb) {
            (Some((seq, term)), _) => Condition::IfSeq(seq, term),
            (None, Verb::Create) => Condition::Create,
            _ => Condition::Any,
        };
        let id = op.id.as_deref().map(Cow::Borrowed);
        let bytes = op.body.len();
        let full = {
            let name = index.name.clone();
            let pending = self.pending.entry(name).or_insert_with(|| Pending {
                name: index.name.as_str().into(),
                index: Arc::clone(index),
                ops: Vec::new(),
                bytes: 0,
            });
            pending.ops.push((
                at,
                PendingOp {
                    verb: op.verb,
                    id,
                    document,
                    condition,
                },
            ));
            pending.bytes += bytes;
            pending.ops.len() >= BATCH_OPS || pending.bytes >= BATCH_BYTES
        };
        if full {
            self.flush_index(&index.name);
        }
        Ok(())
    }

    fn flush_index(&mut self, name: &str) {
        let Some(pending) = self.pending.remove(name) else {
            return;
        };
        let writes: Vec<Write<'_>> = pending
            .ops
            .iter()
            .map(|(_, op)| Write {
                id: op.id.as_deref(),
                document: op
                    .document
                    .as_ref()
                    .map(|(source, parsed)| (*source, parsed as &dyn crate::engine::Fill)),
                condition: op.condition,
            })
            .collect();
        let catalog = self.catalog;
        let (applied, ticket) =
            pending
                .index
                .shard
                .write(&catalog.journal, &writes, catalog.now_ms());
        let mut waiting = Vec::with_capacity(applied.len());
        for ((at, op), outcome) in pending.ops.iter().zip(applied) {
            waiting.push(*at);
            self.outcomes[*at] = Some(match outcome {
                Ok(applied) => Ok(done(&pending.name, op.verb, applied)),
                Err(error) => Err(Failed {
                    index: pending.name.to_string(),
                    id: op.id.as_ref().map(ToString::to_string),
                    error: write_error(&pending.index, op.id.as_deref().unwrap_or_default(), error),
                }),
            });
        }
        self.await_later(ticket, waiting);
        catalog.hold_back(&pending.index);
    }

    fn await_later(&mut self, ticket: Result<Option<Ticket>, AppendError>, waiting: Vec<usize>) {
        match ticket {
            Ok(Some(ticket)) => self.tickets.push((ticket, waiting)),
            Ok(None) => {}
            Err(error) => self.not_durable(&waiting, &error),
        }
    }

    /// Takes back what was to be answered: also a conflict, which tells of a document that may be
    /// lost yet.
    fn not_durable(&mut self, positions: &[usize], error: &AppendError) {
        for at in positions {
            let (index, id) = match self.outcomes[*at].take() {
                Some(Ok(done)) => (done.index.to_string(), Some(done.id)),
                Some(Err(failed)) => (failed.index, failed.id),
                None => continue,
            };
            let error = EsError::rejected(format!("the write is not durable: {error}"));
            self.outcomes[*at] = Some(Err(Failed { index, id, error }));
        }
    }

    /// Applies what is left and waits until everything is durable. Blocks.
    pub(crate) fn finish(mut self) -> Vec<ItemOutcome> {
        let names: Vec<String> = self.pending.keys().cloned().collect();
        for name in names {
            self.flush_index(&name);
        }
        for (ticket, waiting) in std::mem::take(&mut self.tickets) {
            if let Err(error) = ticket.wait() {
                self.not_durable(&waiting, &error);
            }
        }
        let none = || {
            Err(Failed {
                index: String::new(),
                id: None,
                error: EsError::internal("operation without outcome"),
            })
        };
        self.outcomes
            .into_iter()
            .map(|o| o.unwrap_or_else(none))
            .collect()
    }
}

fn done(index: &Arc<str>, verb: Verb, applied: Applied) -> Done {
    let result = match (verb, applied.existed) {
        (Verb::Delete, true) => Result_::Deleted,
        (Verb::Delete, false) => Result_::NotFound,
        (_, true) => Result_::Updated,
        (_, false) => Result_::Created,
    };
    Done {
        index: Arc::clone(index),
        id: applied.id,
        version: applied.version,
        seq: applied.seq,
        result,
        source: None,
    }
}

/// A write's error as clients see it.
fn write_error(index: &Index, id: &str, error: WriteError) -> EsError {
    match error {
        WriteError::Exists { .. } | WriteError::Sequence { .. } => {
            EsError::version_conflict(&index.name, id, &error.to_string())
                .with("index_uuid", index.uuid.as_str())
        }
        WriteError::NoRoom(_) => EsError::rejected(error.to_string()),
        WriteError::Closed => EsError::index_not_found(&index.name),
        WriteError::Segment(error) => error.into(),
        WriteError::Io(error) => EsError::internal(error.to_string()),
    }
}

/// Parses a document, letting the mapping grow first where it must.
pub(crate) fn parse<'a>(index: &Index, id: &str, source: &'a [u8]) -> EsResult<Parsed<'a>> {
    let mut mapping = index.mapping();
    // Each round adds at least one field; objects may come one level at a time.
    for _ in 0..128 {
        match mapping.parse(id, source)? {
            Outcome::Ready(leaves) => return Ok(Parsed { mapping, leaves }),
            Outcome::Grows(change) => match index.grow(&change) {
                Ok(next) => mapping = next,
                Err(error) => {
                    // Another document may have brought the field with another type: then that type counts.
                    let now = index.mapping();
                    if Arc::ptr_eq(&now, &mapping) {
                        return Err(error);
                    }
                    mapping = now;
                }
            },
        }
    }
    Err(EsError::mapper_parsing(
        "failed to parse: dynamic templates do not map what they match",
    ))
}

fn check_id(id: Option<&str>) -> EsResult<()> {
    match id {
        Some("") => Err(EsError::illegal_argument(
            "if _id is specified it must not be empty",
        )),
        Some(id) if id.len() > ID_BYTES_LIMIT => Err(EsError::illegal_argument(format!(
            "id [{}...] is too long, must be no longer than 512 bytes but was: {}",
            id.chars().take(64).collect::<String>(),
            id.len()
        ))),
        _ => Ok(()),
    }
}

fn check_timestamp(parsed: &Parsed<'_>) -> EsResult<()> {
    let field = parsed.mapping.find("@timestamp").map(|f| f.id);
    let count = parsed
        .leaves
        .iter()
        .filter(|l| Some(l.field) == field)
        .count();
    if count == 1 {
        return Ok(());
    }
    Err(
        EsError::mapper_parsing("failed to parse").caused_by(EsError::illegal_argument(
            "documents must contain a single-valued timestamp field '@timestamp' of date type",
        )),
    )
}

#[cfg(test)]
mod tests;
