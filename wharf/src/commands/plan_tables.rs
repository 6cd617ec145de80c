//! Plans, their changes and their previews as people read them. Not here: asking for them (`plan.rs`).

use wharf_proto::{
    times::millis,
    v1::{Plan, PlanChange, PlanPreview},
};

use crate::print::{self, Table};

/// Changes that a row shows; the plan itself has all.
const CHANGES_SHOWN: usize = 3;

/// Plans of any deployment.
pub(crate) fn list(plans: &[Plan], now_ms: u64) -> String {
    let mut table = Table::new(&[
        "PLAN",
        "DEPLOYMENT",
        "KIND",
        "STATUS",
        "BY",
        "AGE",
        "REASON",
    ]);
    for plan in plans {
        table.row([
            plan.id.clone(),
            plan.deployment_name.clone(),
            kind(plan),
            status(plan),
            actor(plan),
            print::age(now_ms, plan.created_at.as_ref()),
            reason(plan),
        ]);
    }
    table.render()
}

/// What was done to one deployment.
pub(crate) fn history(plans: &[Plan], now_ms: u64) -> String {
    let mut table = Table::new(&[
        "AGE", "BY", "KIND", "STATUS", ">TOOK", "CHANGES", "REASON", "PLAN",
    ]);
    for plan in plans {
        table.row([
            print::age(now_ms, plan.created_at.as_ref()),
            actor(plan),
            kind(plan),
            status(plan),
            took(plan, now_ms),
            changed(&plan.changes),
            reason(plan),
            plan.id.clone(),
        ]);
    }
    table.render()
}

/// One plan with all that it has.
pub(crate) fn plan(plan: &Plan, now_ms: u64) -> String {
    let mut text = format!(
        "plan        {}\ndeployment  {} ({})\nkind        {}\nstatus      {}\nasked by    {}\ncreated     {} ago\n",
        plan.id,
        print::printable(&plan.deployment_name),
        plan.deployment_id,
        kind(plan),
        status(plan),
        actor(plan),
        print::age(now_ms, plan.created_at.as_ref()),
    );
    let reason = reason(plan);
    if reason != "-" {
        text.push_str(&format!("reason      {}\n", print::printable(&reason)));
    }
    if !plan.changes.is_empty() {
        text.push_str(&format!("\n{}", changes(&plan.changes)));
    }
    let mut table = Table::new(&["STEP", "OF", "STATUS", ">SECONDS", "WAITS FOR"]);
    for step in &plan.steps {
        let seconds = match (&step.started_at, &step.ended_at) {
            (Some(start), end) => {
                let end = end.as_ref().map_or(now_ms, millis);
                let ms = end.saturating_sub(millis(start));
                format!("{}.{}", ms / 1000, ms % 1000 / 100)
            }
            _ => "-".to_owned(),
        };
        table.row([
            step.step_id.clone(),
            step.subject.clone(),
            print::word(step.status().as_str_name(), "STEP_STATUS_"),
            seconds,
            step.waits_for.clone(),
        ]);
    }
    text.push('\n');
    text.push_str(&table.render());
    for step in plan.steps.iter().filter(|step| !step.log.is_empty()) {
        text.push_str(&format!(
            "\n{} {}\n",
            step.step_id,
            print::printable(&step.subject)
        ));
        for line in &step.log {
            text.push_str(&format!(
                "  {}  {}\n",
                print::age(now_ms, line.at.as_ref()),
                print::printable(&line.text)
            ));
        }
    }
    text
}

