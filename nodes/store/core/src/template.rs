//! Templates of indices: composable ones with their components, and legacy ones; which one a new index follows.
//! Invariants: among composable templates the highest priority wins alone, two of the same priority never match the same
//! name; a legacy template is asked only when no composable one matches; what a template would make is a valid mapping.
//! Not here: creating the index.

mod alias;
mod answers;
mod body;
mod builtin;
mod check;
mod kept;
mod merge;

pub use alias::Alias;
pub use answers::TemplateRow;
pub use body::IndexBody;
pub use builtin::builtin_templates;
pub use merge::merge_mappings;

use crate::error::{EsError, EsResult};
use crate::mapping::Mapping;
use crate::settings::IndexSettings;
use crate::wildcard::glob_any;
use check::{
    check_inner, check_members, check_name, check_patterns, known, named, object, remove, strings,
};
use merge::overlap;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Most templates of a kind.
const COUNT_LIMIT: usize = 10_000;
/// Most components of one template.
const COMPONENTS_LIMIT: usize = 100;

/// All templates of a store.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "kept::Kept", into = "kept::Kept")]
pub struct Templates {
    components: BTreeMap<String, Value>,
    composable: BTreeMap<String, IndexTemplate>,
    legacy: BTreeMap<String, LegacyTemplate>,
}

#[derive(Debug, Clone, PartialEq)]
struct IndexTemplate {
    patterns: Vec<String>,
    priority: u64,
    composed_of: Vec<String>,
    ignore_missing: Vec<String>,
    body: Value,
}

#[derive(Debug, Clone, PartialEq)]
struct LegacyTemplate {
    patterns: Vec<String>,
    order: i64,
    body: Value,
}

/// What a new index gets.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Resolved {
    /// The composable template that decided.
    pub template: Option<String>,
    /// Settings.
    pub settings: IndexSettings,
    /// The mapping's body.
    pub mappings: Value,
    /// Aliases by name.
    pub aliases: BTreeMap<String, Alias>,
    /// Present when the name is to be a data stream: `{"hidden":..,...}`.
    pub data_stream: Option<Value>,
    /// `template.lifecycle` of data streams (`data_retention`).
    pub lifecycle: Option<Value>,
}

impl Templates {
    /// `PUT _component_template/name`.
    ///
    /// # Errors
    /// When it is not valid, is there already (with `create`), or would break a template that uses it.
    pub fn put_component(&mut self, name: &str, body: &Value, create: bool) -> EsResult<()> {
        check_name(name).map_err(EsError::illegal_argument)?;
        if create && self.components.contains_key(name) {
            return Err(EsError::illegal_argument(format!(
                "component template [{name}] already exists"
            )));
        }
        let members = object(body, "component_template")?;
        known(
            members,
            "component_template",
            &["template", "version", "_meta", "deprecated"],
        )?;
        let template = members
            .get("template")
            .ok_or_else(|| EsError::illegal_argument("Required [template]"))?;
        check_inner(template)?;
        let before = self.components.insert(name.to_owned(), body.clone());
        let users: Vec<String> = self
            .composable
            .iter()
            .filter(|(_, template)| template.composed_of.iter().any(|used| used == name))
            .map(|(user, _)| user.clone())
            .collect();
        for user in users {
            if let Err(error) = self
                .composed(&self.composable[&user])
                .and_then(|resolved| resolved.check())
            {
                match before {
                    Some(before) => self.components.insert(name.to_owned(), before),
                    None => self.components.remove(name),
                };
                return Err(EsError::illegal_argument(format!(
                    "updating component template [{name}] results in invalid composable template [{user}] after templates are merged"
                ))
                .caused_by(error));
            }
        }
        if self.components.len() > COUNT_LIMIT {
            self.components.remove(name);
            return Err(EsError::illegal_argument(format!(
                "more than {COUNT_LIMIT} component templates"
            )));
        }
        Ok(())
    }

