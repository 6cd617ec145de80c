//! The `filter_path` parameter: which parts of an answer are sent.
//!
//! Invariants: `*` stands for one name's letters, `**` for any depth; patterns that begin with `-`
//! leave parts out. Not here: `_source` filtering, whose rules differ.

use serde_json::{Map, Value};

use crate::wildcard::glob;

/// Patterns that are looked at.
const MAX_PATTERNS: usize = 64;

/// The parts of an answer that the comma-separated patterns name.
pub fn filter_path(value: Value, patterns: &str) -> Value {
    let all: Vec<&str> = patterns
        .split(',')
        .map(str::trim)
        .filter(|p| !p.is_empty())
        .take(MAX_PATTERNS)
        .collect();
    let split = |pattern: &&str| -> Vec<String> {
        pattern
            .trim_start_matches('-')
            .split('.')
            .map(str::to_owned)
            .collect()
    };
    let without: Vec<Vec<String>> = all
        .iter()
        .filter(|p| p.starts_with('-'))
        .map(split)
        .collect();
    let with: Vec<Vec<String>> = all
        .iter()
        .filter(|p| !p.starts_with('-'))
        .map(split)
        .collect();
    let mut value = value;
    if !with.is_empty() {
        let paths: Vec<&[String]> = with.iter().map(Vec::as_slice).collect();
        value = keep(value, &paths).unwrap_or_else(|| Value::Object(Map::new()));
    }
    if !without.is_empty() {
        let paths: Vec<&[String]> = without.iter().map(Vec::as_slice).collect();
        value = leave_out(value, &paths).unwrap_or_else(|| Value::Object(Map::new()));
    }
    value
}

/// What is left of each path behind `key`; an empty path means that it ends here.
fn behind<'a>(paths: &[&'a [String]], key: &str) -> Vec<&'a [String]> {
    let mut rest = Vec::new();
    for path in paths {
        match path.split_first() {
            Some((first, tail)) if first == "**" => {
                rest.push(*path);
                if let Some((next, tail)) = tail.split_first() {
                    if glob(next, key) {
                        rest.push(tail);
                    }
                } else {
                    rest.push(tail);
                }
            }
            Some((first, tail)) if glob(first, key) => rest.push(tail),
            _ => {}
        }
    }
    rest
}

fn keep(value: Value, paths: &[&[String]]) -> Option<Value> {
    match value {
        Value::Object(map) => {
            let mut out = Map::new();
            for (key, inner) in map {
                let rest = behind(paths, &key);
                if rest.iter().any(|path| path.is_empty()) {
                    out.insert(key, inner);
                } else if !rest.is_empty()
                    && let Some(inner) = keep(inner, &rest)
                {
                    out.insert(key, inner);
                }
            }
            (!out.is_empty()).then_some(Value::Object(out))
        }
        Value::Array(items) => {
            let kept: Vec<Value> = items
                .into_iter()
                .filter_map(|item| keep(item, paths))
                .collect();
            (!kept.is_empty()).then_some(Value::Array(kept))
        }
        _ => None,
    }
}

fn leave_out(value: Value, paths: &[&[String]]) -> Option<Value> {
    match value {
        Value::Object(map) => {
            let mut out = Map::new();
            for (key, inner) in map {
                let rest = behind(paths, &key);
                if rest.iter().any(|path| path.is_empty()) {
                    continue;
                }
                if let Some(inner) = leave_out(inner, &rest) {
                    out.insert(key, inner);
                }
            }
            Some(Value::Object(out))
        }
        Value::Array(items) => Some(Value::Array(
            items
                .into_iter()
                .filter_map(|item| leave_out(item, paths))
                .collect(),
        )),
        scalar => Some(scalar),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn beats_bulk_filter_keeps_errors_and_states() {
        let answer = json!({"took": 1, "errors": false, "items": [
            {"create": {"_id": "1", "status": 201}},
            {"create": {"_id": "2", "status": 400, "error": {"type": "x"}}}]});
        assert_eq!(
            filter_path(answer.clone(), "errors,items.*.error,items.*.status"),
            json!({"errors": false, "items": [
                {"create": {"status": 201}}, {"create": {"status": 400, "error": {"type": "x"}}}]})
        );
        assert_eq!(
            filter_path(answer.clone(), "-items,-took"),
            json!({"errors": false})
        );
        assert_eq!(
            filter_path(answer, "**.type"),
            json!({"items": [{"create": {"error": {"type": "x"}}}]})
        );
    }
}
