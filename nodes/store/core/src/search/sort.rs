//! Sorting: the `sort` of a request, keys of rows, their order and how they are shown.
//!
//! Invariants: keys of different segments and indices compare; missing values stand where the
//! request says, last by default in either order; ties are broken by the order of documents.
//! Not here: which rows are sorted (`execute.rs`).

use std::cmp::Ordering;
use std::net::IpAddr;

use serde_json::Value;

use crate::columns::{Column, Row, Segment};
use crate::dateformat::DateFormat;
use crate::error::EsError;
use crate::query::params::{Params, scalar_text};
use crate::query::{FieldInfo, FieldKind, Schema};
use crate::search::sort_shown::{is_missing, unmapped_kind};

/// Keys one request may sort by.
const MAX_KEYS: usize = 32;

/// Ascending or descending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortOrder {
    /// Smallest first.
    Asc,
    /// Largest first.
    Desc,
}

/// What one key of the order is.
#[derive(Clone, Debug, PartialEq)]
pub enum SortKey {
    /// Relevance.
    Score,
    /// The order of documents.
    Doc,
    /// A field's values.
    Field(String),
}

/// Which of several values counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortMode {
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// The sum.
    Sum,
    /// The mean.
    Avg,
}

/// One key of a sort.
#[derive(Clone, Debug, PartialEq)]
pub struct SortSpec {
    /// By what.
    pub key: SortKey,
    /// In which order.
    pub order: SortOrder,
    /// Rows without a value come first.
    pub missing_first: bool,
    /// Rows without a value count as this.
    pub missing_value: Option<Value>,
    /// A field that an index does not know is no error.
    pub unmapped_type: Option<String>,
    /// Which value of several counts.
    pub mode: SortMode,
    /// How dates are shown.
    pub format: Option<String>,
}

/// A key of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum SortValue {
    /// A whole number or an instant.
    Long(i64),
    /// A floating-point number.
    Double(f64),
    /// A term.
    Text(String),
    /// An address, ordered as a number.
    Ip(IpAddr),
    /// Nothing.
    Missing,
}

impl SortSpec {
    fn new(key: SortKey) -> Self {
        let order = if key == SortKey::Score {
            SortOrder::Desc
        } else {
            SortOrder::Asc
        };
        Self {
            key,
            order,
            missing_first: false,
            missing_value: None,
            unmapped_type: None,
            mode: SortMode::Min,
            format: None,
        }
    }

    /// Sort by a field.
    pub fn field(name: &str, order: SortOrder) -> Self {
        let mut spec = Self::new(SortKey::Field(name.to_owned()));
        spec.order = order;
        spec.mode = if order == SortOrder::Desc {
            SortMode::Max
        } else {
            SortMode::Min
        };
        spec
    }

    /// The order of two values.
    pub fn compare(&self, a: &SortValue, b: &SortValue) -> Ordering {
        let missing = |before: bool| {
            if before {
                Ordering::Less
            } else {
                Ordering::Greater
            }
        };
        match (a, b) {
            (SortValue::Missing, SortValue::Missing) => Ordering::Equal,
            (SortValue::Missing, _) => missing(self.missing_first),
            (_, SortValue::Missing) => missing(self.missing_first).reverse(),
            (a, b) => {
                let order = compare_values(a, b);
                if self.order == SortOrder::Desc {
                    order.reverse()
                } else {
                    order
                }
            }
        }
    }
}

/// The natural order of two values that are there.
pub(crate) fn compare_values(a: &SortValue, b: &SortValue) -> Ordering {
    match (a, b) {
        (SortValue::Long(a), SortValue::Long(b)) => a.cmp(b),
        (SortValue::Double(a), SortValue::Double(b)) => a.total_cmp(b),
        (SortValue::Long(a), SortValue::Double(b)) => (*a as f64).total_cmp(b),
        (SortValue::Double(a), SortValue::Long(b)) => a.total_cmp(&(*b as f64)),
        (SortValue::Text(a), SortValue::Text(b)) => a.cmp(b),
        (SortValue::Ip(a), SortValue::Ip(b)) => address(a).cmp(&address(b)),
        (SortValue::Ip(_), SortValue::Text(_)) => Ordering::Less,
        (SortValue::Ip(_), _) => Ordering::Greater,
        (_, SortValue::Ip(_)) => Ordering::Less,
        // Two indices disagree on the type: numbers come before terms.
        (SortValue::Text(_), _) => Ordering::Greater,
        (_, SortValue::Text(_)) => Ordering::Less,
        (SortValue::Missing, _) | (_, SortValue::Missing) => Ordering::Equal,
    }
}

/// An address as Lucene orders it: a version 4 one is mapped into version 6.
fn address(ip: &IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}

