//! The Elastic Common Schema envelope that every document has.
//!
//! Invariants: what does not change between samples is rendered once; a document's objects stay
//! nested (`host.cpu.usage` goes inside `host`), never dotted; `service.name` is the application. The
//! zone alone may change while it is used, for every clone.
//! Not here: the metric itself (`metricset`), log lines (`log`).

use std::sync::{Arc, PoisonError, RwLock};

use serde_json::{Map, Value, json};

use crate::container::{ContainerMeta, NamedId, PlatformRole, cut};
use crate::document::{Document, position_id, push_json, push_time};

/// The version of the Elastic Common Schema that documents follow.
pub const ECS_VERSION: &str = "8.0.0";

/// What is known about the host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostFacts {
    /// The allocator's id, the platform's name of this host.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The processor architecture.
    pub architecture: String,
    /// Its addresses.
    pub ips: Vec<String>,
    /// `debian`.
    pub os_platform: String,
    /// `Debian GNU/Linux`.
    pub os_name: String,
    /// `12 (bookworm)`.
    pub os_version: String,
    /// `6.1.0-18-amd64`.
    pub os_kernel: String,
}

/// Who collects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AgentFacts {
    /// Stable over restarts.
    pub id: String,
    /// New with each start.
    pub ephemeral_id: String,
    /// The program's version.
    pub version: String,
}

/// The parts of a document that stay the same on one host.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// `"host":{…` without the closing brace.
    host_open: Vec<u8>,
    /// `"agent":{…},"ecs":{…}`.
    tail: Vec<u8>,
    /// `,"cloud":{…}`, empty without a zone.
    cloud: Arc<RwLock<Vec<u8>>>,
    /// `"platform":{…}` inside `wharf`.
    platform: Vec<u8>,
    platform_id: String,
    host_id: String,
    engine_address: String,
}

impl Envelope {
    /// Renders what stays the same.
    pub fn new(
        host: &HostFacts,
        agent: &AgentFacts,
        platform: &NamedId,
        zone: &str,
        engine_address: &str,
    ) -> Self {
        let host_json = json!({
            "name": host.name, "hostname": host.name, "id": host.id,
            "architecture": host.architecture,
            "ip": host.ips.iter().take(4).collect::<Vec<_>>(),
            "os": {
                "type": "linux", "platform": host.os_platform, "name": host.os_name,
                "version": host.os_version, "kernel": host.os_kernel,
            },
        });
        let tail = json!({
            "agent": {
                "id": agent.id, "ephemeral_id": agent.ephemeral_id, "name": host.name,
                "type": "wharf", "version": agent.version,
            },
            "ecs": { "version": ECS_VERSION },
        });
        Self {
            host_open: open("host", &host_json),
            tail: inner(&tail),
            cloud: Arc::new(RwLock::new(cloud(zone))),
            platform: inner(&json!({ "platform": named(platform) })),
            platform_id: platform.id.clone(),
            host_id: host.id.clone(),
            engine_address: engine_address.to_owned(),
        }
    }

    /// The host is in another zone from now on.
    pub fn set_zone(&self, zone: &str) {
        *self.cloud.write().unwrap_or_else(PoisonError::into_inner) = cloud(zone);
    }

    /// The host's id, a part of each metric document's id.
    pub fn host_id(&self) -> &str {
        &self.host_id
    }

    /// Writes what stays the same, `host_extra` inside `host`, and the container's part.
    pub(crate) fn write(
        &self,
        out: &mut Vec<u8>,
        host_extra: Option<&Value>,
        container: Option<&ContainerContext>,
    ) {
        self.write_about(out, host_extra, container, None);
    }

    /// The same with `about` inside `wharf`: what a line of the platform's own speaks of.
    pub(crate) fn write_about(
        &self,
        out: &mut Vec<u8>,
        host_extra: Option<&Value>,
        container: Option<&ContainerContext>,
        about: Option<&Value>,
    ) {
        out.extend_from_slice(&self.host_open);
        push_members(out, host_extra);
        out.extend_from_slice(b"},");
        out.extend_from_slice(&self.tail);
        out.extend_from_slice(&self.cloud.read().unwrap_or_else(PoisonError::into_inner));
        out.extend_from_slice(b",\"wharf\":{");
        out.extend_from_slice(&self.platform);
        match (container, about) {
            // One object for both: what is told of an instance stands beside its id and name.
            (Some(container), Some(about)) if container.owner_fields.is_object() => {
                push_members(out, Some(&beside(&container.owner_fields, about)));
            }
            (container, about) => {
                if let Some(container) = container
                    && !container.owner.is_empty()
                {
                    out.push(b',');
                    out.extend_from_slice(&container.owner);
                }
                push_members(out, about);
            }
        }
        out.push(b'}');
    }
}

fn cloud(zone: &str) -> Vec<u8> {
    if zone.is_empty() {
        return Vec::new();
    }
    let mut text = vec![b','];
    text.extend_from_slice(&inner(&json!({ "cloud": { "availability_zone": zone } })));
    text
}

