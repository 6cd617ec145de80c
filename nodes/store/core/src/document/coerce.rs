//! One JSON value to one field's type, or why not.
//! Invariants: the same value and field give the same answer; numbers are as precise as the field's type keeps them
//! (a `float` is rounded to 32 bits, as aggregations of Elasticsearch show); nothing panics. Not here: which field.

use super::{LeafValue, TERM_BYTES_LIMIT};
use crate::error::EsError;
use crate::mapping::{Field, FieldType};
use serde_json::Value;
use std::borrow::Cow;
use std::net::IpAddr;

/// A scalar as it stands in the document.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Raw<'a> {
    Null,
    Bool(bool),
    Whole(i64),
    /// Above `i64::MAX`.
    Huge(u64),
    Float(f64),
    Text(Cow<'a, str>),
}

impl Raw<'_> {
    /// From a parameter such as `null_value`.
    pub(super) fn owned(value: &Value) -> Raw<'static> {
        match value {
            Value::Bool(flag) => Raw::Bool(*flag),
            Value::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(whole), _) => Raw::Whole(whole),
                (None, Some(huge)) => Raw::Huge(huge),
                (None, None) => Raw::Float(number.as_f64().unwrap_or(0.0)),
            },
            Value::String(text) => Raw::Text(Cow::Owned(text.clone())),
            Value::Null | Value::Array(_) | Value::Object(_) => Raw::Null,
        }
    }

    /// As text.
    pub(super) fn preview(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(flag) => flag.to_string(),
            Self::Whole(number) => number.to_string(),
            Self::Huge(number) => number.to_string(),
            Self::Float(number) => float_text(*number),
            Self::Text(text) => text.to_string(),
        }
    }
}

/// A float as JSON shows it.
fn float_text(number: f64) -> String {
    serde_json::Number::from_f64(number)
        .map_or_else(|| number.to_string(), |number| number.to_string())
}

/// Why a value is not of its field's type.
#[derive(Debug)]
pub(super) struct Refusal {
    /// The document is refused with the reason itself, not as a failure to parse the field.
    pub(super) whole: bool,
    pub(super) kind: &'static str,
    pub(super) reason: String,
    pub(super) cause: Option<EsError>,
}

impl Refusal {
    pub(super) fn new(kind: &'static str, reason: impl Into<String>) -> Self {
        Self {
            whole: false,
            kind,
            reason: reason.into(),
            cause: None,
        }
    }

    fn argument(reason: impl Into<String>) -> Self {
        Self::new("illegal_argument_exception", reason)
    }
}

