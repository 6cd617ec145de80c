//! Templates as they lie on disk: bodies by kind and name, as they were put.
//! Invariant: what is read was checked when it was put, so only its form is looked at: a rule that became stricter since
//! then must not keep a store from starting. Not here: the file.

use super::{IndexTemplate, LegacyTemplate, Templates};
use crate::error::EsError;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// All templates of a store, kept.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Kept {
    #[serde(default)]
    index_templates: BTreeMap<String, Value>,
    #[serde(default)]
    component_templates: BTreeMap<String, Value>,
    #[serde(default)]
    legacy_templates: BTreeMap<String, Value>,
}

impl TryFrom<Kept> for Templates {
    type Error = EsError;

    fn try_from(kept: Kept) -> Result<Self, EsError> {
        let mut templates = Self {
            components: kept.component_templates,
            ..Self::default()
        };
        for (name, body) in kept.index_templates {
            let template = IndexTemplate::read(&body)?;
            templates.composable.insert(name, template);
        }
        for (name, body) in kept.legacy_templates {
            let template = LegacyTemplate::read(&body)?;
            templates.legacy.insert(name, template);
        }
        Ok(templates)
    }
}

impl From<Templates> for Kept {
    fn from(templates: Templates) -> Self {
        let composable = templates.composable.into_iter();
        let legacy = templates.legacy.into_iter();
        Self {
            index_templates: composable.map(|(name, t)| (name, t.body)).collect(),
            component_templates: templates.components,
            legacy_templates: legacy.map(|(name, t)| (name, t.body)).collect(),
        }
    }
}
