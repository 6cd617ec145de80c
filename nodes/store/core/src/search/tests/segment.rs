//! A segment in memory, built from documents by the mapping; every fifth row can be deleted.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use crate::columns::{
    Column, ColumnKind, DenseNumbers, DictKeywords, Row, RowMeta, RowSet, Segment, SegmentError,
    TextStats,
};
use crate::document::{LeafValue, Outcome};
use crate::mapping::Mapping;

pub(crate) struct MemorySegment {
    sources: Vec<Vec<u8>>,
    first: usize,
    live: RowSet,
    columns: HashMap<String, Column>,
    terms: HashMap<(String, String), Vec<Row>>,
    text: HashMap<String, (Vec<Row>, TextStats)>,
    indexed: bool,
}

#[derive(Default)]
struct Cells {
    kind: Option<ColumnKind>,
    longs: Vec<Vec<i64>>,
    doubles: Vec<Vec<f64>>,
    terms: Vec<Vec<String>>,
}

impl MemorySegment {
    pub(crate) fn new(mapping: &Mapping, docs: &[Value], first: usize, indexed: bool) -> Self {
        let rows = docs.len();
        let mut cells: HashMap<String, Cells> = HashMap::new();
        let mut terms: HashMap<(String, String), Vec<Row>> = HashMap::new();
        let mut text: HashMap<String, (Vec<Row>, TextStats)> = HashMap::new();
        let sources: Vec<Vec<u8>> = docs
            .iter()
            .map(|doc| doc.to_string().into_bytes())
            .collect();
        for (row, source) in sources.iter().enumerate() {
            let Outcome::Ready(leaves) = mapping.parse("1", source).unwrap() else {
                panic!("the mapping has grown already")
            };
            for leaf in leaves {
                let field = mapping.field(leaf.field);
                let mut paths = vec![field.path.to_string()];
                if let Some(key) = &leaf.key {
                    paths.push(format!("{}.{key}", field.path));
                }
                if let LeafValue::Text(value) = &leaf.value {
                    let (rows, stats) = text.entry(field.path.to_string()).or_default();
                    if rows.last() != Some(&(row as Row)) {
                        rows.push(row as Row);
                        stats.rows += 1;
                    }
                    for term in field.def.analyzer.terms(value) {
                        stats.terms += 1;
                        terms
                            .entry((field.path.to_string(), term))
                            .or_default()
                            .push(row as Row);
                    }
                    continue;
                }
                for path in paths {
                    let cell = cells.entry(path).or_default();
                    cell.kind = field.kind().column();
                    cell.longs.resize(rows, Vec::new());
                    cell.doubles.resize(rows, Vec::new());
                    cell.terms.resize(rows, Vec::new());
                    match &leaf.value {
                        LeafValue::Long(n) | LeafValue::Date(n) => cell.longs[row].push(*n),
                        LeafValue::Bool(b) => cell.longs[row].push(i64::from(*b)),
                        LeafValue::Double(n) => cell.doubles[row].push(*n),
                        LeafValue::Term(t) => cell.terms[row].push(t.to_string()),
                        LeafValue::Ip(ip) => cell.terms[row].push(ip.to_canonical().to_string()),
                        LeafValue::Text(_) => {}
                    }
                }
            }
        }
        let columns = cells
            .into_iter()
            .map(|(path, cell)| {
                let longs = || Arc::new(DenseNumbers::from_rows(&cell.longs));
                let words = || Arc::new(DictKeywords::from_rows(&cell.terms));
                let column = match cell.kind.unwrap() {
                    ColumnKind::Long => Column::Long(longs()),
                    ColumnKind::Bool => Column::Bool(longs()),
                    ColumnKind::Date => Column::Date(longs()),
                    ColumnKind::Double => {
                        Column::Double(Arc::new(DenseNumbers::from_rows(&cell.doubles)))
                    }
                    ColumnKind::Keyword => Column::Keyword(words()),
                    ColumnKind::Ip => Column::Ip(words()),
                };
                (path, column)
            })
            .collect();
        let deleted = |row: usize| docs[row].get("deleted").is_some();
        let live = (0..rows)
            .filter(|row| !deleted(*row))
            .map(|row| row as Row)
            .collect();
        Self {
            first,
            live: RowSet::from_rows(rows as u32, live),
            sources,
            columns,
            terms,
            text,
            indexed,
        }
    }
}

impl Segment for MemorySegment {
    fn rows(&self) -> u32 {
        self.sources.len() as u32
    }

    fn live(&self) -> Cow<'_, RowSet> {
        Cow::Borrowed(&self.live)
    }

    fn column(&self, path: &str) -> Option<Column> {
        self.columns.get(path).cloned()
    }

    fn term_rows(&self, path: &str, term: &str) -> Option<RowSet> {
        if !self.indexed || self.columns.contains_key(path) {
            return None;
        }
        let rows = self.terms.get(&(path.to_owned(), term.to_owned())).cloned();
        Some(RowSet::from_rows(self.rows(), rows.unwrap_or_default()))
    }

    fn text_rows(&self, path: &str) -> Option<RowSet> {
        let rows = self
            .text
            .get(path)
            .map(|(rows, _)| rows.clone())
            .unwrap_or_default();
        self.indexed.then(|| RowSet::from_rows(self.rows(), rows))
    }

    fn text_stats(&self, path: &str) -> Option<TextStats> {
        self.text.get(path).map(|(_, stats)| *stats)
    }

    fn source(&self, row: Row) -> Result<Cow<'_, [u8]>, SegmentError> {
        Ok(Cow::Borrowed(&self.sources[row as usize]))
    }

    fn meta(&self, row: Row) -> Result<RowMeta<'_>, SegmentError> {
        let number = self.first + row as usize;
        Ok(RowMeta {
            id: Cow::Owned(number.to_string()),
            version: 1,
            seq_no: number as u64,
            primary_term: 1,
        })
    }

    fn row_of_id(&self, id: &str) -> Result<Option<Row>, SegmentError> {
        let number: Option<usize> = id.parse().ok();
        Ok(number
            .and_then(|n| n.checked_sub(self.first))
            .filter(|n| *n < self.sources.len())
            .map(|n| n as Row))
    }
}
