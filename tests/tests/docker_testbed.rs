//! The testbed itself: engines of their own that do not see one another, and nothing left behind.

// A test fails by panicking and tells its figures.
#![allow(
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used
)]

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use wharf_tests::testbed::{Fault, Host, Network, Relay, must, run};

#[test]
fn two_hosts_have_engines_and_networks_of_their_own_and_leave_nothing() {
    let one = Host::start("one");
    let other = Host::start("other");
    one.import_busybox();
    must(&mut one.docker(&[
        "run",
        "-d",
        "--name",
        "only-here",
        "--network",
        "host",
        "busybox:test",
        "nc",
        "-ll",
        "-p",
        "7777",
        "-e",
        "/bin/busybox",
    ]));
    let names = must(&mut other.docker(&["ps", "-a", "--format", "{{.Names}}"]));
    assert_eq!(names.trim(), "", "the other engine has containers");
    let connect = |host: &Host| host.inside(|| TcpStream::connect(("127.0.0.1", 7777)).is_ok());
    wharf_tests::patience::wait_for("the listener", Duration::from_secs(90), || {
        if connect(&one) {
            Ok(())
        } else {
            Err("refused")
        }
    });
    assert!(
        !connect(&other),
        "one host's loopback is reachable from the other"
    );
    let dirs: Vec<PathBuf> = [&one, &other].map(|host| host.dir().to_path_buf()).into();
    drop((one, other));
    for dir in dirs {
        assert!(!dir.exists(), "{} is left", dir.display());
    }
    let namespaces = must(Command::new("ip").args(["netns", "list"]));
    let own = format!("wt-{}-", std::process::id());
    assert!(
        !namespaces.contains(&own),
        "a namespace is left: {namespaces}"
    );
    let left = run(Command::new("pgrep").args(["-f", &own]));
    assert_eq!(
        String::from_utf8_lossy(&left.stdout).trim(),
        "",
        "a process is left"
    );
}

#[test]
fn an_engine_that_was_killed_comes_back_with_its_containers() {
    let mut host = Host::start("crash");
    host.import_busybox();
    must(&mut host.docker(&[
        "run",
        "-d",
        "--name",
        "kept",
        "--network",
        "none",
        "busybox:test",
        "sleep",
        "600",
    ]));
    host.kill_engine();
    assert!(
        !run(&mut host.docker(&["version"])).status.success(),
        "a killed engine answers"
    );
    host.start_engine();
    let names = must(&mut host.docker(&["ps", "-a", "--format", "{{.Names}}"]));
    assert_eq!(names.trim(), "kept");
}

/// Answers every connection to a host's port 7000 with what it is sent.
fn echo(host: &Host) {
    let listener = host
        .inside(|| TcpListener::bind(("0.0.0.0", 7000)))
        .unwrap();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            std::thread::spawn(move || {
                let mut copy = stream.try_clone().unwrap();
                std::io::copy(&mut stream, &mut copy)
            });
        }
    });
}

/// Longer than any line takes that arrives at all, on a machine that is busy with something else.
const PATIENCE: Duration = Duration::from_secs(30);
/// A line that does not arrive in this time is taken for cut.
const SILENCE: Duration = Duration::from_secs(1);

/// One line there and back; the wait for each part is bounded.
fn ask(from: &Host, to: &Host, bound: Duration) -> std::io::Result<Duration> {
    let target = (to.address().unwrap(), 7000).into();
    from.inside(|| {
        let begin = Instant::now();
        let mut stream = TcpStream::connect_timeout(&target, bound)?;
        stream.set_read_timeout(Some(bound))?;
        stream.write_all(b"hello")?;
        let mut back = [0; 5];
        stream.read_exact(&mut back)?;
        assert_eq!(&back, b"hello");
        Ok(begin.elapsed())
    })
}

#[test]
fn links_of_a_network_break_one_way_or_both_lose_slow_down_and_heal() {
    let network = Network::create();
    let [one, other, third] = network.start_hosts(["one", "other", "third"]);
    for host in [&one, &other, &third] {
        echo(host);
    }
    ask(&one, &other, PATIENCE).unwrap();
    ask(&other, &one, PATIENCE).unwrap();

    // Packets from `one` do not arrive at `other`: neither can speak to the other, since answers
    // take the same way, but what arrives the other way shows that only one way is cut.
    network.break_link(&one, &other, Fault::Cut);
    assert!(ask(&one, &other, SILENCE).is_err(), "a cut link carries");
    let arrives = must(
        other
            .command("ping")
            .args(["-c1", "-W30", "-q"])
            .arg(third.address().unwrap().to_string()),
    );
    assert!(
        arrives.contains("1 received"),
        "the third is cut off too: {arrives}"
    );
    let listener = one
        .inside(|| std::net::UdpSocket::bind(("0.0.0.0", 7001)))
        .unwrap();
    listener.set_read_timeout(Some(PATIENCE)).unwrap();
    let target = (one.address().unwrap(), 7001);
    other
        .inside(|| std::net::UdpSocket::bind(("0.0.0.0", 0))?.send_to(b"x", target))
        .unwrap();
    listener.recv(&mut [0; 8]).expect("the way back is cut too");
    network.heal(&one, &other);
    ask(&one, &other, PATIENCE).unwrap();

    network.part(&one, &other);
    assert!(ask(&other, &one, SILENCE).is_err(), "parted hosts speak");
    ask(&one, &third, PATIENCE).unwrap();
    network.heal(&one, &other);

    network.break_link(&one, &other, Fault::Loss { percent: 50 });
    let sent = run(one
        .command("ping")
        .args(["-c100", "-i0.002", "-W1", "-q"])
        .arg(other.address().unwrap().to_string()));
    let told = String::from_utf8_lossy(&sent.stdout).into_owned();
    let received: u32 = told
        .split(", ")
        .find_map(|part| part.strip_suffix(" received")?.parse().ok())
        .unwrap();
    // Of a hundred fair coins, fewer than 20 or more than 80 come in one of a billion runs.
    assert!((20..=80).contains(&received), "{told}");
    network.heal(&one, &other);

    one.set_plugged(false);
    assert!(
        ask(&other, &one, SILENCE).is_err(),
        "a pulled cable carries"
    );
    one.set_plugged(true);
    wharf_tests::patience::wait_for("the cable carries", Duration::from_secs(90), || {
        ask(&other, &one, SILENCE)
    });

    let delay = Duration::from_millis(150);
    let slow = Relay::start(&network, &one, &other, 7000, delay);
    let took = ask(&one, &other, PATIENCE).unwrap();
    assert!(took >= delay * 2, "there and back took {took:?}");
    ask(&third, &other, PATIENCE).unwrap();
    drop(slow);
    ask(&one, &other, PATIENCE).unwrap();

    one.limit_sending(Some(1000));
    let told = must(one.command("tc").args(["qdisc", "show", "dev", "eth0"]));
    assert!(told.contains("rate 1Mbit"), "{told}");
    one.limit_sending(None);
    ask(&one, &other, PATIENCE).unwrap();
}
