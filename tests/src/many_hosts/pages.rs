//! What the admin UI asks for, page by page, and how long the director takes for it: as seen by who asks, and in
//! processor time. Not here: whether the answers are right (`lists`).

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use wharf_runtime::random;

use super::{Browser, ManyHosts};

/// A call of one of the UI's pages.
#[derive(Debug, Clone)]
pub struct Page {
    /// As in the table.
    pub name: &'static str,
    /// Of the contracts.
    pub method: &'static str,
    /// What is asked.
    pub ask: Value,
}

const ALLOCATORS: &str = "wharf.v1.Allocators/ListAllocators";
const CONTAINERS: &str = "wharf.v1.Containers/ListContainers";
const DEPLOYMENTS: &str = "wharf.v1.Deployments/ListDeployments";
const INSTANCES: &str = "wharf.v1.Instances/ListInstances";
const PLANS: &str = "wharf.v1.Plans/ListPlans";
const EVENTS: &str = "wharf.v1.Events/ListEvents";

fn listed(size: u32, order_by: &str, filter: &str) -> Value {
    json!({ "options": { "page_size": size, "order_by": order_by, "filter": filter } })
}

/// The calls that the pages make.
///
/// # Panics
/// When the platform is empty.
pub async fn pages(browser: &Browser) -> Vec<Page> {
    let first = |method: &'static str, rows: &'static str, ask: Value| async move {
        let answer = browser.call(method, &ask).await.expect("a list");
        answer[rows][0].clone()
    };
    let busiest = first(ALLOCATORS, "allocators", listed(1, "instances desc", "")).await;
    let largest = first(CONTAINERS, "containers", listed(1, "memory desc", "")).await;
    let deployment = first(DEPLOYMENTS, "deployments", listed(1, "name", "")).await;
    let plan = first(PLANS, "plans", listed(1, "created desc", "")).await;
    let page = |name, method, ask| Page { name, method, ask };
    let of_host = format!(
        "allocator_id={}",
        busiest["id"].as_str().unwrap_or_default()
    );
    vec![
        page("status", "wharf.v1.Platform/GetStatus", json!({})),
        page("hosts", ALLOCATORS, listed(100, "host", "")),
        page(
            "hosts by instances",
            ALLOCATORS,
            listed(100, "instances desc", ""),
        ),
        page(
            "hosts by memory in use",
            ALLOCATORS,
            listed(100, "memory_in_use desc", ""),
        ),
        page(
            "zones",
            "wharf.v1.Allocators/ListZones",
            listed(100, "name", ""),
        ),
        page(
            "hosts of a zone",
            ALLOCATORS,
            listed(100, "host", "zone=zone-1"),
        ),
        page(
            "hosts, found by name",
            ALLOCATORS,
            listed(6, "", "host~\"17\""),
        ),
        page("hosts, largest page", ALLOCATORS, listed(1_000, "host", "")),
        page(
            "host",
            "wharf.v1.Allocators/GetAllocator",
            json!({ "allocator": busiest["id"] }),
        ),
        page(
            "containers by application",
            "wharf.v1.Containers/ListContainerGroups",
            listed(100, "memory desc", ""),
        ),
        page("events, counted", "wharf.v1.Events/CountEvents", json!({})),
        page(
            "plans of a host",
            PLANS,
            json!({ "host": busiest["host"], "options": { "page_size": 50, "order_by": "created desc" } }),
        ),
        page(
            "most memory",
            CONTAINERS,
            listed(6, "memory desc", "state=running"),
        ),
        page(
            "most CPU",
            CONTAINERS,
            listed(6, "cpu desc", "state=running"),
        ),
        page(
            "containers by memory",
            CONTAINERS,
            listed(100, "memory desc", ""),
        ),
        page(
            "containers by CPU, running",
            CONTAINERS,
            listed(100, "cpu desc", "state=running"),
        ),
        page("containers by name", CONTAINERS, listed(100, "name", "")),
        page(
            "containers by application",
            CONTAINERS,
            listed(100, "application", ""),
        ),
        page(
            "containers by deployment",
            CONTAINERS,
            listed(100, "deployment", ""),
        ),
        page("containers by host", CONTAINERS, listed(100, "host", "")),
        page(
            "containers, found by name",
            CONTAINERS,
            listed(100, "memory desc", "name~\"till\" and state=running"),
        ),
        page(
            "containers of a host",
            CONTAINERS,
            listed(100, "memory desc", &of_host),
        ),
        page(
            "containers, largest page",
            CONTAINERS,
            listed(1_000, "memory desc", ""),
        ),
        page(
            "container",
            "wharf.v1.Containers/GetContainer",
            json!({ "container": largest["id"] }),
        ),
        page("deployments", DEPLOYMENTS, listed(100, "name", "")),
        page(
            "deployments, unhealthy",
            DEPLOYMENTS,
            listed(100, "name", "health=unhealthy"),
        ),
        page(
            "deployment",
            "wharf.v1.Deployments/GetDeployment",
            json!({ "deployment": deployment["id"] }),
        ),
        page("instances", INSTANCES, listed(100, "name", "")),
        page(
            "instances by memory",
            INSTANCES,
            listed(100, "memory desc", ""),
        ),
        page(
            "instances of a host",
            INSTANCES,
            json!({ "allocator": busiest["id"], "options": { "page_size": 100 } }),
        ),
        page("plans", PLANS, listed(100, "created desc", "")),
        page(
            "plan",
            "wharf.v1.Plans/GetPlan",
            json!({ "plan_id": plan["id"] }),
        ),
        page("events", EVENTS, listed(100, "number desc", "")),
        page(
            "events of containers",
            EVENTS,
            listed(100, "number desc", "kind~container"),
        ),
        page(
            "proxies",
            "wharf.v1.Proxies/ListProxies",
            listed(100, "host", ""),
        ),
        page(
            "directors",
            "wharf.v1.Directors/ListDirectors",
            listed(100, "host", ""),
        ),
        page(
            "users",
            "wharf.v1.Users/ListUsers",
            listed(100, "username", ""),
        ),
        page(
            "sessions",
            "wharf.v1.Sessions/ListSessions",
            listed(100, "used desc", ""),
        ),
    ]
}

