//! Forwards the `raft` crate's slog records to `tracing`.
//!
//! Not here: levels and formats, which the process's subscriber decides.

use std::fmt::{self, Write as _};

use slog::{Drain, KV as _, Level, Logger, Never, OwnedKVList, Record, o};

struct ToTracing;

struct Fields(String);

impl slog::Serializer for Fields {
    fn emit_arguments(&mut self, key: slog::Key, value: &fmt::Arguments<'_>) -> slog::Result {
        write!(self.0, " {key}={value}")?;
        Ok(())
    }
}

impl Drain for ToTracing {
    type Ok = ();
    type Err = Never;

    fn log(&self, record: &Record<'_>, values: &OwnedKVList) -> Result<(), Never> {
        macro_rules! forward {
            ($level:ident) => {
                if tracing::enabled!(tracing::Level::$level) {
                    let mut fields = Fields(String::new());
                    // A field that cannot be formatted is left out; the message matters more.
                    let _ = values.serialize(record, &mut fields);
                    let _ = record.kv().serialize(record, &mut fields);
                    tracing::event!(tracing::Level::$level, "raft: {}{}", record.msg(), fields.0);
                }
            };
        }
        match record.level() {
            Level::Critical | Level::Error => forward!(ERROR),
            Level::Warning => forward!(WARN),
            Level::Info => forward!(INFO),
            Level::Debug => forward!(DEBUG),
            Level::Trace => forward!(TRACE),
        }
        Ok(())
    }
}

/// A logger for the `raft` crate.
pub(crate) fn logger() -> Logger {
    Logger::root(ToTracing, o!())
}
