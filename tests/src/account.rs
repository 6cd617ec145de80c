//! The books of a chaos run: what was acknowledged against what is stored, which containers there
//! are against which there should be, how plans ended. Pure, so that each checker is shown to see
//! a planted fault.

use std::collections::{BTreeMap, BTreeSet};

/// Documents that were acknowledged must be there once. Ones that were sent and never answered may
/// or may not be. Gives every breach.
#[must_use]
pub fn document_breaches(
    acknowledged: &BTreeSet<String>,
    sent: &BTreeSet<String>,
    stored: &BTreeMap<String, u64>,
) -> Vec<String> {
    let mut breaches = Vec::new();
    let lost: Vec<&String> = acknowledged
        .iter()
        .filter(|id| !stored.contains_key(*id))
        .collect();
    if !lost.is_empty() {
        breaches.push(format!(
            "{} acknowledged documents are lost, such as {:?}",
            lost.len(),
            &lost[..lost.len().min(5)]
        ));
    }
    for (id, count) in stored {
        if *count != 1 {
            breaches.push(format!("{id} is stored {count} times"));
        }
        if !sent.contains(id) {
            breaches.push(format!("{id} is stored and was never sent"));
        }
    }
    breaches
}

/// A search must see every document that was acknowledged before it was sent.
#[must_use]
pub fn search_breach(acknowledged: u64, seen: u64) -> Option<String> {
    (seen < acknowledged)
        .then(|| format!("{acknowledged} documents were acknowledged, a search saw {seen}"))
}

/// Lines that were written must be stored once each. Gives every breach.
#[must_use]
pub fn line_breaches(written: &BTreeSet<u64>, stored: &BTreeMap<u64, u64>) -> Vec<String> {
    let mut breaches = Vec::new();
    let lost: Vec<&u64> = written
        .iter()
        .filter(|line| !stored.contains_key(line))
        .collect();
    if !lost.is_empty() {
        let shown = &lost[..lost.len().min(5)];
        breaches.push(format!("{} lines are lost, such as {shown:?}", lost.len()));
    }
    let doubled: Vec<&u64> = stored
        .iter()
        .filter(|(line, count)| **count != 1 || !written.contains(line))
        .map(|(line, _)| line)
        .collect();
    if !doubled.is_empty() {
        let shown = &doubled[..doubled.len().min(5)];
        breaches.push(format!(
            "{} lines are doubled or were never written, such as {shown:?}",
            doubled.len()
        ));
    }
    breaches
}

/// A container of the platform as the engine lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// `director`, `allocator`, `proxy` or `instance`.
    pub role: String,
    /// The instance's id, empty for roles.
    pub instance: String,
    /// Whether it runs.
    pub running: bool,
}

/// One running container per role, one per instance that should be, no other. Gives every breach.
#[must_use]
pub fn container_breaches(listed: &[Listed], instances: &BTreeSet<String>) -> Vec<String> {
    let mut breaches = Vec::new();
    for role in ["director", "allocator", "proxy"] {
        let of_role: Vec<&Listed> = listed.iter().filter(|one| one.role == role).collect();
        if of_role.len() != 1 || !of_role[0].running {
            breaches.push(format!("one running {role} was expected: {of_role:?}"));
        }
    }
    for id in instances {
        let of_instance: Vec<&Listed> = listed.iter().filter(|one| one.instance == *id).collect();
        if of_instance.len() != 1 || !of_instance[0].running {
            breaches.push(format!(
                "one running container of instance {id} was expected: {of_instance:?}"
            ));
        }
    }
    for one in listed.iter().filter(|one| one.role == "instance") {
        if !instances.contains(&one.instance) {
            breaches.push(format!("{} belongs to no deployment", one.name));
        }
    }
    breaches
}

/// Every plan ended, and none failed. Gives every breach; `plans` are (id, status).
#[must_use]
pub fn plan_breaches(plans: &[(String, String)]) -> Vec<String> {
    plans
        .iter()
        .filter(|(_, status)| status != "PLAN_STATUS_DONE")
        .map(|(id, status)| format!("the plan {id} is {status}"))
        .collect()
}

/// A run of a watch as its history has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ran {
    /// The time that it was the run of.
    pub scheduled_ms: u64,
    /// Whether it stands for all times that were missed before it.
    pub catches_up: bool,
}

