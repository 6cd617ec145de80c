//! One `POST` to a webhook.
//!
//! Invariants: a time limit for all of it, at most 64 KiB of the answer are read, redirects are not
//! followed. Answers that may change (408, 425, 429, 5xx) are tried again, not earlier than
//! `Retry-After` says; others are refusals.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};

use super::channel::{Webhook, WebhookFormat, wrong};
use super::secret::clean;
use super::{Attempt, ChannelError, Message};
use crate::net::{ClientOptions, FetchError, HttpsClient};
use crate::tls::{CaCerts, Expect, public_client_config};

const TIMEOUT: Duration = Duration::from_secs(20);
const MAX_ANSWER: usize = 64 * 1024;
/// Longest wait that a receiver may ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3_600);

#[derive(Debug)]
pub(super) struct Sender {
    webhook: Webhook,
    client: HttpsClient,
}

impl Sender {
    pub(super) fn new(webhook: &Webhook) -> Result<Self, ChannelError> {
        let broken = |error: crate::tls::TlsError| wrong("webhook.ca_pem", error.to_string());
        let extra = match webhook.ca_pem.as_str() {
            "" => None,
            pem => Some(CaCerts::from_pem(pem).map_err(broken)?),
        };
        let config = public_client_config(extra.as_ref(), Expect::Name).map_err(broken)?;
        let options = ClientOptions {
            timeout: TIMEOUT,
            max_idle: 1,
            ..ClientOptions::default()
        };
        Ok(Self {
            webhook: webhook.clone(),
            client: HttpsClient::new(config, options),
        })
    }

    pub(super) async fn attempt(&self, message: &Message) -> Attempt {
        let request = match self.request(message) {
            Ok(request) => request,
            Err(error) => {
                let reason = self.clean(&error.to_string());
                return Attempt::Refused { reason };
            }
        };
        match self.client.fetch(request, MAX_ANSWER).await {
            Ok(answer) if answer.status().is_success() => Attempt::Sent,
            Ok(answer) => {
                let text = String::from_utf8_lossy(answer.body());
                let reason = self.clean(&format!("HTTP {}: {text}", answer.status().as_u16()));
                let now_ms = crate::clock::now_ms();
                refused(answer.status(), answer.headers(), reason, now_ms)
            }
            // A large answer came from a receiver that has the message.
            Err(FetchError::TooLarge(_)) => Attempt::Sent,
            Err(error) => Attempt::Again {
                reason: self.clean(&error.to_string()),
                after: None,
            },
        }
    }

    fn request(&self, message: &Message) -> Result<Request<Full<Bytes>>, http::Error> {
        let body = body(self.webhook.format, message).to_string();
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(self.webhook.url.reveal())
            .header(CONTENT_TYPE, "application/json")
            .header(
                USER_AGENT,
                concat!("wharfinger/", env!("CARGO_PKG_VERSION")),
            )
            .header("idempotency-key", &message.key);
        for (name, value) in &self.webhook.headers {
            request = request.header(name, value.reveal());
        }
        request.body(Full::new(body.into()))
    }

    /// A text without the URL's path and the headers' values.
    fn clean(&self, text: &str) -> String {
        let url = self.webhook.url.reveal();
        let uri = url.parse::<http::Uri>().unwrap_or_default();
        let path = uri.path_and_query().map_or("", |path| path.as_str());
        let pieces = path.split(['/', '?', '&', '=']);
        let values = self.webhook.headers.values().map(super::Secret::reveal);
        let words = self
            .webhook
            .headers
            .values()
            .flat_map(|value| value.reveal().split(' '));
        let all = [url, path]
            .into_iter()
            .chain(values)
            .chain(words)
            .chain(pieces);
        clean(text, all)
    }
}

pub(super) fn body(format: WebhookFormat, message: &Message) -> Value {
    match format {
        WebhookFormat::Slack => json!({
            "text": format!("*{}*\n{}", message.slack_subject, message.slack_body),
        }),
        WebhookFormat::Json => {
            let mut body = json!({
                "key": message.key, "subject": message.subject, "body": message.body,
            });
            if let (Value::Object(body), Value::Object(fields)) = (&mut body, &message.fields) {
                for (name, value) in fields {
                    body.entry(name.clone()).or_insert_with(|| value.clone());
                }
            }
            body
        }
    }
}

pub(super) fn refused(
    status: StatusCode,
    headers: &HeaderMap,
    reason: String,
    now_ms: i64,
) -> Attempt {
    let may_change = status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429);
    if !may_change {
        return Attempt::Refused { reason };
    }
    let after = headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| retry_after(text, now_ms))
        .map(|wait| wait.min(MAX_RETRY_AFTER));
    Attempt::Again { reason, after }
}

/// RFC 9110, 10.2.3: seconds, or a date.
pub(super) fn retry_after(text: &str, now_ms: i64) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(text)
        .ok()?;
    let wait_ms = u64::try_from(at.as_millisecond().saturating_sub(now_ms)).unwrap_or(0);
    Some(Duration::from_millis(wait_ms))
}