    /// `PUT _index_template/name`.
    ///
    /// # Errors
    /// When it is not valid, is there already (with `create`), or another of its priority matches the same names.
    pub fn put_index(&mut self, name: &str, body: &Value, create: bool) -> EsResult<()> {
        check_name(name)
            .map_err(|cause| invalid(name, format!("Validation Failed: 1: {cause};")))?;
        if create && self.composable.contains_key(name) {
            return Err(EsError::illegal_argument(format!(
                "index template [{name}] already exists"
            )));
        }
        if self.composable.len() >= COUNT_LIMIT && !self.composable.contains_key(name) {
            return Err(EsError::illegal_argument(format!(
                "more than {COUNT_LIMIT} index templates"
            )));
        }
        let template = self.read_index(name, body)?;
        for (other_name, other) in &self.composable {
            let clash = other_name != name
                && other.priority == template.priority
                && other
                    .patterns
                    .iter()
                    .any(|a| template.patterns.iter().any(|b| overlap(a, b)));
            if clash {
                return Err(EsError::illegal_argument(format!(
                    "index template [{name}] has index patterns [{}] matching patterns from existing templates [{other_name}] with patterns ({other_name} => [{}]) that have the same priority [{}], multiple index templates may not match during index creation, please use a different priority",
                    template.patterns.join(", "),
                    other.patterns.join(", "),
                    template.priority
                )));
            }
        }
        self.composable.insert(name.to_owned(), template);
        Ok(())
    }

    fn read_index(&self, name: &str, body: &Value) -> EsResult<IndexTemplate> {
        let template = IndexTemplate::read(body)?;
        let members = object(body, "index_template")?;
        check_patterns(&template.patterns)
            .map_err(|cause| invalid(name, format!("Validation Failed: 1: {cause};")))?;
        let invalid = |cause: String| invalid(name, cause);
        if template.composed_of.len() > COMPONENTS_LIMIT {
            return Err(invalid(format!(
                "more than {COMPONENTS_LIMIT} component templates"
            )));
        }
        let missing: Vec<&str> = template
            .composed_of
            .iter()
            .filter(|used| {
                !self.components.contains_key(*used) && !template.ignore_missing.contains(used)
            })
            .map(String::as_str)
            .collect();
        if !missing.is_empty() {
            return Err(invalid(format!(
                "index template [{name}] specifies component templates [{}] that do not exist",
                missing.join(", ")
            )));
        }
        match members.get("data_stream") {
            None | Some(Value::Null | Value::Object(_)) => {}
            Some(_) => {
                return Err(EsError::json_parse(
                    "[index_template] data_stream must be an object",
                ));
            }
        }
        if let Some(inner) = members.get("template") {
            if let Some(settings) = inner.get("settings") {
                IndexSettings::parse(settings).map_err(|error| {
                    invalid(format!("Validation Failed: 1: {};", error.reason()))
                })?;
            }
            check_members(inner)?;
        }
        self.composed(&template)
            .and_then(|made| made.check())
            .map_err(|error| {
                let cause =
                    EsError::illegal_argument(format!("invalid composite mappings for [{name}]"));
                EsError::illegal_argument(format!(
                    "composable template [{name}] template after composition is invalid"
                ))
                .caused_by(cause.caused_by(error))
            })?;
        Ok(template)
    }

    /// `PUT _template/name`.
    ///
    /// # Errors
    /// When it is not valid or is there already (with `create`).
    pub fn put_legacy(&mut self, name: &str, body: &Value, create: bool) -> EsResult<()> {
        check_name(name).map_err(EsError::illegal_argument)?;
        if create && self.legacy.contains_key(name) {
            return Err(EsError::illegal_argument(format!(
                "index_template [{name}] already exists"
            )));
        }
        let template = LegacyTemplate::read(body)?;
        check_patterns(&template.patterns).map_err(EsError::illegal_argument)?;
        let mut inner = body.as_object().cloned().unwrap_or_default();
        inner.retain(|key, _| matches!(key.as_str(), "settings" | "mappings" | "aliases"));
        check_inner(&Value::Object(inner))?;
        if self.legacy.len() >= COUNT_LIMIT && !self.legacy.contains_key(name) {
            return Err(EsError::illegal_argument(format!(
                "more than {COUNT_LIMIT} templates"
            )));
        }
        self.legacy.insert(name.to_owned(), template);
        Ok(())
    }

