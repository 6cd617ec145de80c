//! What every change must pass on three directors and six allocators in three zones: leaders killed and cut
//! off, hosts lost and vacated, all under load of clients. One fleet serves these tests, in the order of their letters,
//! so that `cargo test` runs them one at a time as everywhere. Not here: the long ones (`make scenarios`).

// A test fails by panicking and tells its figures.
#![allow(
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used
)]

use std::{
    sync::{LazyLock, Mutex, PoisonError},
    time::Instant,
};

use wharf_tests::{
    scenario::{host_killed, leader_cut_off, leader_kills, made_whole, vacated},
    testbed::{Fleet, Layout},
};

/// The fleet; the last test takes it away.
static FLEET: LazyLock<Mutex<Option<Fleet>>> = LazyLock::new(|| {
    let begun = Instant::now();
    let fleet = Fleet::start(Layout::three_and_six(), &|text| {
        println!("{:7.1} s  {text}", begun.elapsed().as_secs_f64());
    });
    Mutex::new(Some(fleet))
});

/// The fleet for one scenario, whole when it begins: what failed in another is no reason not to try.
fn with_fleet(scenario: impl FnOnce(&mut Fleet)) {
    let mut fleet = FLEET.lock().unwrap_or_else(PoisonError::into_inner);
    let fleet = fleet.as_mut().expect("the last test has not run yet");
    made_whole(fleet);
    scenario(fleet);
}

#[test]
fn a_three_directors_and_six_allocators_come_up_from_nothing() {
    with_fleet(|fleet| {
        assert_eq!(fleet.connected().unwrap().len(), 9);
        let mut zones: Vec<String> = fleet
            .directors()
            .unwrap()
            .iter()
            .map(|one| one["zone"].as_str().unwrap_or_default().to_owned())
            .collect();
        zones.sort_unstable();
        assert_eq!(zones, ["zone-1", "zone-2", "zone-3"]);
    });
}

#[test]
fn b_five_leaders_are_killed_and_no_client_notices() {
    with_fleet(|fleet| leader_kills(fleet, 5));
}

#[test]
fn c_a_leader_that_is_cut_off_is_replaced_and_follows_when_it_is_back() {
    with_fleet(leader_cut_off);
}

#[test]
fn d_a_monitoring_node_is_replaced_and_data_waits_for_its_host() {
    with_fleet(host_killed);
}

#[test]
fn e_a_host_is_vacated_under_load_and_nothing_acknowledged_is_lost() {
    with_fleet(vacated);
}

#[test]
fn z_the_fleet_leaves_nothing() {
    let fleet = FLEET
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take()
        .expect("the fleet is there until now");
    let traces = fleet.traces();
    assert!(!traces.left().is_empty(), "a fleet that runs has traces");
    drop(fleet);
    let left = traces.left();
    assert!(left.is_empty(), "left on this machine: {left:#?}");
}
