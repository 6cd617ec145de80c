//! Runs a search over the segments of several indices and renders the answer.
//!
//! Invariants: hits of all indices stand in one order, ties in the order of indices, segments and
//! rows; only the hits that are shown are read; counts are exact (the limit of `track_total_hits`
//! only changes how they are shown). Not here: time taken, timeouts, contexts of scrolls.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::hash_map::{Entry, HashMap};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::Highlights;
use super::collapse::{self, GroupKeys, Groups};
use super::fetch::{HitOptions, Rendered, render_hit};
use super::named;
use super::request::{SearchRequest, TrackTotal};
use super::sort::{self, SortColumns, SortKey, SortOrder, SortSpec, SortValue};
use crate::aggs::{self, AggContext, AggKind, AggSpec};
use crate::columns::{Row, RowSet, Segment};
use crate::error::EsError;
use crate::query::{
    CompileContext, FieldKind, Plan, Query, Rarity, Schema, compile, matching, rows, scored,
};

/// One index as a search sees it.
#[derive(Clone, Copy)]
pub struct IndexView<'a> {
    /// Its concrete name.
    pub name: &'a str,
    /// Its fields.
    pub schema: &'a dyn Schema,
    /// Its segments, oldest first.
    pub segments: &'a [Arc<dyn Segment>],
}

/// How the answer is written.
#[derive(Clone, Copy, Debug, Default)]
pub struct RenderOptions {
    /// Names of aggregations begin with their type.
    pub typed_keys: bool,
    /// `hits.total` is a number.
    pub total_as_int: bool,
}

pub(super) struct Candidate {
    pub(super) keys: Vec<SortValue>,
    pub(super) score: f32,
    pub(super) index: usize,
    pub(super) segment: usize,
    pub(super) row: Row,
}

impl Candidate {
    /// Where two candidates stand to each other.
    pub(super) fn order(&self, other: &Self, specs: &[SortSpec]) -> Ordering {
        let place = |one: &Self| (one.index, one.segment, one.row);
        sort::compare_keys(specs, &self.keys, &other.keys)
            .then_with(|| place(self).cmp(&place(other)))
    }
}

/// The candidates seen so far of which `limit` are kept, the worst on top.
struct Best<'s> {
    specs: &'s [SortSpec],
    limit: usize,
    heap: BinaryHeap<Ranked>,
    rank: Arc<Vec<SortSpec>>,
}

struct Ranked {
    candidate: Candidate,
    rank: Arc<Vec<SortSpec>>,
}

impl Ranked {
    fn order(&self, other: &Self) -> Ordering {
        self.candidate.order(&other.candidate, &self.rank)
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.order(other) == Ordering::Equal
    }
}
impl Eq for Ranked {}
impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order(other)
    }
}

impl<'s> Best<'s> {
    fn new(specs: &'s [SortSpec], limit: usize) -> Self {
        Self {
            specs,
            limit,
            heap: BinaryHeap::new(),
            rank: Arc::new(specs.to_vec()),
        }
    }

    /// Whether a row whose first key is this whole number can still get in.
    fn may_enter(&self, first: i64) -> bool {
        if self.heap.len() < self.limit {
            return true;
        }
        let (Some(worst), Some(spec)) = (self.heap.peek(), self.specs.first()) else {
            return true;
        };
        match worst.candidate.keys.first() {
            Some(SortValue::Long(bound)) => match spec.order {
                SortOrder::Asc => first <= *bound,
                SortOrder::Desc => first >= *bound,
            },
            _ => true,
        }
    }

    fn offer(&mut self, candidate: Candidate) {
        if self.limit == 0 {
            return;
        }
        let ranked = Ranked {
            candidate,
            rank: Arc::clone(&self.rank),
        };
        if self.heap.len() < self.limit {
            self.heap.push(ranked);
        } else if self.heap.peek().is_some_and(|worst| ranked < *worst) {
            self.heap.pop();
            self.heap.push(ranked);
        }
    }

    fn into_sorted(self) -> Vec<Candidate> {
        self.heap
            .into_sorted_vec()
            .into_iter()
            .map(|ranked| ranked.candidate)
            .collect()
    }
}

