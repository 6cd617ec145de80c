//! The log of a process: `tracing` to stderr, JSON or text, its level changeable while it runs.
//!
//! Invariants: one line per event; libraries that talk much are kept at `info` or `warn`, and the ids of calls stay,
//! unless the filter names them; a filter that does not parse changes nothing. Not here: metrics, and the access log.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry, fmt as log_format, reload};

/// Directives under every filter; what the operator writes comes after them and wins.
const QUIET: &str = "hyper=warn,hyper_util=warn,h2=warn,rustls=warn,tower=warn,tonic=info,\
                     bollard=warn,tantivy=warn,sled=warn,raft=info,wharf_runtime::call_id=info";
/// A filter longer than this is refused.
const MAX_FILTER: usize = 1024;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line, for programs.
    Json,
}

impl FromStr for LogFormat {
    type Err = TelemetryError;

    fn from_str(text: &str) -> Result<Self, TelemetryError> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(TelemetryError::Format),
        }
    }
}

/// Why the log cannot be set up or changed.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// Not a format.
    #[error("the log format is `text` or `json`")]
    Format,
    /// Not a filter.
    #[error("not a log filter: {0}; write such as `info` or `info,wharf_proxy=debug`")]
    Filter(String),
    /// There is one already, or it is gone.
    #[error("the log cannot be changed: {0}; restart the process")]
    Setup(String),
}

/// Reads and changes the level of the running log. Clones are the same log.
#[derive(Clone)]
pub struct LogLevel {
    handle: reload::Handle<EnvFilter, Registry>,
    started_with: Arc<str>,
    current: Arc<Mutex<String>>,
}

impl fmt::Debug for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LogLevel").field(&self.get()).finish()
    }
}

impl LogLevel {
    /// The filter in force.
    pub fn get(&self) -> String {
        self.current
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Puts another filter in force, at once: a level, or directives such as `info,wharf_proxy=debug`.
    ///
    /// # Errors
    /// When it does not parse; the old one stays.
    pub fn set(&self, filter: &str) -> Result<(), TelemetryError> {
        let parsed = parse(filter)?;
        self.handle
            .reload(parsed)
            .map_err(|error| TelemetryError::Setup(error.to_string()))?;
        filter.clone_into(&mut self.current.lock().unwrap_or_else(PoisonError::into_inner));
        tracing::info!(filter, "log level changed");
        Ok(())
    }

    /// Puts the filter in force again that the process was started with, unless it is.
    ///
    /// # Errors
    /// When the log is gone.
    pub fn reset(&self) -> Result<(), TelemetryError> {
        if self.get() == *self.started_with {
            return Ok(());
        }
        self.set(&self.started_with)
    }
}

/// Sets up the log of this process. Call once in main, before anything logs.
///
/// # Errors
/// When the filter does not parse or a log is set up already.
pub fn init(format: LogFormat, filter: &str) -> Result<LogLevel, TelemetryError> {
    let (layer, handle) = reload::Layer::new(parse(filter)?);
    let lines = log_format::layer().with_writer(std::io::stderr);
    let lines = match format {
        LogFormat::Text => lines
            .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
            .boxed(),
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .boxed(),
    };
    tracing_subscriber::registry()
        .with(layer)
        .with(lines)
        .try_init()
        .map_err(|error| TelemetryError::Setup(error.to_string()))?;
    Ok(LogLevel {
        handle,
        started_with: filter.into(),
        current: Arc::new(Mutex::new(filter.to_owned())),
    })
}

/// A level that no log listens to.
#[cfg(test)]
pub(crate) fn detached(filter: &str) -> Result<LogLevel, TelemetryError> {
    let (_, handle) = reload::Layer::new(parse(filter)?);
    Ok(LogLevel {
        handle,
        started_with: filter.into(),
        current: Arc::new(Mutex::new(filter.to_owned())),
    })
}

/// Whether a log would take a filter.
///
/// # Errors
/// When it does not parse, with what is wrong.
pub fn check(filter: &str) -> Result<(), TelemetryError> {
    parse(filter).map(drop)
}

fn parse(filter: &str) -> Result<EnvFilter, TelemetryError> {
    let filter = filter.trim();
    if filter.is_empty() || filter.len() > MAX_FILTER {
        return Err(TelemetryError::Filter("it is empty or too long".to_owned()));
    }
    // A bare word that is no level would be taken for a target and silence everything else.
    for part in filter.split(',') {
        let bare = !part.contains(['=', '[']);
        if bare
            && part
                .trim()
                .parse::<tracing_subscriber::filter::LevelFilter>()
                .is_err()
        {
            return Err(TelemetryError::Filter(format!("`{part}` is no level")));
        }
    }
    EnvFilter::builder()
        .parse(format!("{QUIET},{filter}"))
        .map_err(|error| TelemetryError::Filter(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_levels_or_directives() {
        for good in ["info", "debug,wharf_proxy=trace", "off", "warn,h2=debug"] {
            assert!(parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "loud",
            "info,loud",
            "wharf_proxy=loud",
            "a=b=c",
            &"x".repeat(2_000),
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_the_operator_writes_wins_over_what_is_kept_quiet() {
        let filter = parse("info,h2=debug").unwrap().to_string();
        assert!(
            filter.contains("h2=debug") && !filter.contains("h2=warn"),
            "{filter}"
        );
    }

    #[test]
    fn the_level_changes_while_the_log_runs_and_a_wrong_one_changes_nothing() {
        let level = init(LogFormat::Json, "warn").unwrap();
        assert_eq!(level.get(), "warn");
        assert!(!tracing::enabled!(tracing::Level::DEBUG));
        level.set("off,wharf_runtime=debug").unwrap();
        assert!(tracing::enabled!(tracing::Level::DEBUG));
        assert!(level.set("loud").is_err());
        assert_eq!(level.get(), "off,wharf_runtime=debug");
        level.reset().unwrap();
        assert_eq!(level.get(), "warn");
        assert!(!tracing::enabled!(tracing::Level::DEBUG));
        level.reset().unwrap();
        level.set("off").unwrap();
        assert!(init(LogFormat::Text, "info").is_err());
        assert_eq!("json".parse::<LogFormat>().unwrap(), LogFormat::Json);
        assert!("xml".parse::<LogFormat>().is_err());
    }
}
