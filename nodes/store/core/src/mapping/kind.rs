//! The types that fields may have, by their names in mappings.
//! Invariants: every type that a mapping may name is here, those that cannot be searched as `Stored`.
//! Not here: parameters of a field (`field`).

use crate::columns::ColumnKind;

/// A field's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldType {
    /// One term.
    Keyword,
    /// One term that is the same in every document.
    ConstantKeyword,
    /// One term, meant for patterns.
    Wildcard,
    /// Analysed text.
    Text,
    /// Analysed text without relevance.
    MatchOnlyText,
    /// 64 bits.
    Long,
    /// 32 bits.
    Integer,
    /// 16 bits.
    Short,
    /// 8 bits.
    Byte,
    /// Up to `i64::MAX` here.
    UnsignedLong,
    /// 64 bits.
    Double,
    /// 32 bits.
    Float,
    /// 16 bits.
    HalfFloat,
    /// A whole number divided by a factor.
    ScaledFloat,
    /// True or false.
    Boolean,
    /// Milliseconds.
    Date,
    /// Nanoseconds; searched in milliseconds here.
    DateNanos,
    /// An address.
    Ip,
    /// An object whose leaves are terms.
    Flattened,
    /// Kept in `_source`, not searchable: the type's name.
    Stored(&'static str),
}

/// Types that are kept in `_source` and cannot be searched.
const STORED: [&str; 17] = [
    "geo_point",
    "geo_shape",
    "point",
    "shape",
    "binary",
    "date_range",
    "integer_range",
    "long_range",
    "float_range",
    "double_range",
    "ip_range",
    "histogram",
    "aggregate_metric_double",
    "completion",
    "dense_vector",
    "knn_vector",
    "rank_feature",
];

impl FieldType {
    /// By its name in a mapping.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Some(match name {
            "keyword" => Self::Keyword,
            "constant_keyword" => Self::ConstantKeyword,
            "wildcard" => Self::Wildcard,
            "text" => Self::Text,
            "match_only_text" => Self::MatchOnlyText,
            "long" => Self::Long,
            "integer" => Self::Integer,
            "short" => Self::Short,
            "byte" => Self::Byte,
            "unsigned_long" => Self::UnsignedLong,
            "double" => Self::Double,
            "float" => Self::Float,
            "half_float" => Self::HalfFloat,
            "scaled_float" => Self::ScaledFloat,
            "boolean" => Self::Boolean,
            "date" => Self::Date,
            "date_nanos" => Self::DateNanos,
            "ip" => Self::Ip,
            "flattened" | "flat_object" => Self::Flattened,
            _ => {
                return STORED
                    .iter()
                    .find(|known| **known == name)
                    .map(|known| Self::Stored(known));
            }
        })
    }

    /// Its name in a mapping.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Keyword => "keyword",
            Self::ConstantKeyword => "constant_keyword",
            Self::Wildcard => "wildcard",
            Self::Text => "text",
            Self::MatchOnlyText => "match_only_text",
            Self::Long => "long",
            Self::Integer => "integer",
            Self::Short => "short",
            Self::Byte => "byte",
            Self::UnsignedLong => "unsigned_long",
            Self::Double => "double",
            Self::Float => "float",
            Self::HalfFloat => "half_float",
            Self::ScaledFloat => "scaled_float",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::DateNanos => "date_nanos",
            Self::Ip => "ip",
            Self::Flattened => "flattened",
            Self::Stored(name) => name,
        }
    }

    /// Whether it is analysed text, which has no column.
    #[must_use]
    pub const fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::MatchOnlyText)
    }

    /// Whether it is a whole or floating number.
    #[must_use]
    pub const fn is_number(self) -> bool {
        matches!(self.column(), Some(ColumnKind::Long | ColumnKind::Double))
    }

    /// Whether it is a date.
    #[must_use]
    pub const fn is_date(self) -> bool {
        matches!(self, Self::Date | Self::DateNanos)
    }

    /// Whether its values are terms.
    #[must_use]
    pub const fn is_term(self) -> bool {
        matches!(self.column(), Some(ColumnKind::Keyword))
    }

    /// The column that holds its values.
    #[must_use]
    pub const fn column(self) -> Option<ColumnKind> {
        Some(match self {
            Self::Keyword | Self::ConstantKeyword | Self::Wildcard | Self::Flattened => {
                ColumnKind::Keyword
            }
            Self::Long | Self::Integer | Self::Short | Self::Byte | Self::UnsignedLong => {
                ColumnKind::Long
            }
            Self::Double | Self::Float | Self::HalfFloat | Self::ScaledFloat => ColumnKind::Double,
            Self::Boolean => ColumnKind::Bool,
            Self::Date | Self::DateNanos => ColumnKind::Date,
            Self::Ip => ColumnKind::Ip,
            Self::Text | Self::MatchOnlyText | Self::Stored(_) => return None,
        })
    }

    /// The type that `_field_caps` reports (families are reported as one).
    #[must_use]
    pub const fn family(self) -> &'static str {
        match self {
            Self::ConstantKeyword | Self::Wildcard => "keyword",
            Self::MatchOnlyText => "text",
            other => other.name(),
        }
    }
}
