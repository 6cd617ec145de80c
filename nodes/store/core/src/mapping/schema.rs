//! A mapping as queries see it.
//! Invariants: aliases are resolved; keys of flattened objects are keyword fields of their own; what is inside nested
//! objects is not searchable. Not here: what a query does with it (`query`).

use super::{Field, FieldType, Mapping};
use crate::columns::ColumnKind;
use crate::query::{FieldInfo, FieldKind, Schema};

impl Schema for Mapping {
    fn field(&self, path: &str) -> Option<FieldInfo> {
        let resolved = self.resolve(path);
        let (field, key) = self.locate(resolved)?;
        Some(FieldInfo {
            path: resolved.to_owned(),
            source_paths: if key.is_some() {
                vec![resolved.to_owned()]
            } else {
                self.source_paths(field)
            },
            kind: search_kind(field),
            type_name: field.kind().name().to_owned(),
            format: field.kind().is_date().then(|| field.def.format.clone()),
            analyzer: field.def.analyzer,
            search_analyzer: field.def.search_analyzer,
            lowercase: field.def.lowercase,
            ignore_above: field.def.ignore_above,
        })
    }

    fn matching(&self, pattern: &str) -> Vec<String> {
        Self::matching(self, pattern)
            .into_iter()
            .map(|(path, _)| path)
            .collect()
    }
}

impl Mapping {
    /// Where a field's values stand in the source: its own path, or its parent's for a multi-field, and those of the
    /// fields that are copied to it.
    #[must_use]
    pub fn source_paths(&self, field: &Field) -> Vec<String> {
        let origin = field.parent.map_or(field, |parent| self.field(parent));
        let mut paths = vec![origin.path.to_string()];
        for other in self.fields() {
            if other.copy_to.contains(&origin.id) {
                paths.push(other.path.to_string());
            }
        }
        paths
    }
}

fn search_kind(field: &Field) -> FieldKind {
    if field.nested || !field.def.is_searchable() {
        return FieldKind::Stored;
    }
    match field.kind().column() {
        Some(ColumnKind::Keyword) => FieldKind::Keyword,
        Some(ColumnKind::Long) => FieldKind::Long,
        Some(ColumnKind::Double) => FieldKind::Double,
        Some(ColumnKind::Bool) => FieldKind::Bool,
        Some(ColumnKind::Date) => FieldKind::Date,
        Some(ColumnKind::Ip) => FieldKind::Ip,
        None if matches!(field.kind(), FieldType::Stored(_)) => FieldKind::Stored,
        None => FieldKind::Text,
    }
}
