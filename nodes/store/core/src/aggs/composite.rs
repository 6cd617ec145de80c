//! `composite`: a bucket for each combination of several sources' values, in pages.
//!
//! Invariants: buckets are ordered by key alone, so each segment needs to hand on only its first
//! `size` buckets behind `after`, and the merged pages are exact. Not here: rendering.

use std::cmp::Ordering;
use std::collections::HashMap;

use jiff::tz::TimeZone;
use serde_json::Value;

use super::collect::{AggContext, MAX_COLLECTED, Node, finish_subs};
use super::key::{Float, Key, KeyKind, Part};
use super::partial::{Bucket, Partial};
use super::rules::key_kind;
use super::spec::{CompositeSource, CompositeSpec, SourceKind};
use super::values::{Pair, Source};
use crate::columns::{Column, Segment};
use crate::dateformat::DateFormat;
use crate::datemath;
use crate::error::EsError;
use crate::interval::Rounding;
use crate::query::params::{number_of, scalar_text};

/// One source in one segment.
struct Reader<'s> {
    spec: &'s CompositeSource,
    source: Source,
    column: Option<Column>,
    rounding: Option<Rounding>,
}

/// Codes of one combination, by source.
type Codes = Box<[Option<i64>]>;

/// The collector.
pub(super) struct CompositeCollector<'s> {
    spec: &'s CompositeSpec,
    readers: Vec<Reader<'s>>,
    subs: Vec<Box<dyn Node + 's>>,
    map: HashMap<(u32, Codes), u32>,
    counts: Vec<u64>,
    out: Vec<Pair>,
}

/// The rounding of a date source.
pub(super) fn source_rounding(kind: &SourceKind) -> Result<Option<Rounding>, EsError> {
    match kind {
        SourceKind::Date {
            interval,
            time_zone,
            offset_ms,
            ..
        } => {
            let zone = match time_zone {
                Some(name) => datemath::zone(name)?,
                None => TimeZone::UTC,
            };
            Ok(Some(Rounding::new(*interval, zone, *offset_ms)))
        }
        _ => Ok(None),
    }
}

impl<'s> CompositeCollector<'s> {
    pub(super) fn new(
        spec: &'s CompositeSpec,
        context: AggContext<'s>,
        segment: &'s dyn Segment,
        subs: Vec<Box<dyn Node + 's>>,
    ) -> Result<Self, EsError> {
        let readers = spec
            .sources
            .iter()
            .map(|source| {
                let from = match source.kind {
                    SourceKind::Terms => {
                        Source::for_buckets(&source.field, context.schema, context.index)?
                    }
                    _ => Source::for_numbers(
                        &source.field,
                        context.schema,
                        context.index,
                        "composite",
                    )?,
                };
                Ok(Reader {
                    spec: source,
                    column: from.column(segment),
                    source: from,
                    rounding: source_rounding(&source.kind)?,
                })
            })
            .collect::<Result<Vec<_>, EsError>>()?;
        Ok(Self {
            spec,
            readers,
            subs,
            map: HashMap::new(),
            counts: Vec::new(),
            out: Vec::new(),
        })
    }
}

