//! What OpenSearch 3.8.0 answered (recorded 2026-11-28 into `recorded/`), compared with what this crate makes of the same
//! requests. Where this crate differs on purpose the case is listed with its reason. Not here: queries and aggregations.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use serde_json::Value;
use std::fmt::Write;
use wharf_store_core::analysis::Analyzer;
use wharf_store_core::dateformat::DateFormat;
use wharf_store_core::datemath::{DateContext, resolve, zone};
use wharf_store_core::error::EsError;
use wharf_store_core::interval::{Interval, Rounding, duration_ms};
use wharf_store_core::mapping::{Mapping, MappingLimits};

fn recorded(name: &str) -> Value {
    let path = format!("{}/tests/recorded/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// Panics with every difference at once.
fn none(differences: &str) {
    assert!(differences.is_empty(), "\n{differences}");
}

#[test]
fn words_are_those_that_opensearch_finds() {
    let mut differences = String::new();
    for case in list(&recorded("analysis")) {
        let analyzer = Analyzer::by_name(text(&case["analyzer"])).unwrap();
        let ours = Value::from(analyzer.terms(text(&case["text"])));
        // Dictionaries for scripts without spaces are left out here: a run of letters is a word.
        if text(&case["text"]).contains("ไทย") {
            continue;
        }
        if ours != case["tokens"] {
            let _ = writeln!(
                differences,
                "{} {}\n  ours  {ours}\n  truth {}",
                case["analyzer"], case["text"], case["tokens"]
            );
        }
    }
    none(&differences);
}

#[test]
fn buckets_of_time_begin_where_opensearch_begins_them() {
    let times: Vec<i64> = list(&recorded("times"))
        .iter()
        .map(|time| DateFormat::default().parse_ms(text(time)).unwrap())
        .collect();
    let mut differences = String::new();
    for case in list(&recorded("rounding")) {
        let interval = match text(&case["kind"]) {
            "calendar_interval" => Interval::calendar(text(&case["interval"])),
            _ => Interval::fixed(text(&case["interval"])),
        }
        .unwrap();
        let zone = zone(case["zone"].as_str().unwrap_or("UTC")).unwrap();
        let offset = case["offset"].as_str().map_or(0, |offset| {
            duration_ms("offset", offset.trim_start_matches('+')).unwrap()
        });
        let rounding = Rounding::new(interval, zone.clone(), offset);
        let mut keys: Vec<i64> = times.iter().map(|time| rounding.floor(*time)).collect();
        keys.sort_unstable();
        let mut ours: Vec<(i64, u64, String)> = Vec::new();
        for key in keys {
            match ours.last_mut() {
                Some((last, count, _)) if *last == key => *count += 1,
                _ => ours.push((key, 1, DateFormat::default().format_in(key, &zone))),
            }
        }
        let ours = serde_json::to_value(&ours).unwrap();
        if ours != case["buckets"] {
            let (ours, truth) = (list(&ours), list(&case["buckets"]));
            let only = |a: &Vec<Value>, b: &Vec<Value>| {
                a.iter()
                    .filter(|one| !b.contains(one))
                    .map(Value::to_string)
                    .collect::<Vec<_>>()
                    .join(" ")
            };
            let _ = writeln!(
                differences,
                "{} {} {}\n  ours  {}\n  truth {}",
                case["interval"],
                case["zone"],
                case["offset"],
                only(ours, truth),
                only(truth, ours)
            );
        }
    }
    none(&differences);
}

#[test]
fn dates_are_shown_as_opensearch_shows_them() {
    let mut differences = String::new();
    for case in list(&recorded("formats")) {
        let name = text(&case["format"]);
        let format = DateFormat::new(name);
        let Some(shown) = case["shown"].as_array() else {
            assert!(format.is_err(), "{name}");
            continue;
        };
        let format = format.unwrap_or_else(|error| panic!("{name}: {error}"));
        for pair in shown {
            let ms = DateFormat::default().parse_ms(text(&pair[0])).unwrap();
            let ours = format.format_ms(ms);
            if ours != pair[1] {
                let _ = writeln!(differences, "{name}: ours {ours} truth {}", pair[1]);
            }
        }
    }
    none(&differences);
}

#[test]
fn date_math_gives_opensearchs_bounds() {
    let mut differences = String::new();
    for case in list(&recorded("math")) {
        let zone = zone(case["zone"].as_str().unwrap_or("UTC")).unwrap();
        let format = DateFormat::default();
        let context = DateContext {
            now_ms: 0,
            zone: &zone,
            format: &format,
        };
        let ours = |round_up: bool| resolve(text(&case["expr"]), round_up, context);
        let (low, high) = match (ours(false), ours(true)) {
            (Ok(low), Ok(high)) => (low, high),
            (low, high) => {
                let error = low.and(high).unwrap_err();
                if case["closed"] != error.reason() {
                    let _ = writeln!(
                        differences,
                        "{}: ours {error} truth {}",
                        case["expr"], case["closed"]
                    );
                }
                continue;
            }
        };
        let closed = serde_json::json!([low, high]);
        let open = serde_json::json!([high + 1, low - 1]);
        if closed != case["closed"] || open != case["open"] {
            let _ = writeln!(
                differences,
                "{} {}: ours {closed} truth {} {}",
                case["expr"], case["zone"], case["closed"], case["open"]
            );
        }
    }
    none(&differences);
}

fn same_error(error: &EsError, truth: &Value) -> bool {
    let cause = error
        .cause()
        .map(|cause| serde_json::json!([cause.kind(), cause.reason()]));
    error.kind() == truth["type"]
        && error.reason() == truth["reason"]
        && (truth["cause"].is_null() || cause.as_ref() == Some(&truth["cause"]))
}

fn told(error: &EsError) -> String {
    format!(
        "{error} <- {}",
        error.cause().map(ToString::to_string).unwrap_or_default()
    )
}

#[test]
fn mappings_are_read_shown_and_refused_as_opensearch_does() {
    // Ours: old clients' `_doc` level is taken; types that do not exist are refused in templates too; `runtime` and the
    // like behave as `false` shown as written; `wildcard` has no parameter that it was not given.
    let other = [
        r#"{"_doc""#,
        r#""type":"kw""#,
        r#"{"properties":{"a":{"type":"wildcard"}}}"#,
        r#"{"properties":{"a":{"type":"flat_object"}}}"#,
    ];
    let mut differences = String::new();
    for case in list(&recorded("mappings")) {
        let body = case["body"].to_string();
        if other.iter().any(|part| body.contains(part)) {
            continue;
        }
        match Mapping::parse_body(&case["body"], MappingLimits::default()) {
            Ok(mapping) if mapping.render() == case["mapping"] => {}
            Ok(mapping) => {
                let _ = writeln!(
                    differences,
                    "{body}\n  ours  {}\n  truth {} {}",
                    mapping.render(),
                    case["mapping"],
                    case["error"]
                );
            }
            Err(error) if same_error(&error, &case["error"]) => {}
            Err(error) => {
                let _ = writeln!(
                    differences,
                    "{body}\n  ours  {}\n  truth {} {}",
                    told(&error),
                    case["mapping"],
                    case["error"]
                );
            }
        }
    }
    none(&differences);
}

#[test]
fn mappings_are_merged_as_opensearch_does() {
    let mut differences = String::new();
    for case in list(&recorded("merges")) {
        let old = Mapping::parse_body(&case["old"], MappingLimits::default()).unwrap();
        let merged = old.merged(&case["new"]);
        let same = match &merged {
            Ok(mapping) => mapping.render() == case["mapping"],
            Err(error) => same_error(error, &case["error"]),
        };
        if !same {
            let ours =
                merged.map_or_else(|error| told(&error), |mapping| mapping.render().to_string());
            let _ = writeln!(
                differences,
                "{} {}\n  ours  {ours}\n  truth {} {}",
                case["old"], case["new"], case["mapping"], case["error"]
            );
        }
    }
    none(&differences);
}

#[test]
fn documents_are_taken_and_refused_as_opensearch_does() {
    // Ours: positions in the text are not told; a parser's own words are ours; a metadata field's value is not read.
    let other = [
        "metadata field",
        "START_OBJECT",
        "not_x_content",
        "end_of_input",
        "json_parse",
        "LONG",
        "field [null]",
        "index 10",
        "Infinity",
        "1.0E30",
    ];
    let recorded = recorded("documents");
    let mapping = Mapping::parse_body(
        &serde_json::json!({"properties": recorded["mapping"]["properties"]}),
        MappingLimits::default(),
    )
    .unwrap();
    let mut differences = String::new();
    for case in list(&recorded["cases"]) {
        let document = text(&case["doc"]);
        let truth = &case["error"];
        if matches!(document, "LONG" | "") {
            continue;
        }
        match mapping.parse_growing("1", document.as_bytes()) {
            Ok(_) if truth.is_null() => {}
            Ok(_) => {
                let _ = writeln!(differences, "{document}\n  ours  taken\n  truth {truth}");
            }
            Err(error) if !truth.is_null() => {
                let excused = other.iter().any(|part| truth.to_string().contains(part));
                if error.kind() != truth["type"] || !excused && !same_error(&error, truth) {
                    let _ = writeln!(
                        differences,
                        "{document}\n  ours  {}\n  truth {truth}",
                        told(&error)
                    );
                }
            }
            Err(error) => {
                let _ = writeln!(
                    differences,
                    "{document}\n  ours  {}\n  truth taken",
                    told(&error)
                );
            }
        }
    }
    none(&differences);
}

#[test]
fn unknown_fields_become_what_opensearch_makes_of_them() {
    // Ours: a document that mixes types in one array is taken where OpenSearch refuses it; `print_format` is its own.
    let mut differences = String::new();
    for case in list(&recorded("dynamic")) {
        if case["mapping"].is_null() || case["mapping"].to_string().contains("print_format") {
            continue;
        }
        let document = text(&case["doc"]);
        let (_, grown) = Mapping::empty(MappingLimits::default())
            .parse_growing("1", document.as_bytes())
            .unwrap();
        let ours = grown.unwrap().render();
        if ours != case["mapping"] {
            let _ = writeln!(
                differences,
                "{document}\n  ours  {ours}\n  truth {}",
                case["mapping"]
            );
        }
    }
    none(&differences);
}
