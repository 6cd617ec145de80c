//! Any director serves: what needs the leader is passed on to it, call by call, over one mutually
//! authenticated connection to its internal port, and its answer passed back; what the state alone
//! answers, a follower answers itself after a read index.
//!
//! Invariants: a call is passed on once, never in a circle; whom it comes from stands in a header that
//! counts from a director's certificate alone, and the leader checks credentials itself; a unary call
//! is tried again while leadership changes, within its deadline, which its request id makes safe; a
//! stream ends retryably with the leadership that served it. Not here: who may what (`auth`).

use std::{
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header, request::Parts};
use hyper::body::Frame;
use tokio::time::Instant;
use tonic::{Code, Status};
use tower::{Service as _, ServiceExt as _};
use wharf_proto::coded;
use wharf_runtime::{
    net::{PeerIdentity, PeerInfo},
    tls::{Identity, ROLE_DIRECTOR},
};

use crate::{
    answer::{coded_status, not_leading},
    api::MAX_MESSAGE,
    auth::address,
    codes,
    director::Director,
    monitoring,
};

/// `ADDRESS` or `ADDRESS IDENTITY`: whom a director passes a call on for.
const RELAYED: HeaderName = HeaderName::from_static("x-wharf-relayed");
/// How long a call waits for a leader.
const PATIENCE: Duration = Duration::from_secs(15);
/// Between tries.
const PAUSE: Duration = Duration::from_millis(25);
/// What frames a message in HTTP/2.
const FRAME_BYTES: usize = 5;

/// What the state alone answers.
const STATE_READS: [&str; 10] = [
    "/wharf.v1.Templates/GetTemplate",
    "/wharf.v1.Templates/ListTemplates",
    "/wharf.v1.Users/GetUser",
    "/wharf.v1.Users/ListUsers",
    "/wharf.v1.Settings/GetSetting",
    "/wharf.v1.Settings/ListSettings",
    "/wharf.v1.Channels/GetChannel",
    "/wharf.v1.Channels/ListChannels",
    "/wharf.v1.Repositories/GetRepository",
    "/wharf.v1.Repositories/ListRepositories",
];

/// Whether a follower may answer this itself.
#[must_use]
pub(crate) fn reads_state(path: &str) -> bool {
    STATE_READS.contains(&path)
}

/// Whether a call is for the leader: everything of the contracts but Raft's own messages.
fn for_the_leader(path: &str) -> bool {
    let is_ours = path.starts_with("/wharf.v1.") && !path.starts_with("/wharf.v1.RaftTransport/");
    is_ours || monitoring::is_for_monitoring(path)
}

/// What a call that was sent ends with when the leader is lost. A monitoring node knows no request ids, so that a
/// change there is not to be asked for again before somebody has looked.
fn lost(path: &str) -> Status {
    if monitoring::changes(path) {
        monitoring::outcome_unknown()
    } else {
        not_leading()
    }
}

/// Whom another director passes a call on for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    address: IpAddr,
    identity: Option<Identity>,
}

impl Origin {
    fn to_header(&self) -> Option<HeaderValue> {
        let text = match &self.identity {
            Some(identity) => format!("{} {identity}", self.address),
            None => self.address.to_string(),
        };
        HeaderValue::from_str(&text).ok()
    }

    fn from_header(value: &HeaderValue) -> Option<Self> {
        let text = value.to_str().ok()?;
        let (address, identity) = match text.split_once(' ') {
            Some((address, identity)) => (address, Some(identity.parse().ok()?)),
            None => (text, None),
        };
        Some(Self {
            address: address.parse().ok()?,
            identity,
        })
    }
}

