//! `wharf allocator`: list and show the agents on hosts.

use wharf_proto::v1::{Allocator, GetAllocatorRequest, ListAllocatorsRequest, Size};

use super::listing::read_all;
use crate::{
    args::AllocatorCommand,
    client::Client,
    failure::Failure,
    print::{self, Table},
};

/// Runs the command.
pub(crate) async fn run(client: &Client, command: &AllocatorCommand) -> Result<u8, Failure> {
    match command {
        AllocatorCommand::List(args) => {
            let allocators = read_all(args, |options| async {
                let request = ListAllocatorsRequest {
                    options: Some(options),
                };
                let page = client
                    .allocators()
                    .list_allocators(request)
                    .await?
                    .into_inner();
                Ok((page.allocators, page.info))
            })
            .await?;
            let json = print::json_list(&allocators)?;
            print::result(client.output(), &json, || {
                let mut table = Table::new(&[
                    "HOST",
                    "ZONE",
                    "STATE",
                    "SINCE",
                    ">INSTANCES",
                    ">MEMORY",
                    ">DISK",
                    "PROBLEM",
                    "ID",
                ]);
                for allocator in &allocators {
                    table.row([
                        allocator.host.clone(),
                        allocator.zone.clone(),
                        state(allocator).to_owned(),
                        print::age(client.now_ms(), allocator.since.as_ref()),
                        allocator.instances.to_string(),
                        share(allocator, |size| size.memory_bytes),
                        share(allocator, |size| size.disk_bytes),
                        allocator
                            .problems
                            .first()
                            .map_or_else(|| "-".to_owned(), |problem| problem.code.clone()),
                        allocator.id.clone(),
                    ]);
                }
                table.render()
            });
        }
        AllocatorCommand::Show { allocator } => {
            let request = GetAllocatorRequest {
                allocator: allocator.clone(),
            };
            let found = client
                .allocators()
                .get_allocator(request)
                .await?
                .into_inner();
            let json = print::json(&found)?;
            print::result(client.output(), &json, || render(&found, client.now_ms()));
        }
    }
    Ok(0)
}

fn state(allocator: &Allocator) -> &'static str {
    match (allocator.connected, allocator.maintenance) {
        (false, _) => "silent",
        (true, true) => "maintenance",
        (true, false) => "connected",
    }
}

fn share(allocator: &Allocator, of: impl Fn(&Size) -> u64) -> String {
    let used = allocator.used.as_ref().map_or(0, &of);
    let capacity = allocator.capacity.as_ref().map_or(0, &of);
    format!("{} of {}", print::bytes(used), print::bytes(capacity))
}

fn render(allocator: &Allocator, now_ms: u64) -> String {
    let mut text = format!(
        "allocator   {} ({})\nzone        {}\nstate       {} since {}\naddress     {}\ninstances   {}\nmemory      {}\ndisk        {}\ngeneration  {} assigned, {} applied\n",
        print::printable(&allocator.host),
        allocator.id,
        print::printable(&allocator.zone),
        state(allocator),
        print::age(now_ms, allocator.since.as_ref()),
        allocator.advertised_address,
        allocator.instances,
        share(allocator, |size| size.memory_bytes),
        share(allocator, |size| size.disk_bytes),
        allocator.assigned_generation,
        allocator.applied_generation,
    );
    if let Some(facts) = &allocator.facts {
        text.push_str(&format!(
            "host        {}, kernel {}, {} cores, {} memory, {} of {} disk free\nengine      Docker {} (API {}), cgroup {}\nwharf       {}\n",
            print::printable(&facts.os),
            print::printable(&facts.kernel),
            facts.cpus,
            print::bytes(facts.memory_bytes),
            print::bytes(facts.disk_free_bytes),
            print::bytes(facts.disk_bytes),
            print::printable(&facts.engine_version),
            print::printable(&facts.engine_api_version),
            print::printable(&facts.cgroup),
            print::printable(&facts.wharf_version),
        ));
    }
    for problem in &allocator.problems {
        text.push_str(&format!(
            "problem     {} {}; {}\n",
            problem.code,
            print::printable(&problem.message),
            print::printable(&problem.hint)
        ));
    }
    text
}