/// Live rows of each segment of an index that match a query.
pub fn matching_rows(
    query: &Query,
    index: IndexView<'_>,
    now_ms: i64,
) -> Result<Vec<RowSet>, EsError> {
    let plan = plan_for(query, index, now_ms)?;
    index
        .segments
        .iter()
        .map(|segment| matching(&plan, segment.as_ref()))
        .collect()
}

/// How many live documents match.
pub fn count(query: &Query, indices: &[IndexView<'_>], now_ms: i64) -> Result<u64, EsError> {
    let mut total = 0;
    for index in indices {
        total += matching_rows(query, *index, now_ms)?
            .iter()
            .map(|rows| u64::from(rows.len()))
            .sum::<u64>();
    }
    Ok(total)
}

pub(super) fn plan_for(query: &Query, index: IndexView<'_>, now_ms: i64) -> Result<Plan, EsError> {
    compile(
        query,
        CompileContext {
            schema: index.schema,
            index: index.name,
            now_ms,
        },
    )
    .map_err(|error| {
        if error.kind() == "query_shard_exception" {
            error.with("index", index.name)
        } else {
            error
        }
    })
}

/// Runs a search; the answer lacks `took` alone.
pub fn search(
    request: &SearchRequest,
    indices: &[IndexView<'_>],
    now_ms: i64,
    options: RenderOptions,
) -> Result<Value, EsError> {
    let same_scores = matches!(&request.query, Query::MatchAll { boost } if *boost == 1.0);
    if !same_scores && aggs_order_by_score(&request.aggs) {
        return Err(EsError::unsupported(
            "top_hits ordered by _score under a query (give top_hits a [sort] by a field)",
        ));
    }
    let needs_scores = request.needs_scores();
    let by_relevance;
    let specs: &[SortSpec] = if request.sort.is_empty() {
        let mut score = SortSpec::field("_score", SortOrder::Desc);
        score.key = SortKey::Score;
        by_relevance = [score];
        &by_relevance
    } else {
        &request.sort
    };
    let kinds = key_kinds(specs, indices);
    let short = short_fractions(specs, indices);
    let after = match &request.search_after {
        Some(values) => Some(sort::parse_after(specs, values, &kinds)?),
        None => None,
    };
    let mut best = Best::new(specs, request.from + request.size);
    let mut groups = request.collapse.as_ref().map(|_| Groups::new(specs));
    let mut total = 0u64;
    let mut max_score: Option<f32> = None;
    let mut partials = None;
    let mut terminated = false;
    let mut ordinal = 0i64;
    for (at, index) in indices.iter().enumerate() {
        let plan = plan_for(&request.query, *index, now_ms)?;
        let post = match &request.post_filter {
            Some(query) => Some(plan_for(query, *index, now_ms)?),
            None => None,
        };
        sort::check(&request.sort, index.schema)?;
        let mut rarity = Rarity::default();
        if needs_scores {
            for segment in index.segments {
                rarity.gather(&plan, segment.as_ref())?;
            }
        }
        let context = AggContext {
            schema: index.schema,
            index: index.name,
            now_ms,
        };
        let mut collector = aggs::IndexCollector::new(&request.aggs, context)?;
        let mut seen = 0u64;
        for (number, segment) in index.segments.iter().enumerate() {
            let segment = segment.as_ref();
            let live = segment.live();
            let (mut found, mut scores) = if needs_scores {
                let scored = scored(&plan, segment, &live, &rarity)?;
                let least = request.min_score.unwrap_or(f32::NEG_INFINITY);
                let scored: Vec<(Row, f32)> = scored
                    .into_iter()
                    .filter(|(_, score)| *score >= least)
                    .collect();
                let found = scored.iter().map(|(row, _)| *row).collect();
                (RowSet::from_rows(segment.rows(), found), Some(scored))
            } else {
                (rows(&plan, segment, &live)?, None)
            };
            if let Some(limit) = request.terminate_after {
                let left = limit.saturating_sub(seen);
                if u64::from(found.len()) > left {
                    found = RowSet::from_rows(
                        segment.rows(),
                        found.iter().take(left as usize).collect(),
                    );
                    terminated = true;
                }
            }
            seen += u64::from(found.len());
            if !request.aggs.is_empty() {
                collector.collect(segment, &found)?;
            }
            let hits = match &post {
                Some(plan) => rows(plan, segment, &found)?,
                None => found,
            };
            if let Some(list) = &mut scores {
                list.retain(|(row, _)| hits.contains(*row));
            }
            total += u64::from(hits.len());
            if let (Some(groups), Some(field)) = (&mut groups, &request.collapse) {
                let columns = SortColumns::new(specs, index.schema, segment)?;
                let keys = GroupKeys::new(field, index.schema, segment)?;
                let mut offer = |row: Row, score: f32| {
                    let keys_of_sort = columns.keys(specs, row, score, ordinal + i64::from(row));
                    let candidate = Candidate {
                        keys: keys_of_sort,
                        score,
                        index: at,
                        segment: number,
                        row,
                    };
                    groups.offer(keys.of(row)?, candidate)
                };
                match &scores {
                    Some(list) => {
                        for (row, score) in list {
                            max_score = Some(max_score.map_or(*score, |max| max.max(*score)));
                            offer(*row, *score)?;
                        }
                    }
                    None => {
                        for row in hits.iter() {
                            offer(row, 0.0)?;
                        }
                    }
                }
            } else if best.limit > 0 && !hits.is_empty() {
                let columns = SortColumns::new(specs, index.schema, segment)?;
                let place = Place {
                    index: at,
                    segment: number,
                    ordinal,
                    after: after.as_deref(),
                };
                match &scores {
                    Some(list) => {
                        for (row, score) in list {
                            max_score = Some(max_score.map_or(*score, |max| max.max(*score)));
                            place.offer(&mut best, &columns, *row, *score);
                        }
                    }
                    None => offer_unscored(&mut best, &columns, &hits, &place),
                }
            } else if let Some(list) = &scores {
                for (_, score) in list {
                    max_score = Some(max_score.map_or(*score, |max| max.max(*score)));
                }
            }
            ordinal += i64::from(segment.rows());
        }
        partials = Some(match partials {
            None => collector.finish()?,
            Some(sum) => aggs::merge(&request.aggs, sum, collector.finish()?)?,
        });
    }
    let ranked = match groups {
        Some(groups) => groups.into_sorted(request.from + request.size),
        None => best.into_sorted(),
    };
    let shown: Vec<Candidate> = ranked.into_iter().skip(request.from).collect();
    let mut matched = named::matched(&request.named, indices, &shown, now_ms)?;
    let highlights = highlights_of(request, indices, &shown, now_ms)?;
    let mut hits = Vec::with_capacity(shown.len());
    for candidate in shown {
        let index = indices[candidate.index];
        let segment = index.segments[candidate.segment].as_ref();
        let known = Rendered {
            score: needs_scores.then_some(candidate.score),
            sort: match request.sort.is_empty() {
                true => None,
                false => Some(super::render_sort(specs, &candidate.keys, &kinds, &short)?),
            },
        };
        let mut hit = render_hit(
            index.name,
            index.schema,
            segment,
            candidate.row,
            hit_options(request, highlights.get(&candidate.index)),
            known,
        )?;
        if let Some(field) = &request.collapse {
            collapse::show(&mut hit, field, index.schema, segment, candidate.row)?;
        }
        if let Some(names) = matched.pop_front()
            && !names.is_empty()
        {
            hit["matched_queries"] = json!(names);
        }
        hits.push(hit);
    }
    let shards = indices.len();
    let mut answer = Map::new();
    answer.insert("timed_out".into(), json!(false));
    if request.terminate_after.is_some() {
        answer.insert("terminated_early".into(), json!(terminated));
    }
    answer.insert(
        "_shards".into(),
        json!({"total": shards, "successful": shards, "skipped": 0, "failed": 0}),
    );
    let mut list = Map::new();
    if let Some(total) = render_total(request.track_total, total, options.total_as_int) {
        list.insert("total".into(), total);
    }
    let score = max_score.filter(|_| needs_scores && request.size > 0);
    list.insert(
        "max_score".into(),
        score.map_or(Value::Null, |score| json!(score)),
    );
    list.insert("hits".into(), Value::Array(hits));
    answer.insert("hits".into(), Value::Object(list));
    if !request.aggs.is_empty() {
        let partials = match partials {
            Some(partials) => partials,
            None => aggs::empty(&request.aggs),
        };
        let rendered = aggs::render(&request.aggs, partials, options.typed_keys, now_ms)?;
        answer.insert("aggregations".into(), rendered);
    }
    Ok(Value::Object(answer))
}

/// Whether a `top_hits` anywhere shows scores: aggregations see rows, not how well they match.
fn aggs_order_by_score(specs: &[AggSpec]) -> bool {
    specs.iter().any(|spec| {
        let here = match &spec.kind {
            AggKind::TopHits(hits) => {
                hits.sort.is_empty() || hits.sort.iter().any(|s| s.key == SortKey::Score)
            }
            _ => false,
        };
        here || aggs_order_by_score(&spec.subs)
    })
}

/// What is marked in the hits of each index that has some.
fn highlights_of<'a>(
    request: &'a SearchRequest,
    indices: &[IndexView<'_>],
    shown: &[Candidate],
    now_ms: i64,
) -> Result<HashMap<usize, Highlights<'a>>, EsError> {
    let mut highlights = HashMap::new();
    if request.highlight.is_empty() {
        return Ok(highlights);
    }
    for candidate in shown {
        let index = indices[candidate.index];
        if let Entry::Vacant(place) = highlights.entry(candidate.index) {
            let plan = plan_for(&request.query, index, now_ms)?;
            let context = CompileContext {
                schema: index.schema,
                index: index.name,
                now_ms,
            };
            place.insert(Highlights::new(&request.highlight, context, &plan)?);
        }
    }
    Ok(highlights)
}

fn hit_options<'a>(
    request: &'a SearchRequest,
    highlights: Option<&'a Highlights<'a>>,
) -> HitOptions<'a> {
    HitOptions {
        source: &request.source,
        fields: &request.fields,
        docvalue_fields: &request.docvalue_fields,
        version: request.version,
        seq_no_primary_term: request.seq_no_primary_term,
        no_stored_fields: request.no_stored_fields,
        highlights,
    }
}

