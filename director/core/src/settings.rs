//! Settings that can be changed while the platform runs: their keys, what values they take, their
//! defaults. Kept in the state as text; read here. Not here: settings of one process (its flags).

use crate::{
    placement::Strategy,
    refusal::{Refusal, RefusalKind, codes, cut},
    state::State,
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
    /// A placement strategy.
    Strategy,
    /// A filter of `tracing`.
    LogFilter,
}

/// A setting that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Its key.
    pub key: &'static str,
    /// How its value is read.
    pub kind: SettingKind,
    /// Its default.
    pub default: &'static str,
    /// What it is for.
    pub about: &'static str,
}

const STEP: SettingKind = SettingKind::Seconds {
    min: 5,
    max: 86_400,
};

/// Every setting, by key.
pub const KNOWN: [Known; 14] = [
    Known {
        key: "health.allocator_grace_seconds",
        kind: STEP,
        default: "15",
        about: "silence of an allocator before it is a problem",
    },
    Known {
        key: "health.collector_grace_seconds",
        kind: STEP,
        default: "120",
        about: "time without a shipped document before it is a problem",
    },
    Known {
        key: "health.plan_grace_seconds",
        kind: STEP,
        default: "60",
        about: "waiting of a plan before it is a problem",
    },
    Known {
        key: "health.proxy_grace_seconds",
        kind: STEP,
        default: "15",
        about: "silence of a proxy before it is a problem",
    },
    Known {
        key: "log.allocator",
        kind: SettingKind::LogFilter,
        default: "info",
        about: "log level of allocators",
    },
    Known {
        key: "log.director",
        kind: SettingKind::LogFilter,
        default: "info",
        about: "log level of directors",
    },
    Known {
        key: "log.proxy",
        kind: SettingKind::LogFilter,
        default: "info",
        about: "log level of proxies",
    },
    Known {
        key: "placement.strategy",
        kind: SettingKind::Strategy,
        default: "fill-anti-affinity",
        about: "how allocators are preferred",
    },
    Known {
        key: "plan.healthy_timeout_seconds",
        kind: STEP,
        default: "300",
        about: "time for an instance to become healthy",
    },
    Known {
        key: "plan.place_timeout_seconds",
        kind: STEP,
        default: "300",
        about: "time to find room",
    },
    Known {
        key: "plan.remove_timeout_seconds",
        kind: STEP,
        default: "300",
        about: "time to remove an instance",
    },
    Known {
        key: "plan.route_timeout_seconds",
        kind: STEP,
        default: "120",
        about: "time for proxies to take a route",
    },
    Known {
        key: "plan.start_timeout_seconds",
        kind: STEP,
        default: "300",
        about: "time for a container to start",
    },
    Known {
        key: "plan.stop_timeout_seconds",
        kind: STEP,
        default: "300",
        about: "time for a container to stop",
    },
];

/// The setting of that key.
#[must_use]
pub fn known(key: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.key == key)
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
        SettingKind::Strategy if Strategy::parse(value).is_none() => refuse(
            format!("`{shown}` is no placement strategy"),
            "there are: fill, fill-anti-affinity, distribute, distribute-anti-affinity".to_owned(),
        ),
        SettingKind::LogFilter
            if value.is_empty() || value.len() > 256 || value.contains(char::is_control) =>
        {
            refuse(
                format!("`{shown}` is no log filter"),
                "for example `info` or `info,wharf_director=debug`".to_owned(),
            )
        }
        SettingKind::Strategy | SettingKind::LogFilter => Ok(()),
    }
}

/// A duration setting in milliseconds.
#[must_use]
pub fn duration_ms(state: &State, key: &str) -> u64 {
    let default = known(key).map_or("0", |known| known.default);
    state
        .setting(key)
        .and_then(|value| value.parse::<u64>().ok())
        .or_else(|| default.parse().ok())
        .unwrap_or(0)
        .saturating_mul(1000)
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
