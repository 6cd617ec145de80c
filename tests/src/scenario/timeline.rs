//! The timeline of a scenario: what was done, what was awaited and how long, what the platform said
//! meanwhile, in seconds since the start. Printed as it happens and written to
//! `target/scenarios/NAME.txt` in the end, also when the scenario fails. Not here: what is done.

use std::{
    fmt::Display,
    fs,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant, SystemTime},
};

use serde_json::Value;

use crate::testbed::Desk;

/// Between two looks at a condition.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Of one thing that was said: an error may carry a whole log.
const LONGEST: usize = 300;
/// Of the platform's own events that are told at the end.
const EVENTS: usize = 200;

#[derive(Debug)]
struct Line {
    at: Duration,
    text: String,
}

/// What happens, with the seconds since it began.
#[derive(Debug)]
pub struct Timeline {
    name: String,
    /// Where it is written in the end.
    folder: PathBuf,
    begun: Instant,
    begun_at: SystemTime,
    lines: Mutex<Vec<Line>>,
    ended: bool,
}

impl Timeline {
    /// Begins now.
    #[must_use]
    pub fn begin(name: &str) -> Self {
        Self::begin_in(folder(), name)
    }

    fn begin_in(folder: PathBuf, name: &str) -> Self {
        println!("== scenario {name}");
        Self {
            name: name.to_owned(),
            folder,
            begun: Instant::now(),
            begun_at: SystemTime::now(),
            lines: Mutex::default(),
            ended: false,
        }
    }

    /// The scenario's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Writes down what is so.
    pub fn note(&self, text: impl Display) {
        self.line(self.begun.elapsed(), cut(&text.to_string()));
    }

    /// Does something that is written down before.
    pub fn at<T>(&self, what: &str, act: impl FnOnce() -> T) -> T {
        self.note(format_args!("> {what}"));
        act()
    }