/// Puts the first caller in the place of the director that passes its call on.
///
/// # Errors
/// When the director's word cannot be read, or this director does not lead.
pub(crate) fn unwrap(director: &Director, head: &mut Parts) -> Result<bool, Status> {
    let Some(value) = head.headers.remove(RELAYED) else {
        return Ok(false);
    };
    let trusted = head
        .extensions
        .get::<PeerIdentity>()
        .is_some_and(|PeerIdentity(identity)| {
            identity.role == ROLE_DIRECTOR
                && identity.platform == director.config.platform.platform_id
                && !director
                    .published
                    .state()
                    .removed_directors
                    .contains(identity.id.as_str())
        });
    if !trusted {
        return Ok(false);
    }
    let origin = Origin::from_header(&value).ok_or_else(|| {
        coded_status(
            Code::InvalidArgument,
            codes::SESSION,
            "another director passed a call on and does not say whom for",
            "run the same version on every director",
        )
    })?;
    if !director.leads() {
        return Err(not_leading());
    }
    head.extensions.remove::<PeerIdentity>();
    if let Some(peer) = head.extensions.get_mut::<PeerInfo>() {
        peer.addr.set_ip(origin.address);
        peer.identity.clone_from(&origin.identity);
    }
    if let Some(identity) = origin.identity {
        head.extensions.insert(PeerIdentity(identity));
    }
    Ok(true)
}

/// Whether this call may have to be passed on: there are other directors.
pub(crate) fn may_be_passed_on(director: &Director, path: &str) -> bool {
    let grouped = {
        let status = director.raft.status();
        let status = status.borrow();
        status.membership.all().len() > 1 || !status.serving
    };
    grouped && for_the_leader(path)
}

fn leader_elsewhere(director: &Director) -> Option<u64> {
    let status = director.raft.status();
    let status = status.borrow();
    status.leader.filter(|leader| *leader != status.member)
}

async fn pause(director: &Director) {
    let mut leading = director.leading.subscribe();
    tokio::select! {
        () = tokio::time::sleep(PAUSE) => {}
        _ = leading.changed() => {}
    }
}

/// A stream: served here by the leader, passed on by others.
pub(crate) async fn stream<F>(
    director: &Arc<Director>,
    head: Parts,
    body: Body,
    here: impl FnOnce(Parts, Body) -> F,
) -> Response<Body>
where
    F: Future<Output = Response<Body>>,
{
    let until = Instant::now() + PATIENCE;
    loop {
        if director.leads() {
            return here(head, body).await;
        }
        if let Some(leader) = leader_elsewhere(director) {
            return match pass_on(director, leader, &head, body).await {
                Ok(answer) => answer,
                Err(status) => status.into_http(),
            };
        }
        if Instant::now() >= until {
            return not_leading().into_http();
        }
        pause(director).await;
    }
}

/// A unary call: answered by whoever leads, tried again while that changes.
pub(crate) async fn unary<F>(
    director: &Arc<Director>,
    head: Parts,
    body: Body,
    limit: Duration,
    here: impl Fn(Parts, Body) -> F,
) -> Response<Body>
where
    F: Future<Output = Response<Body>>,
{
    let until = Instant::now() + limit.min(PATIENCE);
    let Ok(bytes) = axum::body::to_bytes(body, MAX_MESSAGE + FRAME_BYTES).await else {
        return coded_status(
            Code::ResourceExhausted,
            codes::BUSY,
            format!("the request broke off or is over {MAX_MESSAGE} bytes"),
            "send less at once",
        )
        .into_http();
    };
    loop {
        let body = Body::from(bytes.clone());
        let answer = if director.leads() {
            here(head.clone(), body).await
        } else if let Some(leader) = leader_elsewhere(director) {
            let own = if reads_state(head.uri.path()) {
                // What is refused here is refused by the leader, who counts it.
                Some(here(head.clone(), Body::from(bytes.clone())).await).filter(|answer| {
                    status_of(answer).is_none_or(|status| status.code() == Code::NotFound)
                })
            } else {
                None
            };
            match own {
                Some(answer) => answer,
                None => {
                    let passed = pass_on(director, leader, &head, body);
                    match tokio::time::timeout(limit, passed).await {
                        Ok(Ok(answer)) => answer,
                        Ok(Err(status)) => status.into_http(),
                        Err(_) => monitoring::late_for(head.uri.path()).into_http(),
                    }
                }
            }
        } else {
            not_leading().into_http()
        };
        let over = Instant::now() >= until || director.shutdown.is_triggered();
        if over || !status_of(&answer).is_some_and(|status| passes(&status)) {
            return answer;
        }
        pause(director).await;
    }
}

/// The error that an answer is from its head on; none when it has a body.
fn status_of(answer: &Response<Body>) -> Option<Status> {
    Status::from_header_map(answer.headers()).filter(|status| status.code() != Code::Ok)
}

