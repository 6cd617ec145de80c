//! A document as a tree whose parts know where they stand.
//!
//! Invariants: no anchors, aliases or tags, so a small text cannot become a large tree; keys are
//! texts and occur once; numbers are finite; depth and number of parts are limited.
//! Not here: which fields there are.

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Number, Value};

use super::{DocumentError, MAX_DOCUMENT_BYTES};

/// Deepest nesting.
pub(crate) const MAX_DEPTH: usize = 48;
/// Most parts: keys, texts, numbers, lists.
pub(crate) const MAX_NODES: usize = 10_000;

/// A place in a text; both count from one, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// A part of a document.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) place: Option<Place>,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    Null,
    Truth(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) place: Option<Place>,
    pub(crate) value: Node,
}

impl Node {
    /// What it is, for messages.
    pub(crate) fn what(&self) -> &'static str {
        match self.kind {
            Kind::Null => "nothing",
            Kind::Truth(_) => "a truth value",
            Kind::Number(_) => "a number",
            Kind::Text(_) => "a text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
        }
    }

    /// The same as JSON.
    pub(crate) fn to_value(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Truth(truth) => Value::Bool(*truth),
            Kind::Number(number) => Value::Number(number.clone()),
            Kind::Text(text) => Value::String(text.clone()),
            Kind::List(items) => Value::Array(items.iter().map(Self::to_value).collect()),
            Kind::Map(entries) => Value::Object(
                entries
                    .iter()
                    .map(|entry| (entry.key.clone(), entry.value.to_value()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }
}

fn wrong(place: Option<Place>, message: impl Into<String>) -> DocumentError {
    DocumentError {
        place,
        field: String::new(),
        message: message.into(),
    }
}

/// The tree of a YAML or JSON text.
pub(crate) fn of_text(text: &str) -> Result<Node, DocumentError> {
    if text.len() > MAX_DOCUMENT_BYTES {
        return Err(wrong(
            None,
            format!("the document is longer than {MAX_DOCUMENT_BYTES} bytes"),
        ));
    }
    match of_yaml(text) {
        // JSON may say what YAML does not: pairs of surrogates, tabs before a key.
        Err(error) if text.trim_start().starts_with('{') => match serde_json::from_str(text) {
            Ok(value) => of_value(&value),
            Err(_) => Err(error),
        },
        tree => tree,
    }
}

/// A list or map that is not finished.
struct Open {
    node: Node,
    /// The key that waits for its value.
    key: Option<(String, Option<Place>)>,
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    root: Option<Node>,
    nodes: usize,
}

impl Builder {
    fn open(&mut self, kind: Kind, place: Place) -> Result<(), DocumentError> {
        if self.open.len() >= MAX_DEPTH {
            return Err(wrong(
                Some(place),
                format!("nested deeper than {MAX_DEPTH} levels"),
            ));
        }
        self.count(place)?;
        self.open.push(Open {
            node: Node {
                place: Some(place),
                kind,
            },
            key: None,
        });
        Ok(())
    }

    fn count(&mut self, place: Place) -> Result<(), DocumentError> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(wrong(
                Some(place),
                format!("the document has more than {MAX_NODES} parts"),
            ));
        }
        Ok(())
    }

    fn put(&mut self, node: Node) -> Result<(), DocumentError> {
        let place = node.place;
        let Some(open) = self.open.last_mut() else {
            if self.root.is_some() {
                return Err(wrong(place, "only one document is taken"));
            }
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.node.kind {
            Kind::List(items) => items.push(node),
            Kind::Map(entries) => match open.key.take() {
                Some((key, place)) => entries.push(Entry {
                    key,
                    place,
                    value: node,
                }),
                None => {
                    let key = match node.kind {
                        Kind::Text(text) => text,
                        Kind::Number(number) => number.to_string(),
                        _ => {
                            return Err(wrong(
                                place,
                                format!("a key must be a text, not {}", node.what()),
                            ));
                        }
                    };
                    if entries.iter().any(|entry| entry.key == key) {
                        return Err(wrong(place, format!("`{key}` is given twice")));
                    }
                    open.key = Some((key, place));
                }
            },
            _ => return Err(wrong(place, "a value stands where none can")),
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), DocumentError> {
        match self.open.pop() {
            Some(open) => self.put(open.node),
            None => Err(wrong(None, "an end without a beginning")),
        }
    }
}

fn of_yaml(text: &str) -> Result<Node, DocumentError> {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let place = Place {
                line: error.marker().line(),
                column: error.marker().col() + 1,
            };
            wrong(
                Some(place),
                format!("neither YAML nor JSON: {}", error.info()),
            )
        })?;
        let place = Place {
            line: span.start.line(),
            column: span.start.col() + 1,
        };
        let bare = |anchor: usize, tagged: bool| {
            if anchor != 0 || tagged {
                Err(wrong(Some(place), "anchors and tags are not taken"))
            } else {
                Ok(())
            }
        };
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                bare(anchor, tag.is_some())?;
                builder.count(place)?;
                let kind = match style {
                    ScalarStyle::Plain => plain(&text, place)?,
                    _ => Kind::Text(text.into_owned()),
                };
                builder.put(Node {
                    place: Some(place),
                    kind,
                })?;
            }
            Event::SequenceStart(anchor, tag) => {
                bare(anchor, tag.is_some())?;
                builder.open(Kind::List(Vec::new()), place)?;
            }
            Event::MappingStart(anchor, tag) => {
                bare(anchor, tag.is_some())?;
                builder.open(Kind::Map(Vec::new()), place)?;
            }
            Event::SequenceEnd | Event::MappingEnd => builder.close()?,
            Event::Alias(_) => return Err(wrong(Some(place), "aliases are not taken")),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => {}
        }
    }
    builder
        .root
        .ok_or_else(|| wrong(None, "the document is empty"))
}

