//! One field's definition: its type and parameters, read from a mapping and shown again.
//! Invariants: parameters that are not known are refused by name; `params` is exactly what was given without `type`,
//! `fields` and defaults; a definition is immutable. Not here: where the field stands in the tree (`mapping`), values.

use super::kind::FieldType;
use crate::analysis::{Analyzer, lowercase};
use crate::dateformat::DateFormat;
use crate::error::{EsError, EsResult};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a field is.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldDef {
    /// Its type.
    pub kind: FieldType,
    /// Terms longer than this (UTF-16 units) are not indexed.
    pub ignore_above: Option<usize>,
    /// Taken in place of an explicit null.
    pub null_value: Option<Value>,
    /// Of dates.
    pub format: Arc<DateFormat>,
    /// Of `scaled_float`.
    pub scaling_factor: f64,
    /// Whether terms are searchable.
    pub index: bool,
    /// Whether there is a column.
    pub doc_values: bool,
    /// Wrong values are left out instead of refused.
    pub ignore_malformed: bool,
    /// Numbers in strings and fractions are taken.
    pub coerce: bool,
    /// The value of a `constant_keyword`.
    pub constant: Option<Arc<str>>,
    /// Of text.
    pub analyzer: Analyzer,
    /// Of text in queries.
    pub search_analyzer: Analyzer,
    /// Keywords are lower-cased.
    pub lowercase: bool,
    /// Full paths that get the values too.
    pub copy_to: Vec<String>,
    /// Deepest object in a `flattened` one.
    pub depth_limit: usize,
    /// The parameters as given.
    pub params: Map<String, Value>,
    /// Multi-fields.
    pub fields: BTreeMap<String, Arc<FieldDef>>,
}

/// Parameters that are understood, or have no effect on answers here.
const KNOWN: [&str; 36] = [
    "type",
    "fields",
    "ignore_above",
    "null_value",
    "format",
    "scaling_factor",
    "index",
    "doc_values",
    "ignore_malformed",
    "coerce",
    "value",
    "analyzer",
    "search_analyzer",
    "search_quote_analyzer",
    "normalizer",
    "copy_to",
    "depth_limit",
    "store",
    "norms",
    "index_options",
    "meta",
    "boost",
    "similarity",
    "term_vector",
    "eager_global_ordinals",
    "split_queries_on_whitespace",
    "fielddata",
    "fielddata_frequency_filter",
    "position_increment_gap",
    "index_prefixes",
    "index_phrases",
    "locale",
    "time_series_dimension",
    "time_series_metric",
    "ignore_z_value",
    "metrics",
];
/// Further ones of types that are only stored.
const KNOWN_STORED: [&str; 12] = [
    "default_metric",
    "dims",
    "dimension",
    "method",
    "similarity",
    "orientation",
    "strategy",
    "precision",
    "tree",
    "contexts",
    "max_input_length",
    "positive_score_impact",
];

