//! Snapshots of a deployment: where they go, one now, which there are. The list comes from the
//! deployment's own API through the proxy; everything else from the director.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;
use wharf_proto::v1::{
    Deployment, DeploymentSnapshots, GetCredentialsRequest, GetDeploymentRequest,
    InstanceSnapshots, SetHostLossPolicyRequest, SetSnapshotPolicyRequest, TakeSnapshotRequest,
};

use super::{deployment::get, following};
use crate::{
    args::{DeploymentSetArgs, SnapshotArgs},
    client::{Client, mutation_as},
    failure::Failure,
    print::{self, Table},
    times,
};

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(1);
/// Looks in a row that may fail: a director that restarts is back within seconds.
const TRIES: u32 = 30;

/// `wharf deployment set`
pub(crate) async fn set(client: &Client, args: &DeploymentSetArgs) -> Result<Deployment, Failure> {
    let every_ms = match &args.snapshot_every {
        Some(text) => match times::age(text)? {
            0 => {
                return Err(Failure::new(
                    "CLI0009",
                    "--snapshot-every: 0 is no interval",
                    "give at least 60s; `--no-snapshots` ends them",
                ));
            }
            every_ms => every_ms,
        },
        None => 0,
    };
    if args.no_snapshots && args.on_host_loss.as_deref() == Some("restore") {
        return Err(Failure::new(
            "CLI0045",
            "--no-snapshots: without snapshots there is nothing to restore",
            "leave one of --no-snapshots and --on-host-loss restore out",
        ));
    }
    let mut repository = args.snapshot_repository.clone();
    let named = args.snapshot_every.is_some() || args.snapshot_keep.is_some();
    if repository.is_none() && named {
        let known = get(client, &args.deployment).await?.snapshots;
        let known = known.map(|known| known.repository).unwrap_or_default();
        if known.is_empty() {
            return Err(Failure::new(
                "CLI0045",
                "the deployment keeps no snapshots yet",
                format!("name where they go: {}", where_to(&args.deployment)),
            ));
        }
        repository = Some(known);
    }
    let policy = (repository.is_some() || args.no_snapshots).then(|| SetSnapshotPolicyRequest {
        deployment: args.deployment.clone(),
        repository: repository.unwrap_or_default(),
        interval_seconds: every_ms.div_ceil(1_000),
        keep: args.snapshot_keep.unwrap_or(0),
        ..SetSnapshotPolicyRequest::default()
    });
    let loss = args.on_host_loss.clone();
    let loss = loss.map(|on_host_loss| SetHostLossPolicyRequest {
        deployment: args.deployment.clone(),
        on_host_loss,
        ..SetHostLossPolicyRequest::default()
    });
    // What a restore needs comes before it and goes after it.
    let loss_first = args.no_snapshots;
    let given = args.request.request_id.as_deref();
    // Two changes are two requests: a retry knows both again.
    let second: Option<String> = given.map(|id| id.chars().rev().collect());
    let both = policy.is_some() && loss.is_some();
    let id_of = |first: bool| {
        if first || !both {
            given
        } else {
            second.as_deref()
        }
    };
    let mut shown = None;
    for turn in [loss_first, !loss_first] {
        let first = turn == loss_first;
        shown = match (turn, &policy, &loss) {
            (true, _, Some(loss)) => {
                let request = SetHostLossPolicyRequest {
                    mutation: mutation_as(id_of(first)),
                    ..loss.clone()
                };
                let done = client.deployments().set_host_loss_policy(request).await;
                Some(done.inspect_err(|_| half(first, both))?)
            }
            (false, Some(policy), _) => {
                let request = SetSnapshotPolicyRequest {
                    mutation: mutation_as(id_of(first)),
                    ..policy.clone()
                };
                let done = client.deployments().set_snapshot_policy(request).await;
                Some(done.inspect_err(|_| half(first, both))?)
            }
            _ => shown,
        };
    }
    match shown {
        Some(shown) => Ok(shown.into_inner()),
        None => get(client, &args.deployment).await,
    }
}

fn where_to(deployment: &str) -> String {
    let deployment = print::printable(deployment);
    format!("wharf deployment set {deployment} --snapshot-repository REPOSITORY")
}

/// Says what is in force when the second of two changes is refused.
fn half(first: bool, both: bool) {
    if both && !first {
        print::remark("the other of the two changes was made");
    }
}