/// A word without quotes, by the core schema of YAML 1.2.
fn plain(text: &str, place: Place) -> Result<Kind, DocumentError> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Kind::Null,
        "true" | "True" | "TRUE" => Kind::Truth(true),
        "false" | "False" | "FALSE" => Kind::Truth(false),
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "-.inf" => {
            return Err(wrong(Some(place), "numbers must be finite"));
        }
        _ => match number(text) {
            Some(number) => Kind::Number(number),
            None => Kind::Text(text.to_owned()),
        },
    })
}

fn number(text: &str) -> Option<Number> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if let Some(hex) = text.strip_prefix("0x") {
        return u64::from_str_radix(hex, 16).ok().map(Number::from);
    }
    if let Some(octal) = text.strip_prefix("0o") {
        return u64::from_str_radix(octal, 8).ok().map(Number::from);
    }
    let first = digits.bytes().next()?;
    let looks = (first.is_ascii_digit() || first == b'.')
        && digits.bytes().any(|byte| byte.is_ascii_digit())
        && digits
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'));
    if !looks {
        return None;
    }
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let text = text.strip_prefix('+').unwrap_or(text);
        if let Ok(number) = text.parse::<u64>() {
            return Some(number.into());
        }
        if let Ok(number) = text.parse::<i64>() {
            return Some(number.into());
        }
    }
    text.parse::<f64>().ok().and_then(Number::from_f64)
}

