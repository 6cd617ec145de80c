//! Settings that can be changed while the platform runs: their keys, what values they take, their
//! defaults. Kept in the state as text; read here. Not here: settings of one process (its flags).

use crate::{
    apply::channel::check_channel_name,
    placement::Strategy,
    refusal::{Refusal, RefusalKind, codes, cut},
    state::{MOVES_LEVEL, SESSIONS_LEVEL, State},
};

/// How a setting's value is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingKind {
    /// Whole seconds within a range.
    Seconds {
        /// Least.
        min: u64,
        /// Most.
        max: u64,
    },
    /// A whole number within a range.
    Number {
        /// Least.
        min: u64,
        /// Most.
        max: u64,
    },
    /// Names of channels, joined by commas; may be empty.
    Channels,
    /// Names of zones, joined by commas; may be empty.
    Zones,
    /// A placement strategy.
    Strategy,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A filter of `tracing`.
    LogFilter,
}

/// A setting that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Its key.
    pub key: &'static str,
    /// The feature level from which on it may be set.
    pub since: u64,
    /// How its value is read.
    pub kind: SettingKind,
    /// Its default.
    pub default: &'static str,
    /// What it is for.
    pub about: &'static str,
}

/// Settings that every version knows.
const FIRST: u64 = 0;
const STEP: SettingKind = SettingKind::Seconds {
    min: 5,
    max: 86_400,
};

/// The setting that names the channels of the platform's own messages.
pub const NOTIFIED: &str = "notifications.channels";
/// The setting that names the zones that are gone for good.
pub const LOST_ZONES: &str = "health.lost_zones";
/// Zones that it names at most.
const ZONES_NAMED: usize = 64;
/// Channels that it names at most.
const CHANNELS_NAMED: usize = 16;

/// Every setting, by key.
pub const KNOWN: [Known; 31] = [
    Known {
        key: "health.allocator_grace_seconds",
        since: FIRST,
        kind: STEP,
        default: "30",
        about: "silence of an allocator before it is a problem",
    },
    Known {
        key: "health.collector_grace_seconds",
        since: FIRST,
        kind: STEP,
        default: "120",
        about: "time without a shipped document before it is a problem",
    },
    Known {
        key: "health.loss_grace_seconds",
        since: MOVES_LEVEL,
        kind: STEP,
        default: "60",
        about: "silence of an allocator before what lies there is replaced elsewhere",
    },
    Known {
        key: LOST_ZONES,
        since: MOVES_LEVEL,
        kind: SettingKind::Zones,
        default: "",
        about: "zones that are gone for good: what lies there is replaced even when all of it is silent",
    },
    Known {
        key: "health.plan_grace_seconds",
        since: FIRST,
        kind: STEP,
        default: "60",
        about: "waiting of a plan before it is a problem",
    },
    Known {
        key: "health.proxy_grace_seconds",
        since: FIRST,
        kind: STEP,
        default: "15",
        about: "silence of a proxy before it is a problem",
    },
    Known {
        key: "log.allocator",
        since: FIRST,
        kind: SettingKind::LogFilter,
        default: "info",
        about: "log level of allocators",
    },
    Known {
        key: "log.director",
        since: FIRST,
        kind: SettingKind::LogFilter,
        default: "info",
        about: "log level of directors",
    },
    Known {
        key: "log.proxy",
        since: FIRST,
        kind: SettingKind::LogFilter,
        default: "info",
        about: "log level of proxies",
    },
    Known {
        key: "notifications.after_seconds",
        since: FIRST,
        kind: SettingKind::Seconds {
            min: 0,
            max: 86_400,
        },
        default: "15",
        about: "how long a problem lasts before the platform tells of it",
    },
    Known {
        key: NOTIFIED,
        since: FIRST,
        kind: SettingKind::Channels,
        default: "",
        about: "channels that the platform's own messages go to",
    },
    Known {
        key: "notifications.repeat_seconds",
        since: FIRST,
        kind: SettingKind::Seconds {
            min: 60,
            max: 604_800,
        },
        default: "14400",
        about: "how long the platform is silent about a problem that it told of",
    },
    Known {
        key: "placement.move_budget",
        since: MOVES_LEVEL,
        kind: SettingKind::Number { min: 1, max: 1_000 },
        default: "2",
        about: "instances that are moved at a time when hosts are emptied",
    },
    Known {
        key: "placement.rebalance",
        since: MOVES_LEVEL,
        kind: SettingKind::Word(&["manual", "automatic"]),
        default: "manual",
        about: "whether instances are spread better only when somebody asks, or by the platform itself",
    },
    Known {
        key: "placement.rebalance_data",
        since: MOVES_LEVEL,
        kind: SettingKind::Word(&["stay", "move"]),
        default: "stay",
        about: "whether automatic rebalancing moves storage nodes, with their data",
    },
    Known {
        key: "placement.rebalance_moves",
        since: MOVES_LEVEL,
        kind: SettingKind::Number { min: 1, max: 100 },
        default: "1",
        about: "instances that automatic rebalancing moves at a time, within placement.move_budget",
    },
    Known {
        key: "placement.rebalance_quiet_seconds",
        since: MOVES_LEVEL,
        kind: SettingKind::Seconds {
            min: 10,
            max: 604_800,
        },
        default: "600",
        about: "how long nothing has moved before automatic rebalancing moves something",
    },
    Known {
        key: "placement.rebalance_threshold",
        since: MOVES_LEVEL,
        kind: SettingKind::Number { min: 5, max: 100 },
        default: "20",
        about: "percent of memory by which hosts of a zone differ before a rebalance touches them",
    },
    Known {
        key: "placement.replace_budget",
        since: MOVES_LEVEL,
        kind: SettingKind::Number { min: 1, max: 1_000 },
        default: "4",
        about: "instances of lost hosts that are replaced at a time",
    },
    Known {
        key: "placement.strategy",
        since: FIRST,
        kind: SettingKind::Strategy,
        default: "fill-anti-affinity",
        about: "how allocators are preferred",
    },
    Known {
        key: "plan.copy_timeout_seconds",
        since: MOVES_LEVEL,
        kind: STEP,
        default: "600",
        about: "time without progress of a copy to another host",
    },
    Known {
        key: "plan.healthy_timeout_seconds",
        since: FIRST,
        kind: STEP,
        default: "300",
        about: "time for an instance to become healthy",
    },
    Known {
        key: "plan.place_timeout_seconds",
        since: FIRST,
        kind: STEP,
        default: "300",
        about: "time to find room",
    },
    Known {
        key: "plan.remove_timeout_seconds",
        since: FIRST,
        kind: STEP,
        default: "300",
        about: "time to remove an instance",
    },
    Known {
        key: "plan.route_timeout_seconds",
        since: FIRST,
        kind: STEP,
        default: "120",
        about: "time for proxies to take a route",
    },
    Known {
        key: "plan.start_timeout_seconds",
        since: FIRST,
        kind: STEP,
        default: "300",
        about: "time for a container to start",
    },
    Known {
        key: "plan.stop_timeout_seconds",
        since: FIRST,
        kind: STEP,
        default: "300",
        about: "time for a container to stop",
    },
    Known {
        key: "sessions.idle_seconds",
        since: SESSIONS_LEVEL,
        kind: SettingKind::Seconds {
            min: 900,
            max: 2_592_000,
        },
        default: "28800",
        about: "how long a browser that nobody uses stays logged in",
    },
    Known {
        key: "sessions.lifetime_seconds",
        since: SESSIONS_LEVEL,
        kind: SettingKind::Seconds {
            min: 900,
            max: 31_536_000,
        },
        default: "604800",
        about: "how long a browser stays logged in at most, from the next log-in on",
    },
    Known {
        key: "streams.per_user",
        since: FIRST,
        kind: SettingKind::Number { min: 1, max: 1_000 },
        default: "64",
        about: "streams that one user may have open",
    },
    Known {
        key: "tokens.max_lifetime_seconds",
        since: FIRST,
        kind: SettingKind::Seconds {
            min: 60,
            max: 315_360_000,
        },
        default: "31536000",
        about: "longest life of a new token",
    },
];

