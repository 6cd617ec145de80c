//! `wharf director`: who decides and who leads; a director is taken out, another is let lead. Invariant: the
//! profile follows what was read of the directors. Not here: a director that joins (`install/`).

use wharf_proto::v1::{
    Director, DirectorRole, ListDirectorsRequest, RemoveDirectorRequest, TransferLeadershipRequest,
};

use super::listing::read_all;
use crate::{
    args::{DirectorCommand, ListArgs},
    client::{Client, mutation},
    failure::Failure,
    given,
    print::{self, Table},
};

/// Runs the command.
pub(crate) async fn run(client: &Client, command: &DirectorCommand) -> Result<u8, Failure> {
    match command {
        DirectorCommand::List(args) => {
            let directors = read(client, args).await?;
            if args.filter.is_empty() && args.limit.is_none() {
                client.follow_directors(directors.iter().map(|one| one.admin_address.as_str()));
            }
            let json = print::json_list(&directors)?;
            print::result(client.output(), &json, || {
                table(&directors, client.now_ms())
            });
        }
        DirectorCommand::Add { zone } => {
            let create = format!(
                "wharf token create --roles director,allocator,proxy --zone {zone} --secret-file join.txt"
            );
            let join = "wharf install --join-file join.txt";
            let json = serde_json::json!({ "here": create, "there": join });
            print::result(client.output(), &json, || {
                format!(
                    "A director joins by a token. Here:\n  {create}\nOn the host that is to direct, with that file:\n  {join}\n\nIt gets the log first and its vote when it has caught up; there are 1, 3 or 5 votes.\n"
                )
            });
        }
        DirectorCommand::Remove { director, yes } => {
            let what = "the director leaves the group for good";
            given::confirm(*yes, what, director)?;
            let request = RemoveDirectorRequest {
                mutation: mutation(),
                director: director.clone(),
            };
            let mut directors = client.directors();
            let answer = directors.remove_director(request).await?.into_inner();
            follow(client).await;
            let json = print::json(&answer)?;
            print::result(client.output(), &json, || {
                format!(
                    "{} is no director any more; its host keeps its other roles\n",
                    print::printable(director)
                )
            });
        }
        DirectorCommand::StepDown { to } => {
            let request = TransferLeadershipRequest {
                mutation: mutation(),
                director: to.clone().unwrap_or_default(),
            };
            let mut directors = client.directors();
            let answer = directors.transfer_leadership(request).await?.into_inner();
            let known = read(client, &ListArgs::default()).await.unwrap_or_default();
            let leader = known.iter().find(|one| one.id == answer.leader_id);
            let json = print::json(&answer)?;
            print::result(client.output(), &json, || {
                let host = leader.map_or(answer.leader_id.as_str(), |one| one.host.as_str());
                format!("{} leads\n", print::printable(host))
            });
        }
    }
    Ok(0)
}

/// The profile hears of who is left; what was asked for is done whether or not it can be read.
async fn follow(client: &Client) {
    if let Ok(directors) = read(client, &ListArgs::default()).await {
        client.follow_directors(directors.iter().map(|one| one.admin_address.as_str()));
    }
}

async fn read(client: &Client, args: &ListArgs) -> Result<Vec<Director>, Failure> {
    read_all(args, |options| async {
        let request = ListDirectorsRequest {
            options: Some(options),
        };
        let page = client
            .directors()
            .list_directors(request)
            .await?
            .into_inner();
        Ok((page.directors, page.info))
    })
    .await
}

fn table(directors: &[Director], now_ms: u64) -> String {
    let mut table = Table::new(&[
        "HOST",
        "ZONE",
        "STATE",
        ">LAG",
        "CONTACT",
        "ADDRESS",
        "VERSION",
        ">DISK",
        "WAITS FOR",
        "ID",
    ]);
    for one in directors {
        let state = match one.role() {
            DirectorRole::Leader => "leader",
            _ if !one.connected => "silent",
            DirectorRole::Follower => "follower",
            DirectorRole::Learner => "learner",
            DirectorRole::Unspecified => "-",
        };
        table.row([
            one.host.clone(),
            one.zone.clone(),
            state.to_owned(),
            one.lag.to_string(),
            print::age(now_ms, one.last_contact.as_ref()),
            one.admin_address.clone(),
            one.version.clone(),
            // Its first disk is the first.
            one.incarnation.saturating_add(1).to_string(),
            if one.waits_for.is_empty() {
                "-".to_owned()
            } else {
                one.waits_for.clone()
            },
            one.id.clone(),
        ]);
    }
    table.render()
}