impl Reader<'_> {
    /// Codes of a row's values; distinct.
    fn codes(&self, row: u32, out: &mut Vec<Option<i64>>) {
        out.clear();
        match &self.column {
            Some(Column::Keyword(c) | Column::Ip(c)) => {
                let mut ords = Vec::new();
                c.ords().all(row, &mut ords);
                out.extend(ords.into_iter().map(|ord| Some(i64::from(ord))));
            }
            Some(Column::Long(c) | Column::Bool(c) | Column::Date(c)) => {
                let mut values = Vec::new();
                c.all(row, &mut values);
                out.extend(values.into_iter().map(|value| {
                    Some(match (&self.rounding, &self.spec.kind) {
                        (Some(rounding), _) => rounding.floor(value),
                        (_, SourceKind::Number { interval }) => {
                            double_code((value as f64 / interval).floor() * interval)
                        }
                        _ => value,
                    })
                }));
            }
            Some(Column::Double(c)) => {
                let mut values = Vec::new();
                c.all(row, &mut values);
                out.extend(values.into_iter().map(|value| {
                    Some(match &self.spec.kind {
                        SourceKind::Number { interval } => {
                            double_code((value / interval).floor() * interval)
                        }
                        SourceKind::Date { .. } => {
                            let ms = value as i64;
                            self.rounding
                                .as_ref()
                                .map_or(ms, |rounding| rounding.floor(ms))
                        }
                        SourceKind::Terms => double_code(value),
                    })
                }));
            }
            None if matches!(self.source, Source::IndexName(_)) => out.push(Some(0)),
            None => {}
        }
        out.dedup();
        if out.is_empty() && self.spec.missing_bucket {
            out.push(None);
        }
    }

    fn key(&self, code: i64) -> Key {
        match (&self.column, &self.spec.kind, &self.source) {
            (_, SourceKind::Number { .. }, _) => Key::Double(Float(f64::from_bits(code as u64))),
            (Some(column @ (Column::Keyword(c) | Column::Ip(c))), _, _) => {
                Key::term(column, &c.term(code as u32))
            }
            (Some(Column::Double(_)), SourceKind::Terms, _) => {
                Key::Double(Float(f64::from_bits(code as u64)))
            }
            (None, _, Source::IndexName(name)) => Key::Text(name.as_str().into()),
            _ => Key::Long(code),
        }
    }

    fn kind(&self) -> Option<KeyKind> {
        match (&self.spec.kind, &self.source) {
            (_, Source::Unmapped) => None,
            (SourceKind::Number { .. }, _) => Some(KeyKind::Double),
            (SourceKind::Date { .. }, _) => Some(KeyKind::Date),
            (_, Source::IndexName(_)) => Some(KeyKind::Text),
            (_, Source::Field(info)) => key_kind(info.kind),
        }
    }
}

fn double_code(value: f64) -> i64 {
    (value + 0.0).to_bits() as i64
}

impl Node for CompositeCollector<'_> {
    fn collect(&mut self, pairs: &[Pair]) -> Result<(), EsError> {
        self.out.clear();
        let mut lists: Vec<Vec<Option<i64>>> = vec![Vec::new(); self.readers.len()];
        let mut row = None;
        for pair in pairs {
            if row != Some(pair.0) {
                for (reader, list) in self.readers.iter().zip(&mut lists) {
                    reader.codes(pair.0, list);
                }
                row = Some(pair.0);
            }
            if lists.iter().any(Vec::is_empty) {
                continue;
            }
            let mut at = vec![0usize; lists.len()];
            'combinations: loop {
                let key: Codes = at.iter().zip(&lists).map(|(at, list)| list[*at]).collect();
                let next = self.counts.len() as u32;
                let bucket = *self.map.entry((pair.1, key)).or_insert(next);
                if bucket == next {
                    self.counts.push(0);
                }
                self.counts[bucket as usize] += 1;
                if !self.subs.is_empty() {
                    self.out.push((pair.0, bucket));
                }
                for place in (0..at.len()).rev() {
                    at[place] += 1;
                    if at[place] < lists[place].len() {
                        continue 'combinations;
                    }
                    at[place] = 0;
                }
                break;
            }
        }
        if self.counts.len() > MAX_COLLECTED {
            return Err(EsError::too_many_buckets(MAX_COLLECTED));
        }
        for sub in &mut self.subs {
            sub.collect(&self.out)?;
        }
        Ok(())
    }

    fn finish(self: Box<Self>, parents: u32) -> Result<Vec<Partial>, EsError> {
        let this = *self;
        let kinds: Vec<Option<KeyKind>> = this.readers.iter().map(Reader::kind).collect();
        let after = parse_after(this.spec, &kinds)?;
        let mut subs: Vec<Option<Vec<Partial>>> = finish_subs(this.subs, this.counts.len() as u32)?
            .into_iter()
            .map(Some)
            .collect();
        let mut lists: Vec<Vec<(Vec<Part>, Bucket)>> = (0..parents).map(|_| Vec::new()).collect();
        for ((parent, codes), at) in this.map {
            let key: Vec<Part> = codes
                .iter()
                .zip(&this.readers)
                .map(|(code, reader)| code.map(|code| reader.key(code)))
                .collect();
            if let Some(after) = &after
                && compare_parts(this.spec, &key, after) != Ordering::Greater
            {
                continue;
            }
            let bucket = Bucket {
                count: this.counts[at as usize],
                subs: subs[at as usize].take().unwrap_or_default(),
            };
            if let Some(list) = lists.get_mut(parent as usize) {
                list.push((key, bucket));
            }
        }
        Ok(lists
            .into_iter()
            .map(|mut list| {
                list.sort_by(|a, b| compare_parts(this.spec, &a.0, &b.0));
                list.truncate(this.spec.size);
                Partial::Composite(list.into_iter().collect(), kinds.clone())
            })
            .collect())
    }
}

