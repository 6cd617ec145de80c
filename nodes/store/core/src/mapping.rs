//! The mapping of an index: which paths there are, of which type, and what happens to paths that are not known.
//! Invariants: immutable (a change makes a new one); a field keeps its `FieldId` in every later mapping of the index;
//! every multi-field is a field of its own; limits on fields and depth hold. Not here: templates of indices
//! (`template`), reading documents (`document`).

mod caps;
mod definition;
mod dynamic;
mod field;
mod kind;
mod schema;

pub use caps::{FieldCaps, render_field_caps};
pub use definition::{Dynamic, Node, ObjectDef, ObjectKind};
pub use dynamic::{Sample, TemplateRule};
pub use field::FieldDef;
pub use kind::FieldType;

use crate::error::{EsError, EsResult};
use definition::Definition;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::sync::Arc;

/// A field's number in its index.
pub type FieldId = u32;

/// Most fields (objects, aliases and multi-fields counted), unless the index's settings say otherwise.
pub const DEFAULT_FIELD_LIMIT: usize = 1000;
/// Deepest object.
pub const DEFAULT_DEPTH_LIMIT: usize = 20;
/// Largest mapping text that is read.
pub const MAPPING_BYTES_LIMIT: usize = 16 << 20;

/// Limits of one index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MappingLimits {
    /// `index.mapping.total_fields.limit`.
    pub fields: usize,
    /// `index.mapping.depth.limit`.
    pub depth: usize,
}

impl Default for MappingLimits {
    fn default() -> Self {
        Self {
            fields: DEFAULT_FIELD_LIMIT,
            depth: DEFAULT_DEPTH_LIMIT,
        }
    }
}

/// A field of the compiled mapping.
#[derive(Debug, Clone)]
pub struct Field {
    /// Its number.
    pub id: FieldId,
    /// Its full path.
    pub path: Arc<str>,
    /// What it is.
    pub def: Arc<FieldDef>,
    /// Its multi-fields.
    pub multi: Vec<FieldId>,
    /// The field that this one is a multi-field of.
    pub parent: Option<FieldId>,
    /// Fields that get its values too.
    pub copy_to: Vec<FieldId>,
    /// Inside a `nested` object: kept in `_source`, not searchable as other fields are.
    pub nested: bool,
}

impl Field {
    /// Its type.
    #[must_use]
    pub fn kind(&self) -> FieldType {
        self.def.kind
    }
}

/// What a key of a document stands for.
#[derive(Debug, Clone)]
pub(crate) enum Slot {
    Object(Arc<ObjectSlot>),
    Field(FieldId),
    Alias,
}

#[derive(Debug)]
pub(crate) struct ObjectSlot {
    pub(crate) children: HashMap<Box<str>, Slot>,
    pub(crate) dynamic: Dynamic,
    pub(crate) enabled: bool,
    pub(crate) nested: bool,
}

/// A compiled mapping.
#[derive(Debug, Clone)]
pub struct Mapping {
    definition: Definition,
    limits: MappingLimits,
    fields: Vec<Field>,
    paths: HashMap<Arc<str>, FieldId>,
    aliases: HashMap<String, String>,
    constants: Vec<FieldId>,
    flattened: Vec<FieldId>,
    root: Arc<ObjectSlot>,
    count: usize,
}

/// Fields that documents brought: `{"properties":{...}}`, to be applied with `Mapping::grown` and kept in the journal.
#[derive(Debug, Clone, PartialEq)]
pub struct MappingChange(pub Value);

impl Mapping {
    /// An index without a mapping: everything is dynamic.
    #[must_use]
    pub fn empty(limits: MappingLimits) -> Self {
        Self::compile(Definition::default(), limits, None)
            .expect("an empty definition has nothing to refuse")
    }

    /// Reads a mapping as it stands in `PUT index` and templates: `{"properties":{..},"dynamic":..,...}`.
    ///
    /// # Errors
    /// `mapper_parsing_exception` or `illegal_argument_exception` naming what is wrong.
    pub fn parse_body(body: &Value, limits: MappingLimits) -> EsResult<Self> {
        Self::compile(Self::read(body)?, limits, None)
    }

    /// Whether a mapping reads as one, without asking whether what it refers to is there (a part of a template).
    ///
    /// # Errors
    /// `mapper_parsing_exception` naming what is wrong.
    pub fn check_body(body: &Value) -> EsResult<()> {
        Self::read(body).map(|_| ())
    }

    /// This mapping with a `PUT index/_mapping` applied.
    ///
    /// # Errors
    /// `illegal_argument_exception` naming the conflict; the mapping stays as it was.
    pub fn merged(&self, body: &Value) -> EsResult<Self> {
        let definition = self.definition.merged(&Self::read(body)?)?;
        Self::compile(definition, self.limits, Some(self))
    }