    /// `DELETE _component_template/pattern`.
    ///
    /// # Errors
    /// When there is none, or a template uses one.
    pub fn delete_component(&mut self, pattern: &str) -> EsResult<()> {
        let doomed = named(&self.components, pattern);
        for name in &doomed {
            let user = self.composable.iter().find(|(_, template)| {
                template.composed_of.contains(name) && !template.ignore_missing.contains(name)
            });
            if let Some((user, _)) = user {
                return Err(EsError::illegal_argument(format!(
                    "component templates [{name}] cannot be removed as they are still in use by index templates [{user}]"
                )));
            }
        }
        remove(&mut self.components, doomed, pattern)
    }

    /// `DELETE _index_template/pattern`.
    ///
    /// # Errors
    /// When there is none.
    pub fn delete_index(&mut self, pattern: &str) -> EsResult<()> {
        let doomed = named(&self.composable, pattern);
        remove(&mut self.composable, doomed, pattern)
    }

    /// `DELETE _template/pattern`.
    ///
    /// # Errors
    /// When there is none.
    pub fn delete_legacy(&mut self, pattern: &str) -> EsResult<()> {
        let doomed = named(&self.legacy, pattern);
        remove(&mut self.legacy, doomed, pattern)
    }

    /// Whether a component template has a name that matches.
    #[must_use]
    pub fn shows_component(&self, pattern: &str) -> bool {
        !named(&self.components, pattern).is_empty()
    }

    /// Whether a composable template has a name that matches.
    #[must_use]
    pub fn shows_index(&self, pattern: &str) -> bool {
        !named(&self.composable, pattern).is_empty()
    }

    /// Whether a legacy template has a name that matches.
    #[must_use]
    pub fn shows_legacy(&self, pattern: &str) -> bool {
        !named(&self.legacy, pattern).is_empty()
    }

    fn best(&self, index: &str) -> Option<(&String, &IndexTemplate)> {
        self.composable
            .iter()
            .filter(|(_, template)| glob_any(template.patterns.iter().map(String::as_str), index))
            .max_by_key(|(name, template)| (template.priority, std::cmp::Reverse(name.as_str())))
    }

    /// What a new index or data stream of this name gets.
    ///
    /// # Errors
    /// When what the templates say together is not valid.
    pub fn resolve(&self, index: &str) -> EsResult<Resolved> {
        if let Some((name, template)) = self.best(index) {
            let mut resolved = self.composed(template)?;
            resolved.template = Some(name.clone());
            return Ok(resolved);
        }
        let mut matching: Vec<(&String, &LegacyTemplate)> = self
            .legacy
            .iter()
            .filter(|(_, template)| glob_any(template.patterns.iter().map(String::as_str), index))
            .collect();
        matching.sort_by_key(|(name, template)| (template.order, name.as_str()));
        let mut resolved = Resolved {
            mappings: json!({}),
            ..Resolved::default()
        };
        for (_, template) in matching {
            resolved.add(&template.body)?;
        }
        Ok(resolved)
    }

    /// Whether a new name of this kind would be a data stream.
    #[must_use]
    pub fn makes_data_stream(&self, name: &str) -> bool {
        self.best(name).is_some_and(|(_, template)| {
            template
                .body
                .get("data_stream")
                .is_some_and(Value::is_object)
        })
    }

    fn composed(&self, template: &IndexTemplate) -> EsResult<Resolved> {
        let mut resolved = Resolved {
            mappings: json!({}),
            ..Resolved::default()
        };
        for name in &template.composed_of {
            if let Some(inner) = self
                .components
                .get(name)
                .and_then(|body| body.get("template"))
            {
                resolved.add(inner)?;
            }
        }
        if let Some(inner) = template.body.get("template") {
            resolved.add(inner)?;
        }
        resolved.data_stream = template
            .body
            .get("data_stream")
            .filter(|stream| stream.is_object())
            .cloned();
        if resolved.data_stream.is_some() {
            let time = json!({"properties": {"@timestamp": {"type": "date"}}});
            resolved.mappings = merge_mappings(&time, &resolved.mappings);
        }
        Ok(resolved)
    }
}