/// Whether it is over once there is another leader.
fn passes(status: &Status) -> bool {
    status.code() == Code::Unavailable
        && coded::decode(status.details()).is_some_and(|info| {
            [codes::NOT_LEADER, codes::OUTCOME_UNKNOWN].contains(&info.code.as_str())
        })
}

async fn pass_on(
    director: &Director,
    leader: u64,
    head: &Parts,
    body: Body,
) -> Result<Response<Body>, Status> {
    let mut channel = director.peers.channel(leader).ok_or_else(not_leading)?;
    let origin = Origin {
        address: address(&head.extensions),
        identity: head
            .extensions
            .get::<PeerIdentity>()
            .map(|PeerIdentity(identity)| identity.clone()),
    };
    let mut headers = head.headers.clone();
    for hop in [
        header::HOST,
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
    ] {
        headers.remove(hop);
    }
    headers.insert(RELAYED, origin.to_header().ok_or_else(not_leading)?);
    let mut request = Request::new(tonic::body::Body::new(body));
    *request.method_mut() = head.method.clone();
    *request.uri_mut() = head
        .uri
        .path()
        .parse()
        .map_err(|_| Status::internal("a path that is none"))?;
    *request.version_mut() = http::Version::HTTP_2;
    *request.headers_mut() = headers;
    let lost = lost(head.uri.path());
    let unreachable = |error: tonic::transport::Error| {
        tracing::debug!(%error, leader, "the leader was not reached");
        if monitoring::was_not_sent(&error) {
            not_leading()
        } else {
            lost.clone()
        }
    };
    let ready = channel.ready().await.map_err(unreachable)?;
    let answer = ready.call(request).await.map_err(unreachable)?;
    Ok(answer.map(|body| {
        Body::new(Passed {
            body: Some(body),
            lost,
        })
    }))
}

/// The body of an answer that was passed on: when the leader is lost within it, it ends retryably.
struct Passed {
    /// None once it has ended.
    body: Option<tonic::body::Body>,
    /// What it ends with then.
    lost: Status,
}

impl HttpBody for Passed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        match Pin::new(body).poll_frame(context) {
            Poll::Ready(Some(Err(error))) => {
                tracing::debug!(%error, "an answer that was passed on broke off");
                self.body = None;
                let mut trailers = HeaderMap::new();
                if self.lost.add_header(&mut trailers).is_err() {
                    return Poll::Ready(None);
                }
                Poll::Ready(Some(Ok(Frame::trailers(trailers))))
            }
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(Ok(frame))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn whom_a_call_is_for_reads_back_as_it_was_written() {
        let identity = Identity::new("p", "proxy", "1").unwrap();
        for (address, identity) in [
            ("10.0.0.7", None),
            ("::1", Some(identity.clone())),
            ("10.0.0.7", Some(identity)),
        ] {
            let origin = Origin {
                address: address.parse().unwrap(),
                identity,
            };
            let header = origin.to_header().unwrap();
            assert_eq!(Origin::from_header(&header), Some(origin));
        }
    }

    #[test]
    fn only_a_change_of_leader_is_waited_for() {
        assert!(passes(&not_leading()));
        assert!(!passes(&Status::unavailable("something else")));
        assert!(!passes(&crate::deadline::late()));
    }

    #[test]
    fn what_a_follower_answers_itself_is_in_the_contracts() {
        let table = wharf_proto::access::access_table().unwrap();
        for path in STATE_READS {
            assert!(table.contains_key(path), "{path}");
        }
        assert!(for_the_leader("/wharf.monitor.v1.Search/Search"));
        assert!(!for_the_leader("/wharf.v1.RaftTransport/Deliver"));
        assert!(!for_the_leader("/grpc.health.v1.Health/Check"));
    }

    #[test]
    fn a_change_at_a_monitoring_node_is_not_sent_twice_when_the_leader_is_lost() {
        assert!(passes(&lost("/wharf.monitor.v1.Search/Search")));
        assert!(passes(&lost("/wharf.v1.Deployments/DeleteDeployment")));
        assert!(!passes(&lost("/wharf.monitor.v1.Watches/RunWatch")));
    }

    proptest! {
        #[test]
        fn any_header_is_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                let _ = Origin::from_header(&value);
            }
        }
    }
}
