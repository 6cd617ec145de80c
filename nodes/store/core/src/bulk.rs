//! `_bulk`: pairs of lines, read as they arrive.
//! Invariants: an operation is given away as soon as its last line is complete, in order; memory is bounded by the longest
//! line; what is wrong with an action line ends the request (as Elasticsearch does), what is wrong with a document is
//! its item's own. Not here: applying operations, compressed bodies.

mod answer;
mod update;

pub use answer::{ItemDone, write_item_error, write_item_ok};
pub use update::{UpdateBody, merge_source, parse_update};

use crate::document::{DOCUMENT_BYTES_LIMIT, ID_BYTES_LIMIT};
use crate::error::{EsError, EsResult};
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// Longest action line.
pub const ACTION_BYTES_LIMIT: usize = 16 << 10;

/// What an action does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OpKind {
    /// Writes, replacing what is there.
    Index,
    /// Writes, unless it is there.
    Create,
    /// Changes what is there.
    Update,
    /// Removes.
    Delete,
}

impl OpKind {
    /// Its name in lines and answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }

    fn by_name(name: &str) -> Option<Self> {
        [Self::Index, Self::Create, Self::Update, Self::Delete]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// An action line.
#[derive(Debug, Clone, PartialEq)]
pub struct Action {
    /// What to do.
    pub kind: OpKind,
    /// With which index, alias or data stream.
    pub index: Arc<str>,
    /// With which document; absent: one is made.
    pub id: Option<Box<str>>,
    /// Only if the document is at this `_seq_no`.
    pub if_seq_no: Option<u64>,
    /// Only if the document is of this `_primary_term`.
    pub if_primary_term: Option<u64>,
    /// The version that the client numbers.
    pub version: Option<u64>,
    /// `external` or `external_gte` versioning.
    pub version_type: VersionType,
    /// The ingest pipeline that was asked for (`_none` is none).
    pub pipeline: Option<Box<str>>,
    /// The name must be an alias.
    pub require_alias: bool,
    /// The name must be a data stream.
    pub require_data_stream: bool,
    /// How often an update may be tried again.
    pub retry_on_conflict: u32,
}

/// Who numbers versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum VersionType {
    /// The store.
    #[default]
    Internal,
    /// The client; it must be greater.
    External,
    /// The client; it may be equal.
    ExternalGte,
}

impl VersionType {
    /// By its name in requests.
    ///
    /// # Errors
    /// `illegal_argument_exception` naming it.
    pub fn by_name(name: &str) -> EsResult<Self> {
        match name {
            "internal" => Ok(Self::Internal),
            "external" | "external_gt" => Ok(Self::External),
            "external_gte" => Ok(Self::ExternalGte),
            other => Err(EsError::illegal_argument(format!(
                "No version type match [{other}]"
            ))),
        }
    }
}

/// An operation: an action and, unless it deletes, the line behind it.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkOp<'a> {
    /// What to do.
    pub action: Arc<Action>,
    /// The document, or the body of the update; empty when deleting.
    pub source: &'a [u8],
    /// Set when the item cannot be applied: its answer is this error.
    pub problem: Option<EsError>,
}

/// What the URL and its parameters say for all lines.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BulkDefaults {
    /// `/{index}/_bulk`.
    pub index: Option<String>,
    /// `?pipeline=`.
    pub pipeline: Option<String>,
    /// `?require_alias=`.
    pub require_alias: bool,
    /// `?require_data_stream=`.
    pub require_data_stream: bool,
}

/// Reads a body piece by piece.
#[derive(Debug)]
pub struct BulkReader {
    defaults: BulkDefaults,
    pending: Vec<u8>,
    line: u64,
    ops: u64,
    /// The action whose document line is still to come.
    waiting: Option<Arc<Action>>,
    /// The last action and its line: producers repeat them.
    last: Option<(Vec<u8>, Arc<Action>)>,
    /// Bytes of a document line beyond the limit that are being skipped.
    skipping: bool,
}

impl BulkReader {
    /// For a request.
    #[must_use]
    pub const fn new(defaults: BulkDefaults) -> Self {
        Self {
            defaults,
            pending: Vec::new(),
            line: 0,
            ops: 0,
            waiting: None,
            last: None,
            skipping: false,
        }
    }

