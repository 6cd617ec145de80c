//! `scripts/many-hosts`: a director with thousands of hosts that are not there, and how long each page of the
//! admin UI takes on it. Not here: hosts and pages (`wharf_tests::many_hosts`).

// A tool for people: it talks to them.
#![allow(clippy::print_stderr, clippy::print_stdout)]

use std::{process::ExitCode, time::Duration};

use wharf_tests::many_hosts::{ManyHosts, Size, lists, pages, raise_open_files, table};

const USAGE: &str = "usage: scripts/many-hosts [--hosts 2000] [--containers 20000] [--zones 3] [--deployments 200]
  [--seed 7] [--times 200] [--only TEXT] [--lose ZONE] [--serve SECONDS]
--times 0 measures nothing; --only measures the pages with that text in their names; --lose zone-3 measures again
without that zone; --serve keeps it up for a browser afterwards. WHARF_BENCH_BINARY names another binary.";
/// How long the director is looked at while nobody asks.
const REST: Duration = Duration::from_secs(15);

/// A page takes no longer, 99 times of 100.
const MOST: Duration = Duration::from_millis(50);

struct Given {
    size: Size,
    times: usize,
    only: String,
    lose: String,
    serve: u64,
}

fn given() -> Result<Given, String> {
    let mut given = Given {
        size: Size {
            hosts: 2_000,
            containers: 20_000,
            zones: 3,
            deployments: 200,
            seed: 7,
        },
        times: 200,
        only: String::new(),
        lose: String::new(),
        serve: 0,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words
            .next()
            .ok_or_else(|| format!("{word} needs a value"))?;
        let number = || {
            value
                .parse::<u64>()
                .map_err(|_| format!("{word}: `{value}` is no number"))
        };
        let count = || {
            number().and_then(|number| usize::try_from(number).map_err(|error| error.to_string()))
        };
        match word.as_str() {
            "--hosts" => given.size.hosts = count()?,
            "--containers" => given.size.containers = count()?,
            "--zones" => given.size.zones = count()?,
            "--deployments" => given.size.deployments = count()?,
            "--seed" => given.size.seed = number()?,
            "--times" => given.times = count()?,
            "--only" => given.only = value,
            "--lose" => given.lose = value,
            "--serve" => given.serve = number()?,
            _ => return Err(format!("there is no {word}")),
        }
    }
    let size = &given.size;
    if size.hosts == 0 || size.zones == 0 || size.containers < size.hosts {
        return Err("there is a host and a zone at least, and a container on each host".into());
    }
    Ok(given)
}

fn main() -> ExitCode {
    let given = match given() {
        Ok(given) => given,
        Err(wrong) => {
            eprintln!("{wrong}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    raise_open_files();
    let data = tempfile::tempdir().expect("a folder for the director's data");
    let size = &given.size;
    println!("{size:?}");
    let many = ManyHosts::raise(size, data.path(), &|text| println!("{text}"));
    if given.times > 0 {
        measure(&many, &given);
    }
    if !given.lose.is_empty() {
        let loss = many.block_on(many.lose_zone(&given.lose));
        println!("{} is lost: {loss:?}", given.lose);
        measure(&many, &given);
    }
    if given.serve > 0 {
        println!("serving for {} s:\n{}", given.serve, many.address());
        // A timer is made where the runtime is.
        many.block_on(async { tokio::time::sleep(Duration::from_secs(given.serve)).await });
    }
    let (lost, reasons) = many.told().ended();
    println!("sessions that ended: {lost} {reasons:?}");
    if lost == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Of the last minute, five and fifteen: times say little on a machine that does something else, too.
fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

fn measure(many: &ManyHosts, given: &Given) {
    let at_rest = many.block_on(many.at_rest(REST));
    let mib = many.resident() / f64::from(1 << 20);
    println!("load of the machine: {}", load());
    println!(
        "while nobody asks, the director takes {:.0} % of a core and {mib:.0} MiB",
        at_rest * 100.0
    );
    let mut all = Vec::new();
    for page in many.block_on(pages(many.browser())) {
        if page.name.contains(&given.only) {
            all.push(many.block_on(many.measure(&page, given.times, at_rest)));
        }
    }
    print!("{}", table(&all));
    let slow: Vec<&str> = all
        .iter()
        .filter(|one| one.most > MOST)
        .map(|one| one.name)
        .collect();
    println!("pages whose p99 is over {} ms: {slow:?}", MOST.as_millis());
    for (whose, only_topics) in [("one open page", true), ("who wants every row", false)] {
        let stream = many.block_on(many.watch(only_topics, Duration::from_secs(20), at_rest));
        println!(
            "the stream of {whose}: {} bytes in the first 2 s, then {:.0} a second; {:.1} % of a core",
            stream.first,
            stream.per_second,
            stream.cpu * 100.0
        );
    }
    let unasked = many.block_on(lists::every_list_gives_a_page(many.browser()));
    let (name, _, _, bytes) = unasked
        .iter()
        .max_by_key(|one| one.3)
        .expect("there are lists");
    println!(
        "{} lists give a page to who names no size; the largest is {name} with {bytes} bytes",
        unasked.len()
    );
}
