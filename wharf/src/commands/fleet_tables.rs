//! Vacates, instances, placement and set-aside data as people read them. Not here: asking for them
//! (`vacate.rs`, `instance.rs`, `placement.rs`).

use wharf_proto::v1::{
    CopyProgress, ExplainPlacementResponse, PlacedInstance, RebalanceMove, RebalanceResponse,
    Rebalancing, SetAsideCopy, Size, Vacate, VacateMove,
};

use crate::print::{self, Table};

fn dash(text: &str) -> String {
    if text.is_empty() {
        "-".to_owned()
    } else {
        text.to_owned()
    }
}

/// `DEPLOYMENT/NAME`, as commands take it.
fn instance_of(deployment: &str, name: &str) -> String {
    format!("{deployment}/{name}")
}

/// Bytes that have come, of those that there are; a dash when nothing is copied.
pub(crate) fn copied(done: u64, total: u64) -> String {
    if total == 0 {
        return "-".to_owned();
    }
    format!("{} of {}", print::bytes(done), print::bytes(total))
}

/// How it stands: `running`, `cancelling`, `done`, ...
pub(crate) fn status(vacate: &Vacate) -> String {
    let word = print::word(vacate.status().as_str_name(), "VACATE_STATUS_");
    if vacate.cancelling && word == "running" {
        return "cancelling".to_owned();
    }
    word
}

/// How many instances have moved, of how many.
pub(crate) fn moved(vacate: &Vacate) -> String {
    let moved = vacate.moves.iter().filter(|one| one.state == "moved");
    format!("{} of {}", moved.count(), vacate.moves.len())
}

/// Vacates of any host.
pub(crate) fn vacates(vacates: &[Vacate], now_ms: u64) -> String {
    let mut table = Table::new(&["VACATE", "HOST", "STATUS", ">MOVED", "BY", "AGE", "REASON"]);
    for vacate in vacates {
        table.row([
            vacate.id.clone(),
            vacate.host.clone(),
            status(vacate),
            moved(vacate),
            vacate.actor.clone(),
            print::age(now_ms, vacate.created_at.as_ref()),
            dash(&vacate.reason),
        ]);
    }
    table.render()
}

/// One vacate with its moves.
pub(crate) fn vacate(vacate: &Vacate, now_ms: u64) -> String {
    let mut text = String::new();
    if vacate.id.is_empty() {
        text.push_str("A dry run: nothing was changed.\n\n");
    } else {
        text.push_str(&format!("vacate      {}\n", vacate.id));
    }
    text.push_str(&format!(
        "host        {} ({})\n",
        print::printable(&vacate.host),
        vacate.allocator_id
    ));
    if !vacate.id.is_empty() {
        text.push_str(&format!(
            "status      {}\nasked by    {}\nbegun       {} ago\n",
            status(vacate),
            print::printable(&vacate.actor),
            print::age(now_ms, vacate.created_at.as_ref())
        ));
    }
    if vacate.parallelism > 0 {
        text.push_str(&format!("at a time   {}\n", vacate.parallelism));
    }
    if vacate.host_down {
        text.push_str("host down   it is not waited for\n");
    }
    if !vacate.reason.is_empty() {
        text.push_str(&format!(
            "reason      {}\n",
            print::printable(&vacate.reason)
        ));
    }
    if vacate.moves.is_empty() {
        text.push_str("\nno instance lies there\n");
        return text;
    }
    let mut table = Table::new(&["INSTANCE", "STATE", "TO", ">COPIED", "REASON", "PLAN"]);
    for one in &vacate.moves {
        table.row([
            instance_of(&one.deployment_name, &one.instance_name),
            dash(&one.state),
            dash(&one.to_host),
            copied(one.bytes_done, one.bytes_total),
            dash(&one.reason),
            dash(&one.plan_id),
        ]);
    }
    text.push_str(&format!("\n{}", table.render()));
    text
}

/// How one instance of a vacate stands, in a line.
pub(crate) fn progress(vacate: &Vacate, one: &VacateMove) -> String {
    let mut line = format!(
        "{:<9} {}  {} -> {}",
        one.state,
        instance_of(&one.deployment_name, &one.instance_name),
        vacate.host,
        dash(&one.to_host)
    );
    if one.bytes_total > 0 {
        line.push_str(&format!("  {}", copied(one.bytes_done, one.bytes_total)));
    }
    if !one.reason.is_empty() {
        line.push_str(&format!("  {}", one.reason));
    }
    print::printable(&line)
}

/// What an instance does or is kept from, in words.
fn state(placed: &PlacedInstance) -> String {
    let instance = placed.instance.clone().unwrap_or_default();
    let mut words = vec![print::word(
        instance.state().as_str_name(),
        "INSTANCE_STATE_",
    )];
    if placed.paused {
        words.push("paused".to_owned());
    }
    if placed.routing_stopped {
        words.push("not routed".to_owned());
    }
    words.join(", ")
}

fn moving(copy: Option<&CopyProgress>) -> String {
    copy.map_or_else(
        || "-".to_owned(),
        |copy| {
            let bytes = copied(copy.bytes_done, copy.bytes_total);
            format!("{} {bytes}", copy.stage.replace('_', " "))
        },
    )
}

/// Instances of any deployment.
pub(crate) fn instances(instances: &[PlacedInstance]) -> String {
    let mut table = Table::new(&[
        "INSTANCE", "HOST", "ZONE", "STATE", "HEALTH", ">MEMORY", "MOVE", "ID",
    ]);
    for placed in instances {
        let instance = placed.instance.clone().unwrap_or_default();
        table.row([
            instance_of(&placed.deployment_name, &instance.name),
            dash(&placed.host),
            dash(&instance.zone),
            state(placed),
            print::word(instance.health().as_str_name(), "HEALTH_"),
            print::bytes(instance.memory_bytes),
            moving(placed.copy.as_ref()),
            instance.id,
        ]);
    }
    table.render()
}

