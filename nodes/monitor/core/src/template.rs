//! Texts of messages with places for what a run found: `{{group.host}} uses {{value | percent}}`.
//!
//! Invariants: a template that parses renders whatever the run found; values never become markup
//! of where the message goes (Slack's `<!channel>`, a second line in a subject); a message has a
//! largest length, and so has each value in it.
//! Not here: which message is sent (`alerts`), sending it.

use serde_json::Value;

use crate::answer::at;
use crate::evaluate::{GroupKey, Measured};
use crate::watch::{Threshold, Watch};

/// Longest subject, in characters, as a template and when it is rendered.
pub const MAX_SUBJECT: usize = 200;
/// Longest body, in characters, as a template and when it is rendered.
pub const MAX_BODY: usize = 4_000;
/// Longest value inside, in characters.
const MAX_VALUE: usize = 300;
/// Most places of one template.
const MAX_PLACES: usize = 50;
/// What stands for a value that is missing.
const MISSING: &str = "n/a";

/// Subject where a watch gives none.
pub const DEFAULT_SUBJECT: &str = "{{watch.severity | upper}}: {{watch.name}} {{group}}";
/// Body where a watch gives none.
pub const DEFAULT_BODY: &str =
    "{{watch.description}}\n{{group}}: {{value}} is {{comparison}} {{threshold}}, at {{to}}.";
/// Subject of a recovery where a watch gives none.
pub const DEFAULT_RECOVERED_SUBJECT: &str = "Recovered: {{watch.name}} {{group}}";
/// Body of a recovery where a watch gives none.
pub const DEFAULT_RECOVERED_BODY: &str = "{{group}}: {{value}}, recovered at {{to}}.";

/// A text with places for values.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    source: String,
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Text(String),
    Place(Known, Option<Filter>),
}

#[derive(Debug, Clone, PartialEq)]
enum Known {
    WatchName,
    WatchDescription,
    WatchSeverity,
    Label(String),
    Group,
    GroupPart(String),
    Bucket(String),
    Value,
    Threshold,
    Comparison,
    Part,
    Whole,
    Hits,
    State,
    From,
    To,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Filter {
    Percent,
    Bytes,
    Round,
    Upper,
}

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A name that nothing has.
    #[error(
        "`{{{{{0}}}}}` is not known; known are watch.name, watch.description, watch.severity, labels.NAME, group, group.NAME, bucket.PATH, value, threshold, comparison, part, whole, hits, state, from, to"
    )]
    Unknown(String),
    /// A filter that there is not.
    #[error("`{0}` is no filter; there are percent, bytes, round, upper")]
    Filter(String),
    /// Braces that are not closed.
    #[error("`{{{{` is never closed")]
    Open,
    /// Too many places.
    #[error("has more than {MAX_PLACES} places")]
    Places,
    /// A part of the group that the condition does not make.
    #[error("`group.{name}` is no aggregation of `condition.each.buckets` ({known})")]
    Group {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
}

/// Where a text goes, which decides what must be taken out of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Markup {
    /// One line: the subject of a mail, the title of a message.
    Line,
    /// Lines of plain text.
    Plain,
    /// Slack's mrkdwn.
    Slack,
}

