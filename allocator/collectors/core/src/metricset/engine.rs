//! Metricsets of the engine: info, image, event.
//!
//! Invariants: exec events (three per health probe) are left out unless asked for; attributes are
//! bounded and redacted as labels and arguments are.
//! Not here: containers' own metricsets (`docker`).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::container::{cut, dedot};
use crate::document::time_text;
use crate::envelope::Metric;
use crate::redact;

/// What the engine says about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EngineFacts {
    /// Its id.
    pub id: String,
    /// Containers of any state.
    pub containers: u64,
    /// Containers that run.
    pub running: u64,
    /// Containers that are frozen.
    pub paused: u64,
    /// Containers that ended.
    pub stopped: u64,
    /// Images.
    pub images: u64,
}

/// One image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageMeta {
    /// `sha256:…`.
    pub id: String,
    /// The image it was made from, when known.
    pub parent: String,
    /// When it was made.
    pub created_ms: i64,
    /// Bytes of all its layers.
    pub size: i64,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// One event of the engine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EngineEvent {
    /// When it happened, in nanoseconds since the epoch.
    pub time_ns: i64,
    /// `start`, `die`, `health_status: healthy`.
    pub action: String,
    /// `container`, `image`, `network`, `volume`.
    pub kind: String,
    /// What it happened to.
    pub actor_id: String,
    /// What the engine knows about that.
    pub attributes: BTreeMap<String, String>,
}

impl EngineEvent {
    /// Whether it is one of the three events that each health probe makes.
    pub fn is_exec(&self) -> bool {
        self.action.starts_with("exec_")
    }
}

/// docker/info.
pub fn info(facts: &EngineFacts) -> Metric {
    Metric {
        module: "docker",
        metricset: "info",
        fields: json!({
            "id": facts.id,
            "containers": {
                "total": facts.containers, "running": facts.running,
                "paused": facts.paused, "stopped": facts.stopped,
            },
            "images": facts.images,
        }),
        ..Metric::default()
    }
}

/// docker/image.
pub fn image(image: &ImageMeta) -> Metric {
    let mut fields = json!({
        "id": { "current": image.id, "parent": image.parent },
        "created": time_text(image.created_ms),
        "size": { "virtual": image.size, "regular": image.size },
        "tags": image.tags.iter().take(32).collect::<Vec<_>>(),
    });
    let labels = dedot(&image.labels);
    if !labels.is_empty() {
        fields["labels"] = json!(labels);
    }
    Metric {
        module: "docker",
        metricset: "image",
        key: image.id.clone(),
        fields,
        ..Metric::default()
    }
}

/// docker/event.
pub fn event(event: &EngineEvent) -> Metric {
    let action = redact::command(cut(&event.action, 1024));
    let mut fields = json!({
        "id": event.actor_id,
        "type": event.kind,
        "action": action,
        "status": action,
        "actor": { "id": event.actor_id, "attributes": dedot(&event.attributes) },
    });
    if let Some(image) = event.attributes.get("image") {
        fields["from"] = Value::String(image.clone());
    }
    Metric {
        module: "docker",
        metricset: "event",
        key: format!(
            "{}/{}/{}/{}",
            event.time_ns, event.kind, event.action, event.actor_id
        ),
        fields,
        ..Metric::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_of_an_exec_event_is_redacted() {
        let metric = event(&EngineEvent {
            action: "exec_create: mysql --password=hunter2".into(),
            attributes: BTreeMap::from([("image".into(), "st:1".into())]),
            ..EngineEvent::default()
        });
        assert_eq!(
            metric.fields["action"],
            "exec_create: mysql --password=[redacted]"
        );
        assert_eq!(metric.fields["from"], "st:1");
    }
}
