//! Collectors that make buckets: terms, histograms, ranges, filters, missing, global.
//!
//! Invariants: a document is counted once in a bucket, however many of its values fall into it; the
//! buckets of a keyed rule are numbered in the order they are met, those of a fixed rule are
//! `parent * width + place`. Not here: composite, metrics.

use std::collections::HashMap;

use super::collect::{MAX_COLLECTED, Node, finish_subs};
use super::key::{Key, QuickMap};
use super::partial::{Bucket, Partial, RangePart, Shown, empty};
use super::rules::{Rule, RuleKind, TermsRule, field_of, key_info, key_of};
use super::spec::AggKind;
use super::values::{Pair, Scratch, Source, absent_rows, each, each_number};
use crate::columns::Column;
use crate::error::EsError;

/// Numbers of the buckets of a keyed rule.
#[derive(Default)]
struct Numbering {
    map: QuickMap<(u32, i64), u32>,
    keys: Vec<(u32, i64)>,
    /// Buckets of small codes by `parent * stride + code`, plus one.
    dense: Vec<u32>,
    stride: usize,
}

impl Numbering {
    const DENSE: usize = 1 << 22;

    fn bucket(&mut self, parent: u32, code: i64) -> u32 {
        if self.stride > 0 && code >= 0 && (code as usize) < self.stride {
            let at = parent as usize * self.stride + code as usize;
            if at < Self::DENSE {
                if at >= self.dense.len() {
                    self.dense.resize((parent as usize + 1) * self.stride, 0);
                }
                let slot = &mut self.dense[at];
                if *slot == 0 {
                    self.keys.push((parent, code));
                    *slot = self.keys.len() as u32;
                }
                return *slot - 1;
            }
        }
        let next = self.keys.len() as u32;
        let keys = &mut self.keys;
        *self.map.entry((parent, code)).or_insert_with(|| {
            keys.push((parent, code));
            next
        })
    }
}

/// A collector that makes buckets.
pub(super) struct BucketCollector<'s> {
    rule: Rule<'s>,
    subs: Vec<Box<dyn Node + 's>>,
    numbering: Numbering,
    counts: Vec<u64>,
    out: Vec<Pair>,
    scratch: Scratch,
}

/// Takes pairs with the bucket they fall into; the same bucket twice in a row is one document.
struct Sink<'a> {
    counts: &'a mut Vec<u64>,
    out: &'a mut Vec<Pair>,
    keep: bool,
    last: (Pair, u32),
}

impl Sink<'_> {
    #[inline]
    fn put(&mut self, pair: Pair, bucket: u32) {
        if self.last == (pair, bucket) {
            return;
        }
        self.last = (pair, bucket);
        let at = bucket as usize;
        if at >= self.counts.len() {
            self.counts.resize(at + 1, 0);
        }
        self.counts[at] += 1;
        if self.keep {
            self.out.push((pair.0, bucket));
        }
    }
}

impl<'s> BucketCollector<'s> {
    pub(super) fn new(rule: Rule<'s>, subs: Vec<Box<dyn Node + 's>>) -> Self {
        let mut numbering = Numbering::default();
        if let RuleKind::Terms(terms) = &rule.kind
            && let Some(Column::Keyword(c) | Column::Ip(c)) = &terms.column
        {
            numbering.stride = c.ord_count() as usize;
        }
        Self {
            rule,
            subs,
            numbering,
            counts: Vec::new(),
            out: Vec::new(),
            scratch: Scratch::default(),
        }
    }
}