impl FieldDef {
    /// Reads a definition. `path` is for messages.
    ///
    /// # Errors
    /// `mapper_parsing_exception` naming the field and the parameter.
    pub fn parse(
        path: &str,
        kind: FieldType,
        body: &Map<String, Value>,
        multi: bool,
    ) -> EsResult<Self> {
        let mut def = Self {
            kind,
            ignore_above: None,
            null_value: None,
            format: Arc::new(DateFormat::default()),
            scaling_factor: 1.0,
            index: true,
            doc_values: !kind.is_text(),
            ignore_malformed: false,
            coerce: true,
            constant: None,
            analyzer: Analyzer::Standard,
            search_analyzer: Analyzer::Standard,
            lowercase: false,
            copy_to: Vec::new(),
            depth_limit: 20,
            params: Map::new(),
            fields: BTreeMap::new(),
        };
        let mut search_analyzer = None;
        for (name, value) in body {
            let known = KNOWN.contains(&name.as_str())
                || matches!(kind, FieldType::Stored(_)) && KNOWN_STORED.contains(&name.as_str());
            if !known {
                return Err(EsError::mapper_parsing(format!(
                    "unknown parameter [{}] on mapper [{path}] of type [{}]",
                    name.chars().take(80).collect::<String>(),
                    kind.name()
                )));
            }
            match name.as_str() {
                "type" => continue,
                "fields" => {
                    def.fields = Self::multi_fields(path, value, multi)?;
                    continue;
                }
                "ignore_above" => def.ignore_above = Some(whole(value)?),
                "depth_limit" => def.depth_limit = whole(value)?.min(100),
                "null_value" => def.null_value = (!value.is_null()).then(|| value.clone()),
                "format" if kind.is_date() => {
                    let format = DateFormat::new(&text(path, name, value)?).map_err(|error| {
                        EsError::illegal_argument(format!(
                            "Error parsing [format] on field [{path}]: {}",
                            error.reason()
                        ))
                    })?;
                    def.format = Arc::new(format);
                }
                "scaling_factor" => {
                    let factor = value
                        .as_f64()
                        .or_else(|| value.as_str().and_then(|text| text.parse().ok()));
                    def.scaling_factor = factor
                        .filter(|factor| factor.is_finite() && *factor > 0.0)
                        .ok_or_else(|| {
                            EsError::mapper_parsing(format!(
                                "[scaling_factor] must be a positive number, got [{value}]"
                            ))
                        })?;
                }
                "index" => def.index = flag(value)?,
                "doc_values" => def.doc_values = flag(value)? && !kind.is_text(),
                "ignore_malformed" => def.ignore_malformed = flag(value)?,
                "coerce" => def.coerce = flag(value)?,
                "value" => def.constant = Some(text(path, name, value)?.into()),
                "analyzer" => {
                    def.analyzer = analyzer(&text(path, name, value)?)?;
                    search_analyzer.get_or_insert(def.analyzer);
                }
                "search_analyzer" => search_analyzer = Some(analyzer(&text(path, name, value)?)?),
                "normalizer" => match text(path, name, value)?.as_str() {
                    "lowercase" => def.lowercase = true,
                    other => {
                        return Err(EsError::mapper_parsing(format!(
                            "normalizer [{other}] not found for field [{path}]"
                        )));
                    }
                },
                "copy_to" => {
                    let targets = match value {
                        Value::Array(targets) => targets.as_slice(),
                        one => std::slice::from_ref(one),
                    };
                    def.copy_to = targets
                        .iter()
                        .map(|target| text(path, name, target))
                        .collect::<EsResult<_>>()?;
                }
                _ => {}
            }
            def.params.insert(name.clone(), value.clone());
        }
        def.search_analyzer = search_analyzer.unwrap_or_default();
        if kind == FieldType::ScaledFloat && !body.contains_key("scaling_factor") {
            return Err(EsError::illegal_argument(
                "Field [scaling_factor] is required",
            ));
        }
        Ok(def)
    }

    fn multi_fields(
        path: &str,
        value: &Value,
        nested: bool,
    ) -> EsResult<BTreeMap<String, Arc<Self>>> {
        let wrong = |what: &str| {
            EsError::mapper_parsing(format!(
                "expected map for property [fields] on field [{path}] but got {what}"
            ))
        };
        if nested {
            return Err(EsError::mapper_parsing(format!(
                "Encountered a multi-field [{path}] which itself contains a multi-field. Defining chained multi-fields is not supported."
            )));
        }
        let body = match value {
            Value::Object(body) => body,
            Value::Array(items) if items.is_empty() => return Ok(BTreeMap::new()),
            other => return Err(wrong(&other.to_string())),
        };
        let mut fields = BTreeMap::new();
        for (name, definition) in body {
            if name.contains('.') || name.is_empty() {
                return Err(EsError::mapper_parsing(format!(
                    "Field name [{name}] which is a multi field of [{path}] cannot contain '.'"
                )));
            }
            let path = format!("{path}.{name}");
            let definition = definition.as_object().ok_or_else(|| wrong("no object"))?;
            let kind = kind_of(&path, definition)?.ok_or_else(|| no_type(&path))?;
            fields.insert(
                name.clone(),
                Arc::new(Self::parse(&path, kind, definition, true)?),
            );
        }
        Ok(fields)
    }

    /// Whether the field can be asked for in queries.
    #[must_use]
    pub const fn is_searchable(&self) -> bool {
        !matches!(self.kind, FieldType::Stored(_)) && (self.index || self.doc_values)
    }

    /// Whether the field can be aggregated and sorted by.
    #[must_use]
    pub const fn is_aggregatable(&self) -> bool {
        self.doc_values && self.kind.column().is_some()
    }

