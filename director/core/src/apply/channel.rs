//! Applying commands about channels and the platform's own alerts. A channel that the settings name
//! stays; alerts are bounded, and a message leaves its outbox once.

use crate::{
    apply::{check_version, platform::SECRET_BYTES},
    command::{DeleteChannel, PutChannel, RecordAlerts, SettleAlert},
    outcome::Outcome,
    refusal::{Refusal, RefusalKind, codes, cut},
    settings,
    state::{ALERTS_KEPT, CHANNELS_KEPT, ChannelRecord, State},
};

/// Bytes of a channel's name at most.
pub const CHANNEL_NAME_BYTES: usize = 64;

/// Checks a channel's name.
///
/// # Errors
/// When it is empty, too long or has other characters.
pub fn check_channel_name(name: &str) -> Result<(), Refusal> {
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !name.is_empty() && name.len() <= CHANNEL_NAME_BYTES && name.bytes().all(good) {
        return Ok(());
    }
    Err(Refusal::new(
        RefusalKind::InvalidArgument,
        codes::CHANNEL,
        format!("`{}` is no name of a channel", cut(name, 80)),
    )
    .field("channel.name")
    .hint(format!(
        "1 to {CHANNEL_NAME_BYTES} lower-case letters, digits or hyphens"
    )))
}

pub(super) fn put(state: &mut State, body: &PutChannel) -> Result<Outcome, Refusal> {
    check_channel_name(&body.name)?;
    if body.sealed.len() > SECRET_BYTES || body.host.len() > 256 || body.kind.len() > 32 {
        return Err(Refusal::new(
            RefusalKind::InvalidArgument,
            codes::CHANNEL,
            format!("the channel is larger than {SECRET_BYTES} bytes"),
        )
        .field("channel")
        .hint("leave certificates out that are not needed"));
    }
    let known = state.channels.get(&body.name);
    let (created_ms, version) = match (known, body.create) {
        (Some(_), true) => {
            return Err(Refusal::new(
                RefusalKind::AlreadyExists,
                codes::CHANNEL,
                format!("the channel `{}` exists", body.name),
            )
            .field("channel.name")
            .hint("choose another name, or update it"));
        }
        (None, false) => return Err(Refusal::not_found("channel", &body.name)),
        (Some(known), false) => {
            check_version("channel", body.expected_version, known.version)?;
            (known.created_ms, known.version)
        }
        (None, true) if state.channels.len() >= CHANNELS_KEPT => {
            return Err(Refusal::new(
                RefusalKind::ResourceExhausted,
                codes::CAPACITY,
                format!("there are {CHANNELS_KEPT} channels already"),
            )
            .hint("delete channels that are no longer needed"));
        }
        (None, true) => (state.now_ms, 0),
    };
    let version = version.saturating_add(1);
    let record = ChannelRecord {
        name: body.name.clone(),
        kind: body.kind.clone(),
        host: body.host.clone(),
        sealed: body.sealed.clone(),
        created_ms,
        changed_ms: state.now_ms,
        version,
    };
    state.channels.insert(body.name.clone(), record);
    Ok(Outcome::Version { version })
}

pub(super) fn delete(state: &mut State, body: &DeleteChannel) -> Result<Outcome, Refusal> {
    let Some(known) = state.channels.get(&body.name) else {
        return Err(Refusal::not_found("channel", &body.name));
    };
    check_version("channel", body.expected_version, known.version)?;
    if settings::notified_channels(state).contains(&body.name.as_str()) {
        return Err(Refusal::new(
            RefusalKind::FailedPrecondition,
            codes::CHANNEL_USED,
            format!("the platform's own messages go to `{}`", body.name),
        )
        .field("name")
        .hint("take it out of the setting `notifications.channels` first"));
    }
    state.channels.remove(&body.name);
    Ok(Outcome::Done)
}

pub(super) fn record(state: &mut State, body: &RecordAlerts) -> Result<Outcome, Refusal> {
    let mut after = state.alerts.len();
    after -= body
        .forgotten
        .iter()
        .filter(|id| state.alerts.contains_key(*id))
        .count();
    let fresh = |id: &String| !state.alerts.contains_key(id) || body.forgotten.contains(id);
    after += body
        .alerts
        .iter()
        .filter(|record| fresh(&record.alert.id))
        .count();
    if after > ALERTS_KEPT {
        return Err(Refusal::new(
            RefusalKind::ResourceExhausted,
            codes::CAPACITY,
            format!("{ALERTS_KEPT} alerts are kept already"),
        ));
    }
    for id in &body.forgotten {
        state.alerts.remove(id);
    }
    for record in &body.alerts {
        state.alerts.insert(record.alert.id.clone(), record.clone());
    }
    Ok(Outcome::Done)
}

pub(super) fn settle(state: &mut State, body: &SettleAlert) -> Result<Outcome, Refusal> {
    let settled = state
        .alerts
        .get_mut(&body.id)
        .is_some_and(|record| record.alert.settle(body.transition, body.sent));
    Ok(if settled {
        Outcome::Done
    } else {
        Outcome::Unchanged
    })
}