impl Node for BucketCollector<'_> {
    fn collect(&mut self, pairs: &[Pair]) -> Result<(), EsError> {
        self.out.clear();
        let width = self.rule.width();
        let numbering = &mut self.numbering;
        let scratch = &mut self.scratch;
        let mut sink = Sink {
            counts: &mut self.counts,
            out: &mut self.out,
            keep: !self.subs.is_empty(),
            last: ((u32::MAX, u32::MAX), u32::MAX),
        };
        let mut unordered = false;
        match &self.rule.kind {
            RuleKind::Terms(rule) => {
                match &rule.column {
                    Some(Column::Keyword(c) | Column::Ip(c)) => {
                        let taken = rule.taken.as_deref();
                        each(c.ords(), u32::MAX, pairs, &mut scratch.ords, |pair, ord| {
                            if taken.is_none_or(|taken| taken[ord as usize]) {
                                let bucket = numbering.bucket(pair.1, i64::from(ord));
                                sink.put(pair, bucket);
                            }
                        });
                    }
                    Some(Column::Long(c) | Column::Bool(c) | Column::Date(c)) => {
                        each(
                            c.as_ref(),
                            i64::MIN,
                            pairs,
                            &mut scratch.longs,
                            |pair, value| {
                                if rule.takes_code(value) {
                                    let bucket = numbering.bucket(pair.1, value);
                                    sink.put(pair, bucket);
                                }
                            },
                        );
                    }
                    Some(Column::Double(c)) => {
                        each(
                            c.as_ref(),
                            f64::NAN,
                            pairs,
                            &mut scratch.doubles,
                            |pair, value| {
                                let code = (value + 0.0).to_bits() as i64;
                                if rule.takes_code(code) {
                                    let bucket = numbering.bucket(pair.1, code);
                                    sink.put(pair, bucket);
                                }
                            },
                        );
                    }
                    None => {
                        if matches!(self.rule.source, Source::IndexName(_)) {
                            for pair in pairs {
                                let bucket = numbering.bucket(pair.1, 0);
                                sink.put(*pair, bucket);
                            }
                        }
                    }
                }
                if let Some((code, _)) = &rule.missing {
                    unordered = true;
                    for pair in absent_rows(rule.column.as_ref(), pairs) {
                        let bucket = numbering.bucket(pair.1, *code);
                        sink.put(pair, bucket);
                    }
                }
            }
            RuleKind::Date {
                column,
                rounding,
                missing,
                hard,
            } => {
                let mut known = (1i64, 0i64, 0i64);
                let plain = rounding.plain();
                unordered = missing.is_some();
                let mut put = |pair: Pair, ms: i64| {
                    let key = match plain {
                        Some((length, offset)) => {
                            let moved = ms.saturating_sub(offset);
                            moved - moved.rem_euclid(length) + offset
                        }
                        None => {
                            if ms < known.0 || ms >= known.1 {
                                let start = rounding.floor(ms);
                                known = (start, rounding.next(ms), start);
                            }
                            known.2
                        }
                    };
                    if key >= hard.0 && key < hard.1 {
                        let bucket = numbering.bucket(pair.1, key);
                        sink.put(pair, bucket);
                    }
                };
                match column {
                    Some(Column::Long(c) | Column::Bool(c) | Column::Date(c)) => {
                        each(c.as_ref(), i64::MIN, pairs, &mut scratch.longs, &mut put);
                    }
                    Some(Column::Double(c)) => {
                        each(
                            c.as_ref(),
                            f64::NAN,
                            pairs,
                            &mut scratch.doubles,
                            |pair, value| {
                                put(pair, value as i64);
                            },
                        );
                    }
                    _ => {}
                }
                if let Some(value) = missing {
                    for pair in absent_rows(column.as_ref(), pairs) {
                        put(pair, *value as i64);
                    }
                }
            }
            RuleKind::Number { column, spec } => {
                unordered = spec.missing.is_some();
                each_number(
                    column.as_ref(),
                    spec.missing,
                    pairs,
                    scratch,
                    |pair, value| {
                        let place = ((value - spec.offset) / spec.interval).floor();
                        let key = place * spec.interval + spec.offset;
                        let inside = spec.hard_bounds.is_none_or(|(low, high)| {
                            (low..=high).contains(&(place * spec.interval))
                        });
                        if inside {
                            let bucket = numbering.bucket(pair.1, (key + 0.0).to_bits() as i64);
                            sink.put(pair, bucket);
                        }
                    },
                );
            }
            RuleKind::Ranges {
                column,
                bounds,
                missing,
            } => {
                unordered = missing.is_some();
                // Ranges may overlap: a value can fall into several, and two values into one.
                let mut current: Option<Pair> = None;
                let mut hit: Vec<u32> = Vec::new();
                each_number(column.as_ref(), *missing, pairs, scratch, |pair, value| {
                    if current != Some(pair) {
                        current = Some(pair);
                        hit.clear();
                    }
                    for (place, (from, to)) in bounds.iter().enumerate() {
                        let place = place as u32;
                        if value >= *from && value < *to && !hit.contains(&place) {
                            hit.push(place);
                            sink.put(pair, pair.1 * width + place);
                        }
                    }
                });
            }
            RuleKind::Rows { sets, other } => {
                for pair in pairs {
                    let mut any = false;
                    for (place, set) in sets.iter().enumerate() {
                        if set.contains(pair.0) {
                            any = true;
                            sink.put(*pair, pair.1 * width + place as u32);
                        }
                    }
                    if *other && !any {
                        sink.put(*pair, pair.1 * width + width - 1);
                    }
                }
            }
            RuleKind::Missing { column, present } => match present {
                Some(present) => {
                    for pair in pairs.iter().filter(|pair| !present.contains(pair.0)) {
                        sink.put(*pair, pair.1);
                    }
                }
                None => {
                    for pair in absent_rows(column.as_ref(), pairs) {
                        sink.put(pair, pair.1);
                    }
                }
            },
            RuleKind::Everything => {
                for pair in pairs {
                    sink.put(*pair, pair.1);
                }
            }
        }
        if self.numbering.keys.len() > MAX_COLLECTED {
            return Err(EsError::too_many_buckets(MAX_COLLECTED));
        }
        if !self.subs.is_empty() && !self.out.is_empty() {
            if unordered {
                self.out.sort_unstable();
            }
            for sub in &mut self.subs {
                sub.collect(&self.out)?;
            }
        }
        Ok(())
    }

    fn finish(self: Box<Self>, parents: u32) -> Result<Vec<Partial>, EsError> {
        let this = *self;
        if !this.rule.is_keyed() {
            return finish_fixed(this, parents);
        }
        let buckets = this.numbering.keys.len() as u32;
        let subs = finish_subs(this.subs, buckets)?;
        let mut maps: Vec<HashMap<Key, Bucket>> = (0..parents).map(|_| HashMap::new()).collect();
        for (at, ((parent, code), subs)) in this.numbering.keys.iter().zip(subs).enumerate() {
            let count = this.counts.get(at).copied().unwrap_or(0);
            if let Some(map) = maps.get_mut(*parent as usize) {
                map.insert(key_of(&this.rule, *code), Bucket { count, subs });
            }
        }
        if let RuleKind::Terms(rule) = &this.rule.kind
            && rule.spec.min_doc_count == 0
        {
            add_empty_terms(&this.rule, rule, &mut maps);
        }
        let info = key_info(&this.rule);
        Ok(maps
            .into_iter()
            .map(|map| Partial::Keyed(map, info.clone()))
            .collect())
    }
}

