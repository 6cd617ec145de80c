//! The tree that a mapping's JSON describes, before it is compiled: read, merged and shown.
//! Invariants: reading never needs an index; merging never loses a field; what is shown reads back as the same tree.
//! Not here: field numbers and limits (`mapping`).

use super::dynamic::TemplateRule;
use super::field::{FieldDef, kind_of, no_type};
use super::kind::FieldType;
use crate::error::{EsError, EsResult};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Deepest JSON that is read as a mapping.
const READ_DEPTH: usize = 60;

/// What happens to keys that no mapping knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dynamic {
    /// They become fields.
    #[default]
    True,
    /// They are kept in `_source` only.
    False,
    /// They are refused.
    Strict,
}

impl Dynamic {
    fn parse(value: &Value) -> EsResult<Self> {
        match value {
            Value::Bool(true) => Ok(Self::True),
            Value::Bool(false) => Ok(Self::False),
            Value::String(text) => match text.as_str() {
                "true" => Ok(Self::True),
                // Fields made when a query runs do not exist here: such keys stay in `_source`.
                "false" | "runtime" => Ok(Self::False),
                "strict" => Ok(Self::Strict),
                _ => Err(not_dynamic()),
            },
            _ => Err(not_dynamic()),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::True => "true",
            Self::False => "false",
            Self::Strict => "strict",
        }
    }
}

/// Whether objects of an array are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ObjectKind {
    /// No.
    #[default]
    Object,
    /// Yes; kept in `_source`, not searchable here.
    Nested,
}

/// An object.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectDef {
    /// Plain or nested.
    pub kind: ObjectKind,
    /// Its own rule for unknown keys; inherited when absent.
    pub dynamic: Option<Dynamic>,
    /// Whether its content is looked at.
    pub enabled: bool,
    /// What is in it.
    pub children: BTreeMap<String, Node>,
    /// Whether `"type":"object"` was written.
    pub typed: bool,
}

impl Default for ObjectDef {
    fn default() -> Self {
        Self {
            kind: ObjectKind::Object,
            dynamic: None,
            enabled: true,
            children: BTreeMap::new(),
            typed: false,
        }
    }
}

/// A place in the tree.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// Has places below it.
    Object(Arc<ObjectDef>),
    /// Has values.
    Field(Arc<FieldDef>),
    /// Another name for the field at this path.
    Alias(String),
}

/// A whole mapping.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Definition {
    root: Arc<ObjectDef>,
    templates: Option<Vec<TemplateRule>>,
    date_detection: Option<bool>,
    numeric_detection: Option<bool>,
    /// `_meta`, `_source`, `_routing` and other members that have no effect on answers here.
    other: Map<String, Value>,
}

impl Default for Definition {
    fn default() -> Self {
        Self {
            root: Arc::default(),
            templates: None,
            date_detection: None,
            numeric_detection: None,
            other: Map::new(),
        }
    }
}

