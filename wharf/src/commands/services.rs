//! `wharf services`: what runs, with its traffic, its errors and its resources.

use std::cell::RefCell;

use wharf_proto::monitor::v1::{ListServicesRequest, ServiceSummary};

use super::listing::read_all;
use crate::{
    args::ServicesArgs,
    client::Client,
    failure::Failure,
    monitor::Monitor,
    print::{self, Table},
    times,
};

/// Runs the command.
pub(crate) async fn run(client: &Client, args: &ServicesArgs) -> Result<u8, Failure> {
    let window_ms = times::age(&args.window)?;
    let node = Monitor::of(client, &args.monitor.deployment).await?;
    let remarks = RefCell::new(Vec::new());
    let services = read_all(&args.list, |options| async {
        let request = ListServicesRequest {
            window_ms,
            options: Some(options),
            until_ms: 0,
        };
        let answer = node.services().list_services(request).await;
        let page = answer.map_err(|status| node.failed(status))?.into_inner();
        remarks.replace(page.remarks);
        Ok((page.services, page.info))
    })
    .await?;
    let json = print::json_list(&services)?;
    print::result(client.output(), &json, || table(&services));
    for remark in remarks.take() {
        print::remark(&print::printable(&remark));
    }
    Ok(0)
}

/// What is not known is not nought.
fn known<T>(value: Option<T>, show: impl Fn(T) -> String) -> String {
    value.map_or_else(|| "-".to_owned(), show)
}

fn table(services: &[ServiceSummary]) -> String {
    let mut table = Table::new(&[
        "SERVICE",
        "KIND",
        ">REQUESTS",
        ">ERRORS %",
        ">P50 MS",
        ">P95 MS",
        ">P99 MS",
        ">LINES",
        ">ERROR LINES",
        ">RESTARTS",
        ">CPU %",
        ">MEMORY",
        ">CONTAINERS",
        "HOSTS",
    ]);
    let ms = |value: f64| format!("{value:.1}");
    for service in services {
        table.row([
            service.name.clone(),
            print::word(service.kind().as_str_name(), "SERVICE_KIND_"),
            known(service.requests, |count| count.to_string()),
            known(service.error_ratio, |ratio| format!("{:.2}", ratio * 100.0)),
            known(service.latency_p50_ms, ms),
            known(service.latency_p95_ms, ms),
            known(service.latency_p99_ms, ms),
            service.lines.to_string(),
            service.error_lines.to_string(),
            service.restarts.to_string(),
            known(service.cpu_percent, |percent| format!("{percent:.1}")),
            known(service.memory_bytes, print::bytes),
            service.containers.to_string(),
            service.hosts.join(", "),
        ]);
    }
    table.render()
}
