//! A host whose wall clock is wrong by an hour, forward, then backward: the leading director, the storage
//! node of `system`, allocator, proxy and engine of one host. Nothing but times that are shown may follow
//! the wall clock. Not here: how a clock is made wrong (`wrong_clock`).

use std::time::Duration;

use serde_json::Value;

use super::{Deployed, Instance, Timeline, hosts::loaded, leaders::whole_group};
use crate::{
    testbed::{Fleet, must, run},
    wrong_clock::WrongClock,
};

const PATIENCE: Duration = Duration::from_secs(240);
const HOUR: i32 = 3_600;
/// Longer than sessions, leases and graces last together.
const SPAN: Duration = Duration::from_secs(90);
/// The host: it has a director, and room for `system`.
const HOST: usize = 0;

/// Puts a host's clock an hour forward, right, an hour backward, and right.
///
/// # Panics
/// When an instance is moved or started anew, another director leads, a lease or a token ends, or the
/// platform does not say what is wrong.
pub fn wrong_clock(fleet: &mut Fleet) {
    let timeline = Timeline::begin("wrong-clock");
    let web = Deployed::ensure(fleet, &timeline, "web");
    let system = Deployed::ensure(fleet, &timeline, "system");
    leads_on_the_host(fleet, &timeline);
    // So that a lease is renewed all the while by the leader whose clock is wrong.
    let policy = ["deployment", "set", "web", "--on-host-loss", "empty"];
    timeline.at("wharf deployment set web --on-host-loss empty", || {
        must(&mut fleet.desk().wharf(&policy));
    });
    let token = token(fleet);
    let before = [places(fleet, &web), places(fleet, &system)];
    loaded(fleet, &timeline, &web, &[], false, |fleet, load| {
        for seconds in [HOUR, -HOUR] {
            let name = fleet.name(HOST);
            let clocks = timeline.at(&format!("the clock of {name} is {seconds} s off"), || {
                wrong(fleet, seconds)
            });
            timeline.note(format_args!("{} processes see that time", clocks.len()));
            timeline.until("the platform says so", PATIENCE, || told(fleet, seconds));
            if let Err(problems) = fleet.problems() {
                timeline.note(format_args!("`wharf status`: {problems}"));
            }
            let taken = load.acknowledged();
            timeline.while_for("all stays as it was", SPAN, || {
                as_it_was(fleet, [&web, &system], &before)?;
                valid(fleet, &token)
            });
            timeline.until("documents are taken", PATIENCE, || {
                load.goes_on_since(taken)
            });
            // A certificate that is issued now is used on hosts whose clocks are right.
            let made = format!("made-{}", if seconds > 0 { "ahead" } else { "behind" });
            let made = Deployed::ensure(fleet, &timeline, &made);
            timeline.at(&format!("delete {}", made.name), || {
                let delete = ["deployment", "delete", &made.name, "--yes", "--wait"];
                must(&mut fleet.desk().wharf(&delete));
            });
            timeline.at("the clock is right again", || drop(clocks));
            timeline.until("`wharf status` is healthy", PATIENCE, || fleet.problems());
            timeline.while_for("all stays as it was", SPAN / 3, || {
                as_it_was(fleet, [&web, &system], &before)?;
                valid(fleet, &token)
            });
        }
    });
    timeline.note("no instance was moved, no container replaced, no token lost, the same leader");
    timeline.end(fleet.desk());
}

/// Sees that the host's director leads, asking it to when it does not.
fn leads_on_the_host(fleet: &Fleet, timeline: &Timeline) {
    let name = fleet.name(HOST);
    timeline.until(&format!("{name} leads"), PATIENCE, || {
        whole_group(fleet)?;
        let leader = fleet.leader()?;
        if leader == HOST {
            return Ok(());
        }
        run(&mut fleet
            .desk()
            .wharf(&["director", "step-down", "--to", &name]));
        Err(format!("{} leads", fleet.name(leader)))
    });
}

/// Makes the clock of everything on the host wrong: every container's process, and the engine.
fn wrong(fleet: &Fleet, seconds: i32) -> Vec<WrongClock> {
    let host = fleet.host(HOST);
    let running = must(&mut host.docker(&["ps", "-q"]));
    let mut inspect = host.docker(&["inspect", "-f", "{{.State.Pid}}"]);
    let pids = must(inspect.args(running.split_whitespace()));
    let engine = host.engine_pid().to_string();
    let all = pids.split_whitespace().chain([engine.as_str()]);
    all.map(|pid| WrongClock::ahead(pid, seconds)).collect()
}

/// Nothing when the platform names a host whose clock is off by about so much, and by which code.
fn told(fleet: &Fleet, seconds: i32) -> Result<(), String> {
    let output = run(fleet.desk().wharf(&["status"]).args(["-o", "json"]));
    let status: Value = serde_json::from_slice(&output.stdout)
        .map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned())?;
    let problems = status["problems"].as_array().cloned().unwrap_or_default();
    let off = seconds.unsigned_abs();
    let about = [off - 1, off, off + 1].map(|off| format!("{off} s"));
    let names = |problem: &Value| {
        let message = problem["message"].as_str().unwrap_or_default();
        problem["code"] == "ALL0022" && about.iter().any(|about| message.contains(about))
    };
    if problems.iter().any(names) {
        Ok(())
    } else {
        Err(format!("{problems:?}"))
    }
}

type Places = Vec<(String, Option<usize>, String)>;

fn places(fleet: &Fleet, deployed: &Deployed) -> Places {
    placed(&deployed.instances(fleet).expect("a director answers"))
}

fn placed(all: &[Instance]) -> Places {
    let place = |one: &Instance| (one.id.clone(), one.host, one.container_id.clone());
    all.iter().map(place).collect()
}

fn as_it_was(fleet: &Fleet, all: [&Deployed; 2], before: &[Places; 2]) -> Result<(), String> {
    let leader = fleet.leader()?;
    if leader != HOST {
        return Err(format!("{} leads", fleet.name(leader)));
    }
    let connected = fleet.connected()?;
    if connected.len() != fleet.layout().hosts {
        return Err(format!("connected: {}", connected.join(" ")));
    }
    for (deployed, before) in all.into_iter().zip(before) {
        let now = placed(&deployed.instances(fleet)?);
        if now != *before {
            return Err(format!("{now:?}, not {before:?}"));
        }
        deployed.healthy(fleet)?;
    }
    Ok(())
}

/// A token of the admin's, for longer than the clock is ever ahead.
fn token(fleet: &Fleet) -> String {
    let create = ["token", "create", "--name", "clock", "--lifetime", "3h"];
    let made = fleet.desk().ask(&create).expect("a token is made");
    made["secret"].as_str().expect("a secret").to_owned()
}

fn valid(fleet: &Fleet, token: &str) -> Result<(), String> {
    let mut ask = fleet.desk().wharf(&["deployment", "list"]);
    let answer = run(ask.env("WHARF_TOKEN", token));
    if answer.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&answer.stderr).into_owned())
    }
}