/// `wharf deployment snapshot`
pub(crate) async fn take(client: &Client, args: &SnapshotArgs) -> Result<u8, Failure> {
    let request = TakeSnapshotRequest {
        mutation: mutation_as(args.request.request_id.as_deref()),
        deployment: args.deployment.clone(),
    };
    let answer = client.deployments().take_snapshot(request).await?;
    let answer = answer.into_inner();
    if args.wait {
        let taken = until_taken(client, args, answer.requested);
        let again = told_by(&args.deployment);
        let deployment = following::until_ended("the snapshot", &again, None, taken).await?;
        let json = print::json(&deployment)?;
        print::result(client.output(), &json, || {
            let known = deployment.snapshots.clone().unwrap_or_default();
            overview(&known, client.now_ms())
        });
        return Ok(0);
    }
    let json = print::json(&answer)?;
    print::result(client.output(), &json, || {
        format!(
            "asked for (request {}); {}\n",
            answer.requested,
            told_by(&args.deployment)
        )
    });
    Ok(0)
}

fn told_by(deployment: &str) -> String {
    let deployment = print::printable(deployment);
    format!("`wharf deployment show {deployment}` tells how far it is")
}

/// Looks until every storage node has served the request, for as long as whoever asks has patience.
async fn until_taken(
    client: &Client,
    args: &SnapshotArgs,
    requested: u64,
) -> Result<Deployment, Failure> {
    let patience = Duration::from_secs(args.wait_timeout);
    let until = Instant::now() + patience;
    let mut failures = 0_u32;
    loop {
        let request = GetDeploymentRequest {
            deployment: args.deployment.clone(),
        };
        let missing = match client.deployments().get_deployment(request).await {
            Ok(answer) => {
                failures = 0;
                let deployment = answer.into_inner();
                let missing = missing(deployment.snapshots.as_ref(), requested);
                if missing.is_empty() {
                    return Ok(deployment);
                }
                missing
            }
            Err(status) => {
                failures += 1;
                if !following::passes(&status) || failures > TRIES {
                    return Err(Failure::from(status));
                }
                vec!["the director does not answer".to_owned()]
            }
        };
        if Instant::now() >= until {
            return Err(Failure::new(
                "CLI0044",
                format!(
                    "no snapshot within {} s: {}",
                    patience.as_secs(),
                    missing.join("; ")
                ),
                format!("it goes on; {}", told_by(&args.deployment)),
            ));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Which storage nodes have not served the request, and why; none: all have.
fn missing(known: Option<&DeploymentSnapshots>, requested: u64) -> Vec<String> {
    let instances = known.map_or(&[][..], |known| known.instances.as_slice());
    if instances.is_empty() {
        return vec!["no storage node is known yet".to_owned()];
    }
    let late = instances
        .iter()
        .filter(|one| one.requested_done < requested);
    late.map(lateness).collect()
}

fn lateness(one: &InstanceSnapshots) -> String {
    let name = print::printable(&one.instance_name);
    match (one.error.as_str(), one.running) {
        ("", true) => format!("{name} is at it"),
        ("", false) => format!("{name} has not begun"),
        (error, _) => format!("{name}: {}", print::printable(error)),
    }
}

/// `wharf deployment snapshots`
pub(crate) async fn list(client: &Client, deployment: &str) -> Result<u8, Failure> {
    let known = get(client, deployment).await?.snapshots.unwrap_or_default();
    if known.repository.is_empty() {
        return Err(Failure::new(
            "CLI0045",
            "the deployment keeps no snapshots",
            format!("say where: {}", where_to(deployment)),
        ));
    }
    let request = GetCredentialsRequest {
        deployment: deployment.to_owned(),
    };
    let credentials = client.deployments().get_credentials(request).await?;
    let store = client.store(&credentials.into_inner())?;
    let path = format!("/_snapshot/{}/_all?order=desc", known.repository);
    let answer = store.get(&path).await?;
    let all = answer["snapshots"].as_array().cloned().unwrap_or_default();
    print::result(client.output(), &Value::Array(all.clone()), || {
        let mut table = Table::new(&[
            "SNAPSHOT",
            "TAKEN",
            "STATE",
            "REASON",
            ">DOCUMENTS",
            ">SIZE",
            ">INDICES",
        ]);
        for one in &all {
            let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
            let told = &one["metadata"];
            table.row([
                text(&one["snapshot"]),
                text(&told["taken"]),
                text(&one["state"]),
                text(&told["reason"]),
                told["documents"].as_u64().unwrap_or(0).to_string(),
                print::bytes(told["bytes"].as_u64().unwrap_or(0)),
                one["indices"].as_array().map_or(0, Vec::len).to_string(),
            ]);
        }
        table.render()
    });
    Ok(0)
}

fn seconds(seconds: u64) -> String {
    match seconds {
        0 => "-".to_owned(),
        whole if whole % 3_600 == 0 => format!("{} h", whole / 3_600),
        whole if whole % 60 == 0 => format!("{} min", whole / 60),
        other => format!("{other} s"),
    }
}

/// What a deployment's own page says of its snapshots.
pub(crate) fn overview(known: &DeploymentSnapshots, now_ms: u64) -> String {
    let mut text = String::new();
    if !known.repository.is_empty() {
        text.push_str(&format!(
            "snapshots   in {} every {}, {} are kept of each storage node\n",
            print::printable(&known.repository),
            seconds(known.interval_seconds),
            known.keep
        ));
    }
    for one in &known.instances {
        let name = print::printable(&one.instance_name);
        if !known.repository.is_empty() {
            let last = match (one.last.as_str(), one.running) {
                ("", false) => "no snapshot yet".to_owned(),
                ("", true) => "its first is being taken".to_owned(),
                (last, running) => format!(
                    "{}, {} ago, {} documents, {}{}",
                    print::printable(last),
                    print::age(now_ms, one.taken_at.as_ref()),
                    one.documents,
                    print::bytes(one.bytes),
                    if running {
                        "; the next is being taken"
                    } else {
                        ""
                    }
                ),
            };
            text.push_str(&format!("  {name}: {last}\n"));
        }
        if !one.error.is_empty() {
            text.push_str(&format!(
                "  {name}: fails for {}: {}\n",
                print::age(now_ms, one.failing_since.as_ref()),
                print::printable(&one.error)
            ));
        }
        if let Some(from) = &one.restored_from {
            text.push_str(&format!(
                "  {name}: restored {} ago from {}; what was written since is on {}\n",
                print::age(now_ms, from.restored_at.as_ref()),
                print::printable(&from.snapshot),
                print::printable(&from.host)
            ));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_there_once_every_storage_node_has_it_and_each_that_lacks_it_says_why() {
        let one = |name: &str, requested_done, error: &str| InstanceSnapshots {
            instance_name: name.into(),
            requested_done,
            running: error.is_empty(),
            error: error.into(),
            ..InstanceSnapshots::default()
        };
        let nobody = ["no storage node is known yet"];
        assert_eq!(missing(None, 2), nobody);
        let mut known = DeploymentSnapshots::default();
        assert_eq!(missing(Some(&known), 2), nobody);
        known.instances = vec![
            one("storage-0", 2, ""),
            one("storage-1", 1, ""),
            one("storage-2", 0, "STO0017: refused"),
        ];
        assert_eq!(
            missing(Some(&known), 2),
            ["storage-1 is at it", "storage-2: STO0017: refused"]
        );
        assert_eq!(missing(Some(&known), 0), [""; 0], "all have it");
    }

    #[test]
    fn what_fails_and_what_was_restored_is_told_with_its_age() {
        let at = |ms| Some(wharf_proto::times::timestamp(ms));
        let known = DeploymentSnapshots {
            repository: "backups".into(),
            interval_seconds: 1_800,
            keep: 100,
            requested: 0,
            instances: vec![InstanceSnapshots {
                instance_name: "storage-0".into(),
                last: "0000000001-0000000060000".into(),
                taken_at: at(60_000),
                bytes: 1 << 20,
                documents: 7,
                error: "STO0017: refused".into(),
                failing_since: at(120_000),
                restored_from: Some(wharf_proto::v1::RestoredFrom {
                    snapshot: "0000000000-0000000030000".into(),
                    taken_at: at(30_000),
                    restored_at: at(180_000),
                    host: "h2".into(),
                }),
                ..InstanceSnapshots::default()
            }],
        };
        let text = overview(&known, 240_000);
        for told in [
            "in backups every 30 min, 100 are kept",
            "0000000001-0000000060000, 3m ago, 7 documents",
            "fails for 2m: STO0017: refused",
            "restored 60s ago from 0000000000-0000000030000; what was written since is on h2",
        ] {
            assert!(text.contains(told), "`{told}` is missing: {text}");
        }
        assert_eq!(overview(&DeploymentSnapshots::default(), 1), "");
    }
}
