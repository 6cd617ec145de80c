//! Calls as the admin UI's pages make them: gRPC-web over TLS with the cookie of a log-in. Requests and answers
//! are JSON of the contracts. Not here: which calls pages make (`pages`).

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};
use tonic::{body::Body, transport::Channel};
use tower::{Service as _, ServiceExt as _};
use wharf_proto::methods::{Method, methods};

use super::{LOOK_EVERY, PATIENCE};

/// Bytes of a frame before its message.
const FRAME: usize = 5;
/// The code of gRPC for one who cannot be reached.
const UNAVAILABLE: &str = "14";
/// The flag of the frame that has the end's headers.
const TRAILERS: u8 = 0x80;

/// Somebody who is logged in.
#[derive(Debug)]
pub struct Browser {
    channel: Channel,
    methods: BTreeMap<String, Method>,
    cookie: Option<HeaderValue>,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The message.
    pub message: Bytes,
    /// Bytes of the body.
    pub wire: usize,
    /// From the call to its last byte.
    pub took: Duration,
}

/// A call that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The code of gRPC.
    pub status: String,
    /// The reason.
    pub message: String,
}

impl Browser {
    /// Logs in.
    ///
    /// # Panics
    /// When that is refused.
    pub async fn log_in(channel: Channel, username: &str, password: &str) -> Self {
        let all = methods().expect("the contracts can be read");
        let all = all.into_iter().map(|method| (method.name(), method));
        let mut browser = Self {
            channel,
            methods: all.collect(),
            cookie: None,
        };
        let ask = json!({ "username": username, "password": password });
        let method = "wharf.v1.Sessions/LogIn";
        let began = Instant::now();
        let head = loop {
            match browser.send(method, browser.encode(method, &ask)).await {
                Ok((head, _)) => break head,
                // On busy cores a connection may come too late.
                Err(refused) => assert!(began.elapsed() < PATIENCE, "no log-in: {refused:?}"),
            }
            tokio::time::sleep(LOOK_EVERY).await;
        };
        let cookie = head.headers().get(header::SET_COOKIE);
        let cookie = cookie.unwrap_or_else(|| panic!("the log-in gives no cookie: {head:?}"));
        let text = cookie.to_str().expect("a cookie is text");
        let (cookie, _) = text.split_once(';').unwrap_or((text, ""));
        browser.cookie = Some(cookie.parse().expect("a header"));
        browser
    }

    /// Every method of the contracts, by name.
    #[must_use]
    pub fn methods(&self) -> &BTreeMap<String, Method> {
        &self.methods
    }

    /// The bytes of a request.
    ///
    /// # Panics
    /// When the method or one of the request's fields is unknown.
    #[must_use]
    pub fn encode(&self, method: &str, ask: &Value) -> Bytes {
        let known = &self.methods[method];
        let encoded = known.encode(&ask.to_string());
        encoded.expect("the request is one of the contract").into()
    }

    /// The JSON of an answer.
    ///
    /// # Panics
    /// When it is none of the method's.
    #[must_use]
    pub fn decode(&self, method: &str, answer: &Answer) -> Value {
        let decoded = self.methods[method].decode(&answer.message);
        decoded.expect("the answer is one of the contract")
    }

    /// Calls with JSON.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn call(&self, method: &str, ask: &Value) -> Result<Value, Refused> {
        let answer = self.ask(method, self.encode(method, ask)).await?;
        Ok(self.decode(method, &answer))
    }

    /// The same until the director can be reached. The request is the same each time, its id too: what was
    /// done already is not done twice.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn call_patiently(&self, method: &str, ask: &Value) -> Result<Value, Refused> {
        let began = Instant::now();
        loop {
            match self.call(method, ask).await {
                Err(refused) if refused.status == UNAVAILABLE && began.elapsed() < PATIENCE => {}
                answered => return answered,
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Calls and takes the time.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn ask(&self, method: &str, request: Bytes) -> Result<Answer, Refused> {
        let began = Instant::now();
        let (head, body) = self.send(method, request).await?;
        let took = began.elapsed();
        let (message, trailers) = frames(&body);
        let header =
            |name: &str| told(head.headers(), name).or_else(|| trailers.get(name).cloned());
        match header("grpc-status").as_deref() {
            Some("0") => Ok(Answer {
                message,
                wire: body.len(),
                took,
            }),
            status => Err(Refused {
                status: status.unwrap_or("none").to_owned(),
                message: header("grpc-message").unwrap_or_else(|| head.status().to_string()),
            }),
        }
    }

    async fn send(&self, method: &str, request: Bytes) -> Result<(Response<()>, Bytes), Refused> {
        let (head, body) = self.open(method, request).await?.into_parts();
        let body = body.collect().await.map_err(|error| unavailable(&error))?;
        Ok((Response::from_parts(head, ()), body.to_bytes()))
    }

    /// Opens a call and gives what comes as it comes.
    ///
    /// # Errors
    /// When the director does not answer.
    pub async fn open(&self, method: &str, request: Bytes) -> Result<Response<Body>, Refused> {
        let mut framed = BytesMut::with_capacity(FRAME + request.len());
        framed.put_u8(0);
        framed.put_u32(u32::try_from(request.len()).expect("a request is short"));
        framed.extend_from_slice(&request);
        let mut asked = Request::post(format!("/{method}"))
            .header(header::CONTENT_TYPE, "application/grpc-web+proto")
            .header("x-wharf-session", "1")
            .body(Body::new(Full::new(framed.freeze())))
            .expect("a request");
        if let Some(cookie) = &self.cookie {
            asked.headers_mut().insert(header::COOKIE, cookie.clone());
        }
        let mut channel = self.channel.clone();
        let ready = channel.ready().await.map_err(|error| unavailable(&error))?;
        ready.call(asked).await.map_err(|error| unavailable(&error))
    }
}

fn unavailable(error: &impl std::fmt::Debug) -> Refused {
    Refused {
        status: UNAVAILABLE.to_owned(),
        message: format!("{error:?}"),
    }
}

fn told(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    Some(value.to_owned())
}

/// The message, and the headers of the end.
fn frames(body: &Bytes) -> (Bytes, BTreeMap<String, String>) {
    let mut message = Bytes::new();
    let mut trailers = BTreeMap::new();
    let mut at = 0;
    while let Some(head) = body.get(at..at + FRAME) {
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        let end = (at + FRAME + length).min(body.len());
        let content = body.slice(at + FRAME..end);
        if head[0] & TRAILERS == 0 {
            message = content;
        } else {
            let text = String::from_utf8_lossy(&content).into_owned();
            let lines = text.lines().filter_map(|line| line.split_once(':'));
            trailers
                .extend(lines.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned())));
        }
        at = end;
    }
    (message, trailers)
}