impl Definition {
    pub(super) fn parse(body: &Value) -> EsResult<Self> {
        let mut body = match body {
            Value::Object(body) => body,
            Value::Null => return Ok(Self::default()),
            other => {
                return Err(EsError::mapper_parsing(format!(
                    "Malformed mappings section, found [{other}]"
                )));
            }
        };
        // Typed mappings of old clients: {"_doc": {"properties": ..}}.
        if body.len() == 1
            && let Some(Value::Object(inner)) = body.get("_doc")
        {
            body = inner;
        }
        let mut definition = Self::default();
        let mut root = ObjectDef::default();
        for (name, value) in body {
            match name.as_str() {
                "properties" => root.children = children("", value, 1)?,
                "dynamic" => root.dynamic = Some(Dynamic::parse(value)?),
                "enabled" => root.enabled = boolean(name, value)?,
                "type" if value == "object" => {}
                "date_detection" => definition.date_detection = Some(boolean(name, value)?),
                "numeric_detection" => definition.numeric_detection = Some(boolean(name, value)?),
                "dynamic_templates" => definition.templates = Some(TemplateRule::parse_all(value)?),
                "dynamic_date_formats"
                | "_meta"
                | "_routing"
                | "_size"
                | "_field_names"
                | "_index"
                | "_id"
                | "_data_stream_timestamp"
                | "subobjects" => {
                    definition.other.insert(name.clone(), value.clone());
                }
                "_source" => {
                    let off = value
                        .get("enabled")
                        .is_some_and(|flag| flag == false || flag == "false");
                    let cut = ["includes", "excludes"].iter().any(|list| {
                        value
                            .get(list)
                            .and_then(Value::as_array)
                            .is_some_and(|list| !list.is_empty())
                    });
                    if off || cut {
                        return Err(EsError::unsupported("_source without all of the document"));
                    }
                    if value
                        .as_object()
                        .is_some_and(|members| members.keys().any(|key| key != "enabled"))
                    {
                        definition.other.insert(name.clone(), value.clone());
                    }
                }
                "runtime" if value.as_object().is_some_and(Map::is_empty) => {}
                _ => {
                    return Err(EsError::mapper_parsing(format!(
                        "Root mapping definition has unsupported parameters:  [{} : {}]",
                        name.chars().take(80).collect::<String>(),
                        value.to_string().chars().take(200).collect::<String>()
                    )));
                }
            }
        }
        definition.root = Arc::new(root);
        Ok(definition)
    }

    pub(super) fn merged(&self, other: &Self) -> EsResult<Self> {
        let mut members = self.other.clone();
        members.extend(other.other.clone());
        let templates = match (&self.templates, &other.templates) {
            (Some(old), Some(new)) => Some(TemplateRule::merged(old, new)),
            (old, new) => new.clone().or_else(|| old.clone()),
        };
        Ok(Self {
            root: Arc::new(merge_objects("", &self.root, &other.root)?),
            templates,
            date_detection: other.date_detection.or(self.date_detection),
            numeric_detection: other.numeric_detection.or(self.numeric_detection),
            other: members,
        })
    }

    pub(super) fn root(&self) -> &ObjectDef {
        &self.root
    }

    pub(super) fn templates(&self) -> &[TemplateRule] {
        self.templates.as_deref().unwrap_or_default()
    }

    pub(super) fn date_detection(&self) -> bool {
        self.date_detection.unwrap_or(true)
    }

    pub(super) fn numeric_detection(&self) -> bool {
        self.numeric_detection.unwrap_or(false)
    }

    /// Formats that strings are tried with, when the mapping names them.
    pub(super) fn date_formats(&self) -> Option<Vec<&str>> {
        let list = self.other.get("dynamic_date_formats")?.as_array()?;
        Some(list.iter().filter_map(Value::as_str).collect())
    }

    pub(super) fn render(&self) -> Value {
        let mut out = Map::new();
        if let Some(dynamic) = self.root.dynamic {
            out.insert("dynamic".into(), dynamic.name().into());
        }
        out.extend(self.other.clone());
        if let Some(templates) = &self.templates {
            out.insert(
                "dynamic_templates".into(),
                templates.iter().map(TemplateRule::render).collect(),
            );
        }
        if let Some(flag) = self.date_detection {
            out.insert("date_detection".into(), flag.into());
        }
        if let Some(flag) = self.numeric_detection {
            out.insert("numeric_detection".into(), flag.into());
        }
        if !self.root.children.is_empty() {
            out.insert("properties".into(), render_children(&self.root));
        }
        Value::Object(out)
    }
}

fn not_dynamic() -> EsError {
    EsError::illegal_argument("Could not convert [dynamic.dynamic] to boolean")
}