/// What a message is about.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The watch.
    pub watch: &'a Watch,
    /// The group; empty when the whole answer is judged.
    pub group: &'a GroupKey,
    /// What was measured.
    pub value: Option<&'a Measured>,
    /// Part and whole of a ratio.
    pub ratio: Option<(f64, f64)>,
    /// The bucket.
    pub evidence: &'a Value,
    /// Documents that matched.
    pub hits: u64,
    /// `firing`, `recovered`.
    pub state: &'a str,
    /// Begin of the window, milliseconds since 1970.
    pub from_ms: u64,
    /// Its end.
    pub to_ms: u64,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// When a place is not closed or names what there is not.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        let mut pieces = Vec::new();
        let mut rest = source;
        while let Some(open) = rest.find("{{") {
            if open > 0 {
                pieces.push(Piece::Text(rest[..open].to_owned()));
            }
            let close = rest[open..].find("}}").ok_or(TemplateError::Open)? + open;
            pieces.push(place(&rest[open + 2..close])?);
            if pieces.len() > 2 * MAX_PLACES {
                return Err(TemplateError::Places);
            }
            rest = &rest[close + 2..];
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self {
            source: source.to_owned(),
            pieces,
        })
    }

    /// The text as it was given.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Refuses a part of the group that the condition does not make.
    pub(crate) fn check_groups(&self, buckets: &[String]) -> Result<(), TemplateError> {
        for piece in &self.pieces {
            if let Piece::Place(Known::GroupPart(name), _) = piece
                && !buckets.contains(name)
            {
                return Err(TemplateError::Group {
                    name: name.clone(),
                    known: if buckets.is_empty() {
                        "none".to_owned()
                    } else {
                        buckets.join(", ")
                    },
                });
            }
        }
        Ok(())
    }

    /// The text for a run.
    #[must_use]
    pub fn render(&self, context: &Context<'_>, markup: Markup) -> String {
        let max = match markup {
            Markup::Line => MAX_SUBJECT,
            Markup::Plain | Markup::Slack => MAX_BODY,
        };
        let mut out = String::new();
        for piece in &self.pieces {
            match piece {
                // A line break that the watch's author wrote into a subject is a space too.
                Piece::Text(text) if markup == Markup::Line => push_safe(&mut out, text, markup),
                Piece::Text(text) => out.push_str(text),
                Piece::Place(name, filter) => {
                    let text = filtered(&value_of(name, context), *filter);
                    push_safe(&mut out, &cut(&text, MAX_VALUE), markup);
                }
            }
        }
        let out = out.trim();
        // Cutting may not leave half an entity behind.
        if out.chars().count() > max {
            let mut short: String = out.chars().take(max - 1).collect();
            if let Some(at) = short.rfind('&')
                && short.len() - at < 5
            {
                short.truncate(at);
            }
            short.push('…');
            return short;
        }
        out.to_owned()
    }
}

fn place(inside: &str) -> Result<Piece, TemplateError> {
    let (name, filter) = match inside.split_once('|') {
        Some((name, filter)) => (name.trim(), Some(filter.trim())),
        None => (inside.trim(), None),
    };
    let short = |text: &str| cut(text, 80);
    let filter = match filter {
        None => None,
        Some("percent") => Some(Filter::Percent),
        Some("bytes") => Some(Filter::Bytes),
        Some("round") => Some(Filter::Round),
        Some("upper") => Some(Filter::Upper),
        Some(other) => return Err(TemplateError::Filter(short(other))),
    };
    let known = match name {
        "watch.name" => Known::WatchName,
        "watch.description" => Known::WatchDescription,
        "watch.severity" => Known::WatchSeverity,
        "group" => Known::Group,
        "value" => Known::Value,
        "threshold" => Known::Threshold,
        "comparison" => Known::Comparison,
        "part" => Known::Part,
        "whole" => Known::Whole,
        "hits" => Known::Hits,
        "state" => Known::State,
        "from" => Known::From,
        "to" => Known::To,
        _ => match name.split_once('.') {
            Some(("labels", rest)) if !rest.is_empty() => Known::Label(rest.to_owned()),
            Some(("group", rest)) if !rest.is_empty() => Known::GroupPart(rest.to_owned()),
            Some(("bucket", rest)) if !rest.is_empty() => Known::Bucket(rest.to_owned()),
            _ => return Err(TemplateError::Unknown(short(name))),
        },
    };
    Ok(Piece::Place(known, filter))
}

/// A value on its way into a text.
enum Shown {
    Number(f64),
    Text(String),
    Missing,
}

