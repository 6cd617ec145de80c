//! Reads the members of a JSON object by name and type and refuses those nobody asked for.
//!
//! Invariant: an object that passed `finish` had no member that was not read, so an option this
//! store does not know is an error that names it and never silently ignored.
//! Not here: what the members mean.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::error::EsError;

/// Which of Elasticsearch's parsers reads an object: they have words of their own for the same faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    /// Of most queries.
    Query,
    /// Of `bool`, sorts and aggregations.
    Object,
    /// Of the search around them.
    Search,
}

/// The members of one object of a request body.
#[derive(Debug)]
pub(crate) struct Params<'a> {
    owner: &'a str,
    reader: Reader,
    map: &'a Map<String, Value>,
    read: HashSet<&'a str>,
}

impl<'a> Params<'a> {
    /// Starts reading `value`, which must be an object, in the name of `owner`.
    pub(crate) fn new(owner: &'a str, value: &'a Value) -> Result<Self, EsError> {
        let reader = if owner == "search" {
            Reader::Search
        } else {
            Reader::Query
        };
        Self::read_by(reader, owner, value)
    }

    /// As `new`, for what is no query.
    pub(crate) fn object(owner: &'a str, value: &'a Value) -> Result<Self, EsError> {
        Self::read_by(Reader::Object, owner, value)
    }

    fn read_by(reader: Reader, owner: &'a str, value: &'a Value) -> Result<Self, EsError> {
        match value {
            Value::Object(map) => Ok(Self {
                owner,
                reader,
                map,
                read: HashSet::new(),
            }),
            other => Err(EsError::parsing(format!(
                "[{owner}] expected an object but found {}",
                token_name(other)
            ))),
        }
    }

