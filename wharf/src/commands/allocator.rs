//! `wharf allocator`: list, show and change the agents on hosts, forget one that is gone. Not here:
//! their emptying (`vacate.rs`).

use wharf_proto::v1::{
    Allocator, ForgetHostRequest, GetAllocatorRequest, ListAllocatorsRequest, Mutation, RoleSet,
    Size, TagSet, UpdateAllocatorRequest,
};

use super::{listing::read_all, vacate};
use crate::{
    args::{AllocatorCommand, AllocatorSetArgs, ListArgs, RequestArgs, Switch},
    client::{Client, mutation, mutation_as},
    failure::Failure,
    given,
    print::{self, Table},
};

/// Runs the command.
pub(crate) async fn run(client: &Client, command: &AllocatorCommand) -> Result<u8, Failure> {
    match command {
        AllocatorCommand::List(args) => {
            let allocators = read(client, args).await?;
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
        AllocatorCommand::Remove {
            allocator,
            lost,
            yes,
        } => {
            given::confirm(*yes, "the platform forgets the host", allocator)?;
            let request = ForgetHostRequest {
                mutation: mutation(),
                allocator: allocator.clone(),
                lost: *lost,
            };
            let answer = client.enrollment().forget_host(request).await?.into_inner();
            let json = print::json(&answer)?;
            print::result(client.output(), &json, || {
                format!(
                    "the platform has forgotten {}; `wharf uninstall` there removes what is left\n",
                    print::printable(allocator)
                )
            });
        }
        AllocatorCommand::Set(args) => set(client, args).await?,
        AllocatorCommand::Maintenance {
            allocator,
            mode,
            request,
        } => maintenance(client, allocator, *mode, request).await?,
        AllocatorCommand::Vacate(args) => return vacate::begin(client, args).await,
        AllocatorCommand::Show { allocator } => {
            let found = get(client, allocator).await?;
            let json = print::json(&found)?;
            print::result(client.output(), &json, || render(&found, client.now_ms()));
        }
    }
    Ok(0)
}

/// Allocators as a list asks for them.
pub(crate) async fn read(client: &Client, list: &ListArgs) -> Result<Vec<Allocator>, Failure> {
    read_all(list, |options| async {
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
    .await
}

async fn get(client: &Client, allocator: &str) -> Result<Allocator, Failure> {
    let request = GetAllocatorRequest {
        allocator: allocator.to_owned(),
    };
    let answer = client.allocators().get_allocator(request).await?;
    Ok(answer.into_inner())
}

/// What is not named stays as it is, so the change is one of the record that was read.
async fn set(client: &Client, args: &AllocatorSetArgs) -> Result<(), Failure> {
    let before = get(client, &args.allocator).await?;
    let request = changed(&before, args);
    let after = client.allocators().update_allocator(request).await?;
    let after = after.into_inner();
    let json = print::json(&after)?;
    print::result(client.output(), &json, || render(&after, client.now_ms()));
    Ok(())
}

fn changed(before: &Allocator, args: &AllocatorSetArgs) -> UpdateAllocatorRequest {
    let tags = (!args.tags.is_empty() || !args.untag.is_empty()).then(|| {
        let mut tags = before.tags.clone();
        tags.retain(|key, _| !args.untag.contains(key));
        tags.extend(args.tags.iter().cloned());
        TagSet { tags }
    });
    let named = args.memory.is_some() || args.disk.is_some() || args.cpu.is_some();
    let capacity = named.then(|| {
        let capacity = before.capacity.unwrap_or_default();
        Size {
            memory_bytes: args.memory.unwrap_or(capacity.memory_bytes),
            disk_bytes: args.disk.unwrap_or(capacity.disk_bytes),
            cpu_millis: args.cpu.unwrap_or(capacity.cpu_millis),
        }
    });
    // What is made from the record that was read holds for that record alone.
    let whole = tags.is_none() && capacity.is_none();
    UpdateAllocatorRequest {
        mutation: Some(Mutation {
            expected_version: if whole { 0 } else { before.version },
            ..mutation().unwrap_or_default()
        }),
        allocator: before.id.clone(),
        maintenance: None,
        zone: args.zone.clone(),
        tags,
        capacity,
        roles: (!args.roles.is_empty()).then(|| RoleSet {
            roles: args.roles.clone(),
        }),
    }
}

async fn maintenance(
    client: &Client,
    allocator: &str,
    mode: Switch,
    request: &RequestArgs,
) -> Result<(), Failure> {
    let request = UpdateAllocatorRequest {
        mutation: mutation_as(request.request_id.as_deref()),
        allocator: allocator.to_owned(),
        maintenance: Some(mode == Switch::On),
        ..UpdateAllocatorRequest::default()
    };
    let after = client.allocators().update_allocator(request).await?;
    let after = after.into_inner();
    let json = print::json(&after)?;
    print::result(client.output(), &json, || {
        let host = print::printable(&after.host);
        match (after.maintenance, after.instances) {
            (false, _) => format!("{host} takes instances again\n"),
            (true, 0) => format!("{host} takes nothing new; no instance lies there\n"),
            (true, 1) => format!(
                "{host} takes nothing new; 1 instance stays there, `wharf allocator vacate {host}` moves it\n"
            ),
            (true, count) => format!(
                "{host} takes nothing new; {count} instances stay there, `wharf allocator vacate {host}` moves them\n"
            ),
        }
    });
    Ok(())
}

/// How it stands, the most important word alone.
pub(crate) fn state(allocator: &Allocator) -> &'static str {
    match (
        allocator.connected,
        allocator.vacate_id.is_empty(),
        allocator.maintenance,
    ) {
        (false, _, _) => "silent",
        (true, false, _) => "vacating",
        (true, true, true) => "maintenance",
        (true, true, false) => "connected",
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
    if !allocator.roles.is_empty() {
        text.push_str(&format!(
            "roles       {}\n",
            print::printable(&allocator.roles.join(", "))
        ));
    }
    if !allocator.tags.is_empty() {
        let mut tags: Vec<String> = allocator
            .tags
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        tags.sort_unstable();
        text.push_str(&format!(
            "tags        {}\n",
            print::printable(&tags.join(", "))
        ));
    }
    if !allocator.vacate_id.is_empty() {
        text.push_str(&format!("vacate      {}\n", allocator.vacate_id));
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn args() -> AllocatorSetArgs {
        AllocatorSetArgs {
            allocator: "h1".into(),
            zone: None,
            tags: Vec::new(),
            untag: Vec::new(),
            memory: None,
            disk: None,
            cpu: None,
            roles: Vec::new(),
        }
    }

    fn host() -> Allocator {
        Allocator {
            id: "a".repeat(32),
            tags: [("disk".into(), "hdd".into()), ("rack".into(), "7".into())].into(),
            capacity: Some(Size {
                memory_bytes: 8 << 30,
                disk_bytes: 100 << 30,
                cpu_millis: 4000,
            }),
            version: 12,
            ..Allocator::default()
        }
    }

    #[test]
    fn what_is_not_named_stays_as_it_is() {
        let zone = AllocatorSetArgs {
            zone: Some("zone-b".into()),
            ..args()
        };
        let request = changed(&host(), &zone);
        assert_eq!(request.zone.as_deref(), Some("zone-b"));
        assert_eq!(
            (
                request.tags,
                request.capacity,
                request.roles,
                request.maintenance
            ),
            (None, None, None, None)
        );
        let memory = AllocatorSetArgs {
            memory: Some(16 << 30),
            ..args()
        };
        let capacity = changed(&host(), &memory).capacity.unwrap();
        assert_eq!(
            (
                capacity.memory_bytes,
                capacity.disk_bytes,
                capacity.cpu_millis
            ),
            (16 << 30, 100 << 30, 4000)
        );
    }

    #[test]
    fn tags_are_added_changed_and_taken_away_from_those_that_were_read() {
        let tags = AllocatorSetArgs {
            tags: vec![("disk".into(), "ssd".into()), ("gpu".into(), "no".into())],
            untag: vec!["rack".into()],
            ..args()
        };
        let request = changed(&host(), &tags);
        let expected = [
            ("disk".to_owned(), "ssd".to_owned()),
            ("gpu".into(), "no".into()),
        ];
        assert_eq!(request.tags.unwrap().tags, expected.into());
        assert_eq!(
            request.mutation.unwrap().expected_version,
            12,
            "a change of somebody else meanwhile must not be lost"
        );
    }

    #[test]
    fn a_host_that_is_emptied_says_so_and_a_silent_one_first_that_it_is_silent() {
        let mut allocator = Allocator {
            connected: true,
            maintenance: true,
            vacate_id: "b".repeat(32),
            ..Allocator::default()
        };
        assert_eq!(state(&allocator), "vacating");
        allocator.vacate_id.clear();
        assert_eq!(state(&allocator), "maintenance");
        allocator.connected = false;
        assert_eq!(state(&allocator), "silent");
    }
}
