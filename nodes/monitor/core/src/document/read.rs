//! A tree → a watch.
//!
//! Invariants: strict (a field that is not known is refused), every default is filled in, and what
//! is accepted is valid: nothing later finds a watch that cannot run.
//! Not here: the tree, spans of time, templates' own grammar.

use std::collections::BTreeMap;

use serde_json::Value;

use super::DocumentError;
use super::fields::{Field, Fields};
use super::tree::{self, Kind, Node};
use crate::input::{Body, SearchInput};
use crate::schedule::Cron;
use crate::template::{self, Template};
use crate::watch::{
    Action, Comparison, Condition, DEFAULT_THROTTLE_MS, DEFAULT_TIMEOUT_MS, DEFAULT_WINDOW_MS,
    MAX_ACTIONS, MAX_BUCKETS, MAX_INDICES, MAX_LABELS, MAX_NAME, MAX_SPAN_MS, MAX_TIMEOUT_MS,
    MIN_INTERVAL_MS, Measure, Missing, Severity, Threshold, Trigger, Watch, is_name,
};

const MAX_DESCRIPTION: usize = 1_000;
const MAX_LABEL: usize = 128;
const MAX_PATH: usize = 256;
const MAX_INDEX: usize = 255;
const MAX_RECOVER_AFTER: u64 = 100;
const MAX_MIN_COUNT: u64 = 1_000_000_000_000;

/// The watch of a JSON value without a text, for the API's messages.
pub(crate) fn reading_of_value(value: &Value) -> Result<Watch, DocumentError> {
    watch(&tree::of_value(value)?, None)
}

/// The watch of a tree; `kept_as` is the name it is kept under, which it may leave out.
pub(super) fn watch(node: &Node, kept_as: Option<&str>) -> Result<Watch, DocumentError> {
    let fields = Field::root(node).fields(&[
        "name",
        "description",
        "enabled",
        "severity",
        "labels",
        "trigger",
        "input",
        "condition",
        "throttle",
        "recover_after",
        "actions",
        "timeout",
    ])?;
    let name = name(&fields, kept_as)?;
    let description = match fields.take("description") {
        Some(field) => field.text(MAX_DESCRIPTION)?.to_owned(),
        None => String::new(),
    };
    let enabled = fields
        .take("enabled")
        .map_or(Ok(true), |field| field.truth())?;
    let severity = match fields.take("severity") {
        Some(field) => one_of(&field, &Severity::ALL, Severity::word)?,
        None => Severity::Warning,
    };
    let labels = fields
        .take("labels")
        .map_or(Ok(BTreeMap::new()), |field| labels(&field))?;
    let trigger = trigger(&fields.need("trigger")?)?;
    let input = input(&fields.need("input")?, &trigger)?;
    let condition = condition(&fields.need("condition")?)?;
    let throttle_ms = match fields.take("throttle") {
        Some(field) => field.span(1_000, MAX_SPAN_MS)?,
        None => DEFAULT_THROTTLE_MS,
    };
    let recover_after = match fields.take("recover_after") {
        Some(field) => field.whole(1, MAX_RECOVER_AFTER)?,
        None => 1,
    };
    let actions = match fields.take("actions") {
        Some(field) => field
            .items(MAX_ACTIONS)?
            .iter()
            .map(|item| action(item, &condition.buckets))
            .collect::<Result<_, _>>()?,
        None => Vec::new(),
    };
    let timeout_ms = match fields.take("timeout") {
        Some(field) => field.span(100, MAX_TIMEOUT_MS)?,
        None => DEFAULT_TIMEOUT_MS,
    };
    Ok(Watch {
        name,
        description,
        enabled,
        severity,
        labels,
        trigger,
        input,
        condition,
        throttle_ms,
        recover_after: u32::try_from(recover_after).unwrap_or(1),
        actions,
        timeout_ms,
    })
}

fn name(fields: &Fields<'_>, kept_as: Option<&str>) -> Result<String, DocumentError> {
    let field = match (fields.take("name"), kept_as) {
        (Some(field), _) => field,
        (None, Some(kept)) if is_name(kept) => return Ok(kept.to_owned()),
        (None, Some(kept)) => {
            let shown: String = kept.chars().take(MAX_NAME).collect();
            return Err(fields.fail(format!("is kept as `{shown}`, which is no name of a watch")));
        }
        (None, None) => fields.need("name")?,
    };
    let text = field.words(MAX_NAME)?;
    if !is_name(text) {
        return Err(field.fail(
            "must be 1 to 64 of a-z, 0-9, `-`, `_` and `.`, and begin with a letter or digit",
        ));
    }
    match kept_as {
        Some(kept) if kept != text => Err(field.fail(format!(
            "is `{text}`, but the document is kept as `{}`",
            kept.chars().take(MAX_NAME).collect::<String>()
        ))),
        _ => Ok(text.to_owned()),
    }
}