    /// The name used in errors.
    pub(crate) fn owner(&self) -> &'a str {
        self.owner
    }

    /// The raw member; null counts as absent.
    pub(crate) fn take(&mut self, name: &'static str) -> Option<&'a Value> {
        let (key, value) = self.map.get_key_value(name)?;
        self.read.insert(key);
        if value.is_null() { None } else { Some(value) }
    }

    /// A member that must be there.
    pub(crate) fn require(&mut self, name: &'static str) -> Result<&'a Value, EsError> {
        self.take(name).ok_or_else(|| {
            let reason = format!(
                "Required one of fields [{name}], but none were specified in [{}]",
                self.owner
            );
            match self.reader {
                Reader::Query => EsError::parsing(reason),
                _ => EsError::illegal_argument(reason),
            }
        })
    }

    /// A string (numbers and booleans are taken as their text, as the rival does).
    pub(crate) fn string(&mut self, name: &'static str) -> Result<Option<String>, EsError> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => scalar_text(value)
                .map(Some)
                .ok_or_else(|| self.wrong(name, "a string", value)),
        }
    }

    /// A string that must be there.
    pub(crate) fn need_string(&mut self, name: &'static str) -> Result<String, EsError> {
        let value = self.require(name)?;
        scalar_text(value).ok_or_else(|| self.wrong(name, "a string", value))
    }

    /// A whole number, also written as text.
    pub(crate) fn integer(&mut self, name: &'static str) -> Result<Option<i64>, EsError> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => {
                let number = match value {
                    Value::Number(n) => n
                        .as_i64()
                        .or_else(|| n.as_f64().filter(|f| f.fract() == 0.0).map(|f| f as i64)),
                    Value::String(s) => s.parse().ok(),
                    _ => None,
                };
                number
                    .map(Some)
                    .ok_or_else(|| self.wrong(name, "a whole number", value))
            }
        }
    }

    /// A whole number that may not be negative.
    pub(crate) fn size(&mut self, name: &'static str) -> Result<Option<usize>, EsError> {
        match self.integer(name)? {
            None => Ok(None),
            Some(n) if n >= 0 => Ok(Some(n as usize)),
            Some(n) => Err(EsError::illegal_argument(format!(
                "[{name}] must be greater than or equal to 0. Found [{n}] in [{}]",
                self.owner
            ))),
        }
    }

    /// A finite number, also written as text.
    pub(crate) fn number(&mut self, name: &'static str) -> Result<Option<f64>, EsError> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => number_of(value)
                .map(Some)
                .ok_or_else(|| self.wrong(name, "a number", value)),
        }
    }

    /// A boolean, also written as text.
    pub(crate) fn boolean(&mut self, name: &'static str) -> Result<Option<bool>, EsError> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => bool_of(value)
                .map(Some)
                .ok_or_else(|| self.wrong(name, "a boolean", value)),
        }
    }

    /// The `boost` member, one by default.
    pub(crate) fn boost(&mut self) -> Result<f32, EsError> {
        let boost = self.number("boost")?.unwrap_or(1.0);
        if boost < 0.0 {
            return Err(EsError::illegal_argument(format!(
                "negative [boost] are not allowed in [{}], use a value between 0 and 1 to deboost",
                self.owner
            )));
        }
        self.take("_name");
        Ok(boost as f32)
    }

    /// Members that nobody has read yet.
    pub(crate) fn rest(&self) -> Vec<(&'a str, &'a Value)> {
        let unread = |(key, _): &(&'a String, &'a Value)| !self.read.contains(key.as_str());
        self.map
            .iter()
            .filter(unread)
            .map(|(key, value)| (key.as_str(), value))
            .collect()
    }

    /// Fails when a member was not read.
    pub(crate) fn finish(self) -> Result<(), EsError> {
        match self.rest().first() {
            None => Ok(()),
            Some((key, _)) if self.reader == Reader::Object => Err(EsError::json_parse(format!(
                "[{}] unknown field [{key}]",
                self.owner
            ))),
            Some((key, _)) => Err(EsError::parsing(format!(
                "[{}] query does not support [{key}]",
                self.owner
            ))),
        }
    }

    /// As `finish`, in the words of objects that are not queries.
    pub(crate) fn finish_as_object(self) -> Result<(), EsError> {
        match self.rest().first() {
            None => Ok(()),
            Some((key, _)) => {
                let reason = format!("[{}] unknown field [{key}]", self.owner);
                Err(match self.reader {
                    Reader::Object => EsError::json_parse(reason),
                    _ => EsError::parsing(reason),
                })
            }
        }
    }

    fn wrong(&self, name: &str, wanted: &str, found: &Value) -> EsError {
        let reason = format!(
            "[{}] failed to parse field [{name}]: expected {wanted} but found {}",
            self.owner,
            token_name(found)
        );
        match self.reader {
            Reader::Object => EsError::json_parse(reason),
            Reader::Search if !found.is_string() => EsError::parsing(reason),
            Reader::Search if wanted == "a boolean" => EsError::illegal_argument(reason),
            Reader::Search => EsError::new(400, "number_format_exception", reason),
            Reader::Query => EsError::parsing(reason),
        }
    }
}

/// The text of a scalar.
pub(crate) fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(s) => Some(s.clone()),
        Value::Number(n) => Some(n.to_string()),
        Value::Bool(b) => Some(b.to_string()),
        _ => None,
    }
}

/// A finite number, also from text.
pub(crate) fn number_of(value: &Value) -> Option<f64> {
    match value {
        Value::Number(n) => n.as_f64(),
        Value::String(s) => s.trim().parse().ok(),
        _ => None,
    }
    .filter(|n: &f64| n.is_finite())
}

/// A boolean, also from text.
pub(crate) fn bool_of(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(b) => Some(*b),
        Value::String(s) if s == "true" => Some(true),
        Value::String(s) if s == "false" => Some(false),
        _ => None,
    }
}

/// The name Elasticsearch's parser gives to a value's first token.
pub(crate) fn token_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "VALUE_NULL",
        Value::Bool(_) => "VALUE_BOOLEAN",
        Value::Number(_) => "VALUE_NUMBER",
        Value::String(_) => "VALUE_STRING",
        Value::Array(_) => "START_ARRAY",
        Value::Object(_) => "START_OBJECT",
    }
}