    /// This mapping with the fields that a document brought.
    ///
    /// # Errors
    /// When a limit is reached.
    pub fn grown(&self, change: &MappingChange) -> EsResult<Self> {
        self.merged(&change.0)
    }

    /// This mapping under other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: MappingLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Reads a definition; what is wrong is told as the cause and once more with where it is wrong.
    fn read(body: &Value) -> EsResult<Definition> {
        Definition::parse(body).map_err(|cause| {
            EsError::mapper_parsing(format!(
                "Failed to parse mapping [_doc]: {}",
                cause.reason()
            ))
            .caused_by(cause)
        })
    }

    fn compile(
        definition: Definition,
        limits: MappingLimits,
        before: Option<&Self>,
    ) -> EsResult<Self> {
        let mut compiler = Compiler {
            limits,
            paths: before
                .map(|mapping| mapping.paths.clone())
                .unwrap_or_default(),
            fields: before
                .map(|mapping| mapping.fields.iter().cloned().map(Some).collect())
                .unwrap_or_default(),
            aliases: HashMap::new(),
            count: 0,
        };
        let root = compiler.object(
            "",
            definition.root(),
            definition.root().dynamic.unwrap_or_default(),
            1,
            false,
        )?;
        let mut fields: Vec<Field> = compiler.fields.into_iter().flatten().collect();
        let paths = compiler.paths;
        for field in &mut fields {
            for target in &field.def.copy_to {
                let id = paths.get(target.as_str()).ok_or_else(|| {
                    EsError::mapper_parsing(format!(
                        "Failed to parse mapping [_doc]: [copy_to] of [{}] names [{target}], which is no field; map it first",
                        field.path
                    ))
                })?;
                field.copy_to.push(*id);
            }
        }
        for (alias, target) in &compiler.aliases {
            if !paths.contains_key(target.as_str()) {
                return Err(EsError::mapper_parsing(format!(
                    "Invalid [path] value [{target}] for field alias [{alias}]: an alias must refer to an existing field in the mappings."
                )));
            }
        }
        let ids = |wanted: FieldType| {
            fields
                .iter()
                .filter(move |field| field.kind() == wanted)
                .map(|field| field.id)
                .collect::<Vec<_>>()
        };
        let (constants, flattened) = (ids(FieldType::ConstantKeyword), ids(FieldType::Flattened));
        Ok(Self {
            definition,
            limits,
            fields,
            paths,
            aliases: compiler.aliases,
            constants,
            flattened,
            root,
            count: compiler.count,
        })
    }

    /// All fields, by number.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// A field by number.
    #[must_use]
    pub fn field(&self, id: FieldId) -> &Field {
        &self.fields[id as usize]
    }

    /// A field by its path; an alias gives its target.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<&Field> {
        let path = self.resolve(path);
        self.paths.get(path).map(|id| self.field(*id))
    }

    /// The path that an alias stands for; other paths stay.
    #[must_use]
    pub fn resolve<'a>(&'a self, path: &'a str) -> &'a str {
        self.aliases.get(path).map_or(path, String::as_str)
    }

    /// Aliases and their targets.
    pub fn aliases(&self) -> impl Iterator<Item = (&str, &str)> {
        self.aliases
            .iter()
            .map(|(alias, target)| (alias.as_str(), target.as_str()))
    }

    /// The field that answers for a path, with the key when the path leads into a flattened object
    /// (its column is then at the full path and of terms).
    #[must_use]
    pub fn locate<'a>(&'a self, path: &'a str) -> Option<(&'a Field, Option<&'a str>)> {
        if let Some(field) = self.find(path) {
            return Some((field, None));
        }
        self.flattened.iter().find_map(|id| {
            let field = self.field(*id);
            let key = path.strip_prefix(field.path.as_ref())?.strip_prefix('.')?;
            Some((field, Some(key)))
        })
    }

    /// Whether the path is an object.
    #[must_use]
    pub fn is_object(&self, path: &str) -> bool {
        let mut object = &self.root;
        for name in path.split('.') {
            match object.children.get(name) {
                Some(Slot::Object(next)) => object = next,
                _ => return false,
            }
        }
        true
    }

    /// Fields below an object, multi-fields included.
    pub fn below<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a Field> {
        self.fields.iter().filter(move |field| {
            field
                .path
                .strip_prefix(path)
                .is_some_and(|rest| rest.starts_with('.'))
        })
    }

    /// Fields and aliases whose path matches a pattern with stars, in order of the paths; the flag tells an alias.
    #[must_use]
    pub fn matching(&self, pattern: &str) -> Vec<(String, &Field)> {
        if !pattern.contains('*') {
            return self
                .find(pattern)
                .map(|field| (pattern.to_owned(), field))
                .into_iter()
                .collect();
        }
        let mut found: Vec<(String, &Field)> = self
            .fields
            .iter()
            .filter(|field| crate::wildcard::glob(pattern, &field.path))
            .map(|field| (field.path.to_string(), field))
            .collect();
        for (alias, target) in self.aliases() {
            if crate::wildcard::glob(pattern, alias)
                && let Some(field) = self.find(target)
            {
                found.push((alias.to_owned(), field));
            }
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        found
    }

    /// Constant fields (every document has their value).
    #[must_use]
    pub fn constants(&self) -> &[FieldId] {
        &self.constants
    }

    /// Fields, objects, aliases and multi-fields, as the limit counts them.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Its limits.
    #[must_use]
    pub fn limits(&self) -> MappingLimits {
        self.limits
    }

    /// As `GET index/_mapping` shows it below `mappings`.
    #[must_use]
    pub fn render(&self) -> Value {
        self.definition.render()
    }

    /// One field as `GET index/_mapping/field/x` shows it.
    #[must_use]
    pub fn render_field(&self, path: &str) -> Option<Value> {
        let field = self.find(path)?;
        let name = path.rsplit('.').next().unwrap_or(path);
        Some(json!({"full_name": path, "mapping": {name: field.def.render()}}))
    }

    pub(crate) fn root(&self) -> &Arc<ObjectSlot> {
        &self.root
    }

    fn definition(&self) -> &Definition {
        &self.definition
    }
}

