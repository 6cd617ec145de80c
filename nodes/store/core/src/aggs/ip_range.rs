//! `ip_range`: documents whose addresses lie between bounds or in a network.
//!
//! Invariant: ranges stand by their first address, then by their last. Not here: which rows lie in a range, which is a
//! query like any other.

use std::net::{IpAddr, Ipv6Addr};

use serde_json::{Value, json};

use super::parse_buckets::MAX_PARTS;
use crate::error::EsError;
use crate::query::ast::RangeBounds;
use crate::query::coerce::{address_number, address_text, network};
use crate::query::params::{Params, scalar_text};
use crate::query::{FieldKind, Query, Schema};

/// `ip_range`.
#[derive(Clone, Debug)]
pub struct IpRangeSpec {
    /// Path.
    pub field: String,
    /// The ranges, in their order.
    pub ranges: Vec<IpRange>,
    /// Buckets are an object.
    pub keyed: bool,
}

/// One range.
#[derive(Clone, Debug)]
pub struct IpRange {
    /// Its name in the answer.
    pub key: String,
    /// First address.
    pub from: Option<u128>,
    /// First address behind it.
    pub to: Option<u128>,
    /// What lies in it.
    pub query: Query,
}

fn text(number: u128) -> String {
    address_text(IpAddr::V6(Ipv6Addr::from(number)))
}

fn wrong() -> EsError {
    EsError::json_parse("[ip_range] failed to parse field [ranges]")
}

fn address(value: Option<&Value>) -> Result<Option<u128>, EsError> {
    let Some(value) = value else { return Ok(None) };
    let text = scalar_text(value).ok_or_else(wrong)?;
    let address: IpAddr = text.parse().map_err(|_| wrong())?;
    Ok(Some(address_number(address)))
}

fn bounds(field: &str, from: Option<u128>, to: Option<u128>) -> Query {
    Query::Range {
        field: field.to_owned(),
        bounds: RangeBounds {
            lower: from.map(|from| (json!(text(from)), true)),
            upper: to.map(|to| (json!(text(to)), false)),
            ..RangeBounds::default()
        },
        boost: 1.0,
    }
}

pub(super) fn parse(body: &Value) -> Result<IpRangeSpec, EsError> {
    let mut p = Params::object("ip_range", body)?;
    let field = p.need_string("field")?;
    let keyed = p.boolean("keyed")?.unwrap_or(false);
    for name in ["script", "missing"] {
        if p.take(name).is_some() {
            return Err(EsError::unsupported(format!("ip_range {name}")));
        }
    }
    let none = Vec::new();
    let items = match p.take("ranges") {
        None => &none,
        Some(Value::Array(items)) => items,
        Some(_) => return Err(wrong()),
    };
    p.finish_as_object()?;
    if items.is_empty() || items.len() > MAX_PARTS {
        return Err(EsError::illegal_argument(format!(
            "[ip_range] needs between 1 and [{MAX_PARTS}] [ranges]"
        )));
    }
    let mut ranges = Vec::with_capacity(items.len());
    for item in items {
        let mut r = Params::new("ip_range", item)?;
        let key = r.string("key")?;
        let (mut from, mut to) = (address(r.take("from"))?, address(r.take("to"))?);
        let mut name = None;
        if let Some(mask) = r.string("mask")? {
            let (first, last) = network(&mask).ok_or_else(wrong)?;
            // The whole of addresses has no bounds.
            from = Some(first).filter(|first| *first > 0);
            to = last.checked_add(1);
            name = Some(mask);
        }
        r.finish_as_object()?;
        let shown = |bound: Option<u128>| bound.map_or_else(|| "*".to_owned(), text);
        let key = key
            .or(name)
            .unwrap_or_else(|| format!("{}-{}", shown(from), shown(to)));
        let query = bounds(&field, from, to);
        ranges.push(IpRange {
            key,
            from,
            to,
            query,
        });
    }
    ranges.sort_by_key(|range| (range.from, range.to.is_none(), range.to));
    Ok(IpRangeSpec {
        field,
        ranges,
        keyed,
    })
}

impl IpRangeSpec {
    /// Refuses a field of another type.
    pub(super) fn check(&self, schema: &dyn Schema) -> Result<(), EsError> {
        match schema.field(&self.field) {
            Some(info) if info.kind != FieldKind::Ip => Err(EsError::illegal_argument(format!(
                "Field [{}] of type [{}] is not supported for aggregation [ip_range]",
                self.field, info.type_name
            ))),
            _ => Ok(()),
        }
    }
}

impl IpRange {
    /// The members of its bucket beside key and count.
    pub(super) fn shown(&self) -> Vec<(&'static str, Value)> {
        let mut shown = Vec::new();
        if let Some(from) = self.from {
            shown.push(("from", json!(text(from))));
        }
        if let Some(to) = self.to {
            shown.push(("to", json!(text(to))));
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_network_is_shown_by_its_bounds() {
        let spec = parse(
            &json!({"field": "a", "ranges": [{"from": "10.0.1.0"}, {"mask": "10.0.0.7/25"}, {"mask": "0.0.0.0/0"}]}),
        );
        let ranges = spec.unwrap().ranges;
        assert_eq!(ranges[0].key, "0.0.0.0/0");
        assert_eq!(ranges[1].key, "10.0.0.7/25");
        let bounds = [("from", json!("10.0.0.0")), ("to", json!("10.0.0.128"))];
        assert_eq!(ranges[1].shown(), bounds);
        assert_eq!(ranges[2].key, "10.0.1.0-*");
    }

    proptest! {
        #[test]
        fn any_range_is_read_or_refused(from in "[0-9a-f.:]{0,12}", to in "\\PC{0,12}", mask in "[0-9.:/]{0,16}") {
            for range in [json!({"from": from, "to": to}), json!({"mask": mask}), json!({"mask": to})] {
                let _ = parse(&json!({"field": "a", "ranges": [range]}));
            }
        }
    }
}
