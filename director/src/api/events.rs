//! Events: what happened, listed, counted and followed. Not here: what they are (`wharf_director_core::events`),
//! who looks (`leader/events_task`).

use std::{collections::BTreeMap, sync::Arc};

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use wharf_proto::{
    listing::{Ask, ListQuery, MAX_PAGE, Value},
    times::{millis, timestamp},
    v1,
};
use wharf_runtime::task;
use wharf_services::v1::events_server::Events;

use super::{filter_in, info, page};
use crate::{
    answer::{field_status, not_leading, refused},
    codes,
    director::Director,
};

const FIELDS: [&str; 9] = [
    "number",
    "kind",
    "actor",
    "subject",
    "detail",
    "host",
    "deployment_id",
    "result",
    "at",
];
/// Spans in which events are counted: when none are asked for, and at most.
const SPANS: u32 = 60;
const MAX_SPANS: u32 = 500;
/// Events that are read at a time.
const BATCH: usize = MAX_PAGE / 2;
/// Events that wait for a reader.
const QUEUE: usize = 64;

/// The service.
#[derive(Clone, Debug)]
pub struct EventsApi(pub Arc<Director>);

fn at_ms(row: &v1::Event) -> u64 {
    row.at.as_ref().map_or(0, millis)
}

fn value(row: &v1::Event, field: &str) -> Value {
    match field {
        "kind" => row.kind.as_str().into(),
        "actor" => row.actor.as_str().into(),
        "subject" => row.subject.as_str().into(),
        "detail" => row.detail.as_str().into(),
        "host" => row.host.as_str().into(),
        "deployment_id" => row.deployment_id.as_str().into(),
        "result" => row.result.as_str().into(),
        "at" => at_ms(row).into(),
        _ => row.number.into(),
    }
}

fn id(row: &v1::Event) -> String {
    format!("{:020}", row.number)
}

#[tonic::async_trait]
impl Events for EventsApi {
    async fn list_events(
        &self,
        request: Request<v1::ListEventsRequest>,
    ) -> Result<Response<v1::ListEventsResponse>, Status> {
        let message = request.into_inner();
        let since_ms = message.since.as_ref().map_or(0, millis);
        let until_ms = message.until.as_ref().map_or(u64::MAX, millis);
        let within = |row: &Arc<v1::Event>| (since_ms..until_ms).contains(&at_ms(row));
        let page = page(
            message.options.as_ref(),
            &FIELDS,
            self.0.events.all().into_iter().filter(within),
            |row, field| value(row, field),
            |row| id(row),
        )?;
        Ok(Response::new(v1::ListEventsResponse {
            info: Some(info(&page)),
            events: page.rows.iter().map(|row| v1::Event::clone(row)).collect(),
        }))
    }

    async fn count_events(
        &self,
        request: Request<v1::CountEventsRequest>,
    ) -> Result<Response<v1::CountEventsResponse>, Status> {
        let message = request.into_inner();
        let query = filter_in("filter", &message.filter, &FIELDS)?;
        let all = self.0.events.all();
        let leads_since_ms = self.0.seen.core().leader_since_ms;
        let oldest_ms = all.first().map(|oldest| at_ms(oldest));
        let span = Spans::of(&message, oldest_ms, self.0.now_ms())?;
        let counts = span.count(query.matching(all, |row, field| value(row, field)));
        Ok(Response::new(v1::CountEventsResponse {
            counts,
            span_ms: span.each_ms,
            held_since: Some(timestamp(held_since_ms(oldest_ms, leads_since_ms))),
        }))
    }

    type FollowEventsStream = ReceiverStream<Result<v1::Event, Status>>;

