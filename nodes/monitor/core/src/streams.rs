//! What can be searched: one row per data stream, and per index that no data stream has, from three answers of the
//! storage (`_data_stream`, `_data_stream/_stats`, `_stats`), which Elasticsearch and OpenSearch give alike.
//!
//! Invariants: hidden ones and the platform's own are left out; a time that the storage does not tell is unset; an answer
//! without its parts is no row, not a wrong one. Not here: asking, paging, how long data is kept (`retention`).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use wharf_proto::monitor::v1::DataStream;
use wharf_proto::times::timestamp;

/// Paths of the answers that [`rows`] takes, in its order; the last is for indices.
pub const STREAMS: &str = "/_data_stream";
/// Sizes and newest times of data streams.
pub const STREAM_STATS: &str = "/_data_stream/_stats";
/// Documents of every index, hidden ones too: those of data streams are.
pub const ALL_INDICES: &str = "/_stats/docs,store?expand_wildcards=open,hidden";
/// The same of those that are not hidden.
pub const VISIBLE_INDICES: &str = "/_stats/docs,store?expand_wildcards=open";

fn items<'a>(answer: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    answer
        .get(name)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

fn number(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)
}

/// One row for each; `visible` asks for indices, too.
#[must_use]
pub fn rows(
    streams: &Value,
    stream_stats: &Value,
    all: &Value,
    visible: Option<&Value>,
) -> Vec<DataStream> {
    let told: BTreeMap<&str, &Value> = items(stream_stats, "data_streams")
        .filter_map(|told| Some((text(told, "data_stream")?, told)))
        .collect();
    let mut rows = Vec::new();
    let mut inside: BTreeSet<&str> = BTreeSet::new();
    for stream in items(streams, "data_streams") {
        let Some(name) = text(stream, "name") else {
            continue;
        };
        let names: Vec<&str> = items(stream, "indices")
            .filter_map(|index| text(index, "index_name"))
            .collect();
        inside.extend(&names);
        let is_hidden = stream.get("hidden").and_then(Value::as_bool) == Some(true);
        if is_hidden || name.starts_with('.') {
            continue;
        }
        let of = |pointer: &str| -> u64 {
            let indices = names
                .iter()
                .filter_map(|index| all.get("indices")?.get(index));
            indices.map(|index| number(index, pointer)).sum()
        };
        let stats = told.get(name);
        // Zero: it has no document, or none with a time.
        let last_ms = stats.map_or(0, |stats| number(stats, "/maximum_timestamp"));
        rows.push(DataStream {
            name: name.to_owned(),
            documents: of("/primaries/docs/count"),
            size_bytes: of("/total/store/size_in_bytes"),
            last_at: (last_ms > 0).then(|| timestamp(last_ms)),
            indices: u32::try_from(names.len()).unwrap_or(u32::MAX),
            is_index: false,
            retention: None,
        });
    }
    let indices = visible
        .and_then(|answer| answer.get("indices"))
        .and_then(Value::as_object);
    for (name, index) in indices.into_iter().flatten() {
        if name.starts_with('.') || inside.contains(name.as_str()) {
            continue;
        }
        rows.push(DataStream {
            name: name.clone(),
            documents: number(index, "/primaries/docs/count"),
            size_bytes: number(index, "/total/store/size_in_bytes"),
            last_at: None,
            indices: 1,
            is_index: true,
            retention: None,
        });
    }
    rows
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn answers() -> [Value; 4] {
        let index = |count: u64, bytes: u64| {
            json!({
                "primaries": {"docs": {"count": count}, "store": {"size_in_bytes": bytes}},
                "total": {"docs": {"count": 2 * count}, "store": {"size_in_bytes": 2 * bytes}},
            })
        };
        [
            // As OpenSearch writes it: no `hidden`.
            json!({"data_streams": [
                {"name": "logs-a", "indices": [
                    {"index_name": ".ds-logs-a-000001"}, {"index_name": ".ds-logs-a-000002"}]},
                {"name": "metrics-b", "indices": [{"index_name": "odd"}], "hidden": false},
                {"name": "quiet", "indices": [], "hidden": true},
                {"name": ".own", "indices": []},
            ]}),
            json!({"data_streams": [
                {"data_stream": "logs-a", "store_size_bytes": 7, "maximum_timestamp": 1_700_000_000_123_u64},
                {"data_stream": "metrics-b", "store_size_bytes": 7, "maximum_timestamp": 0},
            ]}),
            json!({"indices": {
                ".ds-logs-a-000001": index(10, 100), ".ds-logs-a-000002": index(5, 50),
                "odd": index(1, 1), "shop": index(3, 30), ".wharf-alerts": index(9, 9),
            }}),
            json!({"indices": {"shop": index(3, 30), "odd": index(1, 1), ".wharf-alerts": index(9, 9)}}),
        ]
    }

    #[test]
    fn each_data_stream_is_a_row_with_what_its_indices_hold() {
        let [streams, stats, all, visible] = answers();
        let found = rows(&streams, &stats, &all, None);
        let told: Vec<_> = found
            .iter()
            .map(|row| {
                (
                    row.name.as_str(),
                    row.documents,
                    row.size_bytes,
                    row.indices,
                )
            })
            .collect();
        assert_eq!(told, [("logs-a", 15, 300, 2), ("metrics-b", 1, 2, 1)]);
        assert_eq!(found[0].last_at, Some(timestamp(1_700_000_000_123)));
        assert_eq!(found[1].last_at, None, "no time is no time");

        let with = rows(&streams, &stats, &all, Some(&visible));
        let more: Vec<_> = with.iter().filter(|row| row.is_index).collect();
        assert_eq!(more.len(), 1, "the platform's own are left out: {more:?}");
        assert_eq!((more[0].name.as_str(), more[0].documents), ("shop", 3));
    }

    #[test]
    fn an_answer_that_is_torn_gives_no_wrong_row() {
        let [streams, ..] = answers();
        assert!(rows(&Value::Null, &json!([]), &json!("x"), Some(&json!(1))).is_empty());
        let bare = rows(&streams, &Value::Null, &Value::Null, None);
        assert_eq!((bare[0].documents, &bare[0].last_at), (0, &None));
    }

    proptest! {
        #[test]
        fn no_answer_panics(text in "[\\[\\]{}\":,a-z_0-9]{0,60}") {
            let value: Value = serde_json::from_str(&text).unwrap_or(json!({"data_streams": text, "indices": text}));
            let _ = rows(&value, &value, &value, Some(&value));
        }
    }
}
