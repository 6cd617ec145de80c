//! The walk over a document's JSON: which field each value belongs to.
//! Invariants: the text is read once and never as a tree; depth is bounded; the first error ends the walk.
//! Not here: coercion (`coerce`).

use super::coerce::{Raw, Refusal, coerce};
use super::{DOCUMENT_DEPTH_LIMIT, ID_BYTES_LIMIT, Leaf, LeafValue};
use crate::error::{EsError, EsResult};
use crate::mapping::{Dynamic, FieldId, FieldType, Mapping, ObjectSlot, Sample, Slot};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::fmt;

/// New fields of one document.
const NEW_FIELDS_LIMIT: usize = 10_000;
const METADATA: [&str; 10] = [
    "_id",
    "_index",
    "_source",
    "_type",
    "_routing",
    "_version",
    "_seq_no",
    "_field_names",
    "_ignored",
    "_primary_term",
];

type Found<'a> = (Vec<Leaf<'a>>, Vec<(String, Value)>);

/// Walks a document; answers its leaves and the definitions of unknown keys.
pub(super) fn run<'a>(mapping: &Mapping, id: &str, source: &'a [u8]) -> EsResult<Found<'a>> {
    let mut walk = Walk {
        mapping,
        id: if id.len() > ID_BYTES_LIMIT { "" } else { id },
        leaves: Vec::with_capacity(16),
        new: Vec::new(),
        path: String::with_capacity(64),
        error: None,
    };
    let mut reader = serde_json::Deserializer::from_slice(source);
    let root = mapping.root();
    let target = if root.enabled {
        Target::Object(root)
    } else {
        Target::Ignore
    };
    let read = Seed {
        walk: &mut walk,
        target,
        depth: 0,
    }
    .deserialize(&mut reader)
    .and_then(|()| reader.end());
    if let Some(error) = walk.error {
        return Err(error);
    }
    match read {
        Ok(()) => Ok((walk.leaves, walk.new)),
        Err(error) => {
            Err(EsError::mapper_parsing("failed to parse").caused_by(EsError::malformed(&error)))
        }
    }
}

struct Walk<'m, 'a> {
    mapping: &'m Mapping,
    id: &'m str,
    leaves: Vec<Leaf<'a>>,
    new: Vec<(String, Value)>,
    path: String,
    error: Option<EsError>,
}

/// What the value that comes next belongs to.
#[derive(Clone, Copy)]
enum Target<'m> {
    Object(&'m ObjectSlot),
    Field(FieldId),
    /// Inside the flattened field, its path being so long.
    Flat(FieldId, usize),
    /// A key without a mapping, to be mapped.
    Unknown,
    /// Kept in `_source` only.
    Ignore,
}

struct Seed<'w, 'm, 'a> {
    walk: &'w mut Walk<'m, 'a>,
    target: Target<'m>,
    depth: usize,
}

impl<'m, 'a> Walk<'m, 'a> {
    fn fail<E: Error>(&mut self, error: EsError) -> E {
        self.error.get_or_insert(error);
        E::custom("refused")
    }