/// The order of two rows by all keys.
pub(crate) fn compare_keys(specs: &[SortSpec], a: &[SortValue], b: &[SortValue]) -> Ordering {
    specs
        .iter()
        .zip(a.iter().zip(b))
        .map(|(spec, (a, b))| spec.compare(a, b))
        .find(|order| *order != Ordering::Equal)
        .unwrap_or(Ordering::Equal)
}

/// Reads `sort`: a name, an object, or a list of them.
pub(crate) fn parse_sort(value: &Value) -> Result<Vec<SortSpec>, EsError> {
    let mut specs = Vec::new();
    match value {
        Value::Array(items) => {
            for item in items {
                parse_one(item, &mut specs)?;
            }
        }
        other => parse_one(other, &mut specs)?,
    }
    if specs.len() > MAX_KEYS {
        return Err(EsError::illegal_argument(format!(
            "[sort] has more than [{MAX_KEYS}] keys"
        )));
    }
    Ok(specs)
}

fn order_of(text: &str) -> Result<SortOrder, EsError> {
    if text.eq_ignore_ascii_case("asc") {
        Ok(SortOrder::Asc)
    } else if text.eq_ignore_ascii_case("desc") {
        Ok(SortOrder::Desc)
    } else {
        Err(EsError::illegal_argument(format!(
            "Unknown SortOrder [{text}]"
        )))
    }
}

fn named(name: &str) -> SortSpec {
    match name {
        "_score" => SortSpec::new(SortKey::Score),
        "_doc" | "_shard_doc" => SortSpec::new(SortKey::Doc),
        field => SortSpec::new(SortKey::Field(field.to_owned())),
    }
}

fn parse_one(value: &Value, specs: &mut Vec<SortSpec>) -> Result<(), EsError> {
    match value {
        Value::String(name) => {
            // As in a URL: `name:desc`.
            let (name, order) = match name.rsplit_once(':') {
                Some((name, order)) if order_of(order).is_ok() => (name, Some(order_of(order)?)),
                _ => (name.as_str(), None),
            };
            let mut spec = named(name);
            set_order(&mut spec, order);
            specs.push(spec);
        }
        Value::Object(map) => {
            for (name, options) in map {
                specs.push(parse_named(name, options)?);
            }
        }
        other => {
            return Err(EsError::illegal_argument(format!(
                "malformed sort format, within the sort array, an object, or an actual string are allowed, but found {}",
                crate::query::params::token_name(other)
            )));
        }
    }
    Ok(())
}

fn set_order(spec: &mut SortSpec, order: Option<SortOrder>) {
    if let Some(order) = order {
        spec.order = order;
    }
    spec.mode = if spec.order == SortOrder::Desc {
        SortMode::Max
    } else {
        SortMode::Min
    };
}

fn parse_named(name: &str, options: &Value) -> Result<SortSpec, EsError> {
    if matches!(name, "_script" | "_geo_distance") {
        return Err(EsError::unsupported(format!("sort by {name}")));
    }
    let mut spec = named(name);
    if let Some(text) = options.as_str() {
        set_order(&mut spec, Some(order_of(text)?));
        return Ok(spec);
    }
    let mut p = Params::object("sort", options)?;
    let order = p.string("order")?.map(|text| order_of(&text)).transpose()?;
    set_order(&mut spec, order);
    if let Some(mode) = p.string("mode")? {
        spec.mode = match mode.to_ascii_lowercase().as_str() {
            "min" => SortMode::Min,
            "max" => SortMode::Max,
            "sum" => SortMode::Sum,
            "avg" => SortMode::Avg,
            other => return Err(EsError::unsupported(format!("sort mode {other}"))),
        };
    }
    match p.take("missing") {
        Some(Value::String(s)) if s == "_first" => spec.missing_first = true,
        Some(Value::String(s)) if s == "_last" => {}
        Some(value) => spec.missing_value = Some(value.clone()),
        None => {}
    }
    spec.unmapped_type = p.string("unmapped_type")?;
    spec.format = p.string("format")?;
    if p.take("nested").is_some() {
        return Err(EsError::unsupported("sort nested"));
    }
    if let Some(kind) = p.string("numeric_type")?
        && !matches!(kind.as_str(), "long" | "double" | "date")
    {
        return Err(EsError::unsupported(format!("sort numeric_type {kind}")));
    }
    p.finish_as_object()?;
    Ok(spec)
}

/// The columns of one segment that a sort reads.
pub(crate) struct SortColumns {
    columns: Vec<Option<Column>>,
}

impl SortColumns {
    /// Looks the columns up.
    ///
    /// # Errors
    /// When a field cannot be sorted by or is unknown.
    pub(crate) fn new(
        specs: &[SortSpec],
        schema: &dyn Schema,
        segment: &dyn Segment,
    ) -> Result<Self, EsError> {
        let columns = specs
            .iter()
            .map(|spec| column_of(spec, schema, segment))
            .collect::<Result<_, _>>()?;
        Ok(Self { columns })
    }

