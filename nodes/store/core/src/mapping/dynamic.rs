//! What a key that no mapping knows becomes: `dynamic_templates` in order, else the rule of its JSON type.
//! Invariants: the first template that matches decides; the answer is a mapping definition in JSON, so that it is read,
//! merged and journaled as any other. Not here: walking documents (`document`).

use super::Mapping;
use super::definition::type_exists;
use super::kind::FieldType;
use crate::dateformat::{DEFAULT_FORMAT, DateFormat, looks_like_date};
use crate::error::{EsError, EsResult};
use crate::wildcard::glob_any;
use regex::Regex;
use serde_json::{Map, Value, json};

/// Most templates of one mapping.
const RULES_LIMIT: usize = 1000;

/// The value that an unknown key first had.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sample<'a> {
    /// Text.
    Text(&'a str),
    /// A whole number.
    Long,
    /// Another number.
    Double,
    /// True or false.
    Bool,
    /// An object.
    Object,
}

/// One entry of `dynamic_templates`.
#[derive(Debug, Clone)]
pub struct TemplateRule {
    name: String,
    body: Value,
    matches: Vec<String>,
    unmatch: Vec<String>,
    path_match: Vec<String>,
    path_unmatch: Vec<String>,
    types: Vec<String>,
    not_types: Vec<String>,
    regexes: Option<(Vec<Regex>, Vec<Regex>)>,
    mapping: Map<String, Value>,
}

impl PartialEq for TemplateRule {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.body == other.body
    }
}

impl TemplateRule {
    pub(super) fn parse_all(value: &Value) -> EsResult<Vec<Self>> {
        let wrong = |why: &str| EsError::mapper_parsing(why);
        let list = value.as_array().ok_or_else(|| {
            wrong("Dynamic template syntax error. An array of named objects is expected.")
        })?;
        if list.len() > RULES_LIMIT {
            return Err(wrong("too many dynamic templates"));
        }
        let mut rules = Vec::with_capacity(list.len());
        for entry in list {
            let named = entry
                .as_object()
                .filter(|entry| entry.len() == 1)
                .and_then(|entry| entry.iter().next());
            let (name, body) =
                named.ok_or_else(|| wrong("A dynamic template must be defined with a name"))?;
            rules.push(Self::parse(name, body).map_err(|why| {
                // Elasticsearch's own sentences are kept as they are.
                if why.starts_with("No field type matched") {
                    EsError::illegal_argument(why)
                } else if why.starts_with("template must have mapping") {
                    wrong(&why)
                } else {
                    wrong(&format!("Failed to parse dynamic template [{name}]: {why}"))
                }
            })?);
        }
        Ok(rules)
    }

    fn parse(name: &str, value: &Value) -> Result<Self, String> {
        let body = value.as_object().ok_or("it must be an object")?;
        let list = |key: &str| -> Result<Vec<String>, String> {
            match body.get(key) {
                None => Ok(Vec::new()),
                Some(Value::String(one)) => Ok(vec![one.clone()]),
                Some(Value::Array(many)) => many
                    .iter()
                    .map(|one| {
                        one.as_str()
                            .map(str::to_owned)
                            .ok_or(format!("[{key}] must have strings only"))
                    })
                    .collect(),
                Some(_) => Err(format!("[{key}] must be a string or an array of strings")),
            }
        };
        for key in body.keys() {
            if !matches!(
                key.as_str(),
                "match"
                    | "unmatch"
                    | "path_match"
                    | "path_unmatch"
                    | "match_mapping_type"
                    | "unmatch_mapping_type"
                    | "match_pattern"
                    | "mapping"
            ) {
                return Err(format!("Illegal dynamic template parameter: [{key}]"));
            }
        }
        let mapping = body.get("mapping").and_then(Value::as_object).cloned();
        let mapping = mapping.ok_or("template must have mapping set")?;
        if let Some(kind) = mapping.get("type").and_then(Value::as_str)
            && !type_exists(kind)
        {
            return Err(format!("No mapper found for type [{kind}]"));
        }
        let mut rule = Self {
            name: name.to_owned(),
            body: value.clone(),
            matches: list("match")?,
            unmatch: list("unmatch")?,
            path_match: list("path_match")?,
            path_unmatch: list("path_unmatch")?,
            types: list("match_mapping_type")?,
            not_types: list("unmatch_mapping_type")?,
            regexes: None,
            mapping,
        };
        if rule.matches.is_empty()
            && rule.path_match.is_empty()
            && rule.types.is_empty()
            && rule.unmatch.is_empty()
        {
            return Err(
                "template must have match, path_match or match_mapping_type set".to_owned(),
            );
        }
        for kind in rule.types.iter().chain(&rule.not_types) {
            if !matches!(
                kind.as_str(),
                "*" | "string" | "long" | "double" | "boolean" | "date" | "object" | "binary"
            ) {
                return Err(format!(
                    "No field type matched on [{kind}], possible values are [object, string, long, double, boolean, date, binary]"
                ));
            }
        }
        match body.get("match_pattern").and_then(Value::as_str) {
            None | Some("simple") => {}
            Some("regex") => {
                let compile = |list: &[String]| {
                    list.iter()
                        .map(|text| {
                            regex::RegexBuilder::new(&format!("^(?:{text})$"))
                                .size_limit(1 << 20)
                                .build()
                                .map_err(|_| {
                                    format!("Pattern [{text}] is not a regular expression")
                                })
                        })
                        .collect::<Result<Vec<_>, _>>()
                };
                rule.regexes = Some((compile(&rule.matches)?, compile(&rule.unmatch)?));
            }
            Some(other) => return Err(format!("No matching pattern matched on [{other}]")),
        }
        Ok(rule)
    }