/// Data that replacements left behind.
pub(crate) fn set_aside(copies: &[SetAsideCopy], now_ms: u64) -> String {
    let mut table = Table::new(&["INSTANCE", "HOST", ">SIZE", "AGE", "FOLDER"]);
    for copy in copies {
        let name = if copy.instance_name.is_empty() {
            copy.instance_id.clone()
        } else {
            instance_of(&copy.deployment_name, &copy.instance_name)
        };
        table.row([
            name,
            copy.host.clone(),
            print::bytes(copy.bytes),
            print::age(now_ms, copy.set_aside_at.as_ref()),
            copy.path.clone(),
        ]);
    }
    table.render()
}

/// How placement sees every host.
pub(crate) fn explained(answer: &ExplainPlacementResponse) -> String {
    let mut text = format!("strategy    {}\n", answer.strategy);
    let own = answer
        .candidates
        .iter()
        .find(|one| one.allocator_id == answer.allocator_id);
    if !answer.allocator_id.is_empty() {
        let host = own.map_or(&answer.allocator_id, |own| &own.host);
        text.push_str(&format!("lies on     {}\n", print::printable(host)));
    }
    if !answer.last_move.is_empty() {
        text.push_str(&format!(
            "last move   {}\n",
            print::printable(&answer.last_move)
        ));
    }
    if !answer.refusal.is_empty() {
        text.push_str(&format!(
            "refused     {}\n",
            print::printable(&answer.refusal)
        ));
    }
    let mut table = Table::new(&[
        ">",
        "HOST",
        "ZONE",
        ">FREE MEMORY",
        ">FREE DISK",
        ">FREE CORES",
        "WHY",
    ]);
    for (index, one) in answer.candidates.iter().enumerate() {
        let free = one.free.unwrap_or_default();
        let (rank, why) = if one.admitted {
            ((index + 1).to_string(), one.score.join(", "))
        } else {
            (
                "-".to_owned(),
                format!("refused: {}", one.refusals.join("; ")),
            )
        };
        table.row([
            rank,
            one.host.clone(),
            one.zone.clone(),
            print::bytes(free.memory_bytes),
            print::bytes(free.disk_bytes),
            cores(&free),
            why,
        ]);
    }
    text.push_str(&format!("\n{}", table.render()));
    text
}

fn cores(size: &Size) -> String {
    format!(
        "{}.{}",
        size.cpu_millis / 1000,
        size.cpu_millis % 1000 / 100
    )
}

/// Moves that spread the load better.
pub(crate) fn rebalance(answer: &RebalanceResponse, dry_run: bool) -> String {
    let mut text = String::new();
    if dry_run {
        text.push_str("A dry run: nothing was changed.\n\n");
    }
    text.push_str(&moves(&answer.moves));
    if !answer.reason.is_empty() {
        if !answer.moves.is_empty() {
            text.push('\n');
        }
        text.push_str(&format!("{}\n", print::printable(&answer.reason)));
    }
    if let Some(policy) = answer.policy.as_ref().filter(|policy| policy.automatic) {
        text.push_str(&format!("\n{}", standing(policy)));
    }
    text
}

/// A table of moves; nothing when there is none.
fn moves(moves: &[RebalanceMove]) -> String {
    if moves.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["INSTANCE", "FROM", "TO", ">DATA UP TO", "WHY", "PLAN"]);
    for one in moves {
        table.row(row(one));
    }
    table.render()
}

/// In a sentence: whether the platform rebalances by itself, and whether something keeps it.
fn standing(policy: &Rebalancing) -> String {
    match (policy.automatic, policy.waits.len()) {
        (false, _) => "The platform moves nothing by itself.\n".to_owned(),
        (true, 0) => "The platform rebalances by itself, and nothing keeps it.\n".to_owned(),
        (true, _) => {
            "The platform rebalances by itself, and waits: `wharf placement rebalance --status`.\n"
                .to_owned()
        }
    }
}

/// How the platform rebalances by itself, what it waits for, what it moves and would move next.
pub(crate) fn rebalancing(policy: &Rebalancing, now_ms: u64) -> String {
    let mut text = format!(
        "mode        {}\nthreshold   {} % of memory\nquiet time  {}\nat a time   {}\ndata        {}\n",
        if policy.automatic {
            "automatic"
        } else {
            "manual"
        },
        policy.threshold_percent,
        print::duration(u64::from(policy.quiet_seconds) * 1000),
        policy.moves,
        if policy.moves_data { "moves" } else { "stays" },
    );
    if !policy.waits.is_empty() {
        text.push_str("\nIt waits for:\n");
        let mut table = Table::new(&["FOR", "SINCE"]);
        for wait in &policy.waits {
            let since = print::age(now_ms, wait.since.as_ref());
            table.row([wait.reason.clone(), since]);
        }
        text.push_str(&table.render());
    }
    for (what, some) in [("Moving", &policy.moving), ("Next", &policy.next)] {
        if !some.is_empty() {
            text.push_str(&format!("\n{what}:\n{}", moves(some)));
        }
    }
    if !policy.reason.is_empty() {
        text.push_str(&format!("\n{}\n", print::printable(&policy.reason)));
    }
    text
}

fn row(one: &RebalanceMove) -> [String; 6] {
    [
        instance_of(&one.deployment_name, &one.instance_name),
        one.from_host.clone(),
        one.to_host.clone(),
        if one.disk_bytes == 0 {
            "-".to_owned()
        } else {
            print::bytes(one.disk_bytes)
        },
        one.reason.clone(),
        dash(&one.plan_id),
    ]
}

#[cfg(test)]
mod tests;