    /// Operations given away so far.
    #[must_use]
    pub const fn ops(&self) -> u64 {
        self.ops
    }

    /// Bytes that wait for the end of their line.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        self.pending.len()
    }

    /// Takes the next piece and gives away every operation that it completes.
    ///
    /// # Errors
    /// What ends the request: nothing that follows may be read. Operations already given away stand.
    pub fn feed(&mut self, piece: &[u8], take: &mut dyn FnMut(BulkOp<'_>)) -> EsResult<()> {
        if self.pending.is_empty() && !self.skipping {
            let used = self.lines(piece, take)?;
            self.keep(&piece[used..], take)?;
            return Ok(());
        }
        let mut piece = piece;
        // Only the line that was begun needs to be put together.
        if let Some(end) = memchr::memchr(b'\n', piece) {
            let (head, rest) = piece.split_at(end + 1);
            piece = rest;
            if self.skipping {
                self.skipping = false;
            } else {
                let mut pending = std::mem::take(&mut self.pending);
                pending.extend_from_slice(head);
                let done = self.lines(&pending, take);
                pending.clear();
                self.pending = pending;
                done?;
            }
            let used = self.lines(piece, take)?;
            piece = &piece[used..];
        }
        self.keep(piece, take)
    }

    fn keep(&mut self, rest: &[u8], take: &mut dyn FnMut(BulkOp<'_>)) -> EsResult<()> {
        if self.skipping {
            return Ok(());
        }
        self.pending.extend_from_slice(rest);
        if self.waiting.is_none() {
            if self.pending.len() > ACTION_BYTES_LIMIT {
                return Err(self.action_too_long());
            }
        } else if self.pending.len() > DOCUMENT_BYTES_LIMIT {
            let size = self.pending.len();
            self.pending = Vec::new();
            self.skipping = true;
            self.line += 1;
            if let Some(action) = self.waiting.take() {
                self.give(action, &[], Some(too_large(size)), take);
            }
        }
        Ok(())
    }

    /// The end of the body.
    ///
    /// # Errors
    /// When it ends inside a line or after an action, or had no operation.
    pub fn finish(self) -> EsResult<u64> {
        let blank = self.pending.iter().all(u8::is_ascii_whitespace);
        if !blank || self.skipping {
            return Err(EsError::illegal_argument(
                "The bulk request must be terminated by a newline [\\n]",
            ));
        }
        if self.waiting.is_some() && self.ops > 0 {
            return Err(EsError::illegal_argument(format!(
                "Malformed bulk request: the action in line [{}] has no document; the body ends after it",
                self.line
            )));
        }
        if self.ops == 0 {
            return Err(if self.line == 0 {
                EsError::new(400, "parse_exception", "request body is required")
            } else {
                EsError::action_request_validation("Validation Failed: 1: no requests added;")
            });
        }
        Ok(self.ops)
    }

    /// Reads every complete line; answers how many bytes they were.
    fn lines(&mut self, text: &[u8], take: &mut dyn FnMut(BulkOp<'_>)) -> EsResult<usize> {
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', text) {
            let mut line = &text[start..end];
            start = end + 1;
            self.line += 1;
            if let [rest @ .., b'\r'] = line {
                line = rest;
            }
            match self.waiting.take() {
                Some(action) => {
                    let problem = if line.len() > DOCUMENT_BYTES_LIMIT {
                        Some(too_large(line.len()))
                    } else if line.iter().all(u8::is_ascii_whitespace) {
                        Some(EsError::mapper_parsing(
                            "failed to parse, document is empty",
                        ))
                    } else {
                        None
                    };
                    self.give(action, line, problem, take);
                }
                None if line.iter().all(u8::is_ascii_whitespace) => {}
                None => {
                    let action = self.action(line)?;
                    if action.kind == OpKind::Delete {
                        self.give(action, &[], None, take);
                    } else {
                        self.waiting = Some(action);
                    }
                }
            }
        }
        Ok(start)
    }

    fn give(
        &mut self,
        action: Arc<Action>,
        source: &[u8],
        problem: Option<EsError>,
        take: &mut dyn FnMut(BulkOp<'_>),
    ) {
        self.ops += 1;
        let problem = problem.or_else(|| item_problem(&action));
        let source = if problem.is_some() { &[] } else { source };
        take(BulkOp {
            action,
            source,
            problem,
        });
    }

    fn action_too_long(&self) -> EsError {
        EsError::illegal_argument(format!(
            "Malformed action/metadata line [{}], it is longer than {ACTION_BYTES_LIMIT} bytes",
            self.line + 1
        ))
    }

    fn action(&mut self, line: &[u8]) -> EsResult<Arc<Action>> {
        if let Some((text, action)) = &self.last
            && text == line
        {
            return Ok(action.clone());
        }
        if line.len() > ACTION_BYTES_LIMIT {
            self.line -= 1;
            return Err(self.action_too_long());
        }
        let mut action = self.parse_action(line)?;
        if let Some((_, before)) = &self.last
            && before.index == action.index
        {
            action.index = before.index.clone();
        }
        let action = Arc::new(action);
        let (text, slot) = self
            .last
            .get_or_insert_with(|| (Vec::new(), action.clone()));
        text.clear();
        text.extend_from_slice(line);
        *slot = action.clone();
        Ok(action)
    }

    fn parse_action(&self, line: &[u8]) -> EsResult<Action> {
        let number = self.line;
        let malformed = |what: &str| {
            EsError::illegal_argument(format!("Malformed action/metadata line [{number}], {what}"))
        };
        let parsed: ActionLine<'_> = serde_json::from_slice(line).map_err(|error| {
            let first = line.iter().find(|byte| !byte.is_ascii_whitespace());
            if error.is_data() && first == Some(&b'{') {
                malformed(&error.to_string())
            } else if first == Some(&b'{') {
                EsError::new(
                    400,
                    "json_parse_exception",
                    format!("line [{number}]: {error}"),
                )
            } else {
                malformed(&format!(
                    "expected START_OBJECT but found [{}]",
                    token_of(first)
                ))
            }
        })?;
        let kind = match parsed.names {
            0 => return Err(malformed("expected FIELD_NAME but found [END_OBJECT]")),
            1 => OpKind::by_name(&parsed.kind).ok_or_else(|| {
                malformed(&format!(
                    "expected one of [create, delete, index, update] but found [{}]",
                    parsed.kind.chars().take(64).collect::<String>()
                ))
            })?,
            _ => return Err(malformed("expected END_OBJECT but found [FIELD_NAME]")),
        };
        let mut action = Action {
            kind,
            index: "".into(),
            id: None,
            if_seq_no: None,
            if_primary_term: None,
            version: None,
            version_type: VersionType::Internal,
            pipeline: self.defaults.pipeline.as_deref().map(Into::into),
            require_alias: self.defaults.require_alias,
            require_data_stream: self.defaults.require_data_stream,
            retry_on_conflict: 0,
        };
        let mut index: Option<Arc<str>> = None;
        for (name, value) in parsed.members {
            let text = match &value {
                Value::String(text) => Some(Cow::Borrowed(text.as_str())),
                Value::Number(number) => Some(Cow::Owned(number.to_string())),
                Value::Bool(flag) => Some(Cow::Borrowed(if *flag { "true" } else { "false" })),
                _ => None,
            };
            let Some(text) = text else {
                if value.is_null() {
                    continue;
                }
                return Err(malformed(&format!(
                    "expected a simple value for field [{name}] but found [{}]",
                    if value.is_array() {
                        "START_ARRAY"
                    } else {
                        "START_OBJECT"
                    }
                )));
            };
            let whole = || {
                text.parse::<u64>()
                    .map_err(|_| malformed(&format!("[{name}] must be a number")))
            };
            match name.as_ref() {
                "_index" => index = Some(text.as_ref().into()),
                "_id" => action.id = Some(text.as_ref().into()),
                "_type" => {}
                "routing" | "_routing" => {}
                "if_seq_no" => action.if_seq_no = Some(whole()?),
                "if_primary_term" => action.if_primary_term = Some(whole()?),
                "version" | "_version" => action.version = Some(whole()?),
                "version_type" | "_version_type" => {
                    action.version_type = VersionType::by_name(&text)?
                }
                "op_type" if kind == OpKind::Index => match text.as_ref() {
                    "index" => {}
                    "create" => action.kind = OpKind::Create,
                    other => {
                        return Err(EsError::illegal_argument(format!(
                            "opType must be 'create' or 'index', found: [{other}]"
                        )));
                    }
                },
                "pipeline" => action.pipeline = Some(text.as_ref().into()),
                "require_alias" => action.require_alias = text == "true",
                "require_data_stream" => action.require_data_stream = text == "true",
                "retry_on_conflict" | "_retry_on_conflict" => {
                    action.retry_on_conflict = u32::try_from(whole()?).unwrap_or(u32::MAX);
                }
                "dynamic_templates" | "list_executed_pipelines" => {}
                other => {
                    return Err(EsError::illegal_argument(format!(
                        "Action/metadata line [{number}] contains an unknown parameter [{}]",
                        other.chars().take(64).collect::<String>()
                    )));
                }
            }
        }
        action.index = match (index, &self.defaults.index) {
            (Some(index), _) => index,
            (None, Some(index)) => index.as_str().into(),
            (None, None) => {
                return Err(EsError::action_request_validation(
                    "Validation Failed: 1: index is missing;",
                ));
            }
        };
        if action.pipeline.as_deref() == Some("_none") {
            action.pipeline = None;
        }
        Ok(action)
    }
}