fn finish_fixed(this: BucketCollector<'_>, parents: u32) -> Result<Vec<Partial>, EsError> {
    let width = this.rule.width();
    let buckets = parents.saturating_mul(width);
    let mut subs = finish_subs(this.subs, buckets)?.into_iter();
    let mut at = 0;
    let mut next = || {
        let count = this.counts.get(at).copied().unwrap_or(0);
        at += 1;
        Bucket {
            count,
            subs: subs.next().unwrap_or_default(),
        }
    };
    let mut out = Vec::with_capacity(parents as usize);
    for _ in 0..parents {
        out.push(match (&this.rule.kind, &this.rule.spec.kind) {
            (RuleKind::Ranges { bounds, .. }, AggKind::Range(spec)) => {
                let parts = bounds
                    .iter()
                    .zip(&spec.ranges)
                    .map(|((from, to), range)| RangePart {
                        from: *from,
                        to: *to,
                        key: range.key.clone(),
                        bucket: next(),
                    });
                let format = field_of(&this.rule.source).and_then(|info| info.format.clone());
                let shown = Shown {
                    kind: this.rule.source.kind(),
                    format,
                };
                Partial::Ranges(parts.collect(), shown)
            }
            _ => Partial::Listed((0..width).map(|_| next()).collect()),
        });
    }
    Ok(out)
}

/// Terms that no matching document has, where the request wants them too.
fn add_empty_terms(rule: &Rule<'_>, terms: &TermsRule<'_>, maps: &mut [HashMap<Key, Bucket>]) {
    let Some(column @ (Column::Keyword(c) | Column::Ip(c))) = &terms.column else {
        return;
    };
    c.each_term(&mut |ord, term| {
        if terms.taken.as_ref().is_none_or(|taken| taken[ord as usize]) {
            for map in &mut *maps {
                map.entry(Key::term(column, term))
                    .or_insert_with(|| Bucket {
                        count: 0,
                        subs: empty(&rule.spec.subs),
                    });
            }
        }
    });
}
