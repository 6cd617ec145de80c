//! `_name`: queries within a query that are told of the hits they match (`matched_queries`).
//!
//! Invariant: only hits that are shown are asked. Not here: reading the queries themselves (`query`).

use std::collections::{HashMap, VecDeque};

use serde_json::Value;

use super::execute::{Candidate, IndexView, plan_for};
use crate::columns::{Row, RowSet};
use crate::error::EsError;
use crate::query::{Query, parse_query, rows};

/// Names in one request.
const MAX_NAMES: usize = 256;

/// The queries with names in a query, which has been read as a whole before.
pub(super) fn collect(query: &Value) -> Result<Vec<(String, Query)>, EsError> {
    let mut found = Vec::new();
    walk(query, &mut found)?;
    Ok(found)
}

fn walk(query: &Value, found: &mut Vec<(String, Query)>) -> Result<(), EsError> {
    let Some((kind, body)) = query.as_object().and_then(|map| map.iter().next()) else {
        return Ok(());
    };
    let inner: &[&str] = match kind.as_str() {
        "bool" => &["must", "filter", "should", "must_not"],
        "constant_score" => &["filter"],
        "dis_max" => &["queries"],
        _ => &[],
    };
    let own = body.get("_name");
    // Options of most leaves stand below the field.
    let below = || {
        let fields = body.as_object().into_iter().flatten();
        fields.filter_map(|(_, value)| value.get("_name")).next()
    };
    let name = match own {
        None if inner.is_empty() => below(),
        own => own,
    };
    if let Some(name) = name.and_then(Value::as_str) {
        if found.len() >= MAX_NAMES {
            return Err(EsError::illegal_argument(format!(
                "more than [{MAX_NAMES}] named queries in one request"
            )));
        }
        found.push((name.to_owned(), parse_query(query)?));
    }
    for key in inner {
        match body.get(*key) {
            Some(Value::Array(items)) => items.iter().try_for_each(|item| walk(item, found))?,
            Some(one) => walk(one, found)?,
            None => {}
        }
    }
    Ok(())
}

/// The names that each candidate matches, in their order.
pub(super) fn matched(
    named: &[(String, Query)],
    indices: &[IndexView<'_>],
    candidates: &[Candidate],
    now_ms: i64,
) -> Result<VecDeque<Vec<String>>, EsError> {
    if named.is_empty() {
        return Ok(VecDeque::new());
    }
    let mut wanted: HashMap<(usize, usize), Vec<Row>> = HashMap::new();
    for one in candidates {
        let rows = wanted.entry((one.index, one.segment)).or_default();
        rows.push(one.row);
    }
    let mut hits: HashMap<(usize, usize, Row), Vec<String>> = HashMap::new();
    for ((index, segment), mut list) in wanted {
        list.sort_unstable();
        let view = indices[index];
        let part = view.segments[segment].as_ref();
        let within = RowSet::from_rows(part.rows(), list);
        for (name, query) in named {
            let plan = plan_for(query, view, now_ms)?;
            for row in rows(&plan, part, &within)?.iter() {
                hits.entry((index, segment, row))
                    .or_default()
                    .push(name.clone());
            }
        }
    }
    let names = candidates.iter().map(|one| {
        hits.remove(&(one.index, one.segment, one.row))
            .unwrap_or_default()
    });
    Ok(names.collect())
}