fn boolean(name: &str, value: &Value) -> EsResult<bool> {
    match value {
        Value::Bool(flag) => Ok(*flag),
        Value::String(text) if text == "true" => Ok(true),
        Value::String(text) if text == "false" => Ok(false),
        other => Err(EsError::mapper_parsing(format!(
            "Could not convert [{name}] to boolean: [{other}]"
        ))),
    }
}

fn children(path: &str, value: &Value, depth: usize) -> EsResult<BTreeMap<String, Node>> {
    if depth > READ_DEPTH {
        return Err(EsError::illegal_argument(format!(
            "mapping is nested deeper than {READ_DEPTH} objects"
        )));
    }
    let body = match value {
        Value::Object(body) => body,
        Value::Array(items) if items.is_empty() => return Ok(BTreeMap::new()),
        _ => {
            return Err(EsError::new(
                400,
                "parse_exception",
                "properties must be a map type",
            ));
        }
    };
    let mut children: BTreeMap<String, Node> = BTreeMap::new();
    for (name, definition) in body {
        if name.is_empty() || name.split('.').any(|part| part.is_empty()) || name.len() > 1024 {
            return Err(EsError::illegal_argument("name cannot be empty string"));
        }
        let full = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        let definition = definition.as_object().ok_or_else(|| {
            EsError::mapper_parsing(format!(
                "Expected map for property [fields] on field [{full}] but got a class java.lang.String"
            ))
        })?;
        let node = node(&full, definition, depth)?;
        place(&mut children, name, node, path)?;
    }
    Ok(children)
}

/// Puts a node at a name that may have dots.
fn place(
    children: &mut BTreeMap<String, Node>,
    name: &str,
    node: Node,
    path: &str,
) -> EsResult<()> {
    if let Some((first, rest)) = name.split_once('.') {
        let path = if path.is_empty() {
            first.to_owned()
        } else {
            format!("{path}.{first}")
        };
        let entry = children
            .entry(first.to_owned())
            .or_insert_with(|| Node::Object(Arc::default()));
        return match entry {
            Node::Object(object) => place(&mut Arc::make_mut(object).children, rest, node, &path),
            _ => Err(not_object(&path)),
        };
    }
    let merged = match children.get(name) {
        Some(known) => merge_nodes(&format!("{path}.{name}"), known, &node)?,
        None => node,
    };
    children.insert(name.to_owned(), merged);
    Ok(())
}

fn node(path: &str, body: &Map<String, Value>, depth: usize) -> EsResult<Node> {
    match body.get("type").and_then(Value::as_str) {
        Some("alias") => {
            let target = body.get("path").and_then(Value::as_str).ok_or_else(|| {
                EsError::mapper_parsing(format!(
                    "The [path] property must be specified for field [{path}]."
                ))
            })?;
            return Ok(Node::Alias(target.to_owned()));
        }
        Some("object" | "nested") => {}
        None if ["properties", "dynamic", "enabled"]
            .iter()
            .any(|name| body.contains_key(*name)) => {}
        None if body.is_empty() => return Err(no_type(path)),
        _ => {
            let kind = kind_of(path, body)?.ok_or_else(|| no_type(path))?;
            return Ok(Node::Field(Arc::new(FieldDef::parse(
                path, kind, body, false,
            )?)));
        }
    }
    let mut object = ObjectDef::default();
    for (name, value) in body {
        match name.as_str() {
            "type" if value == "nested" => object.kind = ObjectKind::Nested,
            "type" => object.typed = true,
            "properties" => object.children = children(path, value, depth + 1)?,
            "dynamic" => object.dynamic = Some(Dynamic::parse(value)?),
            "enabled" => object.enabled = boolean(name, value)?,
            "include_in_parent" | "include_in_root" | "subobjects" | "store_array_source" => {}
            _ => {
                return Err(EsError::mapper_parsing(format!(
                    "Mapping definition for [{}] has unsupported parameters:  [{} : {}]",
                    path.rsplit('.').next().unwrap_or(path),
                    name.chars().take(80).collect::<String>(),
                    value.to_string().chars().take(200).collect::<String>()
                )));
            }
        }
    }
    Ok(Node::Object(Arc::new(object)))
}

