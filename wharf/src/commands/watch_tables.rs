//! Watches, runs and previews as people read them.

use wharf_proto::monitor::v1::{
    Delivery, DeliveryState, PreviewWatchResponse, RunCause, RunOutcome, Watch, WatchRun,
};

use super::alert::group;
use crate::print::{self, Table};

fn at(time: Option<&prost_types::Timestamp>) -> String {
    time.map_or_else(
        || "-".to_owned(),
        |time| wharf_proto::times::rfc3339(wharf_proto::times::millis(time)),
    )
}

fn outcome(outcome: RunOutcome) -> String {
    match outcome {
        RunOutcome::Unspecified => "-".to_owned(),
        outcome => print::word(outcome.as_str_name(), "RUN_OUTCOME_"),
    }
}

fn cause(cause: RunCause) -> String {
    print::word(cause.as_str_name(), "RUN_CAUSE_")
}

fn delivery_state(state: DeliveryState) -> String {
    print::word(state.as_str_name(), "DELIVERY_STATE_")
}

/// What is wrong with a watch, empty when nothing is.
fn problem(watch: &Watch) -> &str {
    if watch.broken.is_empty() {
        &watch.last_error
    } else {
        &watch.broken
    }
}

/// A list of watches.
pub(super) fn watches(watches: &[Watch], now_ms: u64) -> String {
    let mut table = Table::new(&[
        "WATCH", "ENABLED", "SEVERITY", "ORIGIN", "LAST RUN", "OUTCOME", ">FIRING", "PROBLEM",
    ]);
    for watch in watches {
        let spec = watch.spec.as_ref();
        table.row([
            watch.name.clone(),
            spec.map_or("-", |spec| if spec.enabled { "yes" } else { "no" })
                .to_owned(),
            spec.map_or_else(
                || "-".to_owned(),
                |spec| print::word(spec.severity().as_str_name(), "SEVERITY_"),
            ),
            print::word(watch.origin().as_str_name(), "ORIGIN_"),
            print::age(now_ms, watch.last_run_at.as_ref()),
            outcome(watch.last_outcome()),
            watch.firing.to_string(),
            problem(watch).to_owned(),
        ]);
    }
    table.render()
}

/// One watch with its document.
pub(super) fn watch(watch: &Watch, now_ms: u64) -> String {
    let mut text = format!(
        "watch       {}\norigin      {}\nversion     {}\nlast run    {} ago, {}\nnext run    {}\nfiring      {}\n",
        print::printable(&watch.name),
        print::word(watch.origin().as_str_name(), "ORIGIN_"),
        if watch.version.is_empty() {
            "-"
        } else {
            &watch.version
        },
        print::age(now_ms, watch.last_run_at.as_ref()),
        outcome(watch.last_outcome()),
        at(watch.next_run_at.as_ref()),
        watch.firing,
    );
    if !problem(watch).is_empty() {
        text.push_str(&format!(
            "problem     {}\n",
            print::printable(problem(watch))
        ));
    }
    text.push('\n');
    for line in watch.document.lines() {
        text.push_str(&print::printable(line));
        text.push('\n');
    }
    text
}

/// One run with its groups and its messages.
pub(super) fn run(run: &WatchRun) -> String {
    let mut text = format!(
        "watch       {}\nrun         {}, {}\nof          {}, took {} ms\noutcome     {}\nsearched    {}\nhits        {}\ngroups      {}\n",
        print::printable(&run.watch),
        print::printable(&run.id),
        cause(run.cause()),
        at(run.scheduled_at.as_ref()),
        run.duration_ms,
        outcome(run.outcome()),
        print::printable(&run.indices.join(", ")),
        run.hits,
        run.group_count,
    );
    if !run.groups.is_empty() {
        let mut table = Table::new(&["GROUP", "STATE", ">VALUE"]);
        for one in &run.groups {
            table.row([
                group(&one.group),
                print::word(one.state().as_str_name(), "GROUP_STATE_"),
                one.value.clone(),
            ]);
        }
        text.push('\n');
        text.push_str(&table.render());
    }
    if !run.deliveries.is_empty() {
        text.push('\n');
        text.push_str(&deliveries(&run.deliveries));
    }
    text
}

fn deliveries(deliveries: &[Delivery]) -> String {
    let mut table = Table::new(&[
        "MESSAGE",
        "CHANNEL",
        "STATE",
        ">ATTEMPTS",
        "SUBJECT",
        "REASON",
    ]);
    for delivery in deliveries {
        table.row([
            delivery.transition.clone(),
            if delivery.channel.is_empty() {
                "-"
            } else {
                &delivery.channel
            }
            .to_owned(),
            delivery_state(delivery.state()),
            delivery.attempts.to_string(),
            delivery.subject.clone(),
            delivery.reason.clone(),
        ]);
    }
    table.render()
}

/// A list of runs.
pub(super) fn history(runs: &[WatchRun]) -> String {
    let mut table = Table::new(&[
        "AT", "WATCH", "CAUSE", "OUTCOME", ">HITS", ">GROUPS", ">MS", "MESSAGES", "ERROR",
    ]);
    for run in runs {
        let sent: Vec<String> = run
            .deliveries
            .iter()
            .map(|delivery| {
                format!(
                    "{} {}",
                    delivery.transition,
                    delivery_state(delivery.state())
                )
            })
            .collect();
        table.row([
            at(run.scheduled_at.as_ref()),
            run.watch.clone(),
            cause(run.cause()),
            outcome(run.outcome()),
            run.hits.to_string(),
            run.group_count.to_string(),
            run.duration_ms.to_string(),
            if sent.is_empty() {
                "-".to_owned()
            } else {
                sent.join(", ")
            },
            run.error.clone(),
        ]);
    }
    table.render()
}

/// What there would have been.
pub(super) fn preview(preview: &PreviewWatchResponse) -> String {
    let mut text = format!(
        "runs        {}, of which {} were evaluated\nerrors      {}\n",
        preview.runs, preview.evaluated, preview.errors
    );
    if !preview.first_error.is_empty() {
        text.push_str(&format!(
            "first error {}\n",
            print::printable(&preview.first_error)
        ));
    }
    let mut table = Table::new(&["AT", "GROUP", "WHAT", ">VALUE", "MESSAGE"]);
    for event in &preview.events {
        let subjects: Vec<&str> = event
            .messages
            .iter()
            .map(|message| message.subject.as_str())
            .collect();
        table.row([
            at(event.at.as_ref()),
            group(&event.group),
            event.transition.clone(),
            event.value.clone(),
            if subjects.is_empty() {
                "held by the throttle".to_owned()
            } else {
                subjects.join("; ")
            },
        ]);
    }
    text.push('\n');
    text.push_str(&table.render());
    if preview.events_left_off > 0 {
        text.push_str(&format!("and {} more\n", preview.events_left_off));
    }
    text
}
