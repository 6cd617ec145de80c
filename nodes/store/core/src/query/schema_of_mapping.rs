//! The mapping of an index as queries see it.
//! Not here: the mapping itself (`mapping`).

use std::sync::Arc;

use super::schema::{FieldInfo, FieldKind, Schema};
use crate::mapping::{FieldDef, FieldType, Mapping};

fn kind_of(kind: FieldType) -> FieldKind {
    match kind {
        FieldType::Keyword
        | FieldType::ConstantKeyword
        | FieldType::Wildcard
        | FieldType::Flattened => FieldKind::Keyword,
        FieldType::Text | FieldType::MatchOnlyText => FieldKind::Text,
        FieldType::Long
        | FieldType::Integer
        | FieldType::Short
        | FieldType::Byte
        | FieldType::UnsignedLong => FieldKind::Long,
        FieldType::Double
        | FieldType::Float
        | FieldType::HalfFloat
        | FieldType::ScaledFloat => FieldKind::Double,
        FieldType::Boolean => FieldKind::Bool,
        FieldType::Date | FieldType::DateNanos => FieldKind::Date,
        FieldType::Ip => FieldKind::Ip,
        FieldType::Stored(_) => FieldKind::Stored,
    }
}

impl Schema for Mapping {
    fn field(&self, path: &str) -> Option<FieldInfo> {
        let (field, key) = self.locate(path)?;
        if field.nested {
            return None;
        }
        let def: &FieldDef = &field.def;
        let path = match key {
            Some(_) => self.resolve(path).to_owned(),
            None => field.path.to_string(),
        };
        let own = field.parent.map_or(&field.path, |parent| &self.fields()[parent as usize].path);
        let mut source_paths = vec![if key.is_some() { path.clone() } else { own.to_string() }];
        if def.kind.is_text() {
            // What is copied here is read from where it stands.
            let copied = self.fields().iter().filter(|other| other.copy_to.contains(&field.id));
            source_paths.extend(copied.map(|other| other.path.to_string()));
        }
        let hidden = !def.index && !def.doc_values && def.constant.is_none();
        Some(FieldInfo {
            path,
            source_paths,
            kind: if hidden { FieldKind::Stored } else { kind_of(def.kind) },
            type_name: def.kind.name().to_owned(),
            format: def.kind.is_date().then(|| Arc::clone(&def.format)),
            analyzer: def.analyzer,
            search_analyzer: def.search_analyzer,
            lowercase: def.lowercase,
        })
    }

    fn matching(&self, pattern: &str) -> Vec<String> {
        Mapping::matching(self, pattern).into_iter().map(|(path, _)| path).collect()
    }
}
