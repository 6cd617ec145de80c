//! Counters, gauges and histograms of a process, written out as Prometheus reads them.
//!
//! Invariants: names and labels are those that Prometheus allows (others are replaced by `_`); asking
//! twice for a series gives the same one; no more than [`MAX_SERIES`] series, further ones count into
//! nowhere. Not here: serving them (`health_server`).

mod histogram;

use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

pub use histogram::Histogram;

/// Bound of series in one registry.
pub const MAX_SERIES: usize = 10_000;

/// Only goes up. Clones are the same counter.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// One more.
    pub fn inc(&self) {
        self.add(1);
    }

    /// `n` more.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// The count.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Goes up and down. Clones are the same gauge.
#[derive(Clone, Debug, Default)]
pub struct Gauge(Arc<AtomicI64>);

impl Gauge {
    /// Sets it.
    pub fn set(&self, value: i64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Moves it by `n`.
    pub fn add(&self, n: i64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// The value.
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

type Ask = Arc<dyn Fn() -> f64 + Send + Sync>;

#[derive(Clone)]
enum Series {
    Counter(Counter),
    Gauge(Gauge),
    Asked(Ask),
    Histogram(Histogram),
}

struct Family {
    help: String,
    kind: &'static str,
    series: BTreeMap<String, Series>,
}

/// The metrics of a process. Clones are the same registry.
#[derive(Clone, Default)]
pub struct Metrics {
    families: Arc<Mutex<BTreeMap<String, Family>>>,
    texts: Vec<Arc<dyn Fn() -> String + Send + Sync>>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// The counter of this name (`…_total`) and these labels.
    pub fn counter(&self, name: &str, help: &str, labels: &[(&str, &str)]) -> Counter {
        let made = Series::Counter(Counter::default());
        match self.series(name, help, "counter", labels, made) {
            Some(Series::Counter(counter)) => counter,
            _ => Counter::default(),
        }
    }

    /// The gauge of this name and these labels.
    pub fn gauge(&self, name: &str, help: &str, labels: &[(&str, &str)]) -> Gauge {
        let made = Series::Gauge(Gauge::default());
        match self.series(name, help, "gauge", labels, made) {
            Some(Series::Gauge(gauge)) => gauge,
            _ => Gauge::default(),
        }
    }

    /// A gauge whose value is asked for when the metrics are read.
    pub fn gauge_from(
        &self,
        name: &str,
        help: &str,
        labels: &[(&str, &str)],
        ask: impl Fn() -> f64 + Send + Sync + 'static,
    ) {
        self.series(name, help, "gauge", labels, Series::Asked(Arc::new(ask)));
    }

    /// A counter that somebody counts with already.
    pub fn counter_from(&self, name: &str, help: &str, labels: &[(&str, &str)], counter: &Counter) {
        let made = Series::Counter(counter.clone());
        self.series(name, help, "counter", labels, made);
    }

    /// A histogram that somebody counts into already.
    pub fn histogram(
        &self,
        name: &str,
        help: &str,
        labels: &[(&str, &str)],
        histogram: &Histogram,
    ) {
        let made = Series::Histogram(histogram.clone());
        self.series(name, help, "histogram", labels, made);
    }

    /// Adds what every process tells: its memory, CPU time, open files, age, build and panics.
    pub fn with_process(self) -> Self {
        use crate::self_usage::{self, SelfUsage};
        let usage = || SelfUsage::read().unwrap_or_default();
        let memory = "resident memory of the process";
        self.gauge_from("process_resident_memory_bytes", memory, &[], move || {
            usage().resident_bytes as f64
        });
        let anonymous = "resident memory of the process that no file backs";
        self.gauge_from(
            "process_anonymous_memory_bytes",
            anonymous,
            &[],
            move || usage().anonymous_bytes as f64,
        );
        let files = "files, sockets and pipes that the process has open";
        self.gauge_from("process_open_fds", files, &[], || {
            self_usage::open_files().unwrap_or(0) as f64
        });
        let most = "the most that it may have open";
        self.gauge_from("process_max_fds", most, &[], || {
            self_usage::max_open_files() as f64
        });
        let began = Instant::now();
        let uptime = "since the process began to count";
        self.gauge_from("wharf_uptime_seconds", uptime, &[], move || {
            began.elapsed().as_secs_f64()
        });
        let cpu = "user and system CPU time of the process";
        self.gauge_from("process_cpu_seconds", cpu, &[], move || {
            usage().cpu_ms as f64 / 1000.0
        });
        let build = "always 1, its version in the label";
        let version = env!("CARGO_PKG_VERSION");
        self.gauge_from("wharf_build_info", build, &[("version", version)], || 1.0);
        let panics = "tasks that panicked";
        self.gauge_from("wharf_task_panics", panics, &[], || {
            crate::task::panics() as f64
        });
        self
    }

    /// Adds families that somebody else keeps as finished text.
    #[must_use]
    pub fn with_text(mut self, ask: impl Fn() -> String + Send + Sync + 'static) -> Self {
        self.texts.push(Arc::new(ask));
        self
    }

    /// Everything in Prometheus's text format.
    pub fn render(&self) -> String {
        let mut out = String::new();
        let mut asked = Vec::new();
        {
            let families = self.families.lock().unwrap_or_else(PoisonError::into_inner);
            for (name, family) in &*families {
                let series = family.series.clone();
                asked.push((name.clone(), family.help.clone(), family.kind, series));
            }
        }
        // Asked outside the lock, because a callback may itself count something.
        for (name, help, kind, series) in asked {
            let help = help.replace('\\', "\\\\").replace('\n', "\\n");
            // Writing to a string cannot fail.
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for (labels, series) in series {
                let _ = match series {
                    Series::Histogram(histogram) => {
                        histogram.render(&mut out, &name, &labels);
                        Ok(())
                    }
                    Series::Counter(counter) => writeln!(out, "{name}{labels} {}", counter.get()),
                    Series::Gauge(gauge) => writeln!(out, "{name}{labels} {}", gauge.get()),
                    Series::Asked(ask) => writeln!(out, "{name}{labels} {}", ask()),
                };
            }
        }
        for text in &self.texts {
            out.push_str(&text());
        }
        out
    }

    fn series(
        &self,
        name: &str,
        help: &str,
        kind: &'static str,
        labels: &[(&str, &str)],
        made: Series,
    ) -> Option<Series> {
        let mut families = self.families.lock().unwrap_or_else(PoisonError::into_inner);
        let count: usize = families.values().map(|family| family.series.len()).sum();
        let family = families
            .entry(allowed(name, true))
            .or_insert_with(|| Family {
                help: help.to_owned(),
                kind,
                series: BTreeMap::new(),
            });
        let labels = label_text(labels);
        if !family.series.contains_key(&labels) && (count >= MAX_SERIES || family.kind != kind) {
            return None;
        }
        Some(family.series.entry(labels).or_insert(made).clone())
    }
}

fn label_text(labels: &[(&str, &str)]) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let escape = |value: &str| {
        value
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', "\\n")
    };
    let pairs: Vec<_> = labels
        .iter()
        .map(|(name, value)| format!("{}=\"{}\"", allowed(name, false), escape(value)))
        .collect();
    format!("{{{}}}", pairs.join(","))
}

fn allowed(name: &str, colon: bool) -> String {
    let fits = |(at, c): (usize, char)| {
        let good = c.is_ascii_alphabetic()
            || c == '_'
            || (colon && c == ':')
            || (at > 0 && c.is_ascii_digit());
        if good { c } else { '_' }
    };
    name.chars().enumerate().map(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn series_are_rendered_as_prometheus_reads_them() {
        let metrics = Metrics::new();
        metrics
            .counter("wharf_requests_total", "requests", &[("code", "2\"x\\\n")])
            .add(3);
        metrics
            .counter("wharf_requests_total", "requests", &[("code", "2\"x\\\n")])
            .inc();
        metrics.gauge("wharf_open", "open\nones", &[]).set(-2);
        metrics.gauge_from("wharf.asked", "asked", &[("a-b", "1")], || 1.5);
        let expected = "# HELP wharf_asked asked\n# TYPE wharf_asked gauge\n\
                        wharf_asked{a_b=\"1\"} 1.5\n\
                        # HELP wharf_open open\\nones\n# TYPE wharf_open gauge\nwharf_open -2\n\
                        # HELP wharf_requests_total requests\n# TYPE wharf_requests_total counter\n\
                        wharf_requests_total{code=\"2\\\"x\\\\\\n\"} 4\n";
        assert_eq!(metrics.render(), expected);
    }

    #[test]
    fn series_are_bounded_and_a_name_keeps_its_kind() {
        let metrics = Metrics::new();
        for i in 0..MAX_SERIES + 5 {
            metrics
                .counter("n_total", "n", &[("i", &i.to_string())])
                .inc();
        }
        assert_eq!(metrics.render().lines().count(), MAX_SERIES + 2);
        metrics.gauge("n_total", "n", &[]).set(1);
        assert_eq!(metrics.render().lines().count(), MAX_SERIES + 2);
    }

    /// Reads the text format strictly: https://prometheus.io/docs/instrumenting/exposition_formats/.
    /// Gives the values by series, or what is wrong.
    fn read(text: &str) -> Result<BTreeMap<String, f64>, String> {
        let name = |text: &str, colon: bool| {
            let good = |c: char| c.is_ascii_alphanumeric() || c == '_' || (colon && c == ':');
            !text.is_empty()
                && text.chars().all(good)
                && !text.starts_with(|c: char| c.is_ascii_digit())
        };
        let mut values = BTreeMap::new();
        let mut typed = BTreeMap::new();
        let mut current = String::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (family, _) = rest.split_once(' ').ok_or("a HELP without a text")?;
                family.clone_into(&mut current);
                continue;
            }
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (family, kind) = rest.split_once(' ').ok_or("a TYPE without a kind")?;
                if family != current || !["counter", "gauge", "histogram"].contains(&kind) {
                    return Err(format!("`{line}` does not follow its HELP"));
                }
                if typed.insert(family.to_owned(), kind).is_some() {
                    return Err(format!("{family} comes twice"));
                }
                continue;
            }
            let (series, value) = line.rsplit_once(' ').ok_or("a sample without a value")?;
            let family = series.split('{').next().unwrap_or_default();
            let base = ["_bucket", "_sum", "_count"]
                .iter()
                .filter(|_| typed.get(&current) == Some(&"histogram"))
                .find_map(|suffix| family.strip_suffix(suffix))
                .unwrap_or(family);
            if base != current || !name(family, true) {
                return Err(format!("`{line}` is not of {current}"));
            }
            let mut rest = &series[family.len()..];
            if let Some(inside) = rest.strip_prefix('{') {
                rest = inside
                    .strip_suffix('}')
                    .ok_or("a brace that is not closed")?;
                while !rest.is_empty() {
                    let (label, value) = rest.split_once("=\"").ok_or("a label without a value")?;
                    if !name(label, false) {
                        return Err(format!("{label} is no label"));
                    }
                    let mut end = None;
                    let mut escaped = false;
                    for (at, c) in value.char_indices() {
                        match c {
                            _ if escaped && !['\\', '"', 'n'].contains(&c) => {
                                return Err(format!("\\{c} is no escape"));
                            }
                            _ if escaped => escaped = false,
                            '\\' => escaped = true,
                            '"' => {
                                end = Some(at);
                                break;
                            }
                            _ => {}
                        }
                    }
                    let end = end.ok_or("a value that is not closed")?;
                    rest = &value[end + 1..];
                    rest = rest.strip_prefix(',').unwrap_or(rest);
                }
            }
            let value: f64 = value.parse().map_err(|_| format!("{value} is no number"))?;
            if values.insert(series.to_owned(), value).is_some() {
                return Err(format!("{series} comes twice"));
            }
        }
        Ok(values)
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_counted_is_read_by_a_strict_parser(
            series in proptest::collection::vec(
                ("[a-z:][a-zA-Z0-9_.: -]{0,8}", ".{0,12}", "[a-z][a-z0-9.-]{0,4}", "[^\r\u{85}\u{2028}\u{2029}]{0,8}", 0_u64..1000),
                0..12,
            ),
        ) {
            let metrics = Metrics::new().with_process();
            for (name, help, label, value, count) in &series {
                metrics.counter(&format!("c_{name}"), help, &[(label, value)]).add(*count);
                metrics.gauge(&format!("g_{name}"), help, &[]).set(3);
                let histogram = Histogram::default();
                histogram.observe(Duration::from_millis(*count));
                metrics.histogram(&format!("h_{name}"), help, &[(label, value)], &histogram);
            }
            let text = metrics.render();
            let values = match read(&text) {
                Ok(values) => values,
                Err(why) => return Err(proptest::test_runner::TestCaseError::fail(format!("{why}\n{text}"))),
            };
            let counted: u64 = series.iter().map(|(.., count)| count).sum();
            let read: f64 = values.iter().filter(|(key, _)| key.starts_with("c_")).map(|(_, value)| value).sum();
            proptest::prop_assert_eq!(read, counted as f64);
        }
    }

    #[test]
    fn a_process_tells_its_memory() {
        let text = Metrics::new().with_process().render();
        assert!(text.contains("process_resident_memory_bytes "), "{text}");
        assert!(
            !text.contains("process_resident_memory_bytes 0\n"),
            "{text}"
        );
    }
}