/// The order of two composite keys.
pub(super) fn compare_parts(spec: &CompositeSpec, a: &[Part], b: &[Part]) -> Ordering {
    for (source, (a, b)) in spec.sources.iter().zip(a.iter().zip(b)) {
        let null_first = source.missing_first.unwrap_or(source.ascending);
        let order = match (a, b) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => {
                if null_first {
                    Ordering::Less
                } else {
                    Ordering::Greater
                }
            }
            (Some(_), None) => {
                if null_first {
                    Ordering::Greater
                } else {
                    Ordering::Less
                }
            }
            (Some(a), Some(b)) => {
                let order = a.cmp(b);
                if source.ascending {
                    order
                } else {
                    order.reverse()
                }
            }
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    Ordering::Equal
}

/// The key to go on after, as keys of this index's kinds.
fn parse_after(
    spec: &CompositeSpec,
    kinds: &[Option<KeyKind>],
) -> Result<Option<Vec<Part>>, EsError> {
    let Some(values) = &spec.after else {
        return Ok(None);
    };
    let mut out = Vec::with_capacity(values.len());
    for ((value, source), kind) in values.iter().zip(&spec.sources).zip(kinds) {
        let wrong = || {
            EsError::illegal_argument(format!(
                "Invalid value for [after.{}], got [{value}]",
                source.name
            ))
        };
        out.push(match (value, kind) {
            (Value::Null, _) => None,
            (value, Some(KeyKind::Text)) => {
                Some(Key::Text(scalar_text(value).ok_or_else(wrong)?.into()))
            }
            (value, Some(KeyKind::Ip)) => {
                Some(Key::address(&scalar_text(value).ok_or_else(wrong)?))
            }
            (value, Some(KeyKind::Double)) => {
                Some(Key::Double(Float(number_of(value).ok_or_else(wrong)?)))
            }
            (Value::Bool(flag), Some(_)) => Some(Key::Long(i64::from(*flag))),
            (Value::String(text), Some(KeyKind::Date)) => {
                let ms = match &source.kind {
                    SourceKind::Date {
                        format: Some(format),
                        time_zone,
                        ..
                    } => {
                        let zone = match time_zone {
                            Some(name) => datemath::zone(name)?,
                            None => TimeZone::UTC,
                        };
                        DateFormat::new(format)?.parse_in(text, &zone, false)?
                    }
                    _ => DateFormat::default().parse_ms(text)?,
                };
                Some(Key::Long(ms))
            }
            (value, Some(_)) => Some(Key::Long(number_of(value).ok_or_else(wrong)? as i64)),
            // An index that does not know the field has only nulls there.
            (value, None) => match value {
                Value::String(text) => Some(Key::Text(text.as_str().into())),
                other => Some(Key::Long(number_of(other).ok_or_else(wrong)? as i64)),
            },
        });
    }
    Ok(Some(out))
}