/// What a plan would do: its changes, its steps in order, where instances would be and why not
/// elsewhere.
pub(crate) fn preview(preview: &PlanPreview) -> String {
    let empty = Plan::default();
    let plan = preview.plan.as_ref().unwrap_or(&empty);
    let mut text = format!(
        "A dry run: nothing was changed.\n\ndeployment  {}\nkind        {}\n",
        print::printable(&plan.deployment_name),
        kind(plan)
    );
    if !plan.changes.is_empty() {
        text.push_str(&format!("\n{}", changes(&plan.changes)));
    }
    if !plan.steps.is_empty() {
        let mut steps = Table::new(&[">", "STEP", "OF"]);
        for (index, step) in plan.steps.iter().enumerate() {
            steps.row([
                (index + 1).to_string(),
                step.step_id.clone(),
                step.subject.clone(),
            ]);
        }
        text.push_str(&format!("\n{}", steps.render()));
    }
    if !preview.placements.is_empty() {
        let mut placements = Table::new(&["INSTANCE", "ALLOCATOR", "ZONE", "PLACEMENT"]);
        for placement in &preview.placements {
            let (allocator, said) = match (placement.allocator_id.is_empty(), placement.stays) {
                (true, _) => ("-".to_owned(), "no allocator takes it now"),
                (false, true) => (short(&placement.allocator_id), "it stays"),
                (false, false) => (short(&placement.allocator_id), "takes it"),
            };
            placements.row([
                placement.instance_name.clone(),
                allocator,
                dash(&placement.zone),
                said.to_owned(),
            ]);
            for refusal in &placement.refusals {
                placements.row([
                    placement.instance_name.clone(),
                    short(&refusal.allocator_id),
                    "-".to_owned(),
                    format!("refused: {}", refusal.reason),
                ]);
            }
        }
        text.push_str(&format!("\n{}", placements.render()));
    }
    text
}

/// Differences of what is wanted.
pub(crate) fn changes(changes: &[PlanChange]) -> String {
    let mut table = Table::new(&["FIELD", ">BEFORE", ">AFTER"]);
    for change in changes {
        table.row([
            change.field.clone(),
            value(change, &change.before),
            value(change, &change.after),
        ]);
    }
    table.render()
}

