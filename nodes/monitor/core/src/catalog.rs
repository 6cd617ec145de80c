//! All watches of a deployment: the shipped ones, and the documents of its storage over them.
//!
//! Invariants: a document under a shipped name changes the fields that it has and leaves the
//! others as they are shipped, so that `{"enabled": false}` turns one off; a document that is no
//! watch is listed with what is wrong, and under a shipped name the shipped watch stays in force:
//! a slip does not end the watching.
//! Not here: reading and writing the documents, runs.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use wharf_proto::monitor::v1;

use crate::api::to_spec;
use crate::document::{self, DocumentError};
use crate::shipped;
use crate::version::Version;
use crate::watch::{MAX_NAME, Watch};

/// A document of the storage.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// Its id.
    pub name: String,
    /// Its version.
    pub version: Version,
    /// Its source.
    pub source: Value,
}

/// One watch of the catalog.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Where it comes from.
    pub origin: v1::Origin,
    /// Of its document; `None` for a shipped one without changes.
    pub version: Option<Version>,
    /// The watch in force; `None` when there is none.
    pub watch: Option<Watch>,
    /// What is wrong with the document.
    pub broken: Option<DocumentError>,
    /// The document as people edit it.
    pub yaml: String,
}

/// The catalog of these documents, by name.
///
/// # Errors
/// Never in practice: when a shipped watch is no watch, which a test would see.
pub fn catalog(
    documents: impl IntoIterator<Item = Stored>,
) -> Result<BTreeMap<String, Entry>, DocumentError> {
    let mut entries = BTreeMap::new();
    for (name, _) in shipped::SHIPPED {
        if let Some(watch) = shipped_watch(name)? {
            let entry = Entry {
                name: name.to_owned(),
                origin: v1::Origin::Shipped,
                version: None,
                yaml: document::to_yaml(&watch),
                watch: Some(watch),
                broken: None,
            };
            entries.insert(name.to_owned(), entry);
        }
    }
    for stored in documents {
        let entry = entry(&stored)?;
        entries.insert(entry.name.clone(), entry);
    }
    Ok(entries)
}

fn shipped_watch(name: &str) -> Result<Option<Watch>, DocumentError> {
    shipped::text(name)
        .map(|text| document::from_text_named(text, name))
        .transpose()
}

/// The entry of one document.
///
/// # Errors
/// As [`catalog`].
pub fn entry(stored: &Stored) -> Result<Entry, DocumentError> {
    let shipped = shipped_watch(&stored.name)?;
    let whole = whole(&stored.source, shipped.as_ref());
    let read = document::from_value(&whole, &stored.name);
    let yaml = match &read {
        Ok(watch) => document::to_yaml(watch),
        Err(_) => serde_yaml_ng::to_string(&whole).unwrap_or_default(),
    };
    let origin = if shipped.is_some() {
        v1::Origin::Overridden
    } else {
        v1::Origin::Own
    };
    let (watch, broken) = match read {
        Ok(watch) => (Some(watch), None),
        Err(error) => (shipped, Some(error)),
    };
    Ok(Entry {
        name: stored.name.clone(),
        origin,
        version: Some(stored.version),
        watch,
        broken,
        yaml,
    })
}

/// The document with what it leaves as it is shipped.
fn whole(source: &Value, shipped: Option<&Watch>) -> Value {
    let (Some(shipped), Value::Object(own)) = (shipped, source) else {
        return source.clone();
    };
    let Value::Object(mut whole) = document::to_value(shipped) else {
        return source.clone();
    };
    for (field, value) in own {
        whole.insert(field.clone(), value.clone());
    }
    Value::Object(whole)
}

/// The document to store for a watch: under a shipped name only the fields that differ, so that
/// what is left as shipped follows later releases. `None`: nothing differs, no document is needed.
///
/// # Errors
/// As [`catalog`].
pub fn to_store(watch: &Watch) -> Result<Option<Value>, DocumentError> {
    let document = document::to_value(watch);
    let (Some(shipped), Value::Object(own)) = (shipped_watch(&watch.name)?, &document) else {
        return Ok(Some(document));
    };
    let shipped = document::to_value(&shipped);
    let differing: Map<String, Value> = own
        .iter()
        .filter(|(field, value)| shipped.get(field.as_str()) != Some(value))
        .map(|(field, value)| (field.clone(), value.clone()))
        .collect();
    Ok((!differing.is_empty()).then(|| json!(differing)))
}

