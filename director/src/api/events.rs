//! Events: what happened, listed and followed. Not here: what they are (`wharf_director_core::events`),
//! who looks (`leader/events_task`).

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use wharf_proto::{
    listing::{Ask, ListQuery, MAX_PAGE, Value},
    times::millis,
    v1,
};
use wharf_runtime::task;
use wharf_services::v1::events_server::Events;

use super::{info, page};
use crate::{
    answer::{not_leading, refused},
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
