//! Queries: JSON or Lucene syntax to a tree, the tree resolved for an index, rows and scores.
//!
//! Order of use: `parse_query` once per request, `compile` once per index, `matching` or `scored`
//! once per segment. Invariants: what is not supported is an error that names it; nothing here
//! reads a clock. Not here: aggregations (`aggs`), the request around a query (`search`).

pub mod ast;
pub(crate) mod coerce;
mod compile;
mod eval;
pub mod extract;
pub(crate) mod params;
mod parse;
mod parse_text;
mod patterns;
mod plan;
mod query_string;
pub(crate) mod refuse;
mod schema;
mod score;
mod simple_query_string;
mod word;
mod words;

pub use ast::Query;
pub use compile::{CompileContext, compile};
pub use eval::{matching, rows};
pub use parse::parse_query;
pub use plan::{Plan, TermTest, TextField};
pub use query_string::{SyntaxOptions, parse as parse_syntax};
pub use schema::{FieldInfo, FieldKind, Schema};
pub use score::{Rarity, scored};

pub(crate) use patterns::lucene as lucene_regex;
