//! Values of a query as values of the field's type: term, terms and range leaves of a plan.
//!
//! Invariants: every bound is inclusive and within the type; a value that can equal no stored one
//! (a fraction for a whole number) matches nothing; one that is no number at all is an error.
//! Not here: analyzed text (`compile.rs`).

use std::net::IpAddr;

use jiff::tz::TimeZone;
use serde_json::Value;

use super::ast::RangeBounds;
use super::compile::text_field;
use super::params::scalar_text;
use super::plan::{Plan, TermTest};
use super::refuse;
use super::schema::{FieldInfo, FieldKind};
use crate::dateformat::DateFormat;
use crate::datemath::{self, DateContext};
use crate::error::EsError;

/// A term query on a leaf.
pub(super) fn term(
    info: &FieldInfo,
    value: &Value,
    case_insensitive: bool,
    boost: f32,
    now_ms: i64,
) -> Result<Plan, EsError> {
    let text = text_of(info, value);
    if case_insensitive && matches!(info.kind, FieldKind::Keyword | FieldKind::Text) {
        let test = TermTest::IsFolded(text);
        return Ok(match info.kind {
            FieldKind::Text => {
                let words = Plan::Words(text_field(info), vec![test], 1, 1.0);
                Plan::Constant(Box::new(words), boost)
            }
            _ => Plan::TermsBy(info.path.clone(), test, boost),
        });
    }
    match info.kind {
        FieldKind::Keyword => Ok(Plan::Terms(info.path.clone(), vec![text], true, boost)),
        FieldKind::Text => Ok(Plan::Words(
            text_field(info),
            vec![TermTest::Is(text)],
            1,
            boost,
        )),
        _ => terms(info, std::slice::from_ref(value), boost, now_ms),
    }
}

/// A value as the field's terms are written.
fn text_of(info: &FieldInfo, value: &Value) -> String {
    let text = scalar_text(value).unwrap_or_default();
    if info.lowercase {
        crate::analysis::lowercase(&text).into_owned()
    } else {
        text
    }
}

/// A terms query on a leaf.
pub(super) fn terms(
    info: &FieldInfo,
    values: &[Value],
    boost: f32,
    now_ms: i64,
) -> Result<Plan, EsError> {
    let path = info.path.clone();
    Ok(match info.kind {
        FieldKind::Keyword => {
            let texts = values.iter().map(|value| text_of(info, value)).collect();
            Plan::Terms(path, texts, false, boost)
        }
        FieldKind::Text => {
            let tests = values
                .iter()
                .filter_map(scalar_text)
                .map(TermTest::Is)
                .collect();
            Plan::Constant(
                Box::new(Plan::Words(text_field(info), tests, 1, 1.0)),
                boost,
            )
        }
        FieldKind::Long | FieldKind::Bool | FieldKind::Date => {
            let mut ranges = Vec::with_capacity(values.len());
            for value in values {
                ranges.extend(point(info, value, now_ms)?);
            }
            longs(path, ranges, boost)
        }
        FieldKind::Double => {
            let mut ranges = Vec::with_capacity(values.len());
            for value in values {
                let number = number(value)?;
                ranges.push((number, number));
                // A `float` keeps the nearest 32-bit number.
                let single = f64::from(number as f32);
                if single != number && info.type_name != "double" {
                    ranges.push((single, single));
                }
            }
            if ranges.is_empty() {
                Plan::None
            } else {
                Plan::Doubles(path, ranges, boost)
            }
        }
        FieldKind::Ip => addresses(path, values, boost)?,
        FieldKind::Stored => return Err(not_searchable(info)),
    })
}

fn longs(path: String, mut ranges: Vec<(i64, i64)>, boost: f32) -> Plan {
    ranges.retain(|(low, high)| low <= high);
    ranges.sort_unstable();
    ranges.dedup();
    if ranges.is_empty() {
        Plan::None
    } else {
        Plan::Longs(path, ranges, boost)
    }
}

