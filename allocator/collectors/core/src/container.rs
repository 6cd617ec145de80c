//! A container as the engine describes it, and what is derived from that.
//!
//! Invariants: the application name is never empty for a container that has an image or a name;
//! labels are bounded in number and size before they reach a document.
//! Not here: reading the engine (the allocator does), samples (`metricset`).

use std::collections::BTreeMap;

/// An id with a name for people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NamedId {
    /// The id.
    pub id: String,
    /// The name.
    pub name: String,
}

/// What the platform runs in a container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owner {
    /// The deployment.
    pub deployment: NamedId,
    /// Its resource.
    pub resource: NamedId,
    /// The instance.
    pub instance: NamedId,
}

/// A container's life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ContainerState {
    /// Made, never started.
    #[default]
    Created,
    /// Runs.
    Running,
    /// Frozen.
    Paused,
    /// Being restarted.
    Restarting,
    /// Being removed.
    Removing,
    /// Ended.
    Exited,
    /// Could not be removed.
    Dead,
}

impl ContainerState {
    /// Reads the engine's word.
    pub fn parse(word: &str) -> Self {
        match word {
            "running" => Self::Running,
            "paused" => Self::Paused,
            "restarting" => Self::Restarting,
            "removing" => Self::Removing,
            "exited" => Self::Exited,
            "dead" => Self::Dead,
            _ => Self::Created,
        }
    }

    /// The engine's word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Removing => "removing",
            Self::Exited => "exited",
            Self::Dead => "dead",
        }
    }

    /// Whether it has processes.
    pub fn is_alive(self) -> bool {
        matches!(self, Self::Running | Self::Paused)
    }
}

/// One run of a health check.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HealthProbe {
    /// When it started.
    pub start_ms: i64,
    /// When it ended.
    pub end_ms: i64,
    /// What it returned.
    pub exit_code: i64,
    /// What it printed.
    pub output: String,
}

/// A container's health check.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// `starting`, `healthy` or `unhealthy`.
    pub status: String,
    /// Failures in a row.
    pub failing_streak: u64,
    /// The last run.
    pub last: Option<HealthProbe>,
}

/// A container as the engine describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContainerMeta {
    /// 64 hex digits.
    pub id: String,
    /// Its name without the leading slash.
    pub name: String,
    /// The image as it was asked for.
    pub image: String,
    /// The image's id.
    pub image_id: String,
    /// The command as the engine prints it.
    pub command: String,
    /// Labels as they are.
    pub labels: BTreeMap<String, String>,
    /// The first process, as the host sees it.
    pub pid: Option<u32>,
    /// When it was made.
    pub created_ms: i64,
    /// When it last started.
    pub started_ms: Option<i64>,
    /// When it last ended.
    pub finished_ms: Option<i64>,
    /// Its life.
    pub state: ContainerState,
    /// What it returned.
    pub exit_code: Option<i64>,
    /// The kernel ended a process of its last run for want of memory.
    pub out_of_memory: bool,
    /// How often the engine has started it again by itself.
    pub restarts: u32,
    /// Its json-file log, as the engine names it.
    pub log_path: Option<String>,
    /// Its health check, when it has one.
    pub health: Option<Health>,
    /// The parent control group, when it was set.
    pub cgroup_parent: Option<String>,
    /// The memory limit that was asked for.
    pub memory_limit: Option<u64>,
    /// Its addresses.
    pub ip_addresses: Vec<String>,
    /// Whether it shares the host's network: then it has no network of its own to measure.
    pub host_network: bool,
    /// Bytes that it wrote over its image, when the engine was asked.
    pub size_rw: Option<i64>,
    /// Bytes of its file system, when the engine was asked.
    pub size_root_fs: Option<i64>,
    /// The application, when the allocator knows better than the labels.
    pub application: Option<String>,
    /// What the platform runs in it, when it does.
    pub owner: Option<Owner>,
}

/// What a container of a platform is, besides an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlatformRole {
    /// Control plane.
    Director,
    /// A host's agent.
    Allocator,
    /// Client traffic.
    Proxy,
}

