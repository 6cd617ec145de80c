//! `make testbed`: brings a fleet up on this machine, says how to talk to it, and leaves it running until
//! `make testbed-down`. Not here: the fleet (`wharf_tests::testbed`).

// A tool for people: it talks to them.
#![allow(clippy::print_stderr, clippy::print_stdout)]

use std::{process::ExitCode, time::Instant};

use wharf_tests::testbed::{Fleet, Layout};

const USAGE: &str =
    "usage: testbed [HOSTS [DIRECTORS]]: 1 to 40 hosts; 1, 3 or 5 directors on them";

fn main() -> ExitCode {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let numbers: Option<Vec<usize>> = given.iter().map(|text| text.parse().ok()).collect();
    let (hosts, directors) = match numbers.as_deref() {
        Some([]) => (6, 3),
        Some([hosts]) => (*hosts, if *hosts < 3 { 1 } else { 3 }),
        Some([hosts, directors]) => (*hosts, *directors),
        _ => (0, 0),
    };
    if !(1..=40).contains(&hosts) || ![1, 3, 5].contains(&directors) || directors > hosts {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    }
    let begun = Instant::now();
    let fleet = Fleet::start(Layout::new(hosts, directors), &|text| {
        println!("{:7.1} s  {text}", begun.elapsed().as_secs_f64());
    });
    describe(&fleet);
    fleet.leave_running();
    ExitCode::SUCCESS
}

fn describe(fleet: &Fleet) {
    println!("\nhost  zone    address      roles");
    for (number, host) in fleet.hosts().iter().enumerate() {
        let address = host.address().map(|address| address.to_string());
        println!(
            "{:4}  {}  {:11}  {}",
            fleet.name(number),
            fleet.layout().zone(number),
            address.unwrap_or_default(),
            fleet.layout().roles(number)
        );
    }
    let enter = fleet.desk().shell();
    println!(
        "\nA shell from where every host is reached, with the admin's profile:\n  {enter}\n\
         In it:\n  wharf status\n  wharf allocator list\n  wharf deployment create --name web --wait\n  \
         wharf events -f\n\
         One command from outside:\n  {enter} -c 'wharf status'\n\
         Admin API: {} (CA: {})\n\
         The engine of a host: docker -H unix://{}/docker.sock ps   (the others beside it)\n\
         All of it ends with: make testbed-down (the Docker tests end it too)",
        fleet.desk().directors(),
        fleet.desk().profile()["ca_file"]
            .as_str()
            .unwrap_or_default(),
        fleet.hosts()[0].dir().display()
    );
}
