//! `_field_caps`: what fields several indices have and what can be done with them.
//! Invariants: a field of one type in all indices lists no indices; objects are reported as Elasticsearch does.
//! Not here: which indices are asked (`wildcard`).

use super::{Mapping, ObjectKind};
use crate::wildcard::glob_any;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Fields that every index has: name, type, searchable, aggregatable; as OpenSearch tells of them, but for those that only
/// its plug-ins have.
const METADATA: [(&str, &str, bool, bool); 11] = [
    (
        "_data_stream_timestamp",
        "_data_stream_timestamp",
        false,
        false,
    ),
    ("_doc_count", "long", false, false),
    ("_field_names", "_field_names", true, false),
    // As OpenSearch tells of it, though aggregations on it are refused here.
    ("_id", "_id", true, true),
    ("_ignored", "_ignored", true, false),
    ("_index", "_index", true, true),
    ("_nested_path", "_nested_path", true, false),
    ("_routing", "_routing", true, false),
    ("_seq_no", "_seq_no", true, true),
    ("_source", "_source", false, false),
    ("_version", "_version", false, false),
];

/// What one type of a field can do, over the indices that have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldCaps {
    /// In queries, in all indices.
    pub searchable: bool,
    /// In aggregations and sorts, in all indices.
    pub aggregatable: bool,
    /// Indices that have it with this type.
    pub indices: Vec<String>,
    /// Those where it cannot be searched.
    pub non_searchable: Vec<String>,
    /// Those where it cannot be aggregated.
    pub non_aggregatable: Vec<String>,
}

/// The answer of `_field_caps` for indices and their mappings; `patterns` are field names with stars.
#[must_use]
pub fn render_field_caps(
    indices: &[(&str, &Mapping)],
    patterns: &[&str],
    include_unmapped: bool,
) -> Value {
    let mut found: BTreeMap<String, BTreeMap<&'static str, FieldCaps>> = BTreeMap::new();
    for (index, mapping) in indices {
        let mut note = |path: &str, kind: &'static str, searchable: bool, aggregatable: bool| {
            let caps = found
                .entry(path.to_owned())
                .or_default()
                .entry(kind)
                .or_insert_with(|| FieldCaps {
                    searchable: true,
                    aggregatable: true,
                    indices: Vec::new(),
                    non_searchable: Vec::new(),
                    non_aggregatable: Vec::new(),
                });
            caps.searchable &= searchable;
            caps.aggregatable &= aggregatable;
            caps.indices.push((*index).to_owned());
            if !searchable {
                caps.non_searchable.push((*index).to_owned());
            }
            if !aggregatable {
                caps.non_aggregatable.push((*index).to_owned());
            }
        };
        let asked = |path: &str| glob_any(patterns.iter().copied(), path);
        // Objects are told of where they lead to a field that is.
        let mut above = BTreeSet::new();
        let mut parents = |path: &str| {
            for (at, _) in path.match_indices('.') {
                above.insert(path[..at].to_owned());
            }
        };
        for field in mapping.fields().iter().filter(|field| asked(&field.path)) {
            note(
                &field.path,
                field.kind().family(),
                field.def.is_searchable(),
                field.def.is_aggregatable(),
            );
            parents(&field.path);
        }
        for (alias, target) in mapping.aliases().filter(|(alias, _)| asked(alias)) {
            if let Some(field) = mapping.find(target) {
                note(
                    alias,
                    field.kind().family(),
                    field.def.is_searchable(),
                    field.def.is_aggregatable(),
                );
                parents(alias);
            }
        }
        mapping.each_object(&mut |path, kind| {
            if above.contains(path) {
                let kind = match kind {
                    ObjectKind::Nested => "nested",
                    _ => "object",
                };
                note(path, kind, false, false);
            }
        });
        for (name, kind, searchable, aggregatable) in METADATA {
            if asked(name) {
                note(name, kind, searchable, aggregatable);
            }
        }
    }
    let mut fields = Map::new();
    for (path, types) in found {
        let several = types.len() > 1;
        let mapped: Vec<&String> = types.values().flat_map(|caps| &caps.indices).collect();
        let missing: Vec<&str> = indices
            .iter()
            .map(|(index, _)| *index)
            .filter(|index| !mapped.iter().any(|known| known == index))
            .collect();
        let several = several || include_unmapped && !missing.is_empty();
        let mut rendered = Map::new();
        for (kind, caps) in &types {
            let mut one = json!({
                "type": kind,
                "searchable": caps.searchable,
                "aggregatable": caps.aggregatable,
            });
            if several {
                one["indices"] = json!(caps.indices);
            }
            if !caps.searchable && caps.non_searchable.len() < caps.indices.len() {
                one["non_searchable_indices"] = json!(caps.non_searchable);
            }
            if !caps.aggregatable && caps.non_aggregatable.len() < caps.indices.len() {
                one["non_aggregatable_indices"] = json!(caps.non_aggregatable);
            }
            rendered.insert((*kind).to_owned(), one);
        }
        if include_unmapped && !missing.is_empty() {
            let unmapped = json!({
                "type": "unmapped", "searchable": false, "aggregatable": false,
                "indices": missing,
            });
            rendered.insert("unmapped".into(), unmapped);
        }
        fields.insert(path, Value::Object(rendered));
    }
    let names: Vec<&str> = indices.iter().map(|(index, _)| *index).collect();
    json!({"indices": names, "fields": fields})
}

impl Mapping {
    /// Visits every object's path and kind.
    pub fn each_object(&self, visit: &mut dyn FnMut(&str, ObjectKind)) {
        fn walk(path: &str, object: &super::ObjectDef, visit: &mut dyn FnMut(&str, ObjectKind)) {
            for (name, node) in &object.children {
                if let super::Node::Object(child) = node {
                    let path = if path.is_empty() {
                        name.clone()
                    } else {
                        format!("{path}.{name}")
                    };
                    visit(&path, child.kind);
                    walk(&path, child, visit);
                }
            }
        }
        walk("", self.definition().root(), visit);
    }
}