    /// Goes one key deeper, or several where the key has dots.
    fn enter(
        &mut self,
        mut target: Target<'m>,
        key: &str,
        root: bool,
    ) -> Result<Target<'m>, EsError> {
        if root && key.starts_with('_') && METADATA.contains(&key) {
            return Err(EsError::mapper_parsing(format!(
                "failed to parse field [{key}] of type [{key}] in document with id '{}'",
                self.id
            ))
            .caused_by(EsError::mapper_parsing(format!(
                "Field [{key}] is a metadata field and cannot be added inside a document. Use the index API request parameters."
            ))));
        }
        if matches!(target, Target::Ignore) {
            return Ok(target);
        }
        if matches!(target, Target::Flat(..)) {
            self.push(key);
            return Ok(target);
        }
        if !key.contains('.') {
            if key.is_empty() {
                return Err(bad_name("field name cannot be an empty string"));
            }
            self.push(key);
            return self.step(target, key);
        }
        // Dots at the end are dropped, as Elasticsearch's splitting does.
        for part in key.trim_end_matches('.').split('.') {
            if part.trim().is_empty() {
                return Err(bad_name(&format!(
                    "object field starting or ending with a [.] makes object resolution ambiguous: [{key}]"
                )));
            }
            if let Target::Field(id) = target {
                if self.mapping.field(id).kind() != FieldType::Flattened {
                    return Err(self.not_an_object(id));
                }
                target = Target::Flat(id, self.path.len());
            }
            self.push(part);
            target = self.step(target, part)?;
            if matches!(target, Target::Ignore) {
                break;
            }
        }
        Ok(target)
    }

    fn push(&mut self, key: &str) {
        if !self.path.is_empty() {
            self.path.push('.');
        }
        self.path.push_str(key);
    }

    fn step(&mut self, target: Target<'m>, key: &str) -> Result<Target<'m>, EsError> {
        let Target::Object(object) = target else {
            return Ok(target);
        };
        match object.children.get(key) {
            Some(Slot::Object(child)) if child.enabled && !child.nested => {
                Ok(Target::Object(child))
            }
            Some(Slot::Object(_)) => Ok(Target::Ignore),
            Some(Slot::Field(id)) => Ok(Target::Field(*id)),
            Some(Slot::Alias) => Err(bad_name(&format!(
                "Cannot write to a field alias [{}].",
                self.path
            ))),
            None => match object.dynamic {
                Dynamic::True => Ok(Target::Unknown),
                Dynamic::False => Ok(Target::Ignore),
                Dynamic::Strict => {
                    let within = self
                        .path
                        .rsplit_once('.')
                        .map_or("_doc", |(parent, _)| parent);
                    Err(EsError::new(
                        400,
                        "strict_dynamic_mapping_exception",
                        format!(
                            "mapping set to strict, dynamic introduction of [{key}] within [{within}] is not allowed"
                        ),
                    ))
                }
            },
        }
    }

    fn not_an_object(&self, id: FieldId) -> EsError {
        let field = self.mapping.field(id);
        self.refused(
            id,
            "{...}",
            Refusal::new(
                "illegal_state_exception",
                format!(
                    "Can't get text on a START_OBJECT for field [{}]",
                    field.path
                ),
            ),
        )
    }

    fn refused(&self, id: FieldId, preview: &str, refusal: Refusal) -> EsError {
        let field = self.mapping.field(id);
        let preview: String = preview.chars().take(100).collect();
        let mut cause = EsError::new(400, refusal.kind, refusal.reason);
        if let Some(inner) = refusal.cause {
            cause = cause.caused_by(inner);
        }
        if refusal.whole {
            return cause;
        }
        EsError::mapper_parsing(format!(
            "failed to parse field [{}] of type [{}] in document with id '{}'. Preview of field's value: '{preview}'",
            field.path,
            field.kind().name(),
            self.id
        ))
        .caused_by(cause)
    }

    /// A value that is no object and no array.
    fn scalar(&mut self, target: Target<'m>, raw: Raw<'a>) -> Result<(), EsError> {
        match target {
            Target::Ignore => Ok(()),
            Target::Field(id) => self.leaf(id, &raw),
            Target::Flat(id, base) => {
                self.flat(id, base, raw);
                Ok(())
            }
            Target::Object(_) if matches!(raw, Raw::Null) && !self.path.is_empty() => Ok(()),
            Target::Object(_) if self.path.is_empty() => Err(EsError::mapper_parsing(
                "failed to parse",
            )
            .caused_by(EsError::new(
                400,
                "not_x_content_exception",
                "a document must be a JSON object",
            ))),
            Target::Object(_) => Err(EsError::mapper_parsing(format!(
                "object mapping for [{}] tried to parse field [{}] as object, but found a concrete value",
                self.path,
                self.path.rsplit('.').next().unwrap_or(&self.path)
            ))),
            Target::Unknown => {
                let sample = match &raw {
                    Raw::Null => return Ok(()),
                    Raw::Text(text) => Sample::Text(text),
                    Raw::Whole(_) | Raw::Huge(_) => Sample::Long,
                    Raw::Float(_) => Sample::Double,
                    Raw::Bool(_) => Sample::Bool,
                };
                if let Some(definition) = self.mapping.invent(&self.path, sample) {
                    return self.invented(definition);
                }
                Ok(())
            }
        }
    }

    fn invented(&mut self, definition: Value) -> Result<(), EsError> {
        if self.new.len() >= NEW_FIELDS_LIMIT {
            return Err(EsError::illegal_argument(format!(
                "Limit of total fields [{}] has been exceeded",
                self.mapping.limits().fields
            )));
        }
        match self.new.iter_mut().find(|(path, _)| *path == self.path) {
            // Whole numbers first and a fraction later in the same document: the field holds both.
            Some((_, known)) if known["type"] == "long" && definition["type"] == "float" => {
                *known = definition;
            }
            Some(_) => {}
            None => self.new.push((self.path.clone(), definition)),
        }
        Ok(())
    }

    fn leaf(&mut self, id: FieldId, raw: &Raw<'a>) -> Result<(), EsError> {
        let mapping = self.mapping;
        let field = mapping.field(id);
        self.one(id, raw)?;
        for sub in &field.multi {
            self.one(*sub, raw)?;
        }
        for target in &field.copy_to {
            self.one(*target, raw)?;
            for sub in &mapping.field(*target).multi {
                self.one(*sub, raw)?;
            }
        }
        Ok(())
    }

    fn one(&mut self, id: FieldId, raw: &Raw<'a>) -> Result<(), EsError> {
        let field = self.mapping.field(id);
        let stand_in;
        let raw = match (raw, &field.def.null_value) {
            (Raw::Null, None) => return Ok(()),
            (Raw::Null, Some(value)) => {
                stand_in = Raw::owned(value);
                &stand_in
            }
            (given, _) => given,
        };
        match coerce(field, raw) {
            Ok(None) => Ok(()),
            Ok(Some(value)) => {
                self.leaves.push(Leaf {
                    field: id,
                    key: None,
                    value,
                });
                Ok(())
            }
            Err(_) if field.def.ignore_malformed => Ok(()),
            Err(refusal) => Err(self.refused(id, &raw.preview(), refusal)),
        }
    }

    fn flat(&mut self, id: FieldId, base: usize, raw: Raw<'a>) {
        let term = match raw {
            Raw::Null => return,
            Raw::Text(text) => text,
            other => Cow::Owned(other.preview()),
        };
        if self.mapping.field(id).def.ignores(&term) || term.len() > super::TERM_BYTES_LIMIT {
            return;
        }
        let key = self
            .path
            .get(base + 1..)
            .filter(|key| !key.is_empty())
            .map(Into::into);
        self.leaves.push(Leaf {
            field: id,
            key,
            value: LeafValue::Term(term),
        });
    }
}

