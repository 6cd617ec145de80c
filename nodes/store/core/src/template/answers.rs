//! How templates are shown: `GET` of each kind, `_cat/templates`, and simulations.
//! Invariants: settings are nested and as text; nothing is stored. Not here: putting and resolving (`template`).

use super::check::{found, missing, shown};
use super::merge::overlap;
use super::{Resolved, Templates};
use crate::error::{EsError, EsResult};
use crate::settings::IndexSettings;
use crate::wildcard::glob_any;
use serde_json::{Map, Value, json};

/// A row of `_cat/templates`.
#[derive(Debug, Clone, PartialEq)]
pub struct TemplateRow {
    /// Its name.
    pub name: String,
    /// `[a*, b]`.
    pub patterns: String,
    /// Order or priority.
    pub order: i64,
    /// As it was put; empty when there is none.
    pub version: String,
    /// `[a, b]`; `None` for a legacy template.
    pub components: Option<String>,
}

impl Templates {
    /// `GET _component_template[/pattern]`.
    ///
    /// # Errors
    /// 404 when a plain name is not there.
    pub fn render_components(&self, pattern: &str) -> EsResult<Value> {
        let names = found(&self.components, pattern, "component template")?;
        let list: Vec<Value> = names
            .iter()
            .map(|name| json!({"name": name, "component_template": shown(&self.components[name])}))
            .collect();
        Ok(json!({"component_templates": list}))
    }

    /// `GET _index_template[/pattern]`.
    ///
    /// # Errors
    /// 404 when a plain name is not there.
    pub fn render_index(&self, pattern: &str) -> EsResult<Value> {
        let names = found(&self.composable, pattern, "index template")?;
        let list: Vec<Value> = names
            .iter()
            .map(|name| {
                let template = &self.composable[name];
                let mut body = shown(&template.body);
                body["index_patterns"] = json!(template.patterns);
                if body.get("template").is_some() || body.get("composed_of").is_some() {
                    body["composed_of"] = json!(template.composed_of);
                }
                if let Some(Value::Object(stream)) = body.get_mut("data_stream") {
                    stream.insert("timestamp_field".into(), json!({"name": "@timestamp"}));
                }
                json!({"name": name, "index_template": body})
            })
            .collect();
        Ok(json!({"index_templates": list}))
    }

    /// `GET _template[/pattern]`.
    ///
    /// # Errors
    /// 404 when a plain name is not there.
    pub fn render_legacy(&self, pattern: &str) -> EsResult<Value> {
        let names = found(&self.legacy, pattern, "index_template")?;
        let mut out = Map::new();
        for name in names {
            let template = &self.legacy[&name];
            let settings = template
                .body
                .get("settings")
                .cloned()
                .unwrap_or(Value::Null);
            let empty = || json!({});
            let mut one = json!({
                "order": template.order,
                "index_patterns": template.patterns,
                "settings": IndexSettings::parse(&settings)?.render(),
                "mappings": template.body.get("mappings").cloned().unwrap_or_else(empty),
                "aliases": template.body.get("aliases").cloned().unwrap_or_else(empty),
            });
            if let Some(version) = template.body.get("version") {
                one["version"] = version.clone();
            }
            out.insert(name, one);
        }
        Ok(Value::Object(out))
    }

    /// All templates for `_cat/templates`, the legacy ones first.
    #[must_use]
    pub fn list(&self) -> Vec<TemplateRow> {
        let version = |body: &Value| match body.get("version") {
            None | Some(Value::Null) => String::new(),
            Some(version) => version.to_string(),
        };
        let legacy = self.legacy.iter().map(|(name, template)| TemplateRow {
            name: name.clone(),
            patterns: format!("[{}]", template.patterns.join(", ")),
            order: template.order,
            version: version(&template.body),
            components: None,
        });
        let composable = self.composable.iter().map(|(name, template)| TemplateRow {
            name: name.clone(),
            patterns: format!("[{}]", template.patterns.join(", ")),
            order: i64::try_from(template.priority).unwrap_or(i64::MAX),
            version: version(&template.body),
            components: Some(format!("[{}]", template.composed_of.join(", "))),
        });
        legacy.chain(composable).collect()
    }

    /// `POST _index_template/_simulate_index/name`.
    ///
    /// # Errors
    /// When what the templates say together is not valid.
    pub fn simulate_index(&self, index: &str) -> EsResult<Value> {
        let resolved = self.resolve(index)?;
        let winner = resolved.template.clone();
        let overlapping: Vec<Value> = self
            .composable
            .iter()
            .filter(|(name, template)| {
                Some(*name) != winner.as_ref()
                    && glob_any(template.patterns.iter().map(String::as_str), index)
            })
            .map(|(name, template)| json!({"name": name, "index_patterns": template.patterns}))
            .collect();
        resolved.simulated(overlapping)
    }

    /// `POST _index_template/_simulate[/name]`: a body that is not stored, or a stored template.
    ///
    /// # Errors
    /// As putting it would have.
    pub fn simulate(&self, name: Option<&str>, body: Option<&Value>) -> EsResult<Value> {
        let made;
        let template = match (body, name) {
            (Some(body), name) => {
                made = self.read_index(name.unwrap_or("simulate"), body)?;
                &made
            }
            (None, Some(name)) => self
                .composable
                .get(name)
                .ok_or_else(|| missing(name, "index template"))?,
            (None, None) => return Err(EsError::parse("request body is required")),
        };
        let overlapping: Vec<Value> = self
            .composable
            .iter()
            .filter(|(other, _)| Some(other.as_str()) != name)
            .filter(|(_, other)| {
                other
                    .patterns
                    .iter()
                    .any(|a| template.patterns.iter().any(|b| overlap(a, b)))
            })
            .map(|(name, template)| json!({"name": name, "index_patterns": template.patterns}))
            .collect();
        self.composed(template)?.simulated(overlapping)
    }
}

impl Resolved {
    fn simulated(self, overlapping: Vec<Value>) -> EsResult<Value> {
        let mut template = json!({"settings": self.settings.render(), "aliases": self.aliases});
        let mappings = self.mapping()?.render();
        if mappings != json!({}) {
            template["mappings"] = mappings;
        }
        if let Some(lifecycle) = self.lifecycle {
            template["lifecycle"] = lifecycle;
        }
        Ok(json!({"template": template, "overlapping": overlapping}))
    }
}