    async fn follow_events(
        &self,
        request: Request<v1::FollowEventsRequest>,
    ) -> Result<Response<Self::FollowEventsStream>, Status> {
        let message = request.into_inner();
        let ask = Ask {
            page_size: u32::try_from(MAX_PAGE).unwrap_or(u32::MAX),
            filter: &message.filter,
            ..Ask::default()
        };
        let query = ListQuery::parse(&ask, &FIELDS).map_err(|error| refused(&error.into()))?;
        let resumed = (message.after_number > 0).then_some(message.after_number);
        let position = self.0.events.position(resumed);
        let (events, stream) = mpsc::channel(QUEUE);
        let director = Arc::clone(&self.0);
        drop(task::spawn("events", async move {
            let ended = tokio::select! {
                () = follow(&director, &query, position, &events) => return,
                () = director.leadership_lost() => not_leading(),
                () = director.shutdown.triggered() => not_leading(),
                () = events.closed() => return,
            };
            let _ = events.try_send(Err(ended));
        }));
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

/// From when on everything is held: what only the leader saw is not older than its leadership.
fn held_since_ms(oldest_ms: Option<u64>, leads_since_ms: u64) -> u64 {
    oldest_ms.map_or(leads_since_ms, |oldest| oldest.max(leads_since_ms))
}

/// Equal spans of time.
#[derive(Debug, PartialEq, Eq)]
struct Spans {
    since_ms: u64,
    until_ms: u64,
    each_ms: u64,
}

impl Spans {
    fn of(
        message: &v1::CountEventsRequest,
        oldest_ms: Option<u64>,
        now_ms: u64,
    ) -> Result<Self, Status> {
        let wrong = |field: &str, text: String, hint: &str| {
            Err(field_status(codes::SUMMED_UP, field, text, hint))
        };
        let number = match message.spans {
            0 => SPANS,
            some if some <= MAX_SPANS => some,
            many => {
                return wrong(
                    "spans",
                    format!("{many} spans are too many"),
                    &format!("ask for 1 to {MAX_SPANS}"),
                );
            }
        };
        let until_ms = message
            .until
            .as_ref()
            .map_or(now_ms.saturating_add(1), millis);
        let oldest_ms = oldest_ms.unwrap_or(until_ms.saturating_sub(1));
        let since_ms = message.since.as_ref().map_or(oldest_ms, millis);
        if since_ms >= until_ms {
            let field = if message.until.is_some() {
                "until"
            } else {
                "since"
            };
            return wrong(
                field,
                "events are counted up to a time that is not after the first".to_owned(),
                "give a later `until`, or an earlier `since`",
            );
        }
        Ok(Self {
            since_ms,
            until_ms,
            each_ms: (until_ms - since_ms).div_ceil(u64::from(number)),
        })
    }

    fn count(&self, events: impl IntoIterator<Item = Arc<v1::Event>>) -> Vec<v1::EventCount> {
        let mut counts: BTreeMap<(u64, String), u64> = BTreeMap::new();
        for event in events {
            let at_ms = at_ms(&event);
            if (self.since_ms..self.until_ms).contains(&at_ms) {
                let begin_ms = at_ms - (at_ms - self.since_ms) % self.each_ms;
                *counts.entry((begin_ms, event.kind.clone())).or_default() += 1;
            }
        }
        let counts = counts.into_iter();
        counts
            .map(|((at_ms, kind), count)| v1::EventCount {
                at: Some(timestamp(at_ms)),
                kind,
                count,
            })
            .collect()
    }
}

/// Sends what is there and what comes, until the reader is gone. A reader that is slow misses what
/// is no longer kept.
async fn follow(
    director: &Director,
    query: &ListQuery,
    mut position: u64,
    events: &mpsc::Sender<Result<v1::Event, Status>>,
) {
    let mut grown = director.events.grown();
    loop {
        grown.borrow_and_update();
        let (batch, next) = director.events.from(position, BATCH);
        position = next;
        let more = batch.len() == BATCH;
        let page = query.page(batch, |row, field| value(row, field), |row| id(row));
        for event in page.rows {
            if events.send(Ok(v1::Event::clone(&event))).await.is_err() {
                return;
            }
        }
        if !more && grown.changed().await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(at_ms: u64, kind: &str) -> Arc<v1::Event> {
        Arc::new(v1::Event {
            at: Some(timestamp(at_ms)),
            kind: kind.into(),
            ..Default::default()
        })
    }

    fn asked(since_ms: u64, until_ms: u64, spans: u32) -> v1::CountEventsRequest {
        v1::CountEventsRequest {
            since: Some(timestamp(since_ms)),
            until: Some(timestamp(until_ms)),
            spans,
            ..Default::default()
        }
    }

    #[test]
    fn each_event_is_counted_once_in_the_span_that_it_lies_in() {
        let spans = Spans::of(&asked(1_000, 1_100, 3), None, 5_000).unwrap();
        assert_eq!(spans.each_ms, 34, "the last span is not left out");
        let told = [999, 1_000, 1_033, 1_034, 1_099, 1_100];
        let mut events: Vec<_> = told.map(|at_ms| event(at_ms, "a")).into();
        events.push(event(1_040, "b"));
        let counts = spans.count(events);
        let rows: Vec<(u64, &str, u64)> = counts
            .iter()
            .map(|row| {
                (
                    row.at.as_ref().map_or(0, millis),
                    row.kind.as_str(),
                    row.count,
                )
            })
            .collect();
        let expected = [
            (1_000, "a", 2),
            (1_034, "a", 1),
            (1_034, "b", 1),
            (1_068, "a", 1),
        ];
        assert_eq!(rows, expected);
    }

    #[test]
    fn all_is_held_since_the_oldest_event_but_not_from_before_the_leader_led() {
        assert_eq!(held_since_ms(Some(3), 7), 7, "audit lines are older");
        assert_eq!(held_since_ms(Some(9), 7), 9, "older ones were dropped");
        assert_eq!(held_since_ms(None, 7), 7);
    }

    #[test]
    fn without_times_everything_that_is_held_is_counted() {
        let message = v1::CountEventsRequest::default();
        let spans = Spans::of(&message, Some(4_000), 9_000).unwrap();
        assert_eq!((spans.since_ms, spans.until_ms), (4_000, 9_001));
        let none = Spans::of(&message, None, 9_000).unwrap();
        assert_eq!((none.since_ms, none.each_ms), (9_000, 1));
    }

    #[test]
    fn spans_that_are_none_are_refused_by_their_field() {
        let field = |message: &v1::CountEventsRequest| {
            let status = Spans::of(message, None, 1).unwrap_err();
            wharf_proto::coded::decode(status.details()).unwrap().field
        };
        assert_eq!(field(&asked(5, 5, 1)), "until");
        let later = v1::CountEventsRequest {
            since: Some(timestamp(5)),
            ..Default::default()
        };
        assert_eq!(field(&later), "since", "no other time was given");
        assert_eq!(field(&asked(1, 5, MAX_SPANS + 1)), "spans");
    }
}