    /// The keys of a row. `ordinal` is the row's place among all documents.
    pub(crate) fn keys(
        &self,
        specs: &[SortSpec],
        row: Row,
        score: f32,
        ordinal: i64,
    ) -> Vec<SortValue> {
        specs
            .iter()
            .zip(&self.columns)
            .map(|(spec, column)| match spec.key {
                SortKey::Score => SortValue::Double(f64::from(score)),
                SortKey::Doc => SortValue::Long(ordinal),
                SortKey::Field(_) => value_of(spec, column.as_ref(), row),
            })
            .collect()
    }

    /// The column of the first key when it is one of whole numbers with at most one value a row.
    pub(crate) fn first_long(&self) -> Option<&std::sync::Arc<dyn crate::columns::Numbers<i64>>> {
        match self.columns.first()? {
            Some(Column::Long(c) | Column::Date(c)) if c.is_single() => Some(c),
            _ => None,
        }
    }
}

/// Whether an index can be sorted so.
pub(crate) fn check(specs: &[SortSpec], schema: &dyn Schema) -> Result<(), EsError> {
    for spec in specs {
        let SortKey::Field(name) = &spec.key else {
            continue;
        };
        if matches!(name.as_str(), "_id" | "_index") {
            return Err(EsError::unsupported(format!("sort by {name}")));
        }
        match schema.field(name) {
            None if spec.unmapped_type.is_none() => {
                return Err(EsError::query_shard(format!(
                    "No mapping found for [{name}] in order to sort on"
                )));
            }
            Some(info) if info.kind == FieldKind::Text => return Err(no_fielddata(name)),
            Some(info) if info.kind == FieldKind::Stored => {
                return Err(EsError::illegal_argument(format!(
                    "can't sort on field [{name}] of type [{}]",
                    info.type_name
                )));
            }
            Some(info) => check_format(spec, name, &info)?,
            None => {}
        }
    }
    Ok(())
}

/// A date is shown as asked; another kind would be shown as if nothing had been asked.
fn check_format(spec: &SortSpec, name: &str, info: &FieldInfo) -> Result<(), EsError> {
    match (&spec.format, info.kind) {
        (None, _) => Ok(()),
        (Some(format), FieldKind::Date) => DateFormat::new(format).map(|_| ()),
        (Some(_), _) => Err(EsError::unsupported(format!(
            "[format] of a sort by [{name}] of type [{}] (dates have one)",
            info.type_name
        ))),
    }
}

/// The refusal to read a text as a column.
pub(crate) fn no_fielddata(name: &str) -> EsError {
    EsError::illegal_argument(format!(
        "Text fields are not optimised for operations that require per-document field data like aggregations and sorting, so these operations are disabled by default. Please use a keyword field instead. Alternatively, set fielddata=true on [{name}] in order to load field data by uninverting the inverted index. Note that this can use significant memory."
    ))
}

fn column_of(
    spec: &SortSpec,
    schema: &dyn Schema,
    segment: &dyn Segment,
) -> Result<Option<Column>, EsError> {
    let SortKey::Field(name) = &spec.key else {
        return Ok(None);
    };
    check(std::slice::from_ref(spec), schema)?;
    Ok(schema
        .field(name)
        .and_then(|info| segment.column(&info.path)))
}

fn value_of(spec: &SortSpec, column: Option<&Column>, row: Row) -> SortValue {
    let found = match column {
        None => SortValue::Missing,
        Some(Column::Long(c) | Column::Bool(c) | Column::Date(c)) => {
            if c.is_single() || spec.mode == SortMode::Min {
                c.first(row).map_or(SortValue::Missing, SortValue::Long)
            } else {
                let mut values = Vec::new();
                c.all(row, &mut values);
                match (spec.mode, values.last()) {
                    (_, None) => SortValue::Missing,
                    (SortMode::Sum, _) => SortValue::Long(values.iter().sum()),
                    (SortMode::Avg, _) => {
                        let sum: i128 = values.iter().map(|v| i128::from(*v)).sum();
                        SortValue::Long((sum as f64 / values.len() as f64).round() as i64)
                    }
                    (_, Some(last)) => SortValue::Long(*last),
                }
            }
        }
        Some(Column::Double(c)) => {
            if c.is_single() || spec.mode == SortMode::Min {
                c.first(row).map_or(SortValue::Missing, SortValue::Double)
            } else {
                let mut values = Vec::new();
                c.all(row, &mut values);
                match (spec.mode, values.last()) {
                    (_, None) => SortValue::Missing,
                    (SortMode::Sum, _) => SortValue::Double(values.iter().sum()),
                    (SortMode::Avg, _) => {
                        SortValue::Double(values.iter().sum::<f64>() / values.len() as f64)
                    }
                    (_, Some(last)) => SortValue::Double(*last),
                }
            }
        }
        Some(Column::Ip(c)) => {
            let mut ords = Vec::new();
            c.ords().all(row, &mut ords);
            let addresses = ords
                .iter()
                .filter_map(|ord| c.term(*ord).parse::<IpAddr>().ok());
            let found = if spec.mode == SortMode::Max {
                addresses.max_by_key(address)
            } else {
                addresses.min_by_key(address)
            };
            found.map_or(SortValue::Missing, SortValue::Ip)
        }
        Some(Column::Keyword(c)) => {
            let mut ords = Vec::new();
            c.ords().all(row, &mut ords);
            let terms = ords.iter().map(|ord| c.term(*ord));
            let term = if spec.mode == SortMode::Max {
                terms.max()
            } else {
                terms.min()
            };
            term.map_or(SortValue::Missing, |term| {
                SortValue::Text(term.into_owned())
            })
        }
    };
    match (&found, &spec.missing_value) {
        (SortValue::Missing, Some(value)) => from_json(value),
        _ => found,
    }
}