/// The values that equal `value` in a column of whole numbers.
fn point(info: &FieldInfo, value: &Value, now_ms: i64) -> Result<Option<(i64, i64)>, EsError> {
    match info.kind {
        FieldKind::Bool => match value {
            Value::Bool(b) => Ok(Some((i64::from(*b), i64::from(*b)))),
            other => match scalar_text(other).unwrap_or_default().as_str() {
                "true" => Ok(Some((1, 1))),
                "false" | "" => Ok(Some((0, 0))),
                text => Err(EsError::query_shard(format!(
                    "failed to create query: Can't parse boolean value [{}], expected [true] or [false]",
                    text.chars().take(100).collect::<String>()
                ))),
            },
        },
        FieldKind::Date => {
            let format = info.format.as_deref().cloned().unwrap_or_default();
            let low = instant(value, false, &format, &TimeZone::UTC, now_ms)?;
            let high = instant(value, true, &format, &TimeZone::UTC, now_ms)?;
            Ok(Some((low, high)))
        }
        _ => Ok(whole(value)?.map(|n| (n, n))),
    }
}

/// A whole number, or nothing when it has a fraction or lies outside of 64 bits.
fn whole(value: &Value) -> Result<Option<i64>, EsError> {
    if let Some(n) = value.as_i64() {
        return Ok(Some(n));
    }
    let number = match value {
        Value::String(s) => {
            if let Ok(n) = s.trim().parse::<i64>() {
                return Ok(Some(n));
            }
            number(value)?
        }
        _ => number(value)?,
    };
    let fits = number.fract() == 0.0 && number.abs() < 9.3e18;
    Ok(fits.then_some(number as i64))
}

fn number(value: &Value) -> Result<f64, EsError> {
    let text = scalar_text(value).unwrap_or_default();
    match text.trim().parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        _ => Err(refuse::not_a_number(&text)),
    }
}

fn not_searchable(info: &FieldInfo) -> EsError {
    EsError::query_shard(format!(
        "failed to create query: Cannot search on field [{}] since it is not indexed.",
        info.path
    ))
}

/// An instant of a query: a number is taken as its text, as formats with `epoch_millis` read it.
fn instant(
    value: &Value,
    round_up: bool,
    format: &DateFormat,
    zone: &TimeZone,
    now_ms: i64,
) -> Result<i64, EsError> {
    let text = scalar_text(value).unwrap_or_default();
    datemath::resolve(
        &text,
        round_up,
        DateContext {
            now_ms,
            zone,
            format,
        },
    )
}

/// A range query on a leaf.
pub(super) fn range(
    info: &FieldInfo,
    bounds: &RangeBounds,
    boost: f32,
    now_ms: i64,
) -> Result<Plan, EsError> {
    let path = info.path.clone();
    let lower = bounds.lower.as_ref();
    let upper = bounds.upper.as_ref();
    match info.kind {
        FieldKind::Date => {
            let zone = match &bounds.time_zone {
                Some(name) => datemath::zone(name)?,
                None => TimeZone::UTC,
            };
            let format = match &bounds.format {
                Some(text) => DateFormat::new(text)?,
                None => info.format.as_deref().cloned().unwrap_or_default(),
            };
            // Exclusive lower bounds and inclusive upper ones mean the end of what was written.
            let low = match lower {
                None => i64::MIN,
                Some((value, true)) => instant(value, false, &format, &zone, now_ms)?,
                Some((value, false)) => {
                    instant(value, true, &format, &zone, now_ms)?.saturating_add(1)
                }
            };
            let high = match upper {
                None => i64::MAX,
                Some((value, true)) => instant(value, true, &format, &zone, now_ms)?,
                Some((value, false)) => {
                    instant(value, false, &format, &zone, now_ms)?.saturating_sub(1)
                }
            };
            Ok(longs(path, vec![(low, high)], boost))
        }
        FieldKind::Bool => {
            let low = match lower {
                None => i64::MIN,
                Some((value, included)) => {
                    point(info, value, now_ms)?.map_or(i64::MIN, |(n, _)| n + i64::from(!included))
                }
            };
            let high = match upper {
                None => i64::MAX,
                Some((value, included)) => {
                    point(info, value, now_ms)?.map_or(i64::MAX, |(n, _)| n - i64::from(!included))
                }
            };
            Ok(longs(path, vec![(low, high)], boost))
        }
        FieldKind::Long => {
            let low = match lower {
                None => i64::MIN,
                Some((value, included)) => match whole(value)? {
                    Some(n) if *included => n,
                    Some(n) => match n.checked_add(1) {
                        Some(n) => n,
                        None => return Ok(Plan::None),
                    },
                    None => number(value)?.ceil() as i64,
                },
            };
            let high = match upper {
                None => i64::MAX,
                Some((value, included)) => match whole(value)? {
                    Some(n) if *included => n,
                    Some(n) => match n.checked_sub(1) {
                        Some(n) => n,
                        None => return Ok(Plan::None),
                    },
                    None => number(value)?.floor() as i64,
                },
            };
            Ok(longs(path, vec![(low, high)], boost))
        }
        FieldKind::Double => {
            let low = match lower {
                None => f64::NEG_INFINITY,
                Some((value, true)) => number(value)?,
                Some((value, false)) => number(value)?.next_up(),
            };
            let high = match upper {
                None => f64::INFINITY,
                Some((value, true)) => number(value)?,
                Some((value, false)) => number(value)?.next_down(),
            };
            Ok(if low > high {
                Plan::None
            } else {
                Plan::Doubles(path, vec![(low, high)], boost)
            })
        }
        FieldKind::Keyword | FieldKind::Text => {
            let text = |side: Option<&(Value, bool)>| {
                side.map(|(value, included)| (text_of(info, value), *included))
            };
            let test = TermTest::Between(text(lower), text(upper));
            Ok(match info.kind {
                FieldKind::Text => {
                    let words = Plan::Words(text_field(info), vec![test], 1, 1.0);
                    Plan::Constant(Box::new(words), boost)
                }
                _ => Plan::TermsBy(path, test, boost),
            })
        }
        FieldKind::Ip => {
            let low = match lower {
                None => 0,
                Some((value, included)) => address_of(value)?.saturating_add(u128::from(!included)),
            };
            let high = match upper {
                None => u128::MAX,
                Some((value, included)) => address_of(value)?.saturating_sub(u128::from(!included)),
            };
            Ok(if low > high {
                Plan::None
            } else {
                Plan::Addresses(path, low, high, boost)
            })
        }
        FieldKind::Stored => Err(not_searchable(info)),
    }
}