fn one_of<T: Copy>(
    field: &Field<'_>,
    all: &[T],
    word: fn(T) -> &'static str,
) -> Result<T, DocumentError> {
    let text = field.text(MAX_LABEL)?;
    all.iter()
        .copied()
        .find(|one| word(*one) == text)
        .ok_or_else(|| {
            let words: Vec<&str> = all.iter().map(|one| word(*one)).collect();
            field.fail(format!("must be one of {}", words.join(", ")))
        })
}

fn labels(field: &Field<'_>) -> Result<BTreeMap<String, String>, DocumentError> {
    let entries = field.entries()?;
    if entries.len() > MAX_LABELS {
        return Err(field.fail(format!("has more than {MAX_LABELS} members")));
    }
    let mut labels = BTreeMap::new();
    for (key, field) in entries {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if key.is_empty() || key.len() > MAX_NAME || !key.bytes().all(plain) {
            return Err(field.fail("a label's name must be 1 to 64 letters, digits, `-`, `_`, `.`"));
        }
        labels.insert(key.to_owned(), field.text(MAX_LABEL)?.to_owned());
    }
    Ok(labels)
}

fn trigger(field: &Field<'_>) -> Result<Trigger, DocumentError> {
    let fields = field.fields(&["interval", "cron", "time_zone"])?;
    let interval = fields.take("interval");
    let cron = fields.take("cron");
    let zone = fields.take("time_zone");
    let trigger = match (interval, cron) {
        (Some(interval), None) => {
            if let Some(zone) = zone {
                return Err(zone.fail("belongs to `cron`; an interval has no time zone"));
            }
            Trigger::Interval(interval.span(MIN_INTERVAL_MS, MAX_SPAN_MS)?)
        }
        (None, Some(cron)) => {
            let name = zone.as_ref().map_or(Ok("UTC"), |zone| zone.words(64))?;
            let expression = cron.words(256)?;
            Trigger::Cron(Cron::parse(expression, name).map_err(|error| {
                let at = match error {
                    crate::schedule::CronError::Zone(_) => zone.as_ref().unwrap_or(&cron),
                    _ => &cron,
                };
                at.fail(error.to_string())
            })?)
        }
        _ => return Err(fields.fail("must have one of `interval` and `cron`")),
    };
    Ok(trigger)
}

fn input(field: &Field<'_>, trigger: &Trigger) -> Result<SearchInput, DocumentError> {
    let search = field.fields(&["search"])?.need("search")?;
    let fields = search.fields(&["index", "body", "window"])?;
    let index = fields.need("index")?;
    let mut indices = Vec::new();
    for item in index.items(MAX_INDICES)? {
        let text = item.words(MAX_INDEX)?;
        let plain = |letter: char| {
            letter.is_ascii_lowercase()
                || letter.is_ascii_digit()
                || matches!(letter, '-' | '_' | '.' | '*')
        };
        if !text.chars().all(plain) || text.starts_with(['-', '_', '+']) {
            return Err(item.fail(
                "must be the name of an index or data stream (a-z, 0-9, `-`, `_`, `.`), with `*` \
                 for any text",
            ));
        }
        if text.starts_with('.') || text.starts_with('*') {
            return Err(item.fail("hidden indices, and `*` at the beginning, are not searched"));
        }
        indices.push(text.to_owned());
    }
    if indices.is_empty() {
        return Err(index.fail("must name at least one index or data stream"));
    }
    let body = fields.need("body")?;
    if !matches!(body.node.kind, Kind::Map(_)) {
        return Err(body.fail(format!("must be a map, not {}", body.node.what())));
    }
    check_places(&body)?;
    let body = Body::new(body.value()).map_err(|error| body.fail(error.to_string()))?;
    let window_ms = match fields.take("window") {
        Some(field) => field.span(MIN_INTERVAL_MS, MAX_SPAN_MS)?,
        None => match trigger {
            Trigger::Interval(every_ms) => *every_ms,
            Trigger::Cron(_) => DEFAULT_WINDOW_MS,
        },
    };
    Ok(SearchInput {
        indices,
        body,
        window_ms,
    })
}

/// Names the place of a text in a body that looks like a placeholder and is none.
fn check_places(field: &Field<'_>) -> Result<(), DocumentError> {
    match &field.node.kind {
        Kind::Text(text) => crate::input::check_text(text).map_err(|e| field.fail(e.to_string())),
        Kind::List(_) => field
            .items(usize::MAX)?
            .iter()
            .try_for_each(|item| check_places(item)),
        Kind::Map(_) => field
            .entries()?
            .iter()
            .try_for_each(|(_, field)| check_places(field)),
        _ => Ok(()),
    }
}

fn condition(field: &Field<'_>) -> Result<Condition, DocumentError> {
    let fields = field.fields(&["compare", "each"])?;
    let compare = fields.take("compare");
    let each = fields.take("each");
    let condition = match (compare, each) {
        (Some(compare), None) => judged(&compare, false)?,
        (None, Some(each)) => judged(&each, true)?,
        _ => return Err(fields.fail("must have one of `compare` and `each`")),
    };
    Ok(condition)
}