    /// A term as it is indexed.
    #[must_use]
    pub fn normalized<'t>(&self, term: &'t str) -> Cow<'t, str> {
        if self.lowercase {
            lowercase(term)
        } else {
            Cow::Borrowed(term)
        }
    }

    /// Whether a term is too long to be indexed.
    #[must_use]
    pub fn ignores(&self, term: &str) -> bool {
        self.ignore_above
            .is_some_and(|most| term.len() > most && term.encode_utf16().count() > most)
    }

    /// As `_mapping` shows it.
    #[must_use]
    pub fn render(&self) -> Value {
        let mut out = Map::new();
        out.insert("type".into(), self.kind.name().into());
        out.extend(self.params.clone());
        if !self.fields.is_empty() {
            let fields = self
                .fields
                .iter()
                .map(|(name, def)| (name.clone(), def.render()))
                .collect();
            out.insert("fields".into(), Value::Object(fields));
        }
        Value::Object(out)
    }

    /// This definition with another's changes.
    ///
    /// # Errors
    /// `illegal_argument_exception` naming what cannot be changed.
    pub fn merged(&self, path: &str, other: &Self) -> EsResult<Self> {
        if self.kind != other.kind {
            return Err(EsError::illegal_argument(format!(
                "mapper [{path}] cannot be changed from type [{}] to [{}]",
                self.kind.name(),
                other.kind.name()
            )));
        }
        let mut conflicts = String::new();
        let shown = |params: &Map<String, Value>, name: &str| match params.get(name) {
            Some(value) if name == "scaling_factor" && value.is_number() => {
                format!("{:?}", value.as_f64().unwrap_or_default())
            }
            Some(value) => plain(value),
            None => default_of(self.kind, name).to_owned(),
        };
        for name in FIXED {
            let (old, new) = (shown(&self.params, name), shown(&other.params, name));
            // The value of a constant may be given once.
            let first = name == "value" && !self.params.contains_key(name);
            let absent = name == "value" && !other.params.contains_key(name);
            if old != new && !first && !absent {
                conflicts.push_str(&format!(
                    "\n\tCannot update parameter [{name}] from [{old}] to [{new}]"
                ));
            }
        }
        if !conflicts.is_empty() {
            return Err(EsError::illegal_argument(format!(
                "Mapper for [{path}] conflicts with existing mapper:{conflicts}"
            )));
        }
        let mut merged = other.clone();
        if merged.constant.is_none()
            && let Some(value) = &self.constant
        {
            merged.constant = Some(value.clone());
            merged.params.insert("value".into(), value.as_ref().into());
        }
        for (name, old) in &self.fields {
            let field = match merged.fields.get(name) {
                Some(new) => Arc::new(old.merged(&format!("{path}.{name}"), new)?),
                None => old.clone(),
            };
            merged.fields.insert(name.clone(), field);
        }
        Ok(merged)
    }
}

/// Parameters that decide what is written, so they cannot be changed afterwards.
const FIXED: [&str; 10] = [
    "index",
    "doc_values",
    "store",
    "analyzer",
    "normalizer",
    "format",
    "scaling_factor",
    "value",
    "null_value",
    "index_options",
];

fn default_of(kind: FieldType, name: &str) -> &'static str {
    match name {
        "index" => "true",
        "doc_values" if !kind.is_text() => "true",
        "doc_values" | "store" => "false",
        "analyzer" => "default",
        "format" => crate::dateformat::DEFAULT_FORMAT,
        _ => "null",
    }
}

/// The type that a definition names; `None` for none (an object).
pub(super) fn kind_of(path: &str, body: &Map<String, Value>) -> EsResult<Option<FieldType>> {
    match body.get("type") {
        None => Ok(None),
        Some(Value::String(name)) => FieldType::by_name(name).map(Some).ok_or_else(|| {
            EsError::mapper_parsing(format!(
                "No handler for type [{}] declared on field [{}]",
                name.chars().take(80).collect::<String>(),
                path.rsplit('.').next().unwrap_or(path)
            ))
        }),
        Some(_) => Err(no_type(path)),
    }
}

pub(super) fn no_type(path: &str) -> EsError {
    EsError::mapper_parsing(format!("No type specified for field [{path}]"))
}

fn analyzer(name: &str) -> EsResult<Analyzer> {
    Analyzer::by_name(name).ok_or_else(|| {
        EsError::illegal_argument(format!(
            "analyzer [{name}] has not been configured in mappings"
        ))
    })
}

fn text(path: &str, name: &str, value: &Value) -> EsResult<String> {
    match value {
        Value::String(text) if text.len() <= 4096 => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        _ => Err(EsError::mapper_parsing(format!(
            "[{name}] on mapper [{path}] must be a string"
        ))),
    }
}

fn whole(value: &Value) -> EsResult<usize> {
    value
        .as_u64()
        .or_else(|| value.as_str().and_then(|text| text.parse().ok()))
        .and_then(|number| usize::try_from(number).ok())
        .ok_or_else(|| {
            EsError::new(
                400,
                "number_format_exception",
                format!("For input string: \"{}\"", plain(value)),
            )
        })
}

fn flag(value: &Value) -> EsResult<bool> {
    match value {
        Value::Bool(flag) => Ok(*flag),
        Value::String(text) if text == "true" => Ok(true),
        Value::String(text) if text == "false" => Ok(false),
        other => Err(EsError::illegal_argument(format!(
            "Failed to parse value [{}] as only [true] or [false] are allowed.",
            plain(other)
        ))),
    }
}

/// A value without the quotes of a text.
fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