/// The parts of a document that stay the same for one container.
#[derive(Debug, Clone)]
pub struct ContainerContext {
    id: String,
    /// `"container":{…` without the closing brace.
    container_open: Vec<u8>,
    /// The same with labels, as log lines carry it.
    container_with_labels: Vec<u8>,
    /// `"container":{"labels":…}` inside `docker`, empty without labels.
    docker_labels: Value,
    /// `"deployment":…,"resource":…,"instance":…` inside `wharf`, empty when it is not ours.
    owner: Vec<u8>,
    /// The same, null when it is not ours.
    owner_fields: Value,
    /// `,"name":"…"` inside `service`.
    service_name: Vec<u8>,
    /// The platform that its labels name, and its role in it.
    role: Option<(String, PlatformRole)>,
}

impl ContainerContext {
    /// Renders what stays the same.
    pub fn new(meta: &ContainerMeta) -> Self {
        let labels = meta.shipped_labels();
        let mut container = json!({
            "id": meta.id, "name": meta.name, "image": { "name": meta.image },
            "runtime": "docker",
        });
        let container_open = open("container", &container);
        let docker_labels = if labels.is_empty() {
            Value::Null
        } else {
            container["labels"] = json!(labels);
            json!(labels)
        };
        let owner_fields = meta.owner.as_ref().map_or(Value::Null, |owner| {
            json!({
                "deployment": named(&owner.deployment),
                "resource": named(&owner.resource),
                "instance": named(&owner.instance),
            })
        });
        let mut service_name = Vec::new();
        let application = meta.application();
        if !application.is_empty() {
            service_name.extend_from_slice(b"\"name\":");
            push_json(&mut service_name, &application);
        }
        Self {
            id: meta.id.clone(),
            container_open,
            container_with_labels: open("container", &container),
            docker_labels,
            owner: inner(&owner_fields),
            owner_fields,
            service_name,
            role: meta.platform_role(),
        }
    }

    /// Its role, when it is one of the envelope's own platform; labels of another's are not believed.
    pub(crate) fn role_of(&self, envelope: &Envelope) -> Option<PlatformRole> {
        let (platform, role) = self.role.as_ref()?;
        (!platform.is_empty() && *platform == envelope.platform_id).then_some(*role)
    }

    pub(crate) fn container_open(&self) -> &[u8] {
        &self.container_open
    }

    /// The container's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn container_with_labels(&self) -> &[u8] {
        &self.container_with_labels
    }

    pub(crate) fn service_name(&self) -> &[u8] {
        &self.service_name
    }
}

/// One event of a metricset, before it becomes a document.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metric {
    /// `docker` or `system`.
    pub module: &'static str,
    /// The metricset's name, as in the data stream's.
    pub metricset: &'static str,
    /// Where the fields go inside the module: `["process", "summary"]`.
    pub path: &'static [&'static str],
    /// `event.dataset`, where it is not `module.metricset`.
    pub dataset: Option<&'static str>,
    /// What tells this event from others of the same metricset, time and container.
    pub key: String,
    /// The fields.
    pub fields: Value,
    /// Members of `host`.
    pub host: Option<Value>,
    /// Members of `container`.
    pub container: Option<Value>,
    /// Members at the root.
    pub root: Option<Value>,
    /// Members of `service`, where it is not the container's application.
    pub service: Option<Value>,
}

/// When and how a metricset was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reading {
    /// The time that its documents bear.
    pub at_ms: i64,
    /// How long it took.
    pub duration_ns: Option<u64>,
    /// How often it is read; `None` for what is pushed.
    pub period_ms: Option<u64>,
}

impl Metric {
    /// Renders the document.
    pub fn document(
        &self,
        envelope: &Envelope,
        container: Option<&ContainerContext>,
        reading: Reading,
    ) -> Document {
        let mut out = Vec::with_capacity(1536);
        out.extend_from_slice(b"{\"@timestamp\":\"");
        push_time(&mut out, reading.at_ms);
        out.extend_from_slice(b"\",\"data_stream\":{\"type\":\"metrics\",\"dataset\":\"");
        push_dataset(&mut out, self);
        out.extend_from_slice(b"\",\"namespace\":\"default\"},");
        let module = self.module_object(container);
        // The platform's own fields stand in the object that every document has anyway.
        let about = module.get("wharf");
        envelope.write_about(&mut out, self.host.as_ref(), container, about);
        out.extend_from_slice(b",\"event\":{\"module\":\"");
        out.extend_from_slice(self.module.as_bytes());
        out.extend_from_slice(b"\",\"dataset\":\"");
        match self.dataset {
            Some(dataset) => out.extend_from_slice(dataset.as_bytes()),
            None => push_dataset(&mut out, self),
        }
        out.push(b'"');
        push_number(&mut out, b",\"duration\":", reading.duration_ns);
        out.extend_from_slice(b"},\"metricset\":{\"name\":\"");
        out.extend_from_slice(self.metricset.as_bytes());
        out.push(b'"');
        push_number(&mut out, b",\"period\":", reading.period_ms);
        out.extend_from_slice(b"},\"service\":{\"type\":\"");
        out.extend_from_slice(self.module.as_bytes());
        out.push(b'"');
        if self.module == "docker" && !envelope.engine_address.is_empty() {
            out.extend_from_slice(b",\"address\":");
            push_json(&mut out, &envelope.engine_address);
        }
        let service_name = container.map_or(&[][..], |container| &container.service_name);
        if !service_name.is_empty() {
            out.push(b',');
            out.extend_from_slice(service_name);
        }
        push_members(&mut out, self.service.as_ref());
        out.push(b'}');
        if let Some(container) = container {
            out.push(b',');
            out.extend_from_slice(&container.container_open);
            push_members(&mut out, self.container.as_ref());
            out.push(b'}');
        }
        if about.is_none() {
            push_members(&mut out, Some(&module));
        }
        push_members(&mut out, self.root.as_ref());
        out.push(b'}');
        let container_id = container.map_or("", |container| &container.id);
        let id = position_id(&[
            envelope.host_id.as_bytes(),
            self.module.as_bytes(),
            self.metricset.as_bytes(),
            container_id.as_bytes(),
            self.key.as_bytes(),
            &reading.at_ms.to_le_bytes(),
        ]);
        let stream = format!("metrics-{}.{}-default", self.module, self.metricset);
        Document {
            stream,
            id,
            body: out,
        }
    }