fn judged(field: &Field<'_>, each: bool) -> Result<Condition, DocumentError> {
    let known = [
        "buckets",
        "path",
        "ratio",
        "gt",
        "gte",
        "lt",
        "lte",
        "eq",
        "ne",
        "missing",
        "min_count",
    ];
    let fields = field.fields(if each { &known } else { &known[1..] })?;
    let mut buckets = Vec::new();
    if each {
        let field = fields.need("buckets")?;
        for item in field.items(MAX_BUCKETS)? {
            let name = item.words(MAX_LABEL)?;
            if buckets.iter().any(|other| other == name) {
                return Err(item.fail(format!("`{name}` is given twice")));
            }
            buckets.push(name.to_owned());
        }
        if buckets.is_empty() {
            return Err(field.fail("must name at least one aggregation"));
        }
    }
    let measure = measure(&fields)?;
    let (comparison, threshold) = comparison(&fields)?;
    let missing = match fields.take("missing") {
        Some(field) => one_of(&field, &Missing::ALL, Missing::word)?,
        None => Missing::Error,
    };
    let min_count = match fields.take("min_count") {
        Some(field) => field.whole(0, MAX_MIN_COUNT)?,
        None => 0,
    };
    Ok(Condition {
        buckets,
        measure,
        comparison,
        threshold,
        missing,
        min_count,
    })
}

fn measure(fields: &Fields<'_>) -> Result<Measure, DocumentError> {
    let path = fields.take("path");
    let ratio = fields.take("ratio");
    match (path, ratio) {
        (Some(path), None) => Ok(Measure::Path(path.words(MAX_PATH)?.to_owned())),
        (None, Some(ratio)) => {
            let parts = ratio.fields(&["part", "whole"])?;
            let part = parts.need("part")?.words(MAX_PATH)?.to_owned();
            let whole = parts.need("whole")?.words(MAX_PATH)?.to_owned();
            Ok(Measure::Ratio { part, whole })
        }
        _ => Err(fields.fail("must have one of `path` and `ratio`")),
    }
}

fn comparison(fields: &Fields<'_>) -> Result<(Comparison, Threshold), DocumentError> {
    let mut found = None;
    for comparison in Comparison::ALL {
        let Some(field) = fields.take(comparison.word()) else {
            continue;
        };
        if found.is_some() {
            return Err(field.fail("only one of gt, gte, lt, lte, eq, ne can be given"));
        }
        let threshold = match &field.node.kind {
            Kind::Number(number) => number.as_f64().map(Threshold::Number),
            Kind::Text(text) if text.chars().count() <= MAX_PATH => {
                Some(Threshold::Text(text.clone()))
            }
            Kind::Truth(truth) => Some(Threshold::Truth(*truth)),
            _ => None,
        };
        let Some(threshold) = threshold else {
            return Err(field.fail("must be a number, a short text, true or false"));
        };
        let ordered = !matches!(comparison, Comparison::Eq | Comparison::Ne);
        if ordered && !matches!(threshold, Threshold::Number(_)) {
            return Err(field.fail("must be a number; texts and truths have only eq and ne"));
        }
        found = Some((comparison, threshold));
    }
    found.ok_or_else(|| fields.fail("must have one of gt, gte, lt, lte, eq, ne"))
}

fn action(field: &Field<'_>, buckets: &[String]) -> Result<Action, DocumentError> {
    let fields = field.fields(&[
        "channel",
        "subject",
        "body",
        "recovered_subject",
        "recovered_body",
    ])?;
    let channel = match fields.take("channel") {
        Some(channel) => {
            let name = channel.words(MAX_NAME)?;
            if !is_name(name) {
                return Err(channel
                    .fail("must be the name of a channel: 1 to 64 of a-z, 0-9, `-`, `_` and `.`"));
            }
            Some(name.to_owned())
        }
        None => None,
    };
    let template = |name: &'static str, max: usize, default: &str| {
        let Some(field) = fields.take(name) else {
            return Template::parse(default).map_err(|error| field.fail(error.to_string()));
        };
        let template = Template::parse(field.words(max)?);
        template
            .and_then(|template| template.check_groups(buckets).map(|()| template))
            .map_err(|error| field.fail(error.to_string()))
    };
    let action = Action {
        channel,
        subject: template("subject", template::MAX_SUBJECT, template::DEFAULT_SUBJECT)?,
        body: template("body", template::MAX_BODY, template::DEFAULT_BODY)?,
        recovered_subject: template(
            "recovered_subject",
            template::MAX_SUBJECT,
            template::DEFAULT_RECOVERED_SUBJECT,
        )?,
        recovered_body: template(
            "recovered_body",
            template::MAX_BODY,
            template::DEFAULT_RECOVERED_BODY,
        )?,
    };
    Ok(action)
}