fn value_of(name: &Known, context: &Context<'_>) -> Shown {
    let text = |text: &str| Shown::Text(text.to_owned());
    match name {
        Known::WatchName => text(&context.watch.name),
        Known::WatchDescription => text(&context.watch.description),
        Known::WatchSeverity => text(context.watch.severity.word()),
        Known::Label(name) => context
            .watch
            .labels
            .get(name)
            .map_or(Shown::Missing, |label| text(label)),
        Known::Group => {
            let parts: Vec<&str> = context
                .group
                .iter()
                .map(|(_, value)| value.as_str())
                .collect();
            Shown::Text(parts.join(" "))
        }
        Known::GroupPart(name) => context
            .group
            .iter()
            .find(|(part, _)| part == name)
            .map_or(Shown::Missing, |(_, value)| text(value)),
        Known::Bucket(path) => at(context.evidence, path).map_or(Shown::Missing, of_json),
        Known::Value => match context.value {
            Some(Measured::Number(number)) => Shown::Number(*number),
            Some(Measured::Text(value)) => text(value),
            Some(Measured::Truth(truth)) => Shown::Text(truth.to_string()),
            None => Shown::Missing,
        },
        Known::Threshold => match &context.watch.condition.threshold {
            Threshold::Number(number) => Shown::Number(*number),
            Threshold::Text(value) => text(value),
            Threshold::Truth(truth) => Shown::Text(truth.to_string()),
        },
        Known::Comparison => text(context.watch.condition.comparison.sign()),
        Known::Part => context
            .ratio
            .map_or(Shown::Missing, |(part, _)| Shown::Number(part)),
        Known::Whole => context
            .ratio
            .map_or(Shown::Missing, |(_, whole)| Shown::Number(whole)),
        Known::Hits => Shown::Number(context.hits as f64),
        Known::State => text(context.state),
        Known::From => Shown::Text(wharf_proto::times::rfc3339(context.from_ms)),
        Known::To => Shown::Text(wharf_proto::times::rfc3339(context.to_ms)),
    }
}

fn of_json(value: &Value) -> Shown {
    match value {
        Value::Null => Shown::Missing,
        Value::String(text) => Shown::Text(text.clone()),
        Value::Number(number) => number.as_f64().map_or(Shown::Missing, Shown::Number),
        other => Shown::Text(other.to_string()),
    }
}

fn filtered(value: &Shown, filter: Option<Filter>) -> String {
    match (value, filter) {
        (Shown::Missing, _) => MISSING.to_owned(),
        (Shown::Text(text), Some(Filter::Upper)) => text.to_uppercase(),
        (Shown::Text(text), _) => text.clone(),
        (Shown::Number(value), Some(Filter::Percent)) => {
            format!("{} %", number((value * 1_000.0).round() / 10.0))
        }
        (Shown::Number(value), Some(Filter::Bytes)) => bytes(*value),
        (Shown::Number(value), Some(Filter::Round)) => number(value.round()),
        (Shown::Number(value), _) => number(*value),
    }
}

/// A number as people read it: whole ones whole, others with four significant digits.
#[must_use]
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return MISSING.to_owned();
    }
    if value.fract() == 0.0 && value.abs() < 1e15 {
        return format!("{value:.0}");
    }
    if value.abs() >= 1e15 || value.abs() < 1e-6 {
        return format!("{value:e}");
    }
    let magnitude = value.abs().log10().floor();
    let decimals = (3.0 - magnitude).clamp(0.0, 9.0) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

fn bytes(value: f64) -> String {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut value = value;
    let mut unit = 0;
    while value.abs() >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{} {}", number((value * 10.0).round() / 10.0), UNITS[unit])
}

fn cut(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(max - 1).collect();
    short.push('…');
    short
}