fn bad_name(reason: &str) -> EsError {
    EsError::mapper_parsing("failed to parse").caused_by(EsError::illegal_argument(reason))
}

impl<'de> DeserializeSeed<'de> for Seed<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        if matches!(self.target, Target::Ignore) {
            // Still checked for being JSON; serde bounds its depth.
            return reader.deserialize_ignored_any(IgnoredAny).map(|_| ());
        }
        reader.deserialize_any(self)
    }
}

impl Seed<'_, '_, '_> {
    fn deeper<E: Error>(&mut self) -> Result<usize, E> {
        if self.depth >= DOCUMENT_DEPTH_LIMIT {
            let error = EsError::mapper_parsing(format!(
                "failed to parse: document is nested deeper than {DOCUMENT_DEPTH_LIMIT}"
            ));
            return Err(self.walk.fail(error));
        }
        Ok(self.depth + 1)
    }
}

impl<'de> Seed<'_, '_, 'de> {
    fn take<E: Error>(self, raw: Raw<'de>) -> Result<(), E> {
        let target = self.target;
        match self.walk.scalar(target, raw) {
            Ok(()) => Ok(()),
            Err(error) => Err(self.walk.fail(error)),
        }
    }
}

impl<'de> Visitor<'de> for Seed<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.take(Raw::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.take(Raw::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.take(Raw::Whole(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.take(i64::try_from(value).map_or(Raw::Huge(value), Raw::Whole))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.take(Raw::Float(value))
    }

    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<(), E> {
        self.take(Raw::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.take(Raw::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        if self.depth == 0 {
            return self.take(Raw::Null);
        }
        let depth = self.deeper()?;
        while items
            .next_element_seed(Seed {
                walk: self.walk,
                target: self.target,
                depth,
            })?
            .is_some()
        {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<(), A::Error> {
        let depth = self.deeper()?;
        let target = match self.target {
            Target::Field(id) => match self.walk.mapping.field(id).kind() {
                FieldType::Flattened => Target::Flat(id, self.walk.path.len()),
                FieldType::Stored(_) => Target::Ignore,
                _ if self.walk.mapping.field(id).def.ignore_malformed => Target::Ignore,
                _ => {
                    let error = self.walk.not_an_object(id);
                    return Err(self.walk.fail(error));
                }
            },
            Target::Unknown => match self.walk.mapping.invent(&self.walk.path, Sample::Object) {
                // The template decides what is inside: read again when it is mapped.
                Some(definition) => {
                    if let Err(error) = self.walk.invented(definition) {
                        return Err(self.walk.fail(error));
                    }
                    Target::Ignore
                }
                None => Target::Unknown,
            },
            other => other,
        };
        let mut empty = true;
        while let Some(key) = members.next_key::<Key<'de>>()? {
            empty = false;
            let length = self.walk.path.len();
            let next = match self.walk.enter(target, &key.0, self.depth == 0) {
                Ok(next) => next,
                Err(error) => return Err(self.walk.fail(error)),
            };
            members.next_value_seed(Seed {
                walk: self.walk,
                target: next,
                depth,
            })?;
            self.walk.path.truncate(length);
        }
        if empty
            && matches!(target, Target::Unknown)
            && let Err(error) = self.walk.invented(json!({"type": "object"}))
        {
            return Err(self.walk.fail(error));
        }
        Ok(())
    }
}

/// A key, borrowed where it has no escapes.
struct Key<'a>(Cow<'a, str>);

impl<'de> serde::Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a field name")
            }

            fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(value)))
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(value.to_owned())))
            }
        }
        reader.deserialize_str(KeyVisitor)
    }
}