impl PlatformRole {
    /// `service.name` of what it logs and uses.
    #[must_use]
    pub fn service(self) -> &'static str {
        match self {
            Self::Director => "wharf-director",
            Self::Allocator => "wharf-allocator",
            Self::Proxy => "wharf-proxy",
        }
    }
}

/// The label that names a container's platform.
const PLATFORM_LABEL: &str = "io.wharfinger.platform";
/// The label that names its role.
const ROLE_LABEL: &str = "io.wharfinger.role";
/// The role that instances carry.
const INSTANCE_ROLE: &str = "instance";

/// The most labels of one container that are shipped.
pub const MAX_LABELS: usize = 64;
const MAX_LABEL_KEY: usize = 128;
const MAX_LABEL_VALUE: usize = 1024;

impl ContainerMeta {
    /// The platform that its labels name, and its role there; an instance has none.
    #[must_use]
    pub fn platform_role(&self) -> Option<(String, PlatformRole)> {
        let role = match self.labels.get(ROLE_LABEL)?.as_str() {
            "director" => PlatformRole::Director,
            "allocator" => PlatformRole::Allocator,
            "proxy" => PlatformRole::Proxy,
            _ => return None,
        };
        Some((self.labels.get(PLATFORM_LABEL)?.clone(), role))
    }

    /// Whose instance it is, when it is one of this platform's. Labels are anybody's words, so an id is
    /// taken for one only when it has the form of one.
    #[must_use]
    pub fn instance_of(&self, platform_id: &str) -> Option<&Owner> {
        let label = |key: &str| self.labels.get(key).map(String::as_str);
        let owner = self.owner.as_ref()?;
        let is_ours = !platform_id.is_empty() && label(PLATFORM_LABEL) == Some(platform_id);
        let is_id = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        let id = owner.instance.id.as_bytes();
        let fits = id.len() == 32 && id.iter().copied().all(is_id);
        (is_ours && label(ROLE_LABEL) == Some(INSTANCE_ROLE) && fits).then_some(owner)
    }

    /// The application that runs in it: the platform's role, what the allocator says, the `app`
    /// label, the compose service, the compose project, else the image's base name.
    pub fn application(&self) -> String {
        if let Some((_, role)) = self.platform_role() {
            return role.service().to_owned();
        }
        let label = |key: &str| self.labels.get(key).filter(|value| !value.is_empty());
        let named = self
            .application
            .as_ref()
            .filter(|name| !name.is_empty())
            .or_else(|| label("app"))
            .or_else(|| label("app.kubernetes.io/name"))
            .or_else(|| label("com.docker.compose.service"))
            .or_else(|| label("com.docker.compose.project"));
        match named {
            Some(name) => cut(name, MAX_LABEL_KEY).to_owned(),
            None => image_base(&self.image).unwrap_or(&self.name).to_owned(),
        }
    }

    /// Labels as documents carry them: dots replaced, the platform's own left out (they are in
    /// `wharf.*`), bounded.
    pub fn shipped_labels(&self) -> BTreeMap<String, String> {
        dedot(&self.labels)
    }

    /// The engine's line about a container's life: `Up 57 minutes (healthy)`.
    pub fn status_text(&self, now_ms: i64) -> String {
        let since = |at: Option<i64>| human_duration(now_ms.saturating_sub(at.unwrap_or(now_ms)));
        match self.state {
            ContainerState::Running | ContainerState::Paused => {
                let up = since(self.started_ms);
                match (&self.health, self.state) {
                    (_, ContainerState::Paused) => format!("Up {up} (Paused)"),
                    (Some(health), _) if health.status == "starting" => {
                        format!("Up {up} (health: starting)")
                    }
                    (Some(health), _) if !matches!(health.status.as_str(), "" | "none") => {
                        format!("Up {up} ({})", health.status)
                    }
                    _ => format!("Up {up}"),
                }
            }
            ContainerState::Restarting => format!(
                "Restarting ({}) {} ago",
                self.exit_code.unwrap_or(0),
                since(self.finished_ms)
            ),
            ContainerState::Exited => {
                format!(
                    "Exited ({}) {} ago",
                    self.exit_code.unwrap_or(0),
                    since(self.finished_ms)
                )
            }
            ContainerState::Created => "Created".to_owned(),
            ContainerState::Removing => "Removal In Progress".to_owned(),
            ContainerState::Dead => "Dead".to_owned(),
        }
    }
}

