//! `wharf events`: what happened on the platform, and with `-f` what happens.

use std::time::Duration;

use wharf_proto::v1::{Event, FollowEventsRequest, ListEventsRequest};

use super::{following, listing::read_all};
use crate::{
    args::{EventsArgs, ListArgs, Output},
    client::Client,
    failure::Failure,
    print::{self, Table},
    times,
};

/// Tries in a row after which a follower gives up, a second apart.
const TRIES: u32 = 30;

/// Runs the command.
pub(crate) async fn run(client: &Client, args: &EventsArgs) -> Result<u8, Failure> {
    let time = |text: &Option<String>| {
        text.as_deref()
            .map(|text| times::time(text, client.now_ms()))
            .transpose()
    };
    let (since, until) = (time(&args.since)?, time(&args.until)?);
    let list = ListArgs {
        filter: args.filter.clone(),
        sort: "number desc".to_owned(),
        limit: Some(args.tail),
    };
    let mut events = read_all(&list, |options| async {
        let request = ListEventsRequest {
            options: Some(options),
            since,
            until,
        };
        let page = client.events().list_events(request).await?.into_inner();
        Ok((page.events, page.info))
    })
    .await?;
    // As in a log, the newest comes last.
    events.reverse();
    if !args.follow {
        let json = print::json_list(&events)?;
        print::result(client.output(), &json, || table(&events));
        return Ok(0);
    }
    for event in &events {
        show(client.output(), event)?;
    }
    let last = events.last().map_or(0, |event| event.number);
    follow(client, &args.filter, last).await
}

/// Shows what comes, over restarts of the director, until it is interrupted.
async fn follow(client: &Client, filter: &str, mut last: u64) -> Result<u8, Failure> {
    let mut failures = 0_u32;
    loop {
        let request = FollowEventsRequest {
            after_number: last,
            filter: filter.to_owned(),
        };
        let error = match client.events().follow_events(request).await {
            Ok(stream) => {
                let mut stream = stream.into_inner();
                loop {
                    match stream.message().await {
                        Ok(Some(event)) => {
                            failures = 0;
                            last = last.max(event.number);
                            show(client.output(), &event)?;
                        }
                        Ok(None) => break None,
                        Err(status) => break Some(status),
                    }
                }
            }
            Err(status) => Some(status),
        };
        if let Some(status) = error {
            failures += 1;
            if !following::passes(&status) || failures > TRIES {
                return Err(Failure::from(status));
            }
        }
        // A director that restarts is back within seconds.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

fn at(event: &Event) -> String {
    event.at.as_ref().map_or_else(
        || "-".to_owned(),
        |at| wharf_proto::times::rfc3339(wharf_proto::times::millis(at)),
    )
}

fn show(output: Output, event: &Event) -> Result<(), Failure> {
    let json = print::json(event)?;
    match output {
        Output::Table => print::line(&print::printable(&format!(
            "{}  {:<24}  {}  {}  {}  {}",
            at(event),
            event.kind,
            event.subject,
            event.actor,
            event.result,
            event.detail
        ))),
        Output::Json => print::line(&json.to_string()),
        Output::Yaml => {
            print::out("---\n");
            print::result(Output::Yaml, &json, String::new);
        }
    }
    Ok(())
}

fn table(events: &[Event]) -> String {
    let mut table = Table::new(&["AT", "EVENT", "SUBJECT", "BY", "RESULT", "HOST", "DETAIL"]);
    for event in events {
        table.row([
            at(event),
            event.kind.clone(),
            event.subject.clone(),
            event.actor.clone(),
            event.result.clone(),
            if event.host.is_empty() {
                "-"
            } else {
                &event.host
            }
            .to_owned(),
            event.detail.clone(),
        ]);
    }
    table.render()
}
