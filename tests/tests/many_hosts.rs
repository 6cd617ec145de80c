//! Lists of a director that has many hosts: every page is bounded and right, whatever there is. The whole size
//! and its figures: `scripts/many-hosts`.

// A test fails by panicking and tells its figures.
#![allow(clippy::panic, clippy::print_stdout, clippy::unwrap_used)]

use std::collections::BTreeSet;

use serde_json::json;
use wharf_runtime::random;
use wharf_tests::many_hosts::{ManyHosts, Size, lists, pages, table};

const SIZE: Size = Size {
    hosts: 120,
    containers: 1_200,
    zones: 3,
    deployments: 6,
    seed: 7,
};
/// Of each page: what is asserted is not its time.
const TIMES: usize = 5;
/// Storage and monitoring node of each deployment, the platform's own included.
const INSTANCES: usize = 2 * (SIZE.deployments + 1);

#[test]
fn with_many_hosts_every_list_is_paged_and_no_row_is_missing_or_doubled() {
    let data = tempfile::tempdir().unwrap();
    let many = ManyHosts::raise(&SIZE, data.path(), &|text| println!("{text}"));
    let browser = many.browser();
    let (hosts, containers, status) = many.block_on(async {
        let walk = |method, rows, order| lists::walk(browser, method, rows, order);
        let allocators = "wharf.v1.Allocators/ListAllocators";
        let hosts = walk(allocators, "allocators", "instances desc").await;
        let of_containers = "wharf.v1.Containers/ListContainers";
        let containers = walk(of_containers, "containers", "application").await;
        let status = browser
            .call("wharf.v1.Platform/GetStatus", &json!({}))
            .await;
        (hosts, containers, status.unwrap())
    });
    assert_eq!(hosts.len(), SIZE.hosts, "each host is on one page");
    let expected = SIZE.containers + INSTANCES;
    assert_eq!(containers.len(), expected, "each container is on one page");
    assert_eq!(
        status["containers"], expected,
        "the status counts what the list has"
    );

    let unasked = many.block_on(lists::every_list_gives_a_page(browser));
    let lists: BTreeSet<&str> = unasked.iter().map(|one| one.0.as_str()).collect();
    for known in [
        "Allocators/ListAllocators",
        "Containers/ListContainers",
        "Events/ListEvents",
        "Plans/ListPlans",
    ] {
        assert!(
            lists.contains(format!("wharf.v1.{known}").as_str()),
            "{known} is among {lists:?}"
        );
    }
    let full = unasked.iter().filter(|one| one.2 > 100);
    assert!(
        full.clone().count() >= 2,
        "hosts and containers are more than a page: {unasked:?}"
    );
    for (name, rows, total, _) in full {
        assert_eq!(*rows, 100, "{name} has {total} rows and gives a whole page");
    }

    let mut figures = Vec::new();
    for page in many.block_on(pages(browser)) {
        let one = many.block_on(many.measure(&page, TIMES, 0.0));
        let asked = page.ask["options"]["page_size"].as_u64();
        assert!(
            asked.is_none_or(|most| one.rows as u64 <= most),
            "{}: {} rows where {asked:?} were asked for",
            one.name,
            one.rows
        );
        assert!(
            one.bytes <= lists::MOST_BYTES * 4,
            "{}: {} bytes",
            one.name,
            one.bytes
        );
        figures.push(one);
    }
    println!("{}", table(&figures));
    let total = |name: &str| {
        figures
            .iter()
            .find(|one| one.name == name)
            .map(|one| one.total)
    };
    assert_eq!(total("hosts"), Some(SIZE.hosts as u64));
    assert_eq!(total("containers by memory"), Some(expected as u64));
    assert_eq!(total("deployments"), Some(SIZE.deployments as u64 + 1));
    assert_eq!(total("instances"), Some(INSTANCES as u64));
    many.block_on(hosts_begin_as_soon_as_they_have_joined(&many));
    many.block_on(a_lost_zone_is_written_down_together(&many));
    // On busy cores one may end, and is opened again.
    println!("sessions that ended: {:?}", many.told().ended());
}

/// The first event of a kind, or the last.
async fn event(many: &ManyHosts, kind: &str, order_by: &str) -> String {
    let filter = format!("kind={kind}");
    let options = json!({ "page_size": 1, "order_by": order_by, "filter": filter });
    let asked = many
        .browser()
        .call("wharf.v1.Events/ListEvents", &json!({ "options": options }))
        .await;
    let number = &asked.unwrap()["events"][0]["number"];
    assert!(!number.is_null(), "there is an event {kind}");
    number.to_string().trim_matches('"').to_owned()
}

async fn hosts_begin_as_soon_as_they_have_joined(many: &ManyHosts) {
    let number = |text: String| text.parse::<u64>().unwrap();
    let begun = number(event(many, "register_allocator", "number").await);
    let joined = number(event(many, "enroll_host", "number desc").await);
    assert!(
        begun < joined,
        "the first session waited for the last host to join"
    );
}

async fn a_lost_zone_is_written_down_together(many: &ManyHosts) {
    let grace = json!({
        "mutation": { "request_id": random::new_id() },
        "key": "health.allocator_grace_seconds",
        "value": "5",
    });
    let set = many.browser().call("wharf.v1.Settings/SetSetting", &grace);
    set.await.unwrap();
    let loss = many.lose_zone("zone-3").await;
    println!("{loss:?}");
    assert!(
        loss.entries < loss.hosts,
        "less than an entry of the log for each of the hosts: {loss:?}"
    );
}