/// Labels or event attributes as documents carry them.
pub fn dedot(labels: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    labels
        .iter()
        .filter(|(key, _)| !key.is_empty() && !key.starts_with("io.wharfinger."))
        .take(MAX_LABELS)
        .map(|(key, value)| {
            (
                cut(key, MAX_LABEL_KEY).replace('.', "_"),
                cut(value, MAX_LABEL_VALUE).to_owned(),
            )
        })
        .collect()
}

/// The longest start of a text that has at most so many bytes.
pub(crate) fn cut(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// `registry:5000/team/app:1.2@sha256:…` → `app`.
fn image_base(image: &str) -> Option<&str> {
    let image = image.split('@').next()?;
    let last = image.rsplit('/').next()?;
    let base = last.split(':').next()?;
    // An image without a name is shown by its digest, which names no application.
    (!base.is_empty() && base != "sha256").then_some(base)
}

/// Durations as the engine's command line prints them.
fn human_duration(ms: i64) -> String {
    let seconds = ms.max(0) / 1000;
    let minutes = seconds / 60;
    let hours = (seconds as f64 / 3600.0).round() as i64;
    match seconds {
        0 => "Less than a second".to_owned(),
        1 => "1 second".to_owned(),
        2..60 => format!("{seconds} seconds"),
        60..120 => "About a minute".to_owned(),
        120..3600 => format!("{minutes} minutes"),
        _ if hours <= 1 => "About an hour".to_owned(),
        _ if hours < 48 => format!("{hours} hours"),
        _ if hours < 24 * 14 => format!("{} days", hours / 24),
        _ if hours < 24 * 60 => format!("{} weeks", hours / 24 / 7),
        _ if hours < 24 * 365 * 2 => format!("{} months", hours / 24 / 30),
        _ => format!("{} years", hours / 24 / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labelled(pairs: &[(&str, &str)]) -> ContainerMeta {
        ContainerMeta {
            name: "web_1".into(),
            image: "registry:5000/team/shop:1.2@sha256:abc".into(),
            labels: pairs
                .iter()
                .map(|(k, v)| ((*k).into(), (*v).into()))
                .collect(),
            ..ContainerMeta::default()
        }
    }

    #[test]
    fn the_application_is_label_then_service_then_project_then_image() {
        let project = ("com.docker.compose.project", "shop");
        let service = ("com.docker.compose.service", "cart");
        assert_eq!(
            labelled(&[project, service, ("app", "checkout")]).application(),
            "checkout"
        );
        assert_eq!(labelled(&[project, service]).application(), "cart");
        assert_eq!(labelled(&[project]).application(), "shop");
        assert_eq!(labelled(&[]).application(), "shop");
        let bare = ContainerMeta {
            image: "sha256:abcd".into(),
            ..labelled(&[])
        };
        assert_eq!(bare.application(), "web_1");
    }

    #[test]
    fn labels_are_dedotted_and_bounded() {
        let mut meta = labelled(&[("io.wharfinger.platform", "x"), ("a.b", "c")]);
        meta.labels.insert("big".into(), "é".repeat(4000));
        for index in 0..200 {
            meta.labels.insert(format!("k{index}"), String::new());
        }
        let shipped = meta.shipped_labels();
        assert_eq!(shipped["a_b"], "c");
        assert_eq!(shipped.len(), MAX_LABELS);
        assert!(shipped["big"].len() <= 1024);
        assert!(!shipped.keys().any(|key| key.starts_with("io_wharfinger")));
    }

    #[test]
    fn the_status_reads_as_the_engine_prints_it() {
        let meta = ContainerMeta {
            state: ContainerState::Running,
            started_ms: Some(0),
            health: Some(Health {
                status: "unhealthy".into(),
                ..Health::default()
            }),
            ..ContainerMeta::default()
        };
        assert_eq!(meta.status_text(57 * 60_000), "Up 57 minutes (unhealthy)");
        assert_eq!(meta.status_text(65_000), "Up About a minute (unhealthy)");
        assert_eq!(meta.status_text(3 * 86_400_000), "Up 3 days (unhealthy)");
    }
}
