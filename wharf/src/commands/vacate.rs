//! `wharf vacate` and `wharf allocator vacate`: hosts are emptied, and how far that is. Not here: how it
//! looks (`fleet_tables.rs`), what a vacate does (the director).

use std::{collections::BTreeMap, time::Duration};

use wharf_proto::v1::{
    CancelVacateRequest, GetVacateRequest, ListOptions, ListVacatesRequest, Vacate,
    VacateAllocatorRequest, VacateStatus,
};

use super::{fleet_tables, following, listing::read_all};
use crate::{
    args::{ListArgs, Output, VacateArgs, VacateCommand, VacateRef},
    client::{Client, mutation_as},
    failure::{EXIT_NOT_FOUND, EXIT_PLAN_FAILED, Failure},
    given, print,
};

/// Between two looks at a vacate that is followed.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Looks in a row that may fail: a director that restarts is back within seconds.
const TRIES: u32 = 30;
/// A copy is told of again when it has come on by this part.
const TOLD_PARTS: u64 = 20;

/// Runs the command.
pub(crate) async fn run(client: &Client, command: &VacateCommand) -> Result<u8, Failure> {
    match command {
        VacateCommand::List { allocator, list } => {
            let vacates = read(client, allocator, list).await?;
            let json = print::json_list(&vacates)?;
            print::result(client.output(), &json, || {
                fleet_tables::vacates(&vacates, client.now_ms())
            });
            Ok(0)
        }
        VacateCommand::Show(vacate) => {
            let id = named(client, vacate).await?;
            show(client, &get(client, &id).await.map_err(Failure::from)?)?;
            Ok(0)
        }
        VacateCommand::Follow(vacate) => {
            let id = named(client, vacate).await?;
            let vacate = follow(client, &id, None).await?;
            if client.output() != Output::Table {
                show(client, &vacate)?;
            }
            ended(&vacate)
        }
        VacateCommand::Cancel {
            vacate,
            wait,
            request,
        } => {
            let request = CancelVacateRequest {
                mutation: mutation_as(request.request_id.as_deref()),
                vacate_id: named(client, vacate).await?,
            };
            let mut vacate = client
                .allocators()
                .cancel_vacate(request)
                .await?
                .into_inner();
            if wait.wait {
                let timeout = Duration::from_secs(wait.wait_timeout);
                vacate = follow(client, &vacate.id, Some(timeout)).await?;
            }
            show(client, &vacate)?;
            if wait.wait { cancelled(&vacate) } else { Ok(0) }
        }
    }
}

/// `wharf allocator vacate`
pub(crate) async fn begin(client: &Client, args: &VacateArgs) -> Result<u8, Failure> {
    let named = print::printable(&args.allocator);
    if args.host_down && !args.change.dry_run {
        given::confirm(
            args.yes,
            &format!(
                "What `{named}` holds is not waited for; what its deployments let start elsewhere does"
            ),
            &args.allocator,
        )?;
    }
    let request = VacateAllocatorRequest {
        mutation: mutation_as(args.change.request.request_id.as_deref()),
        allocator: args.allocator.clone(),
        to_allocators: args.to.clone(),
        parallelism: args.parallelism.unwrap_or(0),
        host_down: args.host_down,
        dry_run: args.change.dry_run,
    };
    let answer = client.allocators().vacate_allocator(request).await?;
    let mut vacate = answer.into_inner().vacate.unwrap_or_default();
    if args.change.dry_run {
        show(client, &vacate)?;
        return would_work(&vacate);
    }
    if args.change.wait.wait {
        let timeout = Duration::from_secs(args.change.wait.wait_timeout);
        vacate = follow(client, &vacate.id, Some(timeout)).await?;
    }
    let json = print::json(&vacate)?;
    print::result(client.output(), &json, || {
        if is_ended(&vacate) {
            fleet_tables::vacate(&vacate, client.now_ms())
        } else {
            format!(
                "{named} is emptied, {} instances; follow it: wharf vacate follow {}\n",
                vacate.moves.len(),
                vacate.id
            )
        }
    });
    if args.change.wait.wait {
        ended(&vacate)
    } else {
        Ok(0)
    }
}

/// Vacates as a list asks for them; the newest first when it asks for no order.
pub(crate) async fn read(
    client: &Client,
    allocator: &str,
    list: &ListArgs,
) -> Result<Vec<Vacate>, Failure> {
    let mut list = list.clone();
    if list.sort.is_empty() {
        "created desc".clone_into(&mut list.sort);
    }
    read_all(&list, |options| async {
        let request = ListVacatesRequest {
            allocator: allocator.to_owned(),
            options: Some(options),
        };
        let page = client
            .allocators()
            .list_vacates(request)
            .await?
            .into_inner();
        Ok((page.vacates, page.info))
    })
    .await
}

/// The id of a vacate that is named by itself or by its host.
async fn named(client: &Client, vacate: &VacateRef) -> Result<String, Failure> {
    let text = &vacate.vacate;
    let is_id = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
    if is_id {
        let known = get(client, text).await;
        match known {
            Err(status) if status.code() == tonic::Code::NotFound => {}
            Err(status) => return Err(status.into()),
            Ok(_) => return Ok(text.clone()),
        }
    }
    let request = ListVacatesRequest {
        allocator: text.clone(),
        options: Some(ListOptions {
            page_size: 1,
            order_by: "created desc".to_owned(),
            ..ListOptions::default()
        }),
    };
    let page = client
        .allocators()
        .list_vacates(request)
        .await?
        .into_inner();
    match page.vacates.into_iter().next() {
        Some(vacate) => Ok(vacate.id),
        None => Err(Failure::new(
            "CLI0041",
            format!("nobody has vacated `{}`", print::printable(text)),
            "wharf vacate list",
        )
        .exit(EXIT_NOT_FOUND)),
    }
}