/// The typed value; `None` when the field does not index it.
pub(super) fn coerce<'a>(field: &Field, raw: &Raw<'a>) -> Result<Option<LeafValue<'a>>, Refusal> {
    let def = &field.def;
    if def.kind.is_number() && def.coerce && matches!(raw, Raw::Text(text) if text.is_empty()) {
        return Ok(None);
    }
    Ok(Some(match def.kind {
        FieldType::Stored(_) => return Ok(None),
        FieldType::Text | FieldType::MatchOnlyText => LeafValue::Text(text_of(raw)),
        FieldType::Keyword | FieldType::Wildcard | FieldType::Flattened => {
            let term = text_of(raw);
            if def.ignores(&term) {
                return Ok(None);
            }
            let term = if def.lowercase {
                Cow::Owned(def.normalized(&term).into_owned())
            } else {
                term
            };
            if term.len() > TERM_BYTES_LIMIT {
                return Err(immense(&field.path, term.len()));
            }
            LeafValue::Term(term)
        }
        FieldType::ConstantKeyword => {
            let term = text_of(raw);
            match &def.constant {
                Some(value) if value.as_ref() != term => {
                    return Err(Refusal::argument(format!(
                        "constant keyword field [{}] must have a value of [{value}]",
                        field.path
                    )));
                }
                _ => LeafValue::Term(term),
            }
        }
        FieldType::UnsignedLong => {
            LeafValue::Long(whole(raw, def.coerce, 0, i64::MAX, "an unsigned long")?)
        }
        FieldType::Long => LeafValue::Long(whole(raw, def.coerce, i64::MIN, i64::MAX, "a long")?),
        FieldType::Integer => LeafValue::Long(whole(
            raw,
            def.coerce,
            i32::MIN.into(),
            i32::MAX.into(),
            "an integer",
        )?),
        FieldType::Short => LeafValue::Long(whole(
            raw,
            def.coerce,
            i16::MIN.into(),
            i16::MAX.into(),
            "a short",
        )?),
        FieldType::Byte => LeafValue::Long(whole(
            raw,
            def.coerce,
            i8::MIN.into(),
            i8::MAX.into(),
            "a byte",
        )?),
        FieldType::Double => LeafValue::Double(finite("double", float(raw, def.coerce)?)?),
        FieldType::Float => {
            let value = float(raw, def.coerce)?;
            LeafValue::Double(finite("float", f64::from(value as f32))?)
        }
        FieldType::HalfFloat => {
            let value = float(raw, def.coerce)?;
            let half = to_half(value);
            if !half.is_finite() {
                return Err(Refusal::argument(format!(
                    "[half_float] supports only finite values, but got [{value:?}]"
                )));
            }
            LeafValue::Double(half)
        }
        FieldType::ScaledFloat => {
            let value = finite("scaled_float", float(raw, def.coerce)?)?;
            let scaled = (value * def.scaling_factor + 0.5).floor();
            LeafValue::Double(scaled * (1.0 / def.scaling_factor))
        }
        FieldType::Boolean => LeafValue::Bool(match raw {
            Raw::Bool(flag) => *flag,
            Raw::Text(text) if text == "true" => true,
            Raw::Text(text) if text == "false" || text.is_empty() => false,
            other @ (Raw::Whole(_) | Raw::Huge(_) | Raw::Float(_)) => {
                return Err(Refusal::new(
                    "input_coercion_exception",
                    format!("Current token ({}) not of boolean type", token(other)),
                ));
            }
            other => {
                return Err(Refusal::argument(format!(
                    "Failed to parse value [{}] as only [true] or [false] are allowed.",
                    cut(&other.preview())
                )));
            }
        }),
        FieldType::Date | FieldType::DateNanos => {
            let parsed = match raw {
                Raw::Text(text) => def.format.parse_ms(text),
                other => def.format.parse_ms(&other.preview()),
            };
            LeafValue::Date(parsed.map_err(|error| Refusal {
                whole: false,
                kind: "illegal_argument_exception",
                reason: error.reason().to_owned(),
                cause: error.cause().cloned(),
            })?)
        }
        FieldType::Ip => {
            let text = text_of(raw);
            match text.parse::<IpAddr>() {
                Ok(address) => LeafValue::Ip(address.to_canonical()),
                Err(_) => {
                    return Err(Refusal::argument(format!(
                        "'{}' is not an IP string literal.",
                        cut(&text)
                    )));
                }
            }
        }
    }))
}

/// An address as the column's term: IPv4-mapped IPv6 as IPv4.
#[must_use]
pub fn ip_text(address: IpAddr) -> String {
    address.to_canonical().to_string()
}

fn cut(text: &str) -> String {
    text.chars().take(200).collect()
}

fn text_of<'a>(raw: &Raw<'a>) -> Cow<'a, str> {
    match raw {
        Raw::Text(text) => text.clone(),
        other => Cow::Owned(other.preview()),
    }
}

fn immense(path: &str, length: usize) -> Refusal {
    let long = format!("bytes can be at most {TERM_BYTES_LIMIT} in length; got {length}");
    Refusal {
        whole: true,
        cause: Some(EsError::new(
            400,
            "max_bytes_length_exceeded_exception",
            long,
        )),
        ..Refusal::argument(format!(
            "Document contains at least one immense term in field=\"{path}\" (whose UTF8 encoding is longer than the max length {TERM_BYTES_LIMIT}), all of which were skipped.  Please correct the analyzer to not produce such terms."
        ))
    }
}

fn not_numeric(raw: &Raw<'_>) -> Refusal {
    Refusal::new(
        "input_coercion_exception",
        format!(
            "Current token ({}) not numeric, cannot use numeric value accessors",
            token(raw)
        ),
    )
}