impl Resolved {
    fn add(&mut self, template: &Value) -> EsResult<()> {
        if let Some(settings) = template.get("settings") {
            self.settings.merge(&IndexSettings::parse(settings)?);
        }
        if let Some(mappings) = template.get("mappings") {
            self.mappings = merge_mappings(&self.mappings, mappings);
        }
        if let Some(aliases) = template.get("aliases") {
            self.aliases.extend(Alias::parse_all(aliases)?);
        }
        if let Some(lifecycle) = template
            .get("lifecycle")
            .filter(|lifecycle| lifecycle.is_object())
        {
            self.lifecycle = Some(lifecycle.clone());
        }
        Ok(())
    }

    /// With what a request says about the index on top.
    #[must_use]
    pub fn with(mut self, body: &IndexBody) -> Self {
        self.settings.merge(&body.settings);
        self.mappings = merge_mappings(&self.mappings, &body.mappings);
        self.aliases.extend(body.aliases.clone());
        self
    }

    /// The mapping, under the limits of the settings.
    ///
    /// # Errors
    /// When it is not valid.
    pub fn mapping(&self) -> EsResult<Mapping> {
        Mapping::parse_body(&self.mappings, self.settings.mapping_limits())
    }

    fn check(&self) -> EsResult<()> {
        self.mapping().map(|_| ())
    }
}

impl IndexTemplate {
    /// Its members, each by itself.
    fn read(body: &Value) -> EsResult<Self> {
        let members = object(body, "index_template")?;
        known(
            members,
            "index_template",
            &[
                "index_patterns",
                "template",
                "composed_of",
                "priority",
                "version",
                "_meta",
                "data_stream",
                "allow_auto_create",
                "ignore_missing_component_templates",
                "deprecated",
            ],
        )?;
        let patterns = strings(members, "index_patterns")?
            .ok_or_else(|| EsError::illegal_argument("Required [index_patterns]"))?;
        let priority = match members.get("priority") {
            None | Some(Value::Null) => 0,
            Some(value) => value
                .as_u64()
                .or_else(|| value.as_str().and_then(|text| text.parse().ok()))
                .ok_or_else(|| {
                    EsError::action_request_validation(
                        "Validation Failed: 1: index template priority must be >= 0;",
                    )
                })?,
        };
        Ok(Self {
            patterns,
            priority,
            composed_of: strings(members, "composed_of")?.unwrap_or_default(),
            ignore_missing: strings(members, "ignore_missing_component_templates")?
                .unwrap_or_default(),
            body: body.clone(),
        })
    }
}

fn invalid(name: &str, cause: impl std::fmt::Display) -> EsError {
    EsError::new(
        400,
        "invalid_index_template_exception",
        format!("index_template [{name}] invalid, cause [{cause}]"),
    )
}

impl LegacyTemplate {
    /// Its members, each by itself.
    fn read(body: &Value) -> EsResult<Self> {
        let members = body
            .as_object()
            .ok_or_else(|| EsError::not_x_content("a template must be an object"))?;
        const KNOWN: [&str; 7] = [
            "index_patterns",
            "template",
            "order",
            "version",
            "settings",
            "mappings",
            "aliases",
        ];
        if let Some(unknown) = members.keys().find(|key| !KNOWN.contains(&key.as_str())) {
            return Err(EsError::parse(format!(
                "unknown key [{}] in the template",
                unknown.chars().take(80).collect::<String>()
            )));
        }
        let patterns = match (strings(members, "index_patterns")?, members.get("template")) {
            (Some(patterns), _) => patterns,
            (None, Some(Value::String(pattern))) => vec![pattern.clone()],
            _ => {
                return Err(EsError::action_request_validation(
                    "Validation Failed: 1: index patterns are missing;",
                ));
            }
        };
        Ok(Self {
            patterns,
            order: members.get("order").and_then(Value::as_i64).unwrap_or(0),
            body: body.clone(),
        })
    }
}

#[cfg(test)]
mod tests;
