//! What is told of an instance after a decision. Invariants: one sentence and one code say why it is
//! not as it should be; nothing here changes what is done. Not here: the contract's messages (the shell).

use wharf_proto::ids::InstanceId;

use super::{Known, Round};
use crate::observed::{Exit, ObservedContainer, RunState};

/// What an instance does, for the report to the directors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstanceState {
    /// No container yet.
    Pending,
    /// It is being started.
    Starting,
    /// Its process runs.
    Running,
    /// It does not run and shall not.
    Stopped,
    /// It should run and cannot.
    Failed,
}

/// What is known of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceView {
    /// The instance.
    pub id: InstanceId,
    /// What it does.
    pub state: InstanceState,
    /// The container that stands for it.
    pub container: Option<String>,
    /// The revision that the container has.
    pub spec_hash: String,
    /// The image that the container has.
    pub image_id: String,
    /// One sentence.
    pub reason: String,
    /// A code when it cannot be started.
    pub error_code: String,
    /// Exits that nobody asked for.
    pub restarts: u32,
    /// When the container was started, by the engine's clock.
    pub started_ms: Option<i64>,
    /// How its last process ended, also while the next one runs.
    pub exit: Option<Exit>,
    /// Its data directory exists.
    pub data_present: bool,
}

impl Round<'_, '_> {
    pub(super) fn view(
        &mut self,
        state: InstanceState,
        container: Option<&ObservedContainer>,
        reason: &str,
    ) -> InstanceView {
        let Known {
            restart, clearing, ..
        } = self.memory.known(self.id);
        let exit = match container.map(|container| &container.state) {
            Some(RunState::Exited(exit)) => Some(exit.clone()),
            // Of one that loops the end before this start is what there is to see.
            _ => restart.last_exit().cloned(),
        };
        let mut view = InstanceView {
            id: self.id.clone(),
            state,
            container: container.map(|container| container.id.clone()),
            spec_hash: container
                .map(|container| container.spec_hash.clone())
                .unwrap_or_default(),
            image_id: container
                .map(|container| container.image_id.clone())
                .unwrap_or_default(),
            reason: reason.to_owned(),
            error_code: String::new(),
            restarts: restart.restarts(),
            started_ms: container.and_then(|container| container.started_ms),
            exit,
            data_present: self.situation.data.contains(self.id),
        };
        if let Some(failure) = clearing.failure() {
            view.reason = format!("{}; {}: {}", view.reason, failure.code, failure.text);
        }
        if matches!(
            state,
            InstanceState::Failed | InstanceState::Pending | InstanceState::Starting
        ) {
            if let Some(failure) = restart.failure() {
                view.error_code.clone_from(&failure.code);
                view.reason = format!("{}; {}", failure.text, view.reason);
            } else if state == InstanceState::Failed {
                let memory = view.exit.as_ref().is_some_and(|exit| exit.out_of_memory);
                view.error_code = if memory { "ALL0016" } else { "ALL0015" }.to_owned();
            }
        }
        view
    }
}

pub(super) fn ended(exit: &Exit) -> String {
    if exit.out_of_memory {
        "it was killed for its memory limit".to_owned()
    } else if exit.error.is_empty() {
        format!("it ended with exit code {}", exit.code)
    } else {
        exit.error.chars().take(300).collect()
    }
}
