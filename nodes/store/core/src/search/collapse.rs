//! `collapse`: of hits with one value of a field only the first is shown.
//!
//! Invariants: hits without a value are one group; groups that are kept at a time are bounded, more of them are refused by
//! name. Not here: the hits inside a group (`inner_hits`, refused).

use std::cmp::Ordering;
use std::collections::HashMap;

use serde_json::{Value, json};

use super::execute::Candidate;
use super::fields::column_values;
use super::sort::SortSpec;
use crate::columns::{Column, Row, Segment};
use crate::dateformat::DateFormat;
use crate::error::EsError;
use crate::query::params::Params;
use crate::query::{FieldKind, Schema};

/// Groups of one search.
const MAX_GROUPS: usize = 100_000;

/// Reads the member `collapse`: the field.
pub(super) fn parse(value: &Value) -> Result<String, EsError> {
    let mut p = Params::object("collapse", value)?;
    let field = p.need_string("field")?;
    if p.take("inner_hits").is_some() {
        return Err(EsError::unsupported("collapse inner_hits"));
    }
    p.size("max_concurrent_group_searches")?;
    p.finish_as_object()?;
    Ok(field)
}

/// What hits of a group have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum GroupKey {
    None,
    Text(String),
    Long(i64),
    /// The bits of a number.
    Double(u64),
}

/// The group of each row of a segment.
pub(super) struct GroupKeys {
    column: Option<Column>,
}

impl GroupKeys {
    pub(super) fn new(
        field: &str,
        schema: &dyn Schema,
        segment: &dyn Segment,
    ) -> Result<Self, EsError> {
        let info = schema.field(field).ok_or_else(|| {
            EsError::illegal_argument(format!(
                "no mapping found for `{field}` in order to collapse on"
            ))
        })?;
        if !matches!(
            info.kind,
            FieldKind::Keyword | FieldKind::Long | FieldKind::Double
        ) {
            return Err(EsError::illegal_argument(format!(
                "unknown type for collapse field `{field}`, only keywords and numbers are accepted"
            )));
        }
        Ok(Self {
            column: segment.column(&info.path),
        })
    }

    pub(super) fn of(&self, row: Row) -> Result<GroupKey, EsError> {
        let several = || EsError::unsupported("collapse on a field with several values");
        fn only<T: Copy>(
            values: &[T],
            several: impl Fn() -> EsError,
        ) -> Result<Option<T>, EsError> {
            match values {
                [] => Ok(None),
                [one] => Ok(Some(*one)),
                _ => Err(several()),
            }
        }
        let key = match &self.column {
            Some(Column::Keyword(column)) => {
                let mut ords = Vec::new();
                column.ords().all(row, &mut ords);
                only(&ords, several)?.map(|ord| GroupKey::Text(column.term(ord).into_owned()))
            }
            Some(Column::Long(column)) => {
                let mut values = Vec::new();
                column.all(row, &mut values);
                only(&values, several)?.map(GroupKey::Long)
            }
            Some(Column::Double(column)) => {
                let mut values = Vec::new();
                column.all(row, &mut values);
                only(&values, several)?.map(|n: f64| GroupKey::Double(n.to_bits()))
            }
            _ => None,
        };
        Ok(key.unwrap_or(GroupKey::None))
    }
}

/// The best candidate of each group.
pub(super) struct Groups<'s> {
    specs: &'s [SortSpec],
    best: HashMap<GroupKey, Candidate>,
}

impl<'s> Groups<'s> {
    pub(super) fn new(specs: &'s [SortSpec]) -> Self {
        Self {
            specs,
            best: HashMap::new(),
        }
    }

    pub(super) fn offer(&mut self, key: GroupKey, candidate: Candidate) -> Result<(), EsError> {
        let full = self.best.len() >= MAX_GROUPS;
        match self.best.get_mut(&key) {
            Some(known) => {
                if candidate.order(known, self.specs) == Ordering::Less {
                    *known = candidate;
                }
            }
            None if full => {
                return Err(EsError::illegal_argument(format!(
                    "[collapse] has more than [{MAX_GROUPS}] groups; narrow the query"
                )));
            }
            None => {
                self.best.insert(key, candidate);
            }
        }
        Ok(())
    }

    pub(super) fn into_sorted(self, limit: usize) -> Vec<Candidate> {
        let mut all: Vec<Candidate> = self.best.into_values().collect();
        all.sort_by(|a, b| a.order(b, self.specs));
        all.truncate(limit);
        all
    }
}

/// Shows the value of a hit's group among its fields.
pub(super) fn show(
    hit: &mut Value,
    field: &str,
    schema: &dyn Schema,
    segment: &dyn Segment,
    row: Row,
) -> Result<(), EsError> {
    let column = schema
        .field(field)
        .and_then(|info| segment.column(&info.path));
    let values = column.map_or_else(Vec::new, |column| {
        column_values(&column, row, &DateFormat::default())
    });
    let Some(map) = hit.as_object_mut().filter(|_| !values.is_empty()) else {
        return Ok(());
    };
    // What is sorted by stands last.
    let sort = map.shift_remove("sort");
    let fields = map.entry("fields").or_insert_with(|| json!({}));
    fields[field] = Value::Array(values);
    if let Some(sort) = sort {
        map.insert("sort".into(), sort);
    }
    Ok(())
}