impl Entry {
    /// The watch as it is told, without what is known of its runs.
    #[must_use]
    pub fn to_message(&self) -> v1::Watch {
        let broken = self.broken.as_ref().map(|error| {
            let mut text = error.to_string();
            if self.watch.is_some() {
                text.push_str("; the shipped watch stays in force");
            }
            text
        });
        v1::Watch {
            name: self.name.chars().take(MAX_NAME).collect(),
            spec: self.watch.as_ref().map(to_spec),
            version: self
                .version
                .map(|version| version.to_string())
                .unwrap_or_default(),
            origin: self.origin.into(),
            broken: broken.unwrap_or_default(),
            document: self.yaml.clone(),
            ..v1::Watch::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use proptest::prelude::*;

    fn stored(name: &str, source: Value) -> Stored {
        Stored {
            name: name.to_owned(),
            version: Version {
                seq_no: 5,
                primary_term: 1,
            },
            source,
        }
    }

    #[test]
    fn shipped_watches_are_there_without_any_document() {
        let all = catalog([]).unwrap();
        assert_eq!(all.len(), shipped::SHIPPED.len());
        let memory = &all["host-memory"];
        assert_eq!((memory.origin, memory.version), (v1::Origin::Shipped, None));
        assert!(memory.watch.as_ref().is_some_and(|watch| watch.enabled));
    }

    #[test]
    fn one_field_turns_a_shipped_watch_off_and_leaves_the_others() {
        let all = catalog([stored("host-memory", json!({"enabled": false}))]).unwrap();
        let memory = &all["host-memory"];
        assert_eq!(memory.origin, v1::Origin::Overridden);
        let watch = memory.watch.as_ref().unwrap();
        assert!(!watch.enabled);
        let shipped = shipped_watch("host-memory").unwrap().unwrap();
        assert_eq!(watch.condition, shipped.condition);
        assert_eq!(
            to_store(watch).unwrap(),
            Some(json!({"enabled": false})),
            "and it is stored as that one field"
        );
        assert_eq!(to_store(&shipped).unwrap(), None);
    }

    #[test]
    fn a_slip_under_a_shipped_name_does_not_end_the_watching() {
        let all = catalog([
            stored("host-memory", json!({"throttel": "1m"})),
            stored("mine", json!({"enabled": true})),
            stored("Bad Name", json!({})),
        ])
        .unwrap();
        let memory = &all["host-memory"];
        assert!(memory.watch.as_ref().is_some_and(|watch| watch.enabled));
        let told = memory.to_message();
        assert!(
            told.broken.starts_with("throttel: unknown field")
                && told.broken.ends_with("the shipped watch stays in force"),
            "{}",
            told.broken
        );
        let mine = &all["mine"];
        assert_eq!((mine.origin, &mine.watch), (v1::Origin::Own, &None));
        assert_eq!(mine.to_message().broken, "trigger: is missing");
        assert!(all["Bad Name"].broken.is_some());
    }

    #[test]
    fn a_watch_of_ones_own_is_stored_whole_and_told_with_its_version() {
        let watch = fixture::watch();
        let document = to_store(&watch).unwrap().unwrap();
        let all = catalog([stored("memory", document)]).unwrap();
        assert_eq!(all["memory"].watch, Some(watch));
        let told = all["memory"].to_message();
        assert_eq!((told.version.as_str(), told.broken.as_str()), ("5.1", ""));
        assert!(told.document.contains("name: memory"));
    }

    proptest! {
        #[test]
        fn any_document_has_an_entry(name in ".{0,80}", key in "[a-z]{0,9}", value in ".{0,9}") {
            let entry = entry(&stored(&name, json!({key: value}))).unwrap();
            prop_assert!(entry.watch.is_none() || entry.origin == v1::Origin::Overridden);
            let _ = entry.to_message();
        }

        #[test]
        fn what_is_stored_of_a_shipped_watch_gives_it_back(
            enabled in any::<bool>(), throttle_s in 1_u64..100_000, recover_after in 1_u32..100,
        ) {
            for mut watch in shipped::watches().unwrap() {
                watch.enabled = enabled;
                watch.throttle_ms = throttle_s * 1000;
                watch.recover_after = recover_after;
                let source = to_store(&watch).unwrap().unwrap_or_else(|| json!({}));
                prop_assert_eq!(entry(&stored(&watch.name, source)).unwrap().watch, Some(watch));
            }
        }
    }
}
