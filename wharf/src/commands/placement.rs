//! `wharf placement`: why instances lie where they do, and moves that spread them better. Not here: how
//! it looks (`fleet_tables.rs`), the decision (the director).

use std::time::Duration;

use wharf_proto::v1::{ExplainPlacementRequest, GetRebalancingRequest, RebalanceRequest, Size};

use super::{fleet_tables, plan};
use crate::{
    args::{ExplainArgs, PlacementCommand},
    client::{Client, mutation_as},
    failure::{EXIT_PLAN_FAILED, Failure},
    print,
};

/// Runs the command.
pub(crate) async fn run(client: &Client, command: &PlacementCommand) -> Result<u8, Failure> {
    match command {
        PlacementCommand::Explain(args) => explain(client, args).await,
        PlacementCommand::Rebalance { status: true, .. } => {
            let request = GetRebalancingRequest {};
            let answer = client.placement().get_rebalancing(request).await?;
            let answer = answer.into_inner();
            let json = print::json(&answer)?;
            print::result(client.output(), &json, || {
                fleet_tables::rebalancing(&answer, client.now_ms())
            });
            Ok(0)
        }
        PlacementCommand::Rebalance {
            moves,
            dry_run,
            status: _,
            wait,
            request,
        } => {
            let request = RebalanceRequest {
                mutation: mutation_as(request.request_id.as_deref()),
                dry_run: *dry_run,
                moves: moves.unwrap_or(0),
            };
            let answer = client.placement().rebalance(request).await?.into_inner();
            let json = print::json(&answer)?;
            print::result(client.output(), &json, || {
                fleet_tables::rebalance(&answer, *dry_run)
            });
            if !wait.wait {
                return Ok(0);
            }
            let timeout = Duration::from_secs(wait.wait_timeout);
            for one in answer.moves.iter().filter(|one| !one.plan_id.is_empty()) {
                plan::ended(&plan::follow(client, &one.plan_id, Some(timeout)).await?)?;
            }
            Ok(0)
        }
    }
}

/// Exits with 4 when nobody would take it, as dry runs do.
async fn explain(client: &Client, args: &ExplainArgs) -> Result<u8, Failure> {
    let size = Size {
        memory_bytes: args.memory.unwrap_or(0),
        disk_bytes: args.disk.unwrap_or(0),
        cpu_millis: args.cpu.unwrap_or(0),
    };
    let request = ExplainPlacementRequest {
        instance: args.instance.clone().unwrap_or_default(),
        kind: args.kind.clone().unwrap_or_default(),
        size: Some(size),
    };
    let answer = client
        .placement()
        .explain_placement(request)
        .await?
        .into_inner();
    let json = print::json(&answer)?;
    print::result(client.output(), &json, || fleet_tables::explained(&answer));
    Ok(if answer.refusal.is_empty() {
        0
    } else {
        EXIT_PLAN_FAILED
    })
}