/// An address as a number; IPv4 stands where its mapped IPv6 address is.
pub(crate) fn address_number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_ipv6_mapped()),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

/// The canonical text of an address.
pub(crate) fn address_text(address: IpAddr) -> String {
    address.to_canonical().to_string()
}

fn bad_address(text: &str) -> EsError {
    let shown: String = text.chars().take(100).collect();
    EsError::query_shard(format!(
        "failed to create query: '{shown}' is not an IP string literal."
    ))
}

fn address_of(value: &Value) -> Result<u128, EsError> {
    let text = scalar_text(value).unwrap_or_default();
    text.parse()
        .map(address_number)
        .map_err(|_| bad_address(&text))
}

/// `a.b.c.d/n` as first and last address.
pub(crate) fn network(text: &str) -> Option<(u128, u128)> {
    let (address, bits) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let bits: u32 = bits.parse().ok()?;
    let bits = match address {
        IpAddr::V4(_) if bits <= 32 => bits + 96,
        IpAddr::V6(_) if bits <= 128 => bits,
        _ => return None,
    };
    let mask = if bits == 0 {
        0
    } else {
        u128::MAX << (128 - bits)
    };
    let low = address_number(address) & mask;
    Some((low, low | !mask))
}

fn addresses(path: String, values: &[Value], boost: f32) -> Result<Plan, EsError> {
    let mut exact = Vec::new();
    let mut plans = Vec::new();
    for value in values {
        let text = scalar_text(value).unwrap_or_default();
        if text.contains('/') {
            let (low, high) = network(&text).ok_or_else(|| bad_address(&text))?;
            plans.push(Plan::Addresses(path.clone(), low, high, 1.0));
        } else {
            exact.push(address_text(text.parse().map_err(|_| bad_address(&text))?));
        }
    }
    if plans.is_empty() {
        return Ok(Plan::Terms(path, exact, false, boost));
    }
    plans.push(Plan::Terms(path, exact, false, 1.0));
    Ok(Plan::Constant(Box::new(Plan::Best(plans, 0.0, 1.0)), boost))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_its_first_and_last_address() {
        let (low, high) = network("10.1.2.3/24").unwrap();
        assert_eq!(low, address_number("10.1.2.0".parse().unwrap()));
        assert_eq!(high, address_number("10.1.2.255".parse().unwrap()));
        assert_eq!(network("::/0").unwrap(), (0, u128::MAX));
        assert!(network("10.0.0.0/33").is_none());
    }
}
