//! The engine's json-file lines, and the joining of those that it cut.
//!
//! Invariants: the engine ends each whole line with a line end inside `log`; parts without one are
//! joined per stream until it comes or [`MAX_LINE_BYTES`] are reached, whichever is first.
//! Not here: reading the file, where its line ends are.

use std::borrow::Cow;

use serde::Deserialize;

/// A joined line is given out when it has this many bytes, finished or not.
pub const MAX_LINE_BYTES: usize = 1024 * 1024;

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow, default)]
    log: Cow<'a, str>,
    #[serde(borrow, default)]
    stream: Cow<'a, str>,
    #[serde(borrow, default)]
    time: Cow<'a, str>,
}

/// A whole line of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogLine {
    /// Where its first part starts in the file.
    pub offset: u64,
    /// `stdout` or `stderr`.
    pub stream: &'static str,
    /// When its first part was written, as the engine wrote it; a part of the document's id.
    pub time: String,
    /// The same in milliseconds since the epoch.
    pub at_ms: i64,
    /// The line without its end.
    pub message: String,
    /// It was given out before its end came.
    pub is_partial: bool,
    /// Why it could not be decoded; the message is the raw text then.
    pub error: Option<&'static str>,
}

/// Joins the parts of lines that the engine cut at 16 KiB.
#[derive(Debug, Clone, Default)]
pub struct Joiner {
    pending: [Option<LogLine>; 2],
}

impl Joiner {
    /// Takes one line of the file (without its line end) that starts at `offset`; gives the whole
    /// line when this part ends it. `now_ms` dates a line that has no readable time.
    pub fn push(&mut self, offset: u64, raw: &[u8], now_ms: i64) -> Option<LogLine> {
        let raw = raw.strip_suffix(b"\r").unwrap_or(raw);
        if raw.iter().all(u8::is_ascii_whitespace) {
            return None;
        }
        let Ok(wire) = serde_json::from_slice::<Wire<'_>>(raw) else {
            return Some(broken(offset, raw, now_ms));
        };
        let at: Option<jiff::Timestamp> = wire.time.parse().ok();
        let stream = usize::from(wire.stream == "stderr");
        let (text, ended) = match wire.log.strip_suffix('\n') {
            Some(text) => (text.strip_suffix('\r').unwrap_or(text), true),
            None => (wire.log.as_ref(), false),
        };
        let mut line = self.pending[stream].take().unwrap_or_else(|| LogLine {
            offset,
            stream: if stream == 1 { "stderr" } else { "stdout" },
            time: wire.time.clone().into_owned(),
            at_ms: at.map_or(now_ms, jiff::Timestamp::as_millisecond),
            ..LogLine::default()
        });
        line.message.push_str(text);
        if ended {
            return Some(line);
        }
        if line.message.len() >= MAX_LINE_BYTES {
            line.is_partial = true;
            return Some(line);
        }
        self.pending[stream] = Some(line);
        None
    }

    /// Where the oldest unfinished line starts: reading starts there again after a restart.
    pub fn pending_offset(&self) -> Option<u64> {
        self.pending.iter().flatten().map(|line| line.offset).min()
    }

    /// Gives out what is unfinished, because nothing will follow.
    pub fn flush(&mut self) -> Vec<LogLine> {
        let unfinished = self.pending.iter_mut().filter_map(Option::take);
        unfinished
            .map(|line| LogLine {
                is_partial: true,
                ..line
            })
            .collect()
    }
}

fn broken(offset: u64, raw: &[u8], now_ms: i64) -> LogLine {
    LogLine {
        offset,
        stream: "stdout",
        time: String::new(),
        at_ms: now_ms,
        message: String::from_utf8_lossy(&raw[..raw.len().min(MAX_LINE_BYTES)]).into_owned(),
        is_partial: false,
        error: Some("not a line of the engine's json-file log"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TIME: &str = "2026-11-23T20:34:10.206123456Z";

    fn part(text: &str, stream: &str) -> Vec<u8> {
        serde_json::json!({ "log": text, "stream": stream, "time": TIME })
            .to_string()
            .into_bytes()
    }

    #[test]
    fn a_whole_line_is_given_at_once() {
        let line = Joiner::default()
            .push(85, &part("line 1\n", "stderr"), 0)
            .unwrap();
        assert_eq!(
            (line.offset, line.stream, line.message.as_str()),
            (85, "stderr", "line 1")
        );
        assert_eq!((line.at_ms, line.time.as_str()), (1_795_466_050_206, TIME));
        assert!(!line.is_partial);
    }

    #[test]
    fn parts_are_joined_per_stream() {
        let mut joiner = Joiner::default();
        assert_eq!(joiner.push(0, &part("a", "stdout"), 0), None);
        assert_eq!(joiner.push(10, &part("x", "stderr"), 0), None);
        assert_eq!(joiner.pending_offset(), Some(0));
        let line = joiner.push(20, &part("b\n", "stdout"), 0).unwrap();
        assert_eq!((line.offset, line.message.as_str()), (0, "ab"));
        assert_eq!(joiner.pending_offset(), Some(10));
        assert_eq!(joiner.flush()[0].message, "x");
    }

    #[test]
    fn an_endless_line_is_given_out_in_bounded_pieces() {
        let mut joiner = Joiner::default();
        let piece = part(&"x".repeat(16 * 1024), "stdout");
        let mut given = 0;
        for index in 0..200 {
            given += joiner
                .push(index, &piece, 0)
                .map_or(0, |line| line.message.len());
        }
        assert_eq!(given, 3 * MAX_LINE_BYTES);
    }

    #[test]
    fn a_broken_line_is_shipped_as_it_is() {
        let line = Joiner::default().push(0, b"{\"log\":\"cut he", 7).unwrap();
        assert_eq!(
            (line.message.as_str(), line.at_ms),
            ("{\"log\":\"cut he", 7)
        );
        assert!(line.error.is_some());
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived_and_any_text_comes_back(raw: Vec<u8>, text in "[^\n\r]{1,80}") {
            let mut joiner = Joiner::default();
            let _ = joiner.push(0, &raw, 0);
            let mut joiner = Joiner::default();
            let line = joiner.push(0, &part(&format!("{text}\n"), "stdout"), 0).unwrap();
            prop_assert_eq!(line.message, text);
        }
    }
}
