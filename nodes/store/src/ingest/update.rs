//! `_update`: a partial document merged into the live one, or an upsert.
//!
//! Invariants: the write requires the sequence number that was read, so nothing that came between is lost; an update that
//! changes nothing writes nothing. Scripts are refused. Not here: whole documents.

use std::sync::Arc;

use wharf_store_core::bulk::{UpdateBody, merge_source, parse_update};
use wharf_store_core::error::{EsError, EsResult};

use super::{
    Done, Failed, Ingest, ItemOutcome, Operation, Result_, Verb, done, parse, write_error,
};
use crate::catalog::index::Index;
use crate::engine::{Condition, Fill, Write, WriteError};

impl Ingest<'_, '_> {
    /// Applies an update; its durability is awaited with the others.
    pub(super) fn update(&mut self, index: &Arc<Index>, op: &Operation<'_>) -> ItemOutcome {
        let name: Arc<str> = index.name.as_str().into();
        let failed = |error: EsError| Failed {
            index: index.name.clone(),
            id: op.id.as_ref().map(ToString::to_string),
            error,
        };
        let Some(id) = op.id.as_deref() else {
            return Err(failed(EsError::action_request_validation(
                "Validation Failed: 1: id is missing;",
            )));
        };
        let body = parse_update(&op.body).map_err(&failed)?;
        let mut tries = 0;
        loop {
            match self.update_once(index, &name, id, op, &body) {
                Err(error) if error.status() == 409 && tries < op.retry_on_conflict => tries += 1,
                outcome => return outcome.map_err(failed),
            }
        }
    }

    fn update_once(
        &mut self,
        index: &Arc<Index>,
        name: &Arc<str>,
        id: &str,
        op: &Operation<'_>,
        body: &UpdateBody,
    ) -> EsResult<Done> {
        let found = index.shard.get(id)?;
        if let Some((wanted, term)) = op.if_seq
            && found.as_ref().map(|f| f.seq) != Some(wanted)
        {
            let found = found.map(|f| f.seq);
            return Err(write_error(
                index,
                id,
                WriteError::Sequence {
                    wanted,
                    term,
                    found,
                },
            ));
        }
        let (source, condition) = match &found {
            Some(found) => {
                let (merged, changed) = match &body.doc {
                    Some(doc) => merge_source(&found.source, doc)?,
                    None => (found.source.clone(), false),
                };
                if body.detect_noop && !changed {
                    let at = self.outcomes.len() - 1;
                    let durable = self.catalog.journal.barrier();
                    let durable = durable.map_err(|e| EsError::rejected(e.to_string()))?;
                    self.tickets.push((durable, vec![at]));
                    return Ok(Done {
                        index: Arc::clone(name),
                        id: id.to_owned(),
                        version: found.version,
                        seq: found.seq,
                        result: Result_::Noop,
                        source: body.want_source.then(|| found.source.clone()),
                    });
                }
                (Ok(merged), Condition::IfSeq(found.seq, 1))
            }
            None => match &body.upsert {
                Some(upsert) => (serde_json::to_vec(upsert), Condition::Create),
                None => {
                    return Err(
                        EsError::document_missing(name, id).with("index_uuid", index.uuid.as_str())
                    );
                }
            },
        };
        let source = source.map_err(|e| EsError::internal(e.to_string()))?;
        let parsed = parse(index, id, &source)?;
        let write = Write {
            id: Some(id),
            document: Some((&source, &parsed as &dyn Fill)),
            condition,
        };
        let catalog = self.catalog;
        let (mut applied, ticket) = index
            .shard
            .write(&catalog.journal, &[write], catalog.now_ms());
        let at = self.outcomes.len() - 1;
        self.await_later(ticket, vec![at]);
        let applied = applied.remove(0).map_err(|e| write_error(index, id, e))?;
        let mut done = done(name, Verb::Update, applied);
        drop(parsed);
        done.source = body.want_source.then_some(source);
        Ok(done)
    }
}
