//! `wharf status`: is the platform healthy, and if not, why and what to do.

use wharf_proto::v1::{GetStatusRequest, PlatformStatus};

use super::attention::Attention;
use crate::{
    args::{Output, StatusArgs},
    client::Client,
    failure::{EXIT_UNHEALTHY, Failure},
    print::{self, Table},
};

/// Runs the command.
pub(crate) async fn run(client: &Client, args: &StatusArgs) -> Result<u8, Failure> {
    let status = client
        .platform()
        .get_status(GetStatusRequest {})
        .await?
        .into_inner();
    client.follow_directors(
        status
            .directors
            .iter()
            .map(|one| one.admin_address.as_str()),
    );
    let json = print::json(&status)?;
    // Programs get the director's own answer and nothing else.
    let hosts = match client.output() {
        Output::Table => Attention::read(client).await.table(client.now_ms()),
        _ => String::new(),
    };
    print::result(client.output(), &json, || {
        let mut text = render(&status, client.now_ms());
        if !hosts.is_empty() {
            text.push_str(&format!("\n{hosts}"));
        }
        text
    });
    Ok(if args.check && !status.healthy {
        EXIT_UNHEALTHY
    } else {
        0
    })
}

fn render(status: &PlatformStatus, now_ms: u64) -> String {
    let mut text = format!(
        "platform    {} ({}), version {}\nhealth      {}\nadmin       {}\nclients     {}\n",
        print::printable(&status.name),
        status.platform_id,
        status.version,
        if status.healthy {
            "healthy"
        } else {
            "NOT HEALTHY"
        },
        status.admin_url,
        status.proxy_url,
    );
    text.push_str(&format!(
        "allocators  {} of {} connected\nproxies     {} of {} connected\ndeployments {} of {} healthy\ncontainers  {}\nplans       {} running\n",
        status.allocators_connected,
        status.allocators,
        status.proxies_connected,
        status.proxies,
        status.deployments_healthy,
        status.deployments,
        status.containers,
        status.plans_running,
    ));
    let mut directors = Table::new(&[
        "DIRECTOR", "ZONE", "ADDRESS", "STATE", ">TERM", ">LAG", "CONTACT",
    ]);
    for member in &status.directors {
        let name = if member.host.is_empty() {
            &member.id
        } else {
            &member.host
        };
        directors.row([
            name.clone(),
            member.zone.clone(),
            member.address.clone(),
            match (member.leader, member.voter) {
                (true, _) => "leader",
                _ if !member.connected => "silent",
                (false, true) => "follower",
                (false, false) => "learner",
            }
            .to_owned(),
            member.term.to_string(),
            member.lag.to_string(),
            print::age(now_ms, member.last_contact.as_ref()),
        ]);
    }
    text.push('\n');
    text.push_str(&directors.render());
    if !status.problems.is_empty() {
        let mut problems = Table::new(&["CODE", "SINCE", "WHAT", "PROBLEM", "WHAT TO DO"]);
        for problem in &status.problems {
            problems.row([
                problem.code.clone(),
                print::age(now_ms, problem.since.as_ref()),
                format!("{} {}", problem.subject_kind, problem.subject)
                    .trim()
                    .to_owned(),
                problem.message.clone(),
                problem.hint.clone(),
            ]);
        }
        text.push('\n');
        text.push_str(&problems.render());
        let more = (status.problems_total as usize).saturating_sub(status.problems.len());
        if more > 0 {
            text.push_str(&format!("and {more} more\n"));
        }
    }
    text
}
