//! Printing results: aligned tables for people, JSON and YAML for programs. Everything a command
//! says on standard output goes through here.

use std::io::{self, Write};

use prost::{Message, Name};
use serde_json::Value;

use crate::{args::Output, failure::Failure};

/// Writes text to standard output; a closed pipe (`| head`) ends the process quietly.
pub(crate) fn out(text: &str) {
    let mut stdout = io::stdout().lock();
    if let Err(error) = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        && error.kind() == io::ErrorKind::BrokenPipe
    {
        std::process::exit(0);
    }
}

/// Writes a line to standard output.
pub(crate) fn line(text: &str) {
    out(&format!("{text}\n"));
}

/// Writes a line to standard error: progress and remarks, which are no result.
pub(crate) fn remark(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// The JSON form of a message.
pub(crate) fn json<M: Message + Name>(message: &M) -> Result<Value, Failure> {
    wharf_proto::json::to_json(message)
        .map_err(|error| Failure::new("CLI0002", error.to_string(), ""))
}

/// The JSON form of a list: an array, always.
pub(crate) fn json_list<M: Message + Name>(messages: &[M]) -> Result<Value, Failure> {
    messages
        .iter()
        .map(json)
        .collect::<Result<Vec<_>, _>>()
        .map(Value::Array)
}

/// Prints a value as the output asks; `table` makes the form for people.
pub(crate) fn result(output: Output, value: &Value, table: impl FnOnce() -> String) {
    match output {
        Output::Table => out(&table()),
        Output::Json => line(&format!("{value:#}")),
        Output::Yaml => match serde_yaml_ng::to_string(value) {
            Ok(text) => out(&text),
            // A JSON value always has a YAML form; JSON itself is one.
            Err(_) => line(&value.to_string()),
        },
    }
}

/// A table under construction.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
    right: Vec<bool>,
}

impl Table {
    /// A table with these headings; one that begins with `>` is aligned to the right.
    pub(crate) fn new(headings: &[&str]) -> Self {
        let right = headings
            .iter()
            .map(|heading| heading.starts_with('>'))
            .collect();
        let first = headings
            .iter()
            .map(|heading| heading.trim_start_matches('>').to_owned());
        Self {
            rows: vec![first.collect()],
            right,
        }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        self.rows.push(
            cells
                .into_iter()
                .map(|cell| printable(&cell.into()))
                .collect(),
        );
    }

    /// The table as text, each line ended.
    pub(crate) fn render(&self) -> String {
        let columns = self.right.len();
        let mut widths = vec![0; columns];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (index, cell) in row.iter().enumerate().take(columns) {
                if index > 0 {
                    line.push_str("  ");
                }
                let pad = " ".repeat(widths[index] - cell.chars().count());
                if self.right[index] {
                    line.push_str(&pad);
                    line.push_str(cell);
                } else {
                    line.push_str(cell);
                    line.push_str(&pad);
                }
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// Control characters, which names and messages from elsewhere may hold, never reach a terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

/// Bytes for people: `1.5 GiB`.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{count} B")
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

/// How long ago, for people: `3m`.
pub(crate) fn age(now_ms: u64, then: Option<&prost_types::Timestamp>) -> String {
    let Some(then) = then else {
        return "-".to_owned();
    };
    let seconds = now_ms.saturating_sub(wharf_proto::times::millis(then)) / 1000;
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7200 => format!("{}m", seconds / 60),
        7200..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// How long something took, for people: `2.5s`, `3m 5s`, `2h 10m`.
pub(crate) fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0..60 => format!("{seconds}.{}s", ms % 1000 / 100),
        60..3600 => format!("{}m {}s", seconds / 60, seconds % 60),
        _ => format!("{}h {}m", seconds / 3600, seconds % 3600 / 60),
    }
}

/// The word of an enum's JSON name: `HEALTH_HEALTHY` without `HEALTH_`, lower case.
pub(crate) fn word(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix)
        .unwrap_or(name)
        .to_lowercase()
        .replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_left_and_right() {
        let mut table = Table::new(&["NAME", ">CPU"]);
        table.row(["a", "1.0"]);
        table.row(["longer", "100.0"]);
        assert_eq!(
            table.render(),
            "NAME      CPU\na         1.0\nlonger  100.0\n"
        );
    }

    #[test]
    fn bytes_carry_to_the_next_unit_before_they_read_1024() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(1024 * 1024 - 1), "1.0 MiB");
        assert_eq!(bytes(u64::MAX), "16777216.0 TiB");
    }

    #[test]
    fn a_duration_has_at_most_two_units() {
        assert_eq!(duration(0), "0.0s");
        assert_eq!(duration(59_999), "59.9s");
        assert_eq!(duration(60_000), "1m 0s");
        assert_eq!(duration(7_500_000), "2h 5m");
    }

    #[test]
    fn an_escape_sequence_in_a_name_does_not_reach_the_terminal() {
        let mut table = Table::new(&["NAME"]);
        table.row(["\u{1b}[2Jx"]);
        assert!(!table.render().contains('\u{1b}'));
    }
}
