//! What the engine shows of the platform's containers: state, exit code, kill for memory, the last
//! lines of those that ended.
//!
//! Invariants: one observation is a list followed by an inspection of each, so it may miss what
//! changes meanwhile but never mixes two containers; log lines are read once per exit, at most
//! [`TAIL_LINES`] of at most [`TAIL_BYTES`]. Not here: containers of others (`inventory.rs`).

use std::collections::{HashMap, HashSet};

use bollard::{
    models::{
        ContainerConfig, ContainerInspectResponse, ContainerState, ContainerStateStatusEnum,
        ContainerSummary,
    },
    query_parameters::{ListContainersOptionsBuilder, LogsOptionsBuilder},
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use wharf_allocator_core::observed::{Exit, ObservedContainer, RunState};

use super::{
    engine::{CALL_DEADLINE, Engine, EngineError},
    labels,
};

/// Lines kept of a container that ended.
pub const TAIL_LINES: usize = 20;
/// Bytes kept of each.
pub const TAIL_BYTES: usize = 500;
/// Inspections at a time.
const PARALLEL: usize = 8;

/// A container of the platform.
#[derive(Debug, Clone)]
pub struct Seen {
    /// What deciding needs.
    pub observed: ObservedContainer,
    /// Its name without the slash.
    pub name: String,
    /// `director`, `allocator`, `proxy`, `instance`.
    pub role: String,
    /// The host port that its label names.
    pub port: u32,
    /// Its last lines, when it ended.
    pub tail: Vec<String>,
}

/// Observes one platform's containers, remembering the lines of those that ended.
#[derive(Debug)]
pub struct Observer {
    platform_id: String,
    tails: HashMap<(String, i64), Vec<String>>,
}

impl Observer {
    /// An observer of one platform.
    #[must_use]
    pub fn new(platform_id: &str) -> Self {
        Self {
            platform_id: platform_id.to_owned(),
            tails: HashMap::new(),
        }
    }

    /// Every container of the platform, roles included.
    ///
    /// # Errors
    /// When the engine does not answer; a container that vanishes meanwhile is left out, and one
    /// that the engine lists but does not describe is [`RunState::Unreadable`].
    pub async fn observe(&mut self, engine: &Engine) -> Result<Vec<Seen>, EngineError> {
        let listed = list(engine, &labels::filter(&self.platform_id)).await?;
        let found: Vec<Result<Option<Seen>, EngineError>> = stream::iter(listed)
            .map(|one| async move {
                match inspect(engine, one.id.as_deref().unwrap_or_default()).await {
                    Ok(found) => Ok(found.as_ref().map(seen)),
                    Err(error) if error.is_down() => Err(error),
                    Err(error) => Ok(Some(unreadable(one, &error.to_string()))),
                }
            })
            .buffer_unordered(PARALLEL)
            .collect()
            .await;
        let mut all = Vec::with_capacity(found.len());
        for one in found {
            all.extend(one?);
        }
        // The filter is the engine's; this is ours.
        all.retain(|one: &Seen| one.observed.platform_id == self.platform_id);
        all.sort_by(|a, b| a.observed.id.cmp(&b.observed.id));
        self.read_tails(engine, &mut all).await;
        Ok(all)
    }

    async fn read_tails(&mut self, engine: &Engine, all: &mut [Seen]) {
        let mut current = HashSet::new();
        for one in all.iter_mut() {
            let RunState::Exited(exit) = &one.observed.state else {
                continue;
            };
            if one.role != labels::INSTANCE_ROLE {
                continue;
            }
            let key = (one.observed.id.clone(), exit.at_ms);
            current.insert(key.clone());
            let tail = match self.tails.get(&key) {
                Some(tail) => tail.clone(),
                None => {
                    let tail = tail(engine, &one.observed.id).await;
                    self.tails.insert(key, tail.clone());
                    tail
                }
            };
            one.tail = tail;
        }
        self.tails.retain(|key, _| current.contains(key));
    }
}

/// Ids of the containers that a filter lets through, running or not.
pub(crate) async fn list_ids(
    engine: &Engine,
    filter: &HashMap<String, Vec<String>>,
) -> Result<Vec<String>, EngineError> {
    let list = list(engine, filter).await?;
    Ok(list.into_iter().filter_map(|one| one.id).collect())
}

async fn list(
    engine: &Engine,
    filter: &HashMap<String, Vec<String>>,
) -> Result<Vec<ContainerSummary>, EngineError> {
    let options = ListContainersOptionsBuilder::new()
        .all(true)
        .filters(filter)
        .build();
    let list = engine.docker().list_containers(Some(options));
    engine.call("list containers", CALL_DEADLINE, list).await
}

/// What the list says of a container that cannot be inspected.
fn unreadable(one: ContainerSummary, why: &str) -> Seen {
    let name = one.names.into_iter().flatten().next();
    let mut as_seen = seen(&ContainerInspectResponse {
        id: one.id,
        name,
        image: one.image_id,
        config: Some(ContainerConfig {
            labels: one.labels,
            ..ContainerConfig::default()
        }),
        ..ContainerInspectResponse::default()
    });
    as_seen.observed.created_ms = one.created.unwrap_or(0).saturating_mul(1000);
    as_seen.observed.state = RunState::Unreadable(why.chars().take(300).collect());
    as_seen
}

/// One container; nothing when it is gone.
pub(crate) async fn inspect(
    engine: &Engine,
    id: &str,
) -> Result<Option<ContainerInspectResponse>, EngineError> {
    let inspect = engine.docker().inspect_container(id, None);
    match engine
        .call("inspect a container", CALL_DEADLINE, inspect)
        .await
    {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(error),
    }
}

/// From the engine's answer to what is known of a container of ours.
pub(crate) fn seen(found: &ContainerInspectResponse) -> Seen {
    let labels = found
        .config
        .as_ref()
        .and_then(|config| config.labels.as_ref());
    let label = |key: &str| {
        labels
            .and_then(|labels| labels.get(key))
            .map(String::as_str)
            .unwrap_or_default()
    };
    let role = label(labels::ROLE).to_owned();
    let instance = if role == labels::INSTANCE_ROLE {
        label(labels::INSTANCE).parse().ok()
    } else {
        None
    };
    let state = found.state.as_ref();
    Seen {
        observed: ObservedContainer {
            id: found.id.clone().unwrap_or_default(),
            platform_id: label(labels::PLATFORM).to_owned(),
            instance_id: instance,
            spec_hash: label(labels::SPEC).to_owned(),
            image_id: found.image.clone().unwrap_or_default(),
            state: state.map_or(RunState::Changing, run_state),
            created_ms: found
                .created
                .as_ref()
                .and_then(|text| time_ms(text))
                .unwrap_or(0),
            started_ms: state
                .and_then(|state| state.started_at.as_deref())
                .and_then(time_ms),
        },
        name: found
            .name
            .as_deref()
            .unwrap_or_default()
            .trim_start_matches('/')
            .to_owned(),
        role,
        port: label(labels::PORT).parse().unwrap_or(0),
        tail: Vec::new(),
    }
}

fn run_state(state: &ContainerState) -> RunState {
    match state.status {
        Some(ContainerStateStatusEnum::CREATED) => RunState::Created,
        Some(ContainerStateStatusEnum::RUNNING) => RunState::Running,
        Some(ContainerStateStatusEnum::PAUSED) => RunState::Paused,
        Some(ContainerStateStatusEnum::EXITED) => RunState::Exited(Exit {
            code: state.exit_code.unwrap_or(0),
            out_of_memory: state.oom_killed.unwrap_or(false),
            at_ms: state.finished_at.as_deref().and_then(time_ms).unwrap_or(0),
            error: state.error.clone().unwrap_or_default(),
        }),
        Some(ContainerStateStatusEnum::DEAD) => RunState::Dead,
        Some(ContainerStateStatusEnum::REMOVING) => RunState::Removing,
        _ => RunState::Changing,
    }
}

/// The engine's time as milliseconds; its zero time is nothing.
#[must_use]
pub fn time_ms(text: &str) -> Option<i64> {
    let at = text.parse::<jiff::Timestamp>().ok()?.as_millisecond();
    (at > 0).then_some(at)
}

/// The last lines of a container's log, both streams, at most so many bytes.
///
/// # Errors
/// When the engine does not answer in time or keeps no log of it.
pub async fn log_tail(
    engine: &Engine,
    container: &str,
    lines: u32,
    max_bytes: usize,
) -> Result<String, EngineError> {
    let options = LogsOptionsBuilder::new()
        .stdout(true)
        .stderr(true)
        .timestamps(true)
        .tail(&lines.to_string())
        .build();
    let logs = engine.docker().logs(container, Some(options));
    let read = logs.try_fold(Vec::new(), |mut text: Vec<u8>, chunk| async move {
        let bytes = chunk.into_bytes();
        let room = max_bytes.saturating_sub(text.len());
        text.extend_from_slice(&bytes[..bytes.len().min(room)]);
        Ok(text)
    });
    let text = engine
        .call("give a container's log", CALL_DEADLINE, read)
        .await?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

async fn tail(engine: &Engine, container: &str) -> Vec<String> {
    let options = LogsOptionsBuilder::new()
        .stdout(true)
        .stderr(true)
        .tail(&TAIL_LINES.to_string())
        .build();
    let mut logs = engine.docker().logs(container, Some(options)).boxed();
    let mut text = Vec::new();
    let read = async {
        // Lines come one by one; whatever is longer than this is cut below anyway.
        while let Some(Ok(chunk)) = logs.next().await {
            text.extend_from_slice(&chunk.into_bytes());
            if text.len() > TAIL_LINES * 16 * 1024 {
                break;
            }
        }
    };
    if tokio::time::timeout(CALL_DEADLINE, read).await.is_err() {
        tracing::debug!(
            container,
            "the log of an ended container was not read in time"
        );
    }
    lines(&text)
}

fn lines(text: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(text);
    let all: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let first = all.len().saturating_sub(TAIL_LINES);
    all[first..]
        .iter()
        .map(|line| cut(line, TAIL_BYTES))
        .collect()
}

fn cut(line: &str, bytes: usize) -> String {
    let mut end = line.len().min(bytes);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    line[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engines_times_are_read_and_its_zero_is_nothing() {
        assert_eq!(
            time_ms("2024-01-02T03:04:05.678901234Z"),
            Some(1_704_164_645_678)
        );
        assert_eq!(time_ms("0001-01-01T00:00:00Z"), None);
        assert_eq!(time_ms("yesterday"), None);
    }

    #[test]
    fn what_cannot_be_inspected_is_known_by_the_list() {
        let instance = "1".repeat(32);
        let text = format!(
            r#"{{"Id":"abc","Names":["/wharf-x"],"ImageID":"sha256:1","Created":5,"Labels":
            {{"io.wharfinger.platform":"p","io.wharfinger.role":"instance",
            "io.wharfinger.instance":"{instance}","io.wharfinger.spec":"s"}}}}"#
        );
        let one = unreadable(serde_json::from_str(&text).unwrap(), "input/output error");
        assert_eq!(
            (one.name.as_str(), one.role.as_str()),
            ("wharf-x", "instance")
        );
        let seen = one.observed;
        assert_eq!(seen.instance_id.unwrap().as_str(), instance);
        assert_eq!(
            (seen.platform_id.as_str(), seen.spec_hash.as_str()),
            ("p", "s")
        );
        assert_eq!(
            (seen.image_id.as_str(), seen.created_ms),
            ("sha256:1", 5_000)
        );
        assert_eq!(
            seen.state,
            RunState::Unreadable("input/output error".to_owned())
        );
    }

    #[test]
    fn the_tail_is_the_last_lines_each_cut_at_a_character() {
        let mut text = (0..30).map(|n| format!("line {n}\n")).collect::<String>();
        text.push_str(&"ö".repeat(400));
        let lines = lines(text.as_bytes());
        assert_eq!(lines.len(), TAIL_LINES);
        assert_eq!(lines[0], "line 11");
        assert_eq!(lines[TAIL_LINES - 1].len(), TAIL_BYTES);
    }
}
