//! Where a scenario's deployment keeps its snapshots, a snapshot by request, and what the platform tells of a
//! store that began from one. Not here: who is lost (`restored`, `cut_off`), what a snapshot consists of (the
//! store's own tests).

use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

use super::{Deployed, Timeline};
use crate::testbed::{Bucket, Desk, Fleet};

const PATIENCE: Duration = Duration::from_secs(240);
const NAME: &str = "shared";
/// Long, so that the snapshots of a scenario are those that it asks for.
const EVERY: &str = "1h";

/// What the repository is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// A folder at the same path of every host: they have one file system, as hosts with a network file
    /// system have.
    InFolder,
    /// A bucket that every host reaches.
    InBucket,
}

/// A repository that the platform knows.
#[derive(Debug)]
pub(super) struct Repository {
    _bucket: Option<Bucket>,
}

impl Repository {
    /// Makes one, and lets a deployment be restored from it: its first snapshot is there.
    pub(super) fn of(fleet: &Fleet, timeline: &Timeline, web: &Deployed, kept: Kept) -> Self {
        let desk = fleet.desk();
        let (bucket, place) = match kept {
            Kept::InFolder => {
                let folder = fleet.host(0).dir().join("repository");
                std::fs::create_dir_all(&folder).expect("a folder can be made");
                let folder = folder.to_str().expect("a path in UTF-8").to_owned();
                (None, vec!["--path".to_owned(), folder])
            }
            Kept::InBucket => {
                let bucket = timeline.at("start a bucket", || Bucket::start(fleet.network()));
                let words = bucket.words();
                (Some(bucket), words)
            }
        };
        let mut create = vec!["repository", "create", NAME];
        create.extend(place.iter().map(String::as_str));
        timeline.typed(desk, &create);
        let policy = ["--snapshot-repository", NAME, "--snapshot-every", EVERY];
        let loss = ["--on-host-loss", "restore"];
        let set = [&["deployment", "set", &web.name], &policy[..], &loss].concat();
        timeline.typed(desk, &set);
        Snapshot::take(desk, timeline, web);
        timeline.until("web is healthy", PATIENCE, || web.healthy(fleet));
        Self { _bucket: bucket }
    }

    /// The deployment waits for lost hosts again, and the platform forgets the repository.
    pub(super) fn forget(self, fleet: &Fleet, timeline: &Timeline, web: &Deployed) {
        let desk = fleet.desk();
        let set = ["deployment", "set", &web.name, "--on-host-loss", "wait"];
        timeline.typed(desk, &[&set[..], &["--no-snapshots"]].concat());
        timeline.until("web is healthy", PATIENCE, || web.healthy(fleet));
        // Its containers are made without the folder by then.
        timeline.until("the repository is forgotten", PATIENCE, || {
            let delete = ["repository", "delete", NAME, "--yes"];
            desk.ask(&delete).map(drop)
        });
    }
}

/// A snapshot that was asked for.
#[derive(Debug)]
pub(super) struct Snapshot {
    name: String,
    /// The moment that it holds. What was acknowledged before is in it.
    pub(super) taken: Instant,
}

impl Snapshot {
    /// Takes one of the deployment's storage node, and waits for it.
    pub(super) fn take(desk: &Desk, timeline: &Timeline, web: &Deployed) -> Self {
        let asked = Instant::now();
        let words = ["deployment", "snapshot", &web.name, "--wait"];
        let shown = timeline.typed(desk, &words);
        let one = &shown["snapshots"]["instances"][0];
        timeline.note(format_args!(
            "{}: {} documents, {} bytes",
            one["last"], one["documents"], one["bytes"]
        ));
        let taken = moment(&one["taken_at"]);
        let name = one["last"].as_str().unwrap_or_default().to_owned();
        // The platform's times have no part of a millisecond.
        let millisecond = Duration::from_millis(1);
        assert!(
            taken + millisecond > asked && taken < Instant::now(),
            "a snapshot since it was asked for was expected: {one}"
        );
        Self { name, taken }
    }

    /// Nothing that it lacks is silent: the deployment says that its storage node began from this very
    /// snapshot and which host has the rest, and so do an event and the problems.
    pub(super) fn is_told(&self, desk: &Desk, timeline: &Timeline, web: &Deployed, host: &str) {
        timeline.until("what is lacking is told", PATIENCE, || {
            let shown = desk.ask(&["deployment", "show", &web.name])?;
            let problems = shown["problems"].to_string();
            if !(problems.contains("restored from the snapshot") && problems.contains(host)) {
                return Err(format!("problems: {problems}"));
            }
            let from = &shown["snapshots"]["instances"][0]["restored_from"];
            if from["snapshot"] != self.name.as_str() || from["host"] != host {
                return Err(format!("restored from {from}, not from {}", self.name));
            }
            let status = fleet_wide(desk)?;
            if !status.contains("DIR0113") {
                return Err(format!("`wharf status`: {status}"));
            }
            let events = desk.list(&["events", "--filter", "kind=instance_restored"])?;
            let told = events.iter().any(|event| event.to_string().contains(host));
            told.then_some(())
                .ok_or_else(|| format!("events: {events:?}"))
        });
    }
}

/// What `wharf status` says, whatever is wrong.
fn fleet_wide(desk: &Desk) -> Result<String, String> {
    desk.ask(&["status"])
        .map(|status| status["problems"].to_string())
}

/// Waits until the host has set the old data aside and nothing is told as lacking any more.
pub(super) fn nothing_is_lacking(desk: &Desk, timeline: &Timeline, web: &Deployed) {
    timeline.until("nothing is told as lacking any more", PATIENCE, || {
        let shown = desk.ask(&["deployment", "show", &web.name])?;
        let problems = shown["problems"].as_array().cloned().unwrap_or_default();
        problems
            .is_empty()
            .then_some(())
            .ok_or_else(|| format!("{problems:?}"))
    });
}

/// A time of the platform on the clock that this process counts by: all hosts have this machine's.
fn moment(time: &Value) -> Instant {
    let text = time.as_str().unwrap_or_default();
    let at = text
        .parse::<jiff::Timestamp>()
        .unwrap_or_else(|error| panic!("no time: {time}: {error}"));
    // Taken first: a pause between the two makes the moment early, and what came before it is surely in.
    let now = Instant::now();
    let age = SystemTime::now().duration_since(SystemTime::from(at));
    now.checked_sub(age.expect("a time that is over"))
        .expect("a time since this machine started")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_the_platform_lies_where_it_does_on_the_clock_of_this_process() {
        let before = Instant::now();
        let text = jiff::Timestamp::now().to_string();
        let found = moment(&text.into());
        let between = Duration::from_millis(500);
        assert!(found + between > before && found < Instant::now() + between);
    }
}