/// The setting of that key.
#[must_use]
pub fn known(key: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.key == key)
}

/// Refuses a setting that came with a higher feature level than the platform's: members of older versions
/// do not know it.
///
/// # Errors
/// Names both levels.
pub(crate) fn check_level(state: &State, key: &str) -> Result<(), Refusal> {
    let Some(known) = known(key).filter(|known| state.feature_level < known.since) else {
        return Ok(());
    };
    Err(Refusal::new(
        RefusalKind::FailedPrecondition,
        codes::FEATURE_LEVEL,
        format!(
            "`{}` comes with feature level {}, the platform is at {}",
            known.key, known.since, state.feature_level
        ),
    )
    .field("key")
    .hint("upgrade every director first"))
}

/// Checks a value.
///
/// # Errors
/// When the key is unknown or the value is not what it takes.
pub fn check(key: &str, value: &str) -> Result<(), Refusal> {
    let refuse = |message: String, hint: String| {
        Err(
            Refusal::new(RefusalKind::InvalidArgument, codes::SETTING, message)
                .field("value")
                .hint(hint),
        )
    };
    let Some(known) = known(key) else {
        let keys: Vec<&str> = KNOWN.iter().map(|known| known.key).collect();
        return refuse(
            format!("there is no setting `{}`", cut(key, 64)),
            format!("there are: {}", keys.join(", ")),
        )
        .map_err(|refusal: Refusal| refusal.field("key"));
    };
    let shown = cut(value, 64);
    match known.kind {
        SettingKind::Seconds { min, max } => match value.parse::<u64>() {
            Ok(seconds) if (min..=max).contains(&seconds) => Ok(()),
            _ => refuse(
                format!("`{shown}` is no number of seconds from {min} to {max}"),
                format!("the default is {}", known.default),
            ),
        },
        SettingKind::Number { min, max } => match value.parse::<u64>() {
            Ok(number) if (min..=max).contains(&number) => Ok(()),
            _ => refuse(
                format!("`{shown}` is no whole number from {min} to {max}"),
                format!("the default is {}", known.default),
            ),
        },
        SettingKind::Channels => {
            let names: Vec<&str> = names(value).collect();
            if names.len() > CHANNELS_NAMED {
                return refuse(
                    format!("more than {CHANNELS_NAMED} channels are named"),
                    "name those that somebody reads".to_owned(),
                );
            }
            match names.iter().find(|name| check_channel_name(name).is_err()) {
                None => Ok(()),
                Some(name) => refuse(
                    format!("`{}` is no name of a channel", cut(name, 64)),
                    "names are joined by commas; `wharf channel list` shows them".to_owned(),
                ),
            }
        }
        SettingKind::Zones => {
            let usable =
                |name: &str| name.len() <= 128 && name.bytes().all(|b| b.is_ascii_graphic());
            if names(value).count() <= ZONES_NAMED && names(value).all(usable) {
                return Ok(());
            }
            refuse(
                format!("`{shown}` are no names of zones"),
                "names are joined by commas; `wharf allocator list` shows them".to_owned(),
            )
        }
        SettingKind::Strategy if Strategy::parse(value).is_none() => refuse(
            format!("`{shown}` is no placement strategy"),
            "there are: fill, fill-anti-affinity, distribute, distribute-anti-affinity".to_owned(),
        ),
        SettingKind::Word(words) if !words.contains(&value) => refuse(
            format!("`{shown}` is none of the words that this setting takes"),
            format!("there are: {}", words.join(", ")),
        ),
        SettingKind::LogFilter
            if value.is_empty() || value.len() > 256 || value.contains(char::is_control) =>
        {
            refuse(
                format!("`{shown}` is no log filter"),
                "for example `info` or `info,wharf_director=debug`".to_owned(),
            )
        }
        SettingKind::Strategy | SettingKind::Word(_) | SettingKind::LogFilter => Ok(()),
    }
}