async fn get(client: &Client, vacate_id: &str) -> Result<Vacate, tonic::Status> {
    let request = GetVacateRequest {
        vacate_id: vacate_id.to_owned(),
    };
    Ok(client.allocators().get_vacate(request).await?.into_inner())
}

fn show(client: &Client, vacate: &Vacate) -> Result<(), Failure> {
    let json = print::json(vacate)?;
    print::result(client.output(), &json, || {
        fleet_tables::vacate(vacate, client.now_ms())
    });
    Ok(())
}

/// Watches a vacate until it ends, telling each instance's change once.
async fn follow(
    client: &Client,
    vacate_id: &str,
    timeout: Option<Duration>,
) -> Result<Vacate, Failure> {
    let looking = async {
        let mut told = BTreeMap::new();
        let mut failures = 0_u32;
        loop {
            match get(client, vacate_id).await {
                Ok(vacate) => {
                    failures = 0;
                    for line in news(&vacate, &mut told) {
                        print::remark(&line);
                    }
                    if is_ended(&vacate) {
                        return Ok(vacate);
                    }
                }
                Err(status) => {
                    failures += 1;
                    if !following::passes(&status) || failures > TRIES {
                        return Err(Failure::from(status));
                    }
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let what = format!("the vacate {vacate_id}");
    let again = format!("wharf vacate follow {vacate_id}");
    following::until_ended(&what, &again, timeout, looking).await
}

/// What was told last of each instance, and of the vacate under the empty name.
type Told = BTreeMap<String, (String, String, String, u64)>;

/// Lines about what is not as it was told: states, reasons, and copies that have come on.
fn news(vacate: &Vacate, told: &mut Told) -> Vec<String> {
    let mut lines = Vec::new();
    for one in &vacate.moves {
        let part = (one.bytes_done.saturating_mul(TOLD_PARTS))
            .checked_div(one.bytes_total)
            .unwrap_or(0);
        let now = (
            one.state.clone(),
            one.to_host.clone(),
            one.reason.clone(),
            part,
        );
        if told.get(&one.instance_id) == Some(&now) {
            continue;
        }
        lines.push(fleet_tables::progress(vacate, one));
        told.insert(one.instance_id.clone(), now);
    }
    let whole = (
        fleet_tables::status(vacate),
        fleet_tables::moved(vacate),
        vacate.reason.clone(),
        0,
    );
    if told.get("") != Some(&whole) {
        let reason = if vacate.reason.is_empty() {
            String::new()
        } else {
            format!(": {}", vacate.reason)
        };
        lines.push(print::printable(&format!(
            "{:<9} {}  {} instances moved{reason}",
            whole.0, vacate.host, whole.1
        )));
        told.insert(String::new(), whole);
    }
    lines
}

fn is_ended(vacate: &Vacate) -> bool {
    matches!(
        vacate.status(),
        VacateStatus::Done | VacateStatus::Failed | VacateStatus::Cancelled
    )
}

/// What the end of a vacate means for the command.
fn ended(vacate: &Vacate) -> Result<u8, Failure> {
    if vacate.status() == VacateStatus::Done {
        return Ok(0);
    }
    let reason = if vacate.reason.is_empty() {
        String::new()
    } else {
        format!(": {}", vacate.reason)
    };
    Err(Failure::new(
        "CLI0042",
        format!(
            "the vacate of {} {}, {} instances moved{reason}",
            vacate.host,
            match vacate.status() {
                VacateStatus::Cancelled => "was cancelled",
                _ => "failed",
            },
            fleet_tables::moved(vacate)
        ),
        format!("wharf vacate show {}", vacate.id),
    )
    .exit(EXIT_PLAN_FAILED))
}

/// What the end of a vacate that was to be cancelled means for the command.
fn cancelled(vacate: &Vacate) -> Result<u8, Failure> {
    match vacate.status() {
        VacateStatus::Cancelled => Ok(0),
        VacateStatus::Done => Err(Failure::new(
            "CLI0043",
            format!(
                "{} was empty before its vacate could be cancelled",
                vacate.host
            ),
            format!("wharf vacate show {}", vacate.id),
        )
        .exit(EXIT_PLAN_FAILED)),
        _ => ended(vacate),
    }
}

/// What a dry run means for the command: a vacate that leaves instances waiting is no success.
fn would_work(vacate: &Vacate) -> Result<u8, Failure> {
    let waiting: Vec<String> = vacate
        .moves
        .iter()
        .filter(|one| one.to_allocator_id.is_empty())
        .map(|one| format!("{}/{}", one.deployment_name, one.instance_name))
        .collect();
    if waiting.is_empty() {
        return Ok(0);
    }
    Err(Failure::new(
        "CLI0032",
        format!(
            "the vacate would wait: no allocator takes {}",
            waiting.join(", ")
        ),
        "make room on other hosts; `wharf placement explain INSTANCE` says what each lacks",
    )
    .exit(EXIT_PLAN_FAILED))
}

#[cfg(test)]
mod tests;