    /// New rules replace those of the same name in place, others come after.
    pub(super) fn merged(old: &[Self], new: &[Self]) -> Vec<Self> {
        let mut merged = old.to_vec();
        for rule in new {
            match merged.iter_mut().find(|known| known.name == rule.name) {
                Some(known) => *known = rule.clone(),
                None => merged.push(rule.clone()),
            }
        }
        merged
    }

    pub(super) fn render(&self) -> Value {
        json!({&self.name: self.body})
    }

    fn takes(&self, path: &str, name: &str, kind: &str) -> bool {
        let any = |list: &[String], text: &str| glob_any(list.iter().map(String::as_str), text);
        let of_type = |list: &[String]| list.iter().any(|wanted| wanted == "*" || wanted == kind);
        let (matched, unmatched) = match &self.regexes {
            Some((take, leave)) => (
                take.iter().any(|regex| regex.is_match(name)),
                leave.iter().any(|regex| regex.is_match(name)),
            ),
            None => (any(&self.matches, name), any(&self.unmatch, name)),
        };
        (self.types.is_empty() || of_type(&self.types))
            && !of_type(&self.not_types)
            && (self.matches.is_empty() || matched)
            && !unmatched
            && (self.path_match.is_empty() || any(&self.path_match, path))
            && !any(&self.path_unmatch, path)
    }

    fn apply(&self, name: &str, kind: &str) -> Value {
        let default = match kind {
            "string" => "text",
            "double" => "double",
            other => other,
        };
        let mut mapping = self.mapping.clone();
        for value in mapping.values_mut() {
            fill(value, name, default);
        }
        if !mapping.contains_key("type") {
            mapping.insert("type".into(), default.into());
            if kind == "object" {
                mapping.remove("type");
                mapping.entry("properties").or_insert_with(|| json!({}));
            }
        }
        Value::Object(mapping)
    }
}

fn fill(value: &mut Value, name: &str, kind: &str) {
    match value {
        Value::String(text) if text.contains('{') => {
            *text = text
                .replace("{name}", name)
                .replace("{dynamic_type}", kind)
                .replace("{dynamicType}", kind);
        }
        Value::Array(items) => items.iter_mut().for_each(|item| fill(item, name, kind)),
        Value::Object(members) => members
            .values_mut()
            .for_each(|member| fill(member, name, kind)),
        _ => {}
    }
}

impl Mapping {
    /// The definition that a new key gets. `None`: an object without a template's say.
    #[must_use]
    pub fn invent(&self, path: &str, sample: Sample<'_>) -> Option<Value> {
        let definition = self.definition();
        let name = path.rsplit('.').next().unwrap_or(path);
        let (kind, default) = match sample {
            Sample::Object => ("object", None),
            Sample::Long => ("long", Some(json!({"type": "long"}))),
            Sample::Double => ("double", Some(json!({"type": "float"}))),
            Sample::Bool => ("boolean", Some(json!({"type": "boolean"}))),
            Sample::Text(text) => self.invent_text(text),
        };
        let rule = definition
            .templates()
            .iter()
            .find(|rule| rule.takes(path, name, kind));
        match rule {
            Some(rule) => {
                let mut made = rule.apply(name, kind);
                // A detected date keeps the format that detected it.
                if kind == "date"
                    && made.get("format").is_none()
                    && made.get("type").is_some_and(|kind| kind == "date")
                    && let Some(format) = default.as_ref().and_then(|default| default.get("format"))
                {
                    made["format"] = format.clone();
                }
                Some(made)
            }
            None => default,
        }
    }

    fn invent_text(&self, text: &str) -> (&'static str, Option<Value>) {
        let definition = self.definition();
        if definition.date_detection() {
            let format = match definition.date_formats() {
                None => looks_like_date(text).map(str::to_owned),
                Some(formats) => formats
                    .into_iter()
                    .find(|format| {
                        DateFormat::new(format).is_ok_and(|format| format.parse_ms(text).is_ok())
                    })
                    .map(str::to_owned),
            };
            if let Some(format) = format {
                let mut made = json!({"type": FieldType::Date.name()});
                if format != DEFAULT_FORMAT {
                    made["format"] = format.into();
                }
                return ("date", Some(made));
            }
        }
        if definition.numeric_detection() {
            if text.parse::<i64>().is_ok() {
                return ("long", Some(json!({"type": "long"})));
            }
            if text.parse::<f64>().is_ok_and(f64::is_finite) {
                return ("double", Some(json!({"type": "float"})));
            }
        }
        let keyword = json!({"keyword": {"type": "keyword", "ignore_above": 256}});
        ("string", Some(json!({"type": "text", "fields": keyword})))
    }
}