fn render_total(track: TrackTotal, total: u64, as_int: bool) -> Option<Value> {
    let (value, relation) = match track {
        TrackTotal::Off => return as_int.then(|| json!(-1)),
        TrackTotal::UpTo(limit) if total > limit => (limit, "gte"),
        _ => (total, "eq"),
    };
    Some(if as_int {
        json!(value)
    } else {
        json!({"value": value, "relation": relation})
    })
}

struct Place<'a> {
    index: usize,
    segment: usize,
    ordinal: i64,
    after: Option<&'a [SortValue]>,
}

impl Place<'_> {
    fn offer(&self, best: &mut Best<'_>, columns: &SortColumns, row: Row, score: f32) {
        let keys = columns.keys(best.specs, row, score, self.ordinal + i64::from(row));
        if let Some(after) = self.after
            && sort::compare_keys(best.specs, &keys, after) != Ordering::Greater
        {
            return;
        }
        best.offer(Candidate {
            keys,
            score,
            index: self.index,
            segment: self.segment,
            row,
        });
    }
}

/// Without scores most rows are turned away by their first key alone.
fn offer_unscored(best: &mut Best<'_>, columns: &SortColumns, hits: &RowSet, place: &Place<'_>) {
    let Some(column) = columns.first_long() else {
        for row in hits.iter() {
            place.offer(best, columns, row, 0.0);
        }
        return;
    };
    if column.is_dense() {
        column.scan(hits, &mut |row, value| {
            if best.may_enter(value) {
                place.offer(best, columns, row, 0.0);
            }
        });
        return;
    }
    for row in hits.iter() {
        if column.first(row).is_none_or(|value| best.may_enter(value)) {
            place.offer(best, columns, row, 0.0);
        }
    }
}

/// Which keys' fields hold 32-bit fractions, by the first index that knows them.
fn short_fractions(specs: &[SortSpec], indices: &[IndexView<'_>]) -> Vec<bool> {
    specs
        .iter()
        .map(|spec| match &spec.key {
            SortKey::Field(name) => indices
                .iter()
                .find_map(|index| index.schema.field(name))
                .is_some_and(|info| matches!(info.type_name.as_str(), "float" | "half_float")),
            _ => false,
        })
        .collect()
}

/// The kind of each key's field, by the first index that knows it.
fn key_kinds(specs: &[SortSpec], indices: &[IndexView<'_>]) -> Vec<Option<FieldKind>> {
    specs
        .iter()
        .map(|spec| match &spec.key {
            SortKey::Field(name) => indices
                .iter()
                .find_map(|index| index.schema.field(name))
                .map(|info| info.kind),
            _ => None,
        })
        .collect()
}