/// Names joined by commas.
fn names(value: &str) -> impl Iterator<Item = &str> {
    value
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
}

/// The channels that the platform's own messages go to.
#[must_use]
pub fn notified_channels(state: &State) -> Vec<&str> {
    names(state.setting(NOTIFIED).unwrap_or_default()).collect()
}

/// The zones that are gone for good.
pub fn lost_zones(state: &State) -> impl Iterator<Item = &str> {
    names(state.setting(LOST_ZONES).unwrap_or_default())
}

/// Checks that every channel of a list exists.
///
/// # Errors
/// Names the one that does not.
pub fn check_channels(state: &State, value: &str) -> Result<(), Refusal> {
    match names(value).find(|name| !state.channels.contains_key(*name)) {
        None => Ok(()),
        Some(name) => Err(Refusal::new(
            RefusalKind::FailedPrecondition,
            codes::SETTING,
            format!("there is no channel `{}`", cut(name, 64)),
        )
        .field("value")
        .hint("make it first; `wharf channel list` shows what there is")),
    }
}

impl Known {
    /// What values it takes, for people.
    #[must_use]
    pub fn takes(&self) -> String {
        match self.kind {
            SettingKind::Seconds { min, max } => format!("whole seconds, {min} to {max}"),
            SettingKind::Number { min, max } => format!("a whole number, {min} to {max}"),
            SettingKind::Channels => "names of channels, joined by commas, or nothing".to_owned(),
            SettingKind::Zones => "names of zones, joined by commas, or nothing".to_owned(),
            SettingKind::Strategy => {
                "fill, fill-anti-affinity, distribute or distribute-anti-affinity".to_owned()
            }
            SettingKind::Word(words) => words.join(" or "),
            SettingKind::LogFilter => "a log filter, `info` or `info,module=debug`".to_owned(),
        }
    }
}

/// The value in force of a setting that is a word.
#[must_use]
pub fn word<'a>(state: &'a State, key: &str) -> &'a str {
    let default = known(key).map_or("", |known| known.default);
    state.setting(key).unwrap_or(default)
}

/// The value in force of a setting that is a number.
#[must_use]
pub fn number(state: &State, key: &str) -> u64 {
    let default = known(key).map_or("0", |known| known.default);
    state
        .setting(key)
        .and_then(|value| value.parse().ok())
        .or_else(|| default.parse().ok())
        .unwrap_or(0)
}

/// A duration setting in milliseconds.
#[must_use]
pub fn duration_ms(state: &State, key: &str) -> u64 {
    number(state, key).saturating_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_a_value_that_its_setting_takes() {
        for setting in KNOWN {
            assert!(
                check(setting.key, setting.default).is_ok(),
                "{}",
                setting.key
            );
        }
    }

    #[test]
    fn an_unknown_key_names_the_field() {
        assert_eq!(check("nope", "1").unwrap_err().field, "key");
    }
}