/// The first changes in a line.
fn changed(changes: &[PlanChange]) -> String {
    let shown: Vec<String> = changes
        .iter()
        .take(CHANGES_SHOWN)
        .map(|change| {
            format!(
                "{} {} to {}",
                change.field,
                value(change, &change.before),
                value(change, &change.after)
            )
        })
        .collect();
    match changes.len().saturating_sub(CHANGES_SHOWN) {
        0 => dash(&shown.join(", ")),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// A value of a field that counts bytes is easier to read in larger units.
fn value(change: &PlanChange, text: &str) -> String {
    match text.parse::<u64>() {
        Ok(count) if change.field.ends_with("_bytes") => print::bytes(count),
        _ => dash(text),
    }
}

/// How long a plan took, or has taken so far.
fn took(plan: &Plan, now_ms: u64) -> String {
    plan.created_at.as_ref().map_or_else(
        || "-".to_owned(),
        |created| {
            let end = plan.ended_at.as_ref().map_or(now_ms, millis);
            print::duration(end.saturating_sub(millis(created)))
        },
    )
}

pub(crate) fn kind(plan: &Plan) -> String {
    print::word(plan.kind().as_str_name(), "PLAN_KIND_")
}

/// The status; a plan whose end was asked for says so.
pub(crate) fn status(plan: &Plan) -> String {
    let word = print::word(plan.status().as_str_name(), "PLAN_STATUS_");
    if plan.cancelling && plan.ended_at.is_none() {
        format!("{word}, cancelling")
    } else {
        word
    }
}

fn actor(plan: &Plan) -> String {
    dash(&plan.actor)
}

/// Why it waits or failed, after the code of the failure.
fn reason(plan: &Plan) -> String {
    let text = format!("{} {}", plan.error_code, plan.reason);
    dash(text.trim())
}

fn short(id: &str) -> String {
    id.chars().take(8).collect()
}

fn dash(text: &str) -> String {
    if text.is_empty() { "-" } else { text }.to_owned()
}

#[cfg(test)]
mod tests {
    use wharf_proto::v1::{AllocatorRefusal, PlacementPreview, PlanKind, PlanStatus, PlanStep};

    use super::*;

    fn change(field: &str, before: &str, after: &str) -> PlanChange {
        PlanChange {
            field: field.into(),
            before: before.into(),
            after: after.into(),
        }
    }

    fn resize() -> Plan {
        Plan {
            deployment_name: "web".into(),
            kind: PlanKind::Resize.into(),
            changes: vec![change("storage.memory_bytes", "1073741824", "2147483648")],
            actor: "alice".into(),
            ..Plan::default()
        }
    }

    #[test]
    fn a_preview_has_its_steps_in_order_and_each_refusal() {
        let step = |id: &str| PlanStep {
            step_id: id.into(),
            subject: "storage-0".into(),
            ..PlanStep::default()
        };
        let mut plan = resize();
        plan.steps = vec![step("stop"), step("start")];
        let shown = preview(&PlanPreview {
            plan: Some(plan),
            placements: vec![
                PlacementPreview {
                    instance_name: "storage-0".into(),
                    allocator_id: "0123456789abcdef".into(),
                    zone: "zone-1".into(),
                    stays: true,
                    ..PlacementPreview::default()
                },
                PlacementPreview {
                    instance_name: "storage-1".into(),
                    refusals: vec![AllocatorRefusal {
                        allocator_id: "fedcba9876543210".into(),
                        reason: "512 MiB of memory are free".into(),
                        ..AllocatorRefusal::default()
                    }],
                    ..PlacementPreview::default()
                },
            ],
        });
        assert_eq!(
            shown,
            "A dry run: nothing was changed.\n\n\
             deployment  web\nkind        resize\n\n\
             FIELD                  BEFORE    AFTER\n\
             storage.memory_bytes  1.0 GiB  2.0 GiB\n\n   \
             STEP   OF\n1  stop   storage-0\n2  start  storage-0\n\n\
             INSTANCE   ALLOCATOR  ZONE    PLACEMENT\n\
             storage-0  01234567   zone-1  it stays\n\
             storage-1  -          -       no allocator takes it now\n\
             storage-1  fedcba98   -       refused: 512 MiB of memory are free\n"
        );
    }

    #[test]
    fn a_history_says_when_who_what_how_long_and_why() {
        let mut plan = resize();
        plan.id = "0123456789abcdef0123456789abcdef".into();
        plan.status = PlanStatus::Failed.into();
        plan.error_code = "DIR0042".into();
        plan.reason = "no room".into();
        plan.created_at = Some(wharf_proto::times::timestamp(10_000));
        plan.ended_at = Some(wharf_proto::times::timestamp(12_500));
        assert_eq!(
            history(&[plan], 70_000),
            "AGE  BY     KIND    STATUS  TOOK  CHANGES                                  REASON           PLAN\n\
             60s  alice  resize  failed  2.5s  storage.memory_bytes 1.0 GiB to 2.0 GiB  DIR0042 no room  0123456789abcdef0123456789abcdef\n"
        );
    }

    #[test]
    fn a_plan_whose_end_was_asked_for_says_so_until_it_has_ended() {
        let mut plan = resize();
        plan.status = PlanStatus::Running.into();
        plan.cancelling = true;
        assert_eq!(status(&plan), "running, cancelling");
        plan.status = PlanStatus::Cancelled.into();
        plan.ended_at = Some(wharf_proto::times::timestamp(1));
        assert_eq!(status(&plan), "cancelled");
    }

    #[test]
    fn what_was_not_there_or_is_no_number_of_bytes_is_shown_as_it_is() {
        let all = [
            change("terminated", "", "true"),
            change("storage.memory_bytes", "much", "1024"),
            change("storage.zone_count", "1024", ""),
            change("monitoring.zone_count", "", "1"),
        ];
        assert_eq!(
            changed(&all),
            "terminated - to true, storage.memory_bytes much to 1.0 KiB, \
             storage.zone_count 1024 to - and 1 more"
        );
        assert_eq!(changed(&[]), "-");
    }
}