fn too_large(size: usize) -> EsError {
    EsError::new(
        413,
        "illegal_argument_exception",
        format!(
            "document of at least {size} bytes is larger than the limit of {DOCUMENT_BYTES_LIMIT}; split it"
        ),
    )
}

/// What is wrong with an item besides its document.
fn item_problem(action: &Action) -> Option<EsError> {
    if let Some(id) = &action.id {
        if id.len() > ID_BYTES_LIMIT {
            return Some(EsError::illegal_argument(format!(
                "id [{}...] is too long, must be no longer than {ID_BYTES_LIMIT} bytes but was: {}",
                id.chars().take(32).collect::<String>(),
                id.len()
            )));
        }
        if id.is_empty() {
            return Some(EsError::illegal_argument(
                "if _id is specified it must not be empty",
            ));
        }
    } else if matches!(action.kind, OpKind::Update | OpKind::Delete) {
        return Some(EsError::action_request_validation(
            "Validation Failed: 1: id is missing;",
        ));
    }
    action.pipeline.as_ref().map(|pipeline| {
        EsError::illegal_argument(format!("pipeline with id [{pipeline}] does not exist"))
    })
}

/// What Elasticsearch's reader calls a value that begins so.
fn token_of(first: Option<&u8>) -> &'static str {
    match first {
        Some(b'[') => "START_ARRAY",
        Some(b'"') => "VALUE_STRING",
        Some(b't') => "VALUE_TRUE",
        Some(b'f') => "VALUE_FALSE",
        Some(b'n') => "VALUE_NULL",
        _ => "VALUE_NUMBER",
    }
}