    /// The module's object: the fields at their path, and Docker's labels.
    fn module_object(&self, container: Option<&ContainerContext>) -> Value {
        let mut module = Map::new();
        if let Some(labels) = container.map(|container| &container.docker_labels)
            && !labels.is_null()
            && self.module == "docker"
        {
            module.insert("container".to_owned(), json!({ "labels": labels }));
        }
        let path = if self.path.is_empty() {
            &[self.metricset][..]
        } else {
            self.path
        };
        let mut fields = self.fields.clone();
        for step in path.iter().skip(1).rev() {
            let mut object = Map::new();
            object.insert((*step).to_owned(), fields);
            fields = Value::Object(object);
        }
        let first = path.first().copied().unwrap_or(self.metricset);
        match (module.get_mut(first), fields) {
            // docker/container's fields stand beside the labels.
            (Some(Value::Object(present)), Value::Object(fields)) => present.extend(fields),
            (_, fields) => {
                module.insert(first.to_owned(), fields);
            }
        }
        let mut root = Map::new();
        root.insert(self.module.to_owned(), Value::Object(module));
        Value::Object(root)
    }
}

/// The members of both objects; of a member that both have as an object, the members of both.
fn beside(object: &Value, other: &Value) -> Value {
    let mut all = object.clone();
    for (key, value) in other.as_object().into_iter().flatten() {
        match (&mut all[key], value) {
            (Value::Object(present), Value::Object(more)) => {
                let more = more.iter().map(|(key, value)| (key.clone(), value.clone()));
                present.extend(more);
            }
            (place, value) => *place = value.clone(),
        }
    }
    all
}

fn push_dataset(out: &mut Vec<u8>, metric: &Metric) {
    out.extend_from_slice(metric.module.as_bytes());
    out.push(b'.');
    out.extend_from_slice(metric.metricset.as_bytes());
}

fn push_number(out: &mut Vec<u8>, prefix: &[u8], value: Option<u64>) {
    if let Some(value) = value {
        out.extend_from_slice(prefix);
        out.extend_from_slice(value.to_string().as_bytes());
    }
}

/// Appends `,` and an object's members without its braces.
pub(crate) fn push_members(out: &mut Vec<u8>, object: Option<&Value>) {
    if let Some(object) = object {
        let members = inner(object);
        if !members.is_empty() {
            out.push(b',');
            out.extend_from_slice(&members);
        }
    }
}

/// An object without its braces.
fn inner(object: &Value) -> Vec<u8> {
    let mut text = object.to_string().into_bytes();
    if text.len() < 2 || text[0] != b'{' {
        return Vec::new();
    }
    text.pop();
    text.remove(0);
    text
}

/// `"key":{…` without the closing brace.
fn open(key: &str, object: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    push_json(&mut out, key);
    out.push(b':');
    out.push(b'{');
    out.extend_from_slice(&inner(object));
    out
}

fn named(id: &NamedId) -> Value {
    json!({ "id": cut(&id.id, 128), "name": cut(&id.name, 256) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_zone_is_in_every_document_from_then_on() {
        let (host, agent) = (HostFacts::default(), AgentFacts::default());
        let envelope = Envelope::new(&host, &agent, &NamedId::default(), "zone-1", "");
        let clone = envelope.clone();
        let zone = || -> Value {
            let mut text = vec![b'{'];
            clone.write(&mut text, None, None);
            text.push(b'}');
            let document: Value = serde_json::from_slice(&text).unwrap();
            assert_eq!(document["ecs"]["version"], ECS_VERSION);
            document["cloud"]["availability_zone"].clone()
        };
        assert_eq!(zone(), "zone-1");
        envelope.set_zone("zone \"2\"");
        assert_eq!(zone(), "zone \"2\"");
        envelope.set_zone("");
        assert_eq!(zone(), Value::Null);
    }
}