/// A history of a watch with an interval is complete when each run is the next one on the grid of the
/// interval, or the one that catches up with those that were missed, and no time was run twice. Gives
/// every breach; `runs` in their order.
#[must_use]
pub fn run_breaches(runs: &[Ran], interval_ms: u64) -> Vec<String> {
    let breach = |pair: &[Ran]| {
        let (before, after) = (pair[0].scheduled_ms, pair[1].scheduled_ms);
        let what = match after.checked_sub(before) {
            None | Some(0) => "it was run twice",
            Some(gap) if !gap.is_multiple_of(interval_ms) => "it leaves the grid",
            Some(gap) if gap > interval_ms && !pair[1].catches_up => "a run before it is missing",
            Some(gap) if gap == interval_ms && pair[1].catches_up => "nothing was to catch up with",
            Some(_) => return None,
        };
        Some(format!("after the run of {before} that of {after}: {what}"))
    };
    runs.windows(2).filter_map(breach).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_a_doubled_a_shifted_and_a_needless_run_are_each_seen() {
        let ran = |scheduled_ms, catches_up| Ran {
            scheduled_ms,
            catches_up,
        };
        let whole = [ran(1_000, false), ran(3_000, false), ran(9_000, true)];
        assert_eq!(run_breaches(&whole, 2_000), [""; 0]);
        for planted in [
            ran(5_000, false),
            ran(1_000, false),
            ran(2_000, true),
            ran(3_000, true),
        ] {
            let runs = [ran(1_000, false), planted];
            assert_eq!(run_breaches(&runs, 2_000).len(), 1, "{planted:?}");
        }
    }

    fn set(ids: &[&str]) -> BTreeSet<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    fn stored(ids: &[(&str, u64)]) -> BTreeMap<String, u64> {
        ids.iter()
            .map(|(id, count)| ((*id).to_owned(), *count))
            .collect()
    }

    fn listed(role: &str, instance: &str, running: bool) -> Listed {
        Listed {
            name: format!("{role}{instance}"),
            role: role.into(),
            instance: instance.into(),
            running,
        }
    }

    fn whole() -> Vec<Listed> {
        vec![
            listed("director", "", true),
            listed("allocator", "", true),
            listed("proxy", "", true),
            listed("instance", "i1", true),
        ]
    }

    #[test]
    fn a_lost_a_doubled_and_an_invented_document_are_each_seen() {
        let sent = set(&["a", "b", "unanswered"]);
        let acknowledged = set(&["a", "b"]);
        assert!(document_breaches(&acknowledged, &sent, &stored(&[("a", 1), ("b", 1)])).is_empty());
        let extra = stored(&[("a", 1), ("b", 1), ("unanswered", 1)]);
        assert!(document_breaches(&acknowledged, &sent, &extra).is_empty());
        for planted in [
            stored(&[("a", 1)]),
            stored(&[("a", 2), ("b", 1)]),
            stored(&[("a", 1), ("b", 1), ("c", 1)]),
        ] {
            assert_eq!(
                document_breaches(&acknowledged, &sent, &planted).len(),
                1,
                "{planted:?}"
            );
        }
    }

    #[test]
    fn a_search_that_saw_less_than_was_acknowledged_is_seen() {
        assert_eq!(search_breach(5, 5), None);
        assert_eq!(search_breach(5, 6), None, "more may have been taken since");
        assert!(search_breach(5, 4).is_some_and(|breach| breach.contains("saw 4")));
    }

    #[test]
    fn a_lost_a_doubled_and_an_invented_line_are_each_seen() {
        let written = BTreeSet::from([0, 1]);
        let whole = BTreeMap::from([(0, 1), (1, 1)]);
        assert!(line_breaches(&written, &whole).is_empty());
        for planted in [
            BTreeMap::from([(0, 1)]),
            BTreeMap::from([(0, 1), (1, 2)]),
            BTreeMap::from([(0, 1), (1, 1), (2, 1)]),
        ] {
            assert_eq!(line_breaches(&written, &planted).len(), 1, "{planted:?}");
        }
    }

    #[test]
    fn a_missing_a_doubled_a_stopped_and_an_orphaned_container_are_each_seen() {
        let instances = set(&["i1"]);
        assert!(container_breaches(&whole(), &instances).is_empty());
        let mut missing = whole();
        missing.remove(0);
        let mut doubled = whole();
        doubled.push(listed("instance", "i1", true));
        let mut stopped = whole();
        stopped[3].running = false;
        let mut orphaned = whole();
        orphaned.push(listed("instance", "i2", true));
        for planted in [missing, doubled, stopped, orphaned] {
            assert_eq!(
                container_breaches(&planted, &instances).len(),
                1,
                "{planted:?}"
            );
        }
    }

    #[test]
    fn a_failed_and_an_endless_plan_are_each_seen() {
        let plan = |status: &str| vec![("p".to_owned(), status.to_owned())];
        assert!(plan_breaches(&plan("PLAN_STATUS_DONE")).is_empty());
        assert_eq!(plan_breaches(&plan("PLAN_STATUS_FAILED")).len(), 1);
        assert_eq!(plan_breaches(&plan("PLAN_STATUS_RUNNING")).len(), 1);
    }
}
