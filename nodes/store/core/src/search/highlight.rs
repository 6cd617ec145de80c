//! `highlight`: the words of a query marked in the texts of a hit.
//!
//! Use: `Highlight::parse` once per request, `Highlights::new` once per index, `Highlights::of` once per hit. Invariants:
//! fragments end where those of OpenSearch's `unified` and `plain` highlighters end, their scores are computed as it
//! computes them; a text over `MAX_TEXT` is refused, so what one hit costs is bounded. Not here: which rows are hits.

mod breaks;
mod letters;
mod marks;
mod options;
mod plain;
mod text;
mod unified;

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value};

use super::fields;
use crate::error::EsError;
use crate::query::{CompileContext, FieldInfo, FieldKind, Plan, compile};
use marks::Wanted;
use options::{Kind, Options};
use text::Content;

pub(crate) use options::Highlight;

/// `index.highlight.max_analyzed_offset`: longest text of one field that is marked, in UTF-16 units.
const MAX_TEXT: usize = 1_000_000;

/// From here on one text is marked at a time, because each takes some fifty times its length meanwhile.
const LARGE_TEXT: usize = 100_000;
static ONE_LARGE_TEXT: Mutex<()> = Mutex::new(());

/// What is marked in the hits of one index.
pub(crate) struct Highlights<'a> {
    fields: Vec<Prepared<'a>>,
}

struct Prepared<'a> {
    name: String,
    info: FieldInfo,
    options: &'a Options,
    wanted: Wanted,
}

impl<'a> Highlights<'a> {
    /// Resolves what was asked for; `query` is the search's own, for fields without one.
    pub(crate) fn new(
        asked: &'a Highlight,
        context: CompileContext<'_>,
        query: &Plan,
    ) -> Result<Self, EsError> {
        let mut fields: Vec<Prepared<'a>> = Vec::new();
        for field in &asked.fields {
            let options = &field.options;
            let own = match &options.query {
                Some(query) => Some(compile(query, context)?),
                None => None,
            };
            let plan = own.as_ref().unwrap_or(query);
            let stars = field.pattern.contains('*');
            let names = if stars {
                context.schema.matching(&field.pattern)
            } else {
                vec![field.pattern.clone()]
            };
            for name in names {
                let Some(info) = context.schema.field(&name) else {
                    continue;
                };
                if info.kind == FieldKind::Stored
                    || stars && !matches!(info.type_name.as_str(), "text" | "keyword")
                {
                    continue;
                }
                let wanted = match info.kind {
                    FieldKind::Text | FieldKind::Keyword => {
                        let only = options.require_field_match.then_some(info.path.as_str());
                        Wanted::of(plan, only)
                    }
                    _ => Wanted::default(),
                };
                fields.retain(|known| known.name != name);
                if !wanted.is_empty() || options.no_match_size > 0 {
                    fields.push(Prepared {
                        name,
                        info,
                        options,
                        wanted,
                    });
                }
            }
        }
        Ok(Self { fields })
    }

    /// Whether no hit can have anything marked.
    pub(crate) fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The `highlight` member of a hit, empty when nothing is marked.
    pub(crate) fn of(&self, source: &Value) -> Result<Map<String, Value>, EsError> {
        let mut out = Map::new();
        let mut present = HashSet::new();
        leaves(source, "", &mut present);
        for field in &self.fields {
            // Mappings have thousands of fields of which a document has some.
            if !field
                .info
                .source_paths
                .iter()
                .any(|path| present.contains(path))
            {
                continue;
            }
            let values = fields::texts_shown(source, &field.info);
            if values.is_empty() {
                continue;
            }
            let content = Content::new(&values);
            let limited =
                field.options.kind == Kind::Unified && field.options.offset_limit.is_some();
            if content.length() > MAX_TEXT && !limited {
                return Err(EsError::illegal_argument(format!(
                    "The length of [{}] field has exceeded [{MAX_TEXT}] - maximum allowed to be analyzed for highlighting; highlight fewer fields or exclude this one",
                    field.name
                )));
            }
            let _turn = (content.length() > LARGE_TEXT).then(|| {
                ONE_LARGE_TEXT
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
            });
            let fragments = match field.options.kind {
                Kind::Unified => {
                    unified::fragments(&content, &field.info, &field.wanted, field.options)
                }
                Kind::Plain => plain::fragments(&values, &field.info, &field.wanted, field.options),
            };
            if !fragments.is_empty() {
                let fragments = fragments.into_iter().map(Value::String).collect();
                out.insert(field.name.clone(), Value::Array(fragments));
            }
        }
        Ok(out)
    }
}

/// The paths at which a source has values.
fn leaves(value: &Value, path: &str, out: &mut HashSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                match path {
                    "" => leaves(inner, key, out),
                    path => leaves(inner, &format!("{path}.{key}"), out),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| leaves(item, path, out)),
        Value::Null => {}
        _ if out.contains(path) => {}
        _ => {
            out.insert(path.to_owned());
        }
    }
}

#[cfg(test)]
mod tests;
