//! `wharf logs`: a container's lines, read from the `system` deployment's store through the proxy.
//! Following asks again for what is newer; lines that arrive late within the overlap are shown
//! once, by document id.

use std::{collections::HashSet, time::Duration};

use serde_json::{Value, json};
use wharf_proto::v1::GetCredentialsRequest;

use crate::{
    args::{LogsArgs, Output},
    client::{Client, StoreClient},
    commands::container,
    failure::Failure,
    print, times,
};

/// The deployment that the platform's own collectors ship to.
const SYSTEM: &str = "system";
const DATA_STREAM: &str = "logs-docker.container-default";
/// How far back a follower looks again, for lines that were shipped late.
const OVERLAP_MS: u64 = 15_000;
const PAGE: u32 = 1000;

/// One line as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    id: String,
    at_ms: u64,
    at: String,
    stream: String,
    message: String,
}

/// Runs the command.
pub(crate) async fn run(client: &Client, args: &LogsArgs) -> Result<u8, Failure> {
    let since_ms = match &args.since {
        Some(text) => Some(client.now_ms().saturating_sub(times::age(text)?)),
        None => None,
    };
    // A container that is gone is no longer in the director's memory, but its lines are kept.
    let (field, value) = match container::get(client, &args.container).await {
        Ok(found) => ("container.id", found.id),
        Err(failure) if failure.exit == crate::failure::EXIT_NOT_FOUND => {
            ("container.name", args.container.clone())
        }
        Err(failure) => return Err(failure),
    };
    let request = GetCredentialsRequest {
        deployment: SYSTEM.to_owned(),
    };
    let credentials = client
        .deployments()
        .get_credentials(request)
        .await?
        .into_inner();
    let store = client.store(&credentials)?;

    let mut first = tail(&store, field, &value, since_ms, args.tail).await?;
    first.reverse();
    if first.is_empty() && !args.follow && field == "container.name" {
        return Err(Failure::new(
            "CLI0008",
            format!("no container and no log line is named `{}`", args.container),
            "wharf container list",
        )
        .exit(crate::failure::EXIT_NOT_FOUND));
    }
    let mut shown = HashSet::new();
    let mut newest_ms = since_ms
        .unwrap_or(0)
        .max(client.now_ms().saturating_sub(OVERLAP_MS));
    for line in &first {
        show(client.output(), args.timestamps, line);
        shown.insert(line.id.clone());
        newest_ms = newest_ms.max(line.at_ms);
    }
    if !args.follow {
        return Ok(0);
    }
    let started_ms = first.first().map_or(newest_ms, |line| line.at_ms);
    loop {
        let from_ms = newest_ms.saturating_sub(OVERLAP_MS).max(started_ms);
        let lines = newer(&store, field, &value, from_ms).await?;
        let mut kept = HashSet::new();
        for line in lines {
            if !shown.contains(&line.id) {
                show(client.output(), args.timestamps, &line);
            }
            newest_ms = newest_ms.max(line.at_ms);
            kept.insert(line.id);
        }
        // Ids older than the overlap cannot come again.
        shown = kept;
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(300)) => {}
            _ = tokio::signal::ctrl_c() => return Ok(0),
        }
    }
}

fn show(output: Output, timestamps: bool, line: &Line) {
    match output {
        Output::Table if timestamps => {
            print::line(&format!("{} {}", line.at, print::printable(&line.message)));
        }
        Output::Table => print::line(&print::printable(&line.message)),
        Output::Json | Output::Yaml => print::line(
            &json!({"@timestamp": line.at, "stream": line.stream, "message": line.message})
                .to_string(),
        ),
    }
}

/// The last lines, newest first.
async fn tail(
    store: &StoreClient,
    field: &str,
    value: &str,
    since_ms: Option<u64>,
    count: u32,
) -> Result<Vec<Line>, Failure> {
    let mut lines = Vec::new();
    let mut after: Option<Value> = None;
    while lines.len() < count as usize {
        let wanted = PAGE.min(count - u32::try_from(lines.len()).unwrap_or(count));
        let mut body = query(field, value, since_ms, wanted, "desc");
        if let Some(after) = &after {
            body["search_after"] = after.clone();
        }
        let (page, last) = search(store, &body).await?;
        let ended = page.len() < wanted as usize;
        lines.extend(page);
        after = last;
        if ended {
            break;
        }
    }
    Ok(lines)
}

/// Every line from a time on, oldest first.
async fn newer(
    store: &StoreClient,
    field: &str,
    value: &str,
    from_ms: u64,
) -> Result<Vec<Line>, Failure> {
    let mut lines = Vec::new();
    let mut after: Option<Value> = None;
    loop {
        let mut body = query(field, value, Some(from_ms), PAGE, "asc");
        if let Some(after) = &after {
            body["search_after"] = after.clone();
        }
        let (page, last) = search(store, &body).await?;
        let ended = page.len() < PAGE as usize;
        lines.extend(page);
        after = last;
        if ended || after.is_none() {
            return Ok(lines);
        }
    }
}

fn query(field: &str, value: &str, from_ms: Option<u64>, size: u32, order: &str) -> Value {
    let mut filter = vec![json!({"term": {field: value}})];
    if let Some(from_ms) = from_ms {
        filter.push(json!({"range": {"@timestamp": {"gte": from_ms, "format": "epoch_millis"}}}));
    }
    json!({
        "size": size,
        "track_total_hits": false,
        "query": {"bool": {"filter": filter}},
        "_source": ["@timestamp", "message", "stream"],
        "sort": [
            {"@timestamp": {"order": order, "unmapped_type": "date"}},
            {"log.offset": {"order": order, "unmapped_type": "long"}},
        ],
    })
}

async fn search(store: &StoreClient, body: &Value) -> Result<(Vec<Line>, Option<Value>), Failure> {
    let path = format!("/{DATA_STREAM}/_search?ignore_unavailable=true");
    let answer = store.post(&path, body).await?;
    let hits = answer["hits"]["hits"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let last = hits.last().map(|hit| hit["sort"].clone());
    Ok((hits.iter().map(line_of).collect(), last))
}

fn line_of(hit: &Value) -> Line {
    let source = &hit["_source"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Line {
        id: text(&hit["_id"]),
        at_ms: hit["sort"][0].as_u64().unwrap_or(0),
        at: text(&source["@timestamp"]),
        stream: text(&source["stream"]),
        message: text(&source["message"]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hit_becomes_a_line() {
        let hit = json!({
            "_id": "x",
            "_source": {"@timestamp": "2026-01-01T00:00:00.000Z", "message": "hello", "stream": "stdout"},
            "sort": [1_767_225_600_000_u64, 12],
        });
        let line = line_of(&hit);
        assert_eq!(
            (line.id.as_str(), line.at_ms, line.message.as_str()),
            ("x", 1_767_225_600_000, "hello")
        );
    }
}
