//! `make scenarios`: runs scenarios by name, or every one, each on a fleet of its own, and says which
//! failed. `--list` names them. Not here: what they do (`wharf_tests::scenario`).

// A tool for people: it talks to them.
#![allow(clippy::print_stderr, clippy::print_stdout)]

use std::{panic::AssertUnwindSafe, process::ExitCode, time::Instant};

use wharf_tests::{
    scenario::{SCENARIOS, Scenario, folder},
    testbed::{Fleet, Layout},
};

fn main() -> ExitCode {
    let given: Vec<String> = std::env::args().skip(1).collect();
    if given.iter().any(|word| word == "--list") {
        for one in SCENARIOS {
            println!("{:20} {}", one.name, one.about);
        }
        return ExitCode::SUCCESS;
    }
    let known = |name: &String| SCENARIOS.iter().any(|one| one.name == name);
    if let Some(unknown) = given.iter().find(|name| !known(name)) {
        eprintln!("no scenario is named `{unknown}`; --list names them");
        return ExitCode::from(2);
    }
    let wanted = |one: &&Scenario| given.is_empty() || given.iter().any(|name| name == one.name);
    let failed: Vec<&str> = SCENARIOS
        .iter()
        .filter(wanted)
        .filter(|one| !passes(one))
        .map(|one| one.name)
        .collect();
    println!("timelines: {}", folder().display());
    if failed.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("failed: {}", failed.join(", "));
    ExitCode::FAILURE
}

fn passes(one: &Scenario) -> bool {
    let begun = Instant::now();
    // Its timeline is written also when it fails, and the next ones are run.
    let run = AssertUnwindSafe(|| {
        let mut fleet = Fleet::start(Layout::three_and_six(), &|text| {
            println!("{:7.1} s  {text}", begun.elapsed().as_secs_f64());
        });
        (one.run)(&mut fleet);
    });
    std::panic::catch_unwind(run).is_ok()
}
