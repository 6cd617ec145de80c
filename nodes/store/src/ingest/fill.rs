//! From the typed leaves of a parsed document to the columns of a row.
//!
//! Invariant: leaves were coerced by the mapping that is held here, so a path always gets its one kind of column.
//! Not here: parsing and coercion (core), the columns (`engine`).

use std::sync::Arc;

use wharf_store_core::columns::ColumnKind;
use wharf_store_core::document::{Leaf, LeafValue, ip_text};
use wharf_store_core::mapping::Mapping;

use crate::engine::{Fill, Rows};

/// A parsed document.
pub(crate) struct Parsed<'a> {
    pub(crate) mapping: Arc<Mapping>,
    pub(crate) leaves: Vec<Leaf<'a>>,
}

impl Fill for Parsed<'_> {
    fn fill(&self, rows: &mut Rows, row: u32) {
        for leaf in &self.leaves {
            let field = self.mapping.field(leaf.field);
            if field.nested {
                continue;
            }
            let def = &field.def;
            if let LeafValue::Text(text) = &leaf.value {
                if def.index {
                    let builder = rows.text(&field.path);
                    builder.present(row);
                    def.analyzer
                        .each(text, &mut |term, _| builder.push(row, &term));
                }
                continue;
            }
            if !def.index && !def.doc_values {
                continue;
            }
            let Some(kind) = def.kind.column() else {
                continue;
            };
            put(rows, &field.path, kind, row, &leaf.value);
            if let Some(key) = &leaf.key {
                put(
                    rows,
                    &format!("{}.{key}", field.path),
                    kind,
                    row,
                    &leaf.value,
                );
            }
        }
    }
}

fn put(rows: &mut Rows, path: &str, kind: ColumnKind, row: u32, value: &LeafValue<'_>) {
    let Some(column) = rows.column(path, kind) else {
        return;
    };
    match value {
        LeafValue::Long(v) | LeafValue::Date(v) => column.push_integer(row, *v),
        LeafValue::Bool(v) => column.push_integer(row, i64::from(*v)),
        LeafValue::Double(v) => column.push_float(row, *v),
        LeafValue::Term(v) => column.push_term(row, v),
        LeafValue::Ip(v) => column.push_term(row, &ip_text(*v)),
        LeafValue::Text(_) => {}
    }
}