/// What Elasticsearch's reader calls a value.
fn token(raw: &Raw<'_>) -> &'static str {
    match raw {
        Raw::Null => "VALUE_NULL",
        Raw::Bool(true) => "VALUE_TRUE",
        Raw::Bool(false) => "VALUE_FALSE",
        Raw::Whole(_) | Raw::Huge(_) => "VALUE_NUMBER_INT",
        Raw::Float(_) => "VALUE_NUMBER_FLOAT",
        Raw::Text(_) => "VALUE_STRING",
    }
}

fn whole(raw: &Raw<'_>, lenient: bool, low: i64, high: i64, name: &str) -> Result<i64, Refusal> {
    let outside = |shown: &str| {
        Refusal::argument(format!("Value [{}] is out of range for {name}", cut(shown)))
    };
    let fraction = |value: f64| -> Result<i64, Refusal> {
        if value.fract() != 0.0 && !lenient {
            return Err(Refusal::argument(format!(
                "{value} cannot be converted to Long without data loss"
            )));
        }
        // 2^63 is the first float above every i64.
        if !value.is_finite()
            || value.trunc() < -9_223_372_036_854_775_808.0
            || value >= 9_223_372_036_854_775_808.0
        {
            return Err(match raw {
                Raw::Float(_) => unread(&float_text(value), "long", i64::MIN, i64::MAX),
                other => outside(&other.preview()),
            });
        }
        Ok(value.trunc() as i64)
    };
    let value = match raw {
        Raw::Whole(value) => *value,
        Raw::Float(value) => fraction(*value)?,
        Raw::Huge(value) => return Err(unread(&value.to_string(), "long", i64::MIN, i64::MAX)),
        Raw::Text(text) if lenient => {
            let text = text.trim();
            match text.parse::<i64>() {
                Ok(value) => value,
                Err(_) => match number(text) {
                    Some(value) => fraction(value)?,
                    None => {
                        return Err(Refusal::argument(format!(
                            "For input string: \"{}\"",
                            cut(text)
                        )));
                    }
                },
            }
        }
        Raw::Text(_) => {
            return Err(Refusal::argument("Long value passed as String"));
        }
        Raw::Bool(_) | Raw::Null => return Err(not_numeric(raw)),
    };
    if value < low || value > high {
        // Elasticsearch's reader refuses what is no `int` before the field is asked.
        let number = !matches!(raw, Raw::Text(_));
        let int = i64::from(i32::MIN)..=i64::from(i32::MAX);
        if number && low >= *int.start() && high > 0 && !int.contains(&value) {
            return Err(unread(&value.to_string(), "int", *int.start(), *int.end()));
        }
        return Err(outside(&value.to_string()));
    }
    Ok(value)
}

/// A JSON number that is too large to be read as a whole number.
fn unread(shown: &str, kind: &str, low: i64, high: i64) -> Refusal {
    Refusal::new(
        "input_coercion_exception",
        format!(
            "Numeric value ({}) out of range of `{kind}` ({low} - {high})",
            cut(shown)
        ),
    )
}

/// A decimal number; words such as `inf` and `nan`, which Rust would take, are none.
fn number(text: &str) -> Option<f64> {
    let plain = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E'));
    if plain && text.len() <= 400 {
        text.parse().ok()
    } else {
        None
    }
}

fn float(raw: &Raw<'_>, lenient: bool) -> Result<f64, Refusal> {
    match raw {
        Raw::Whole(value) => Ok(*value as f64),
        Raw::Huge(value) => Ok(*value as f64),
        Raw::Float(value) => Ok(*value),
        Raw::Text(text) if lenient => number(text.trim()).ok_or_else(|| {
            let reason = format!("For input string: \"{}\"", cut(text));
            Refusal::new("number_format_exception", reason)
        }),
        Raw::Text(_) => Err(Refusal::argument("Double value passed as String")),
        Raw::Bool(_) | Raw::Null => Err(not_numeric(raw)),
    }
}

fn finite(name: &str, value: f64) -> Result<f64, Refusal> {
    if value.is_finite() {
        return Ok(value);
    }
    let shown = if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    };
    Err(Refusal::argument(format!(
        "[{name}] supports only finite values, but got [{shown}]"
    )))
}

/// Rounds to the nearest of 16 bits (ties to even), as `half_float` keeps it.
fn to_half(value: f64) -> f64 {
    let value = f64::from(value as f32);
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let exponent = value.abs().log2().floor().max(-14.0);
    let step = 2f64.powf(exponent - 10.0);
    let rounded = (value / step).round_ties_even() * step;
    if rounded.abs() > 65_504.0 {
        f64::INFINITY.copysign(value)
    } else {
        rounded
    }
}