/// The tree of JSON, without places.
pub(crate) fn of_value(value: &Value) -> Result<Node, DocumentError> {
    fn walk(value: &Value, depth: usize, nodes: &mut usize) -> Result<Node, DocumentError> {
        *nodes += 1;
        if *nodes > MAX_NODES {
            return Err(wrong(
                None,
                format!("the document has more than {MAX_NODES} parts"),
            ));
        }
        if depth > MAX_DEPTH {
            return Err(wrong(
                None,
                format!("nested deeper than {MAX_DEPTH} levels"),
            ));
        }
        let kind = match value {
            Value::Null => Kind::Null,
            Value::Bool(truth) => Kind::Truth(*truth),
            Value::Number(number) => Kind::Number(number.clone()),
            Value::String(text) => Kind::Text(text.clone()),
            Value::Array(items) => Kind::List(
                items
                    .iter()
                    .map(|item| walk(item, depth + 1, nodes))
                    .collect::<Result<_, _>>()?,
            ),
            Value::Object(map) => {
                let mut entries = Vec::with_capacity(map.len());
                for (key, value) in map {
                    *nodes += 1;
                    entries.push(Entry {
                        key: key.clone(),
                        place: None,
                        value: walk(value, depth + 1, nodes)?,
                    });
                }
                Kind::Map(entries)
            }
        };
        Ok(Node { place: None, kind })
    }
    walk(value, 0, &mut 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn value(text: &str) -> Value {
        of_text(text).expect("the text is a document").to_value()
    }

    #[test]
    fn yaml_and_json_give_the_same_tree() {
        let yaml = "a: 1\nb:\n  - x\n  - 'y'\n  - true\nc: {d: 1.5, e: null}\n";
        let json = "{\"a\": 1, \"b\": [\"x\", \"y\", true], \"c\": {\"d\": 1.5, \"e\": null}}";
        assert_eq!(value(yaml), value(json));
        assert_eq!(value(json), serde_json::from_str::<Value>(json).unwrap());
    }

    #[test]
    fn words_without_quotes_are_what_yaml_1_2_says() {
        assert_eq!(
            value("[0, -1, 0x10, 1e3, .5, yes, 1.2.3, 5m, 2026-01-01, ~, '1']"),
            json!([
                0,
                -1,
                16,
                1000.0,
                0.5,
                "yes",
                "1.2.3",
                "5m",
                "2026-01-01",
                null,
                "1"
            ])
        );
    }

    #[test]
    fn a_pair_of_surrogates_is_read_as_json_says() {
        assert_eq!(value("{\"a\": \"\\ud83d\\ude00\"}"), json!({"a": "😀"}));
    }

    #[test]
    fn what_could_swell_or_hide_is_refused_with_its_place() {
        for (text, line, word) in [
            ("a: &x 1\nb: *x\n", 1, "anchors"),
            ("a: 1\nb: !!binary 1\n", 2, "tags"),
            ("a: 1\nb: 2\na: 3\n", 3, "twice"),
            ("a: 1\n? [x]\n: 2\n", 2, "key"),
            ("a: .inf\n", 1, "finite"),
            ("---\na: 1\n---\nb: 2\n", 4, "one document"),
        ] {
            let error = of_text(text).expect_err(text);
            assert!(error.message.contains(word), "{text:?}: {error}");
            assert_eq!(error.place.map(|place| place.line), Some(line), "{text:?}");
        }
    }

    #[test]
    fn deep_and_long_documents_end_at_their_limit() {
        let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
        assert!(of_text(&deep).unwrap_err().message.contains("deeper"));
        let many = format!("[{}1]", "1,".repeat(MAX_NODES));
        assert!(of_text(&many).unwrap_err().message.contains("parts"));
        let long = "a".repeat(MAX_DOCUMENT_BYTES + 1);
        assert!(of_text(&long).unwrap_err().message.contains("longer"));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-1e9..1e9_f64).prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::btree_map("[a-z.{}]{1,6}", inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_text_is_a_tree_or_a_named_refusal(text in ".{0,200}") {
            let _ = of_text(&text);
        }

        #[test]
        fn any_yaml_like_text_is_a_tree_or_a_named_refusal(text in "[a-c:\\-\\[\\]{},&*!|>#'\" \n]{0,80}") {
            let _ = of_text(&text);
        }

        #[test]
        fn json_of_any_kind_comes_back_as_it_was(json in any_json()) {
            let text = serde_json::to_string(&json).unwrap();
            prop_assert_eq!(value(&text), json);
        }
    }
}