struct Compiler {
    limits: MappingLimits,
    paths: HashMap<Arc<str>, FieldId>,
    fields: Vec<Option<Field>>,
    aliases: HashMap<String, String>,
    count: usize,
}

impl Compiler {
    fn counted(&mut self) -> EsResult<()> {
        self.count += 1;
        if self.count > self.limits.fields {
            return Err(EsError::illegal_argument(format!(
                "Limit of total fields [{}] has been exceeded",
                self.limits.fields
            )));
        }
        Ok(())
    }

    fn object(
        &mut self,
        path: &str,
        def: &ObjectDef,
        dynamic: Dynamic,
        depth: usize,
        nested: bool,
    ) -> EsResult<Arc<ObjectSlot>> {
        if depth > self.limits.depth {
            return Err(EsError::illegal_argument(format!(
                "Limit of mapping depth [{}] has been exceeded due to object field [{path}]",
                self.limits.depth
            )));
        }
        let nested = nested || def.kind == ObjectKind::Nested;
        let mut children = HashMap::with_capacity(def.children.len());
        for (name, node) in &def.children {
            let path = if path.is_empty() {
                name.to_string()
            } else {
                format!("{path}.{name}")
            };
            self.counted()?;
            let slot = match node {
                Node::Object(child) => {
                    let dynamic = child.dynamic.unwrap_or(dynamic);
                    Slot::Object(self.object(&path, child, dynamic, depth + 1, nested)?)
                }
                Node::Field(def) => Slot::Field(self.field(&path, def, None, nested)?),
                Node::Alias(target) => {
                    self.aliases.insert(path, target.clone());
                    Slot::Alias
                }
            };
            children.insert(name.as_str().into(), slot);
        }
        Ok(Arc::new(ObjectSlot {
            children,
            dynamic,
            enabled: def.enabled,
            nested,
        }))
    }

    fn field(
        &mut self,
        path: &str,
        def: &Arc<FieldDef>,
        parent: Option<FieldId>,
        nested: bool,
    ) -> EsResult<FieldId> {
        let (id, path) = match self.paths.get_key_value(path) {
            Some((path, id)) => (*id, path.clone()),
            None => {
                let id = self.fields.len() as FieldId;
                let path: Arc<str> = path.into();
                self.paths.insert(path.clone(), id);
                self.fields.push(None);
                (id, path)
            }
        };
        let mut multi = Vec::with_capacity(def.fields.len());
        for (name, sub) in &def.fields {
            self.counted()?;
            multi.push(self.field(&format!("{path}.{name}"), sub, Some(id), nested)?);
        }
        self.fields[id as usize] = Some(Field {
            id,
            path,
            def: def.clone(),
            multi,
            parent,
            copy_to: Vec::new(),
            nested,
        });
        Ok(id)
    }
}

/// The body of `GET index/_mapping`: `{index: {"mappings": {..}}}`.
#[must_use]
pub fn render_mappings<'a>(indices: impl IntoIterator<Item = (&'a str, &'a Mapping)>) -> Value {
    let bodies: Map<String, Value> = indices
        .into_iter()
        .map(|(name, mapping)| (name.to_owned(), json!({"mappings": mapping.render()})))
        .collect();
    Value::Object(bodies)
}

#[cfg(test)]
mod tests;
