//! How one instance is, from what was decided and what was seen of it. Not here: what follows for its
//! resource, deployment and platform (`health`).

use wharf_proto::{times, v1};

use super::Graces;
use crate::{
    observe::{Health, InstanceState, Observations},
    plan::step::describe,
    state::{HostLoss, InstanceRecord, State, Want},
};

/// An instance as users see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceView {
    /// What it does.
    pub state: v1::InstanceState,
    /// How it is.
    pub health: Health,
    /// Why it is not healthy; empty when it is.
    pub reason: String,
}

/// How an instance is.
#[must_use]
pub fn instance(
    state: &State,
    observed: &Observations,
    instance: &InstanceRecord,
    graces: &Graces,
    now_ms: u64,
) -> InstanceView {
    let view = |state, health, reason: String| InstanceView {
        state,
        health,
        reason,
    };
    let Some(berth) = &instance.berth else {
        return view(
            v1::InstanceState::Pending,
            Health::Unknown,
            "not yet placed".to_owned(),
        );
    };
    if instance.want == Want::Keep {
        return view(
            v1::InstanceState::Stopped,
            Health::Unknown,
            "stopped by request; its data is kept".to_owned(),
        );
    }
    if instance.paused {
        return view(
            v1::InstanceState::Stopped,
            Health::Unknown,
            "paused by request; its data, place and memory are kept".to_owned(),
        );
    }
    if instance.want == Want::Reserved {
        return view(
            v1::InstanceState::Pending,
            Health::Unknown,
            "not yet started".to_owned(),
        );
    }
    let host = state
        .allocators
        .get(&berth.allocator_id)
        .map_or(berth.allocator_id.as_str(), |known| known.host.as_str());
    if let Some(silence_ms) = observed.allocator_silence_ms(&berth.allocator_id, now_ms)
        && silence_ms > graces.allocator_ms
    {
        return view(
            v1::InstanceState::Lost,
            Health::Unknown,
            lost(state, instance, host, now_ms.saturating_sub(silence_ms)),
        );
    }
    let Some(seen) = observed.instance(&berth.allocator_id, &instance.id) else {
        return view(
            v1::InstanceState::Pending,
            Health::Unknown,
            format!("the allocator on {host} has not yet reported it"),
        );
    };
    let word = match seen.state {
        InstanceState::Unknown => v1::InstanceState::Unspecified,
        InstanceState::Pending => v1::InstanceState::Pending,
        InstanceState::Starting => v1::InstanceState::Starting,
        InstanceState::Running => v1::InstanceState::Running,
        InstanceState::Stopped => v1::InstanceState::Stopped,
        InstanceState::Failed => v1::InstanceState::Failed,
    };
    match (seen.state, seen.health) {
        (InstanceState::Running, Health::Healthy) => view(word, Health::Healthy, String::new()),
        (InstanceState::Running, Health::Degraded) => view(word, Health::Degraded, describe(seen)),
        (InstanceState::Running | InstanceState::Starting, Health::Unknown)
        | (InstanceState::Unknown | InstanceState::Pending, _) => {
            view(word, Health::Unknown, describe(seen))
        }
        _ => view(word, Health::Unhealthy, describe(seen)),
    }
}

/// What an instance on a silent host waits for.
fn lost(state: &State, instance: &InstanceRecord, host: &str, since_ms: u64) -> String {
    let since = times::rfc3339(since_ms);
    let stateless = state.is_stateless(instance);
    let policy = state
        .deployments
        .get(&instance.deployment_id)
        .map(|known| known.on_host_loss)
        .unwrap_or_default();
    if stateless {
        format!("{host}, where it lies, has been silent since {since}")
    } else if policy == HostLoss::Wait {
        format!("waits for {host} since {since}; its data is there and nowhere else")
    } else {
        format!(
            "{host} has been silent since {since}; its data is there and nowhere else, and it takes no \
             writes once its lease is over"
        )
    }
}

/// Whether an instance is not as it could be because somebody asked for that.
#[must_use]
pub fn is_held_back(instance: &InstanceRecord) -> bool {
    instance.paused || instance.routing_stopped
}
