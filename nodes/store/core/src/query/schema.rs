//! What a query needs to know of an index's fields.
//!
//! Invariant: answers are about leaves of the mapping with aliases resolved; nothing here changes
//! while a request runs. Not here: how a mapping is written or merged (`mapping`).

use std::sync::Arc;

use crate::analysis::Analyzer;
use crate::dateformat::DateFormat;

/// How values of a field are searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// Exact terms in a dictionary.
    Keyword,
    /// Analyzed words, no column.
    Text,
    /// Whole numbers.
    Long,
    /// Floating point.
    Double,
    /// True and false.
    Bool,
    /// Instants.
    Date,
    /// Addresses.
    Ip,
    /// Kept in the source only: neither searched nor aggregated.
    Stored,
}

impl FieldKind {
    /// Whether values are numbers in a column.
    pub fn is_numeric(self) -> bool {
        matches!(
            self,
            FieldKind::Long | FieldKind::Double | FieldKind::Bool | FieldKind::Date
        )
    }
}

/// One leaf of a mapping.
#[derive(Clone, Debug)]
pub struct FieldInfo {
    /// Full path of the column (aliases resolved).
    pub path: String,
    /// Where its values stand in the source: its own path, the parent's for a multi-field, and
    /// those that are copied to it.
    pub source_paths: Vec<String>,
    /// How it is searched.
    pub kind: FieldKind,
    /// The type's name in the mapping.
    pub type_name: String,
    /// Format of dates.
    pub format: Option<Arc<DateFormat>>,
    /// Of indexed text.
    pub analyzer: Analyzer,
    /// Of text in queries.
    pub search_analyzer: Analyzer,
    /// Terms of keywords are in lower case.
    pub lowercase: bool,
    /// Keywords of more UTF-16 units are kept in the source alone.
    pub ignore_above: Option<usize>,
}

/// The fields of one index.
pub trait Schema: Send + Sync {
    /// The leaf with this path or alias.
    fn field(&self, path: &str) -> Option<FieldInfo>;

    /// Paths of the leaves that a pattern with `*` stands for, multi-fields included.
    fn matching(&self, pattern: &str) -> Vec<String>;

    /// `index.query.default_field`; empty means every searchable field.
    fn default_fields(&self) -> Vec<String> {
        Vec::new()
    }
}