fn push_safe(out: &mut String, text: &str, markup: Markup) {
    for letter in text.chars() {
        match (letter, markup) {
            ('&', Markup::Slack) => out.push_str("&amp;"),
            ('<', Markup::Slack) => out.push_str("&lt;"),
            ('>', Markup::Slack) => out.push_str("&gt;"),
            ('\n' | '\t', Markup::Plain | Markup::Slack) => out.push(letter),
            _ if letter.is_control() => out.push(' '),
            _ => out.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use proptest::prelude::*;
    use serde_json::json;

    fn rendered(template: &str, group: &str, value: Measured, markup: Markup) -> String {
        let watch = fixture::watch();
        let context = Context {
            watch: &watch,
            group: &vec![("host".to_owned(), group.to_owned())],
            value: Some(&value),
            ratio: Some((21.0, 104.0)),
            evidence: &json!({"used": {"value": 3_221_225_472_u64}, "nothing": null}),
            hits: 3,
            state: "firing",
            from_ms: 0,
            to_ms: 60_000,
        };
        Template::parse(template)
            .expect("the template parses")
            .render(&context, markup)
    }

    fn plain(template: &str) -> String {
        rendered(template, "web-1", Measured::Number(0.20192), Markup::Plain)
    }

    #[test]
    fn places_are_filled_with_what_the_run_found() {
        assert_eq!(
            plain("{{group.host}}: {{value | percent}} ({{part}} of {{ whole }}) > {{threshold}}"),
            "web-1: 20.2 % (21 of 104) > 0.9"
        );
        assert_eq!(
            plain("{{bucket.used.value | bytes}} {{bucket.nothing}} {{bucket.x}}"),
            "3 GiB n/a n/a"
        );
        assert_eq!(
            plain("{{watch.name | upper}} {{state}} {{to}}"),
            "MEMORY firing 1970-01-01T00:01:00.000Z"
        );
        assert_eq!(plain("{{hits}} {{value}} {{value|round}}"), "3 0.2019 0");
    }

    #[test]
    fn what_is_not_known_is_refused_by_name() {
        for (template, word) in [
            ("{{values}}", "not known"),
            ("{{group.}}", "not known"),
            ("{{value | hex}}", "no filter"),
            ("{{value", "never closed"),
        ] {
            let error = Template::parse(template).expect_err(template).to_string();
            assert!(error.contains(word), "{template}: {error}");
        }
        let many = "{{value}} ".repeat(101);
        assert_eq!(Template::parse(&many), Err(TemplateError::Places));
    }

    #[test]
    fn values_do_not_become_slacks_markup() {
        let text = rendered(
            "*{{group}}* <http://x|runbook>",
            "<!channel> & <http://evil|x>",
            Measured::Number(1.0),
            Markup::Slack,
        );
        assert_eq!(
            text, "*&lt;!channel&gt; &amp; &lt;http://evil|x&gt;* <http://x|runbook>",
            "the author's own markup stays"
        );
    }

    #[test]
    fn a_subject_is_one_line() {
        let text = rendered(
            "a\n{{group}}",
            "x\r\nBcc: y",
            Measured::Number(1.0),
            Markup::Line,
        );
        assert_eq!(text, "a x  Bcc: y");
    }

    #[test]
    fn numbers_are_as_people_read_them() {
        for (value, text) in [
            (0.0, "0"),
            (1.0, "1"),
            (-2.5, "-2.5"),
            (0.123_456, "0.1235"),
            (12_345.678, "12346"),
            (1e18, "1e18"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_template_or_a_named_refusal(text in "[a-z{}|. ]{0,60}") {
            if let Ok(template) = Template::parse(&text) {
                prop_assert_eq!(template.source(), text);
            }
        }

        #[test]
        fn no_value_breaks_out_of_its_message(group in "(?s).{0,600}", number in any::<f64>()) {
            let value = Measured::Number(number);
            let line = rendered("s {{group}} {{value}} {{value|percent}}", &group, value.clone(), Markup::Line);
            prop_assert!(!line.chars().any(char::is_control));
            prop_assert!(line.chars().count() <= MAX_SUBJECT);
            let body = format!("{}{{{{value | bytes}}}}", "{{group}}".repeat(40));
            let slack = rendered(&body, &group, value, Markup::Slack);
            prop_assert!(!slack.contains(['<', '>']));
            prop_assert!(slack.chars().count() <= MAX_BODY);
        }
    }
}