fn not_object(path: &str) -> EsError {
    EsError::illegal_argument(format!(
        "can't merge a non object mapping [{path}] with an object mapping"
    ))
}

fn merge_nodes(path: &str, old: &Node, new: &Node) -> EsResult<Node> {
    match (old, new) {
        (Node::Object(old), Node::Object(new)) => {
            Ok(Node::Object(Arc::new(merge_objects(path, old, new)?)))
        }
        (Node::Field(old), Node::Field(new)) => Ok(Node::Field(Arc::new(old.merged(path, new)?))),
        (Node::Alias(_), Node::Alias(target)) => Ok(Node::Alias(target.clone())),
        (Node::Object(_), _) => Err(EsError::illegal_argument(format!(
            "can't merge a non object mapping [{path}] with an object mapping"
        ))),
        (_, Node::Object(_)) => Err(not_object(path)),
        (old, new) => {
            let name = |node: &Node| match node {
                Node::Field(def) => def.kind.name(),
                _ => "alias",
            };
            Err(EsError::illegal_argument(format!(
                "mapper [{path}] cannot be changed from type [{}] to [{}]",
                name(old),
                name(new)
            )))
        }
    }
}

fn merge_objects(path: &str, old: &ObjectDef, new: &ObjectDef) -> EsResult<ObjectDef> {
    if old.kind != new.kind && (new.typed || new.kind == ObjectKind::Nested) {
        let name = |kind| {
            if kind == ObjectKind::Nested {
                "nested"
            } else {
                "non-nested"
            }
        };
        return Err(EsError::illegal_argument(format!(
            "cannot change object mapping from {} to {}",
            name(old.kind),
            name(new.kind)
        )));
    }
    if old.enabled != new.enabled && !new.enabled {
        return Err(EsError::new(
            400,
            "mapper_exception",
            format!("the [enabled] parameter can't be updated for the object mapping [{path}]"),
        ));
    }
    let mut merged = old.clone();
    merged.dynamic = new.dynamic.or(old.dynamic);
    merged.typed |= new.typed;
    for (name, node) in &new.children {
        let child = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        let node = match old.children.get(name) {
            Some(known) if known == node => continue,
            Some(known) => merge_nodes(&child, known, node)?,
            None => node.clone(),
        };
        merged.children.insert(name.clone(), node);
    }
    Ok(merged)
}

fn render_children(object: &ObjectDef) -> Value {
    let children = object
        .children
        .iter()
        .map(|(name, node)| (name.clone(), render_node(node)))
        .collect();
    Value::Object(children)
}

fn render_node(node: &Node) -> Value {
    match node {
        Node::Field(def) => def.render(),
        Node::Alias(target) => json!({"type": "alias", "path": target}),
        Node::Object(object) => {
            let mut out = Map::new();
            match object.kind {
                ObjectKind::Nested => {
                    out.insert("type".into(), "nested".into());
                }
                ObjectKind::Object
                    if object.children.is_empty() || object.typed && !object.enabled =>
                {
                    out.insert("type".into(), "object".into());
                }
                ObjectKind::Object => {}
            }
            if let Some(dynamic) = object.dynamic {
                out.insert("dynamic".into(), dynamic.name().into());
            }
            if !object.enabled {
                out.insert("enabled".into(), false.into());
            }
            if !object.children.is_empty() {
                out.insert("properties".into(), render_children(object));
            }
            Value::Object(out)
        }
    }
}

/// Whether a type exists (dynamic templates name types that no field has yet).
pub(super) fn type_exists(name: &str) -> bool {
    FieldType::by_name(name).is_some()
        || matches!(name, "object" | "nested" | "alias" | "{dynamic_type}")
}
