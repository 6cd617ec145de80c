//! Values of fields as aggregations read them: columns of one segment, in the order of rows.
//!
//! Invariants: pairs come with rows ascending (a row may come several times, for several buckets);
//! a block is decoded only where at least a quarter of its rows is asked for.
//! Not here: what is done with the values.

use std::sync::Arc;

use super::spec::MetricSpec;
use crate::columns::{Column, Keywords, Number, Numbers, Segment};
use crate::error::EsError;
use crate::query::{FieldInfo, FieldKind, Schema};

/// A row and the bucket of the parent it falls into.
pub(crate) type Pair = (u32, u32);

/// Where values come from in one index.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// The index does not know the field.
    Unmapped,
    /// A field.
    Field(FieldInfo),
    /// Every document has the index's name.
    IndexName(String),
}

impl Source {
    /// Looks a field up for buckets of its values.
    pub(crate) fn for_buckets(
        path: &str,
        schema: &dyn Schema,
        index: &str,
    ) -> Result<Self, EsError> {
        if path == "_index" {
            return Ok(Source::IndexName(index.to_owned()));
        }
        if path == "_id" {
            return Err(EsError::unsupported("aggregation on _id"));
        }
        match schema.field(path) {
            None => Ok(Source::Unmapped),
            Some(info) => match info.kind {
                FieldKind::Text => Err(crate::search::no_fielddata(path)),
                FieldKind::Stored => Err(EsError::illegal_argument(format!(
                    "Can't load fielddata on [{path}] because fielddata is unsupported on fields of type [{}]. Use doc values instead.",
                    info.type_name
                ))),
                _ => Ok(Source::Field(info)),
            },
        }
    }

    /// As `for_buckets`, of numbers only.
    pub(crate) fn for_numbers(
        path: &str,
        schema: &dyn Schema,
        index: &str,
        aggregation: &str,
    ) -> Result<Self, EsError> {
        let source = Self::for_buckets(path, schema, index)?;
        match &source {
            Source::Field(info) if !info.kind.is_numeric() => {
                Err(EsError::illegal_argument(format!(
                    "Field [{path}] of type [{}] is not supported for aggregation [{aggregation}]",
                    info.type_name
                )))
            }
            Source::IndexName(_) => Err(EsError::illegal_argument(format!(
                "Field [{path}] of type [_index] is not supported for aggregation [{aggregation}]"
            ))),
            _ => Ok(source),
        }
    }

    /// The kind of the field.
    pub(crate) fn kind(&self) -> Option<FieldKind> {
        match self {
            Source::Field(info) => Some(info.kind),
            _ => None,
        }
    }

    /// Its column in a segment.
    pub(crate) fn column(&self, segment: &dyn Segment) -> Option<Column> {
        match self {
            Source::Field(info) => segment.column(&info.path),
            _ => None,
        }
    }
}

/// What stands for absent values, as a number.
pub(crate) fn missing_number(metric: &MetricSpec, source: &Source) -> Result<Option<f64>, EsError> {
    let Some(value) = &metric.missing else {
        return Ok(None);
    };
    let info = match source {
        Source::Field(info) => Some(info),
        _ => None,
    };
    number_for(value, info).map(Some)
}

/// A JSON value as a number of a field.
pub(crate) fn number_for(
    value: &serde_json::Value,
    info: Option<&FieldInfo>,
) -> Result<f64, EsError> {
    if let Some(number) = crate::query::params::number_of(value) {
        return Ok(number);
    }
    if let Some(flag) = crate::query::params::bool_of(value) {
        return Ok(f64::from(u8::from(flag)));
    }
    if let (Some(info), Some(text)) = (info, value.as_str())
        && info.kind == FieldKind::Date
    {
        let format = info.format.as_deref().cloned().unwrap_or_default();
        return Ok(format.parse_ms(text)? as f64);
    }
    Err(crate::query::refuse::not_a_number(&value.to_string()))
}

/// Reads the values of pairs out of a column, block by block where that is cheaper.
pub(crate) fn each<T: Number>(
    column: &dyn Numbers<T>,
    absent: T,
    pairs: &[Pair],
    buffer: &mut Vec<T>,
    mut visit: impl FnMut(Pair, T),
) {
    let (Some(first), Some(last)) = (pairs.first(), pairs.last()) else {
        return;
    };
    if !column.is_single() {
        let mut row = None;
        for pair in pairs {
            if row != Some(pair.0) {
                buffer.clear();
                column.all(pair.0, buffer);
                row = Some(pair.0);
            }
            for value in buffer.iter() {
                visit(*pair, *value);
            }
        }
        return;
    }
    let span = (last.0 - first.0) as usize + 1;
    if span <= pairs.len() * 4 {
        buffer.clear();
        buffer.resize(span, absent);
        column.read(first.0, absent, buffer);
        let dense = column.is_dense();
        for pair in pairs {
            let value = buffer[(pair.0 - first.0) as usize];
            if dense || value != absent && value.partial_cmp(&value).is_some() {
                visit(*pair, value);
            }
        }
        return;
    }
    for pair in pairs {
        if let Some(value) = column.first(pair.0) {
            visit(*pair, value);
        }
    }
}

/// Visits every number of the pairs; absent ones as `missing` where one is given.
pub(crate) fn each_number(
    column: Option<&Column>,
    missing: Option<f64>,
    pairs: &[Pair],
    scratch: &mut Scratch,
    mut visit: impl FnMut(Pair, f64),
) {
    match column {
        Some(Column::Long(c) | Column::Bool(c) | Column::Date(c)) => {
            each(
                c.as_ref(),
                i64::MIN,
                pairs,
                &mut scratch.longs,
                |pair, value| {
                    visit(pair, value as f64);
                },
            );
        }
        Some(Column::Double(c)) => {
            each(
                c.as_ref(),
                f64::NAN,
                pairs,
                &mut scratch.doubles,
                &mut visit,
            );
        }
        _ => {}
    }
    if let Some(value) = missing {
        for pair in absent_rows(column, pairs) {
            visit(pair, value);
        }
    }
}

/// Pairs whose row has no value.
pub(crate) fn absent_rows<'a>(
    column: Option<&'a Column>,
    pairs: &'a [Pair],
) -> Box<dyn Iterator<Item = Pair> + 'a> {
    match column {
        None => Box::new(pairs.iter().copied()),
        Some(column) => {
            let has: Box<dyn Fn(u32) -> bool> = match column {
                Column::Long(c) | Column::Bool(c) | Column::Date(c) => {
                    let c = Arc::clone(c);
                    Box::new(move |row| c.first(row).is_some())
                }
                Column::Double(c) => {
                    let c = Arc::clone(c);
                    Box::new(move |row| c.first(row).is_some())
                }
                Column::Keyword(c) | Column::Ip(c) => {
                    let c: Arc<dyn Keywords> = Arc::clone(c);
                    Box::new(move |row| c.ords().first(row).is_some())
                }
            };
            Box::new(pairs.iter().copied().filter(move |pair| !has(pair.0)))
        }
    }
}

/// Buffers that one collector keeps between blocks.
#[derive(Default, Debug)]
pub(crate) struct Scratch {
    /// Of whole numbers.
    pub longs: Vec<i64>,
    /// Of floating-point numbers.
    pub doubles: Vec<f64>,
    /// Of dictionary numbers.
    pub ords: Vec<u32>,
}