/// What one page takes.
#[derive(Debug, Clone)]
pub struct Figures {
    /// The page.
    pub name: &'static str,
    /// Rows of its longest list.
    pub rows: usize,
    /// Rows over all pages; zero where the answer does not say.
    pub total: u64,
    /// Bytes of the answer.
    pub bytes: usize,
    /// Half of the calls took no longer.
    pub half: Duration,
    /// 99 of 100 took no longer.
    pub most: Duration,
    /// The longest.
    pub longest: Duration,
    /// Processor time of the director for one call, what it does anyway taken off.
    pub cpu: Duration,
}

/// Rows of the longest list of an answer, and how many there are over all pages.
pub(super) fn rows_of(answer: &Value) -> (usize, u64) {
    let fields = answer
        .as_object()
        .into_iter()
        .flat_map(|fields| fields.values());
    let rows = fields.filter_map(Value::as_array).map(Vec::len).max();
    (
        rows.unwrap_or(0),
        answer["info"]["total"].as_u64().unwrap_or(0),
    )
}

impl ManyHosts {
    /// Seconds of processor time that the director takes for each second while nobody asks, by a look of so
    /// long.
    pub async fn at_rest(&self, span: Duration) -> f64 {
        let (began, before) = (Instant::now(), self.cpu_seconds());
        tokio::time::sleep(span).await;
        (self.cpu_seconds() - before) / began.elapsed().as_secs_f64()
    }

    /// Makes a call so often, one after the other, beside what the hosts say meanwhile.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn measure(&self, page: &Page, times: usize, at_rest: f64) -> Figures {
        let browser = self.browser();
        let request = browser.encode(page.method, &page.ask);
        let ask = || async {
            let answer = browser.ask(page.method, request.clone()).await;
            answer.unwrap_or_else(|refused| panic!("{}: {refused:?}", page.name))
        };
        let answer = ask().await;
        let (rows, total) = rows_of(&browser.decode(page.method, &answer));
        let (began, before) = (Instant::now(), self.cpu_seconds());
        let mut took = Vec::with_capacity(times);
        for _ in 0..times {
            took.push(ask().await.took);
        }
        let cpu = self.cpu_seconds() - before - at_rest * began.elapsed().as_secs_f64();
        took.sort_unstable();
        let at = |share: usize| took[((times * share).div_ceil(100)).clamp(1, times) - 1];
        Figures {
            name: page.name,
            rows,
            total,
            bytes: answer.wire,
            half: at(50),
            most: at(99),
            longest: at(100),
            cpu: Duration::from_secs_f64(cpu.max(0.0) / times as f64),
        }
    }

    /// Opens the stream that every page of the UI has open, and looks at what it brings; the UI wants to
    /// know only which topics changed.
    ///
    /// # Panics
    /// When it ends.
    pub async fn watch(&self, only_topics: bool, span: Duration, at_rest: f64) -> Stream {
        let browser = self.browser();
        let method = "wharf.v1.Streams/Watch";
        let ask = json!({
            "stream_id": random::new_id(),
            "topics": ["TOPIC_STATUS", "TOPIC_DEPLOYMENTS", "TOPIC_PLANS", "TOPIC_ALLOCATORS"],
            "only_topics": only_topics,
        });
        let opened = browser.open(method, browser.encode(method, &ask)).await;
        let mut body = opened.expect("the stream is opened").into_body();
        let (began, before) = (Instant::now(), self.cpu_seconds());
        let (mut first, mut later) = (0, 0);
        while let Ok(frame) =
            tokio::time::timeout(span.saturating_sub(began.elapsed()), body.frame()).await
        {
            let frame = frame
                .expect("the stream goes on")
                .expect("the stream lives");
            let bytes = frame.data_ref().map_or(0, bytes::Bytes::len);
            if began.elapsed() < Duration::from_secs(2) {
                first += bytes;
            } else {
                later += bytes;
            }
        }
        let seconds = began.elapsed().as_secs_f64();
        Stream {
            first,
            per_second: later as f64 / (seconds - 2.0).max(1.0),
            cpu: ((self.cpu_seconds() - before) / seconds - at_rest).max(0.0),
        }
    }
}

/// What the stream of one open page brings.
#[derive(Debug, Clone, Copy)]
pub struct Stream {
    /// Bytes of the first two seconds.
    pub first: usize,
    /// Bytes of each second after them.
    pub per_second: f64,
    /// Seconds of processor time of the director for each second, what it does anyway taken off.
    pub cpu: f64,
}

/// The figures for people.
#[must_use]
pub fn table(all: &[Figures]) -> String {
    let ms = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1_000.0);
    let mut text = format!(
        "{:28} {:>5} {:>7} {:>9} {:>8} {:>8} {:>8} {:>8}\n",
        "page", "rows", "total", "bytes", "p50 ms", "p99 ms", "max ms", "CPU ms"
    );
    for one in all {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{:28} {:>5} {:>7} {:>9} {:>8} {:>8} {:>8} {:>8}",
            one.name,
            one.rows,
            one.total,
            one.bytes,
            ms(one.half),
            ms(one.most),
            ms(one.longest),
            ms(one.cpu)
        );
    }
    text
}