    /// Types a command at the desk that must succeed, and gives what it prints.
    ///
    /// # Panics
    /// When it fails; the message has what it said.
    pub fn typed(&self, desk: &Desk, words: &[&str]) -> Value {
        let line = format!("wharf {}", words.join(" "));
        let answer = self.at(&line, || desk.ask(words));
        answer.unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    /// Looks until it is so, writes down each reason why it was not yet, and gives how long it took.
    ///
    /// # Panics
    /// When the time is up; the message has the last reason.
    pub fn until<E: Display>(
        &self,
        what: &str,
        patience: Duration,
        mut look: impl FnMut() -> Result<(), E>,
    ) -> Duration {
        let begun = Instant::now();
        let mut last = String::new();
        loop {
            match look() {
                Ok(()) => {
                    let took = begun.elapsed();
                    self.note(format_args!("{what}: after {:.1} s", took.as_secs_f64()));
                    return took;
                }
                Err(reason) => {
                    let reason = cut(&reason.to_string());
                    if reason != last {
                        self.note(format_args!("  not yet ({what}): {reason}"));
                        last = reason;
                    }
                }
            }
            if begun.elapsed() >= patience {
                let text = format!("{what}: not within {} s; {last}", patience.as_secs());
                self.note(&text);
                panic!("{text}");
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Sees that it is so, and stays so for a while that is the scenario's content.
    ///
    /// # Panics
    /// When it is not, or ceases to be.
    pub fn while_for<E: Display>(
        &self,
        what: &str,
        span: Duration,
        mut look: impl FnMut() -> Result<(), E>,
    ) {
        let begun = Instant::now();
        while begun.elapsed() < span {
            if let Err(reason) = look() {
                let text = format!(
                    "{what}: no longer after {:.1} s: {}",
                    begun.elapsed().as_secs_f64(),
                    cut(&reason.to_string())
                );
                self.note(&text);
                panic!("{text}");
            }
            thread::sleep(LOOK_EVERY);
        }
        self.note(format_args!("{what}: for {} s", span.as_secs()));
    }

    /// Ends it with the platform's own words about that time.
    pub fn end(mut self, desk: &Desk) {
        // Not the harness's own writes and looks.
        let others = "kind!=set_setting and kind!=get_credentials";
        let tail = EVENTS.to_string();
        let told = desk.list(&["events", "--tail", &tail, "--filter", others]);
        match told {
            Ok(events) => events.iter().for_each(|event| self.event(event)),
            Err(error) => self.note(format_args!("the platform's events: {error}")),
        }
        self.ended = true;
    }

    /// An event of the platform, when it happened since the beginning.
    fn event(&self, event: &Value) {
        let text = event["at"].as_str().unwrap_or_default();
        let Ok(at) = text.parse::<jiff::Timestamp>() else {
            return;
        };
        if let Ok(since) = SystemTime::from(at).duration_since(self.begun_at) {
            let words = ["kind", "host", "subject", "actor", "result", "detail"]
                .map(|field| event[field].as_str().unwrap_or_default());
            self.add(since, format!("  event: {}", cut(&words.join(" "))));
        }
    }

    fn line(&self, at: Duration, text: String) {
        println!("{:7.1} s  {text}", at.as_secs_f64());
        self.add(at, text);
    }

    fn add(&self, at: Duration, text: String) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(Line { at, text });
    }

    /// All of it in order.
    fn text(&self) -> String {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.sort_by_key(|line| line.at);
        let mut text = format!("scenario {}\n", self.name);
        for line in lines.iter() {
            text.push_str(&format!("{:7.1} s  {}\n", line.at.as_secs_f64(), line.text));
        }
        text
    }
}

impl Drop for Timeline {
    fn drop(&mut self) {
        if !self.ended {
            self.note("FAILED");
        }
        let text = self.text();
        println!("-- timeline of {text}");
        let path = self.folder.join(format!("{}.txt", self.name));
        let written = fs::create_dir_all(&self.folder).and_then(|()| fs::write(&path, text));
        if let Err(error) = written {
            println!("the timeline is not written to {}: {error}", path.display());
        }
    }
}

/// Where timelines are kept.
#[must_use]
pub fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/scenarios"))
}

fn cut(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn what_happened_is_told_in_order_with_every_new_reason_once() {
        let kept = tempfile::tempdir().expect("a folder");
        let mut timeline = Timeline::begin_in(kept.path().join("new"), "told");
        let mut looks = 0;
        timeline.at("knock", || ());
        timeline.until("open", Duration::from_secs(10), || {
            looks += 1;
            match looks {
                1 | 2 => Err("locked"),
                3 => Err("ajar"),
                _ => Ok(()),
            }
        });
        timeline.add(Duration::ZERO, "  event: first".into());
        let text = timeline.text();
        let places: Vec<usize> = ["event: first", "> knock", "locked", "ajar", "open: after"]
            .iter()
            .map(|part| text.find(part).expect("told"))
            .collect();
        assert!(places.is_sorted(), "{text}");
        assert_eq!(text.matches("locked").count(), 1, "{text}");
        timeline.ended = true;
        drop(timeline);
        let written = fs::read_to_string(kept.path().join("new/told.txt")).expect("it is written");
        assert_eq!(written, text);
    }

    #[test]
    fn a_condition_that_never_comes_is_named_with_its_last_reason_and_written() {
        let kept = tempfile::tempdir().expect("a folder");
        let timeline = Timeline::begin_in(kept.path().to_path_buf(), "dark");
        let failed = catch_unwind(AssertUnwindSafe(move || {
            timeline.until("never", Duration::ZERO, || Err("dark"));
        }));
        let panic = failed.expect_err("the time is up");
        let said = panic.downcast_ref::<String>().expect("words");
        assert_eq!(said, "never: not within 0 s; dark");
        let written = fs::read_to_string(kept.path().join("dark.txt")).expect("it is written");
        assert!(
            written.contains(said) && written.trim_end().ends_with("FAILED"),
            "{written}"
        );
    }

    #[test]
    fn long_words_are_cut_and_lines_joined() {
        assert_eq!(cut("a\n  b"), "a b");
        assert_eq!(cut(&"é".repeat(400)).chars().count(), LONGEST + 1);
    }
}