/// `{"index":{...}}`, borrowed.
struct ActionLine<'a> {
    kind: Cow<'a, str>,
    members: Vec<(Cow<'a, str>, Value)>,
    names: usize,
}

impl<'de> serde::Deserialize<'de> for ActionLine<'de> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Line;
        impl<'de> Visitor<'de> for Line {
            type Value = ActionLine<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object with one action")
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                mut members: A,
            ) -> Result<ActionLine<'de>, A::Error> {
                let mut line = ActionLine {
                    kind: Cow::Borrowed(""),
                    members: Vec::new(),
                    names: 0,
                };
                while let Some(kind) = members.next_key::<Cow<'de, str>>()? {
                    line.names += 1;
                    if line.names == 1 && OpKind::by_name(&kind).is_some() {
                        line.members = members.next_value::<Members<'de>>()?.0;
                    } else {
                        members.next_value::<IgnoredAny>()?;
                    }
                    if line.names == 1 {
                        line.kind = kind;
                    }
                }
                Ok(line)
            }
        }
        reader.deserialize_map(Line)
    }
}

struct Members<'a>(Vec<(Cow<'a, str>, Value)>);

impl<'de> serde::Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Inner;
        impl<'de> Visitor<'de> for Inner {
            type Value = Members<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object with the action's parameters")
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                mut members: A,
            ) -> Result<Members<'de>, A::Error> {
                let mut list = Vec::new();
                while let Some(pair) = members.next_entry()? {
                    list.push(pair);
                }
                Ok(Members(list))
            }
        }
        reader.deserialize_map(Inner)
    }
}

#[cfg(test)]
mod tests;
