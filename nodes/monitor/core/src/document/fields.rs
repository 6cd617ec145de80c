//! Strict reading of a map: whoever reads it names the fields that it may have, any other is
//! refused before anything is read.
//!
//! Invariant: an error names the field by its whole path and the place of what is wrong.
//! Not here: which fields a watch has (`read`).

use serde_json::Value;

use super::DocumentError;
use super::tree::{Entry, Kind, Node, Place};
use crate::span;

/// A map that has no fields but known ones.
pub(crate) struct Fields<'a> {
    path: String,
    place: Option<Place>,
    entries: &'a [Entry],
}

/// One field.
#[derive(Clone)]
pub(crate) struct Field<'a> {
    pub(crate) path: String,
    pub(crate) node: &'a Node,
}

fn joined(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

impl<'a> Fields<'a> {
    /// The field, if it is there.
    pub(crate) fn take(&self, name: &str) -> Option<Field<'a>> {
        let entry = self.entries.iter().find(|entry| entry.key == name)?;
        Some(Field {
            path: joined(&self.path, name),
            node: &entry.value,
        })
    }

    /// The field, which must be there.
    pub(crate) fn need(&self, name: &str) -> Result<Field<'a>, DocumentError> {
        self.take(name).ok_or_else(|| DocumentError {
            place: self.place,
            field: joined(&self.path, name),
            message: "is missing".to_owned(),
        })
    }

    /// An error about the map.
    pub(crate) fn fail(&self, message: impl Into<String>) -> DocumentError {
        DocumentError {
            place: self.place,
            field: self.path.clone(),
            message: message.into(),
        }
    }
}

/// A text for a message, cut.
fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

impl<'a> Field<'a> {
    /// The whole document.
    pub(crate) fn root(node: &'a Node) -> Self {
        Self {
            path: String::new(),
            node,
        }
    }

    /// An error about this field.
    pub(crate) fn fail(&self, message: impl Into<String>) -> DocumentError {
        DocumentError {
            place: self.node.place,
            field: self.path.clone(),
            message: message.into(),
        }
    }

    fn other(&self, expected: &str) -> DocumentError {
        self.fail(format!("must be {expected}, not {}", self.node.what()))
    }

    /// A map that may have these fields and no others.
    pub(crate) fn fields(&self, known: &[&str]) -> Result<Fields<'a>, DocumentError> {
        let Kind::Map(entries) = &self.node.kind else {
            return Err(self.other("a map"));
        };
        match entries
            .iter()
            .find(|entry| !known.contains(&entry.key.as_str()))
        {
            None => Ok(Fields {
                path: self.path.clone(),
                place: self.node.place,
                entries,
            }),
            Some(entry) => Err(DocumentError {
                place: entry.place.or(self.node.place),
                field: joined(&self.path, &shown(&entry.key)),
                message: format!("unknown field; known are {}", known.join(", ")),
            }),
        }
    }

    /// The members of a map whose names are free.
    pub(crate) fn entries(&self) -> Result<Vec<(&'a str, Field<'a>)>, DocumentError> {
        let Kind::Map(entries) = &self.node.kind else {
            return Err(self.other("a map"));
        };
        let fields = entries.iter().map(|entry| {
            let field = Field {
                path: joined(&self.path, &shown(&entry.key)),
                node: &entry.value,
            };
            (entry.key.as_str(), field)
        });
        Ok(fields.collect())
    }

    pub(crate) fn truth(&self) -> Result<bool, DocumentError> {
        match self.node.kind {
            Kind::Truth(truth) => Ok(truth),
            _ => Err(self.other("true or false")),
        }
    }

    /// A text of at most `max` characters.
    pub(crate) fn text(&self, max: usize) -> Result<&'a str, DocumentError> {
        match &self.node.kind {
            Kind::Text(text) if text.chars().count() <= max => Ok(text),
            Kind::Text(_) => Err(self.fail(format!("is longer than {max} characters"))),
            _ => Err(self.other("a text")),
        }
    }

    /// A text that says something.
    pub(crate) fn words(&self, max: usize) -> Result<&'a str, DocumentError> {
        match self.text(max)? {
            "" => Err(self.fail("must not be empty")),
            text => Ok(text),
        }
    }

    pub(crate) fn whole(&self, min: u64, max: u64) -> Result<u64, DocumentError> {
        let number = match &self.node.kind {
            Kind::Number(number) => number.as_u64(),
            _ => return Err(self.other("a whole number")),
        };
        number
            .filter(|number| (min..=max).contains(number))
            .ok_or_else(|| self.fail(format!("must be a whole number from {min} to {max}")))
    }

    /// A span of time, `90s`.
    pub(crate) fn span(&self, min_ms: u64, max_ms: u64) -> Result<u64, DocumentError> {
        let text = match &self.node.kind {
            Kind::Text(text) => text,
            _ => return Err(self.other("a span of time like `90s`, `5m` or `1h`")),
        };
        span::parse(text)
            .filter(|ms| (min_ms..=max_ms).contains(ms))
            .ok_or_else(|| {
                self.fail(format!(
                    "must be a span of time from {} to {}, like `90s`, `5m` or `1h`",
                    span::format(min_ms),
                    span::format(max_ms)
                ))
            })
    }

    /// The members of a list, or the one value that stands for a list of one.
    pub(crate) fn items(&self, max: usize) -> Result<Vec<Field<'a>>, DocumentError> {
        let items: Vec<Field<'a>> = match &self.node.kind {
            Kind::List(items) => items
                .iter()
                .enumerate()
                .map(|(at, node)| Field {
                    path: format!("{}[{at}]", self.path),
                    node,
                })
                .collect(),
            Kind::Text(_) => vec![self.clone()],
            _ => return Err(self.other("a list")),
        };
        if items.len() > max {
            return Err(self.fail(format!("has more than {max} members")));
        }
        Ok(items)
    }

    pub(crate) fn value(&self) -> Value {
        self.node.to_value()
    }
}