fn from_json(value: &Value) -> SortValue {
    match value {
        Value::Number(n) => match n.as_i64() {
            Some(n) => SortValue::Long(n),
            None => SortValue::Double(n.as_f64().unwrap_or(0.0)),
        },
        Value::Null => SortValue::Missing,
        Value::Bool(b) => SortValue::Long(i64::from(*b)),
        other => SortValue::Text(scalar_text(other).unwrap_or_default()),
    }
}

/// The keys of `search_after` as values of the sort.
pub(crate) fn parse_after(
    specs: &[SortSpec],
    values: &[Value],
    kinds: &[Option<FieldKind>],
) -> Result<Vec<SortValue>, EsError> {
    if values.len() != specs.len() {
        return Err(EsError::illegal_argument(format!(
            "search_after has {} value(s) but sort has {}.",
            values.len(),
            specs.len()
        )));
    }
    values
        .iter()
        .zip(specs)
        .zip(kinds)
        .map(|((value, spec), kind)| {
            let kind = &kind.or_else(|| unmapped_kind(spec));
            if is_missing(spec, *kind, value) {
                return Ok(SortValue::Missing);
            }
            let wrong = || {
                EsError::illegal_argument(format!(
                    "Failed to parse search_after value for field [{}]: {value}",
                    match &spec.key {
                        SortKey::Field(name) => name.as_str(),
                        SortKey::Score => "_score",
                        SortKey::Doc => "_doc",
                    }
                ))
            };
            if value.is_array() || value.is_object() {
                return Err(wrong());
            }
            match kind {
                Some(FieldKind::Date) => match value {
                    Value::String(text) => {
                        let format = match &spec.format {
                            Some(format) => DateFormat::new(format)?,
                            None => DateFormat::default(),
                        };
                        format.parse_ms(text).map(SortValue::Long)
                    }
                    other => Ok(from_json(other)),
                },
                Some(FieldKind::Ip) => scalar_text(value)
                    .and_then(|text| text.parse().ok())
                    .map(SortValue::Ip)
                    .ok_or_else(wrong),
                Some(FieldKind::Keyword | FieldKind::Text) => {
                    Ok(SortValue::Text(scalar_text(value).unwrap_or_default()))
                }
                _ => match value {
                    Value::String(text) => match (text.parse::<i64>(), text.parse::<f64>()) {
                        (Ok(n), _) => Ok(SortValue::Long(n)),
                        (_, Ok(n)) => Ok(SortValue::Double(n)),
                        _ => Err(wrong()),
                    },
                    other => Ok(from_json(other)),
                },
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_form_of_sort_is_read() {
        let specs = parse_sort(&json!([
            "_score", "a", "b:desc", {"c": "desc"},
            {"d": {"order": "desc", "unmapped_type": "boolean", "missing": "_first"}}, {"_doc": {"order": "desc"}}
        ]))
        .unwrap();
        assert_eq!(specs.len(), 6);
        assert_eq!(specs[0].order, SortOrder::Desc);
        assert_eq!(specs[2].key, SortKey::Field("b".into()));
        assert_eq!(specs[2].order, SortOrder::Desc);
        assert!(specs[4].missing_first && specs[4].mode == SortMode::Max);
        assert_eq!(specs[5].key, SortKey::Doc);
        assert!(parse_sort(&json!({"_script": {}})).is_err());
        assert!(parse_sort(&json!({"a": {"order": "up"}})).is_err());
    }

    #[test]
    fn missing_is_last_in_both_orders() {
        for order in [SortOrder::Asc, SortOrder::Desc] {
            let spec = SortSpec::field("a", order);
            assert_eq!(
                spec.compare(&SortValue::Missing, &SortValue::Long(1)),
                Ordering::Greater
            );
        }
    }
}
