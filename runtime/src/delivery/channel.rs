//! Channels: where messages go.
//!
//! Invariants: a channel is read strictly (an unknown field is named), within limits; exactly one
//! kind is set. The JSON is that of `wharf.v1.Channel`: enums by their names, unset fields empty.
//! Not here: sending.

use std::collections::BTreeMap;

use http::{HeaderName, HeaderValue, Uri};
use serde::Deserialize;

use super::Secret;

/// Longest URL, header value, password.
const MAX_TEXT: usize = 4_096;
/// Most headers of a webhook.
const MAX_HEADERS: usize = 32;
/// Most receivers of a mail.
const MAX_RECEIVERS: usize = 50;
/// Largest file of authorities.
const MAX_PEM: usize = 64 * 1024;

/// Where messages go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// By which actions name it.
    pub name: String,
    /// How.
    pub kind: Kind,
}

/// How a channel carries messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A `POST` to a URL.
    Webhook(Webhook),
    /// A mail over SMTP with TLS.
    Email(Email),
}

/// A `POST` to a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Whole; its path is a secret of many services.
    pub url: Secret,
    /// Sent along; their values are secrets.
    pub headers: BTreeMap<String, Secret>,
    /// What the body is.
    pub format: WebhookFormat,
    /// Authorities that are trusted beside the public ones, PEM; empty: none.
    pub ca_pem: String,
}

/// What the body of a webhook is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookFormat {
    /// What Slack's incoming webhooks take, and Mattermost's.
    Slack,
    /// Key, subject, body and the alert's fields.
    Json,
}

/// A mail over SMTP with TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email {
    /// Host of the server; its certificate names it.
    pub host: String,
    /// Port of the server.
    pub port: u16,
    /// When TLS begins.
    pub tls: EmailTls,
    /// Empty: no login.
    pub username: String,
    /// Of that user.
    pub password: Secret,
    /// The sender's address.
    pub from: String,
    /// Who gets it.
    pub to: Vec<String>,
    /// Authorities that are trusted beside the public ones, PEM; empty: none.
    pub ca_pem: String,
}

/// When TLS begins on a connection to a mail server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmailTls {
    /// At once (port 465).
    Implicit,
    /// After `STARTTLS` (port 587); without it nothing is sent.
    StartTls,
}

/// Why a channel cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct ChannelError {
    /// The field at fault.
    pub field: String,
    /// What is wrong, without secrets.
    pub message: String,
}

pub(super) fn wrong(field: &str, message: impl Into<String>) -> ChannelError {
    ChannelError {
        field: field.to_owned(),
        message: message.into(),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default)]
    name: String,
    webhook: Option<RawWebhook>,
    email: Option<RawEmail>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWebhook {
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    format: String,
    #[serde(default)]
    ca_pem: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEmail {
    host: String,
    #[serde(default)]
    port: u32,
    #[serde(default)]
    tls: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
    from: String,
    to: Vec<String>,
    #[serde(default)]
    ca_pem: String,
}

impl Channel {
    /// Reads a channel.
    ///
    /// # Errors
    /// Names the field that is wrong, never its value.
    pub fn from_json(value: &serde_json::Value) -> Result<Self, ChannelError> {
        let Raw {
            name,
            webhook,
            email,
        } = Raw::deserialize(value).map_err(|error| wrong("channel", shape(&error)))?;
        if name.is_empty() || name.len() > 64 {
            return Err(wrong("name", "must be 1 to 64 characters"));
        }
        let kind = match (webhook, email) {
            (Some(raw), None) => Kind::Webhook(webhook_of(raw)?),
            (None, Some(raw)) => Kind::Email(email_of(raw)?),
            _ => return Err(wrong("channel", "needs one of `webhook` and `email`")),
        };
        Ok(Self { name, kind })
    }

    /// Where it goes, for lists and logs: a host, never a path.
    pub fn host(&self) -> String {
        match &self.kind {
            Kind::Webhook(webhook) => {
                let uri = webhook.url.reveal().parse::<Uri>();
                let host = uri.ok().and_then(|uri| uri.host().map(str::to_owned));
                host.unwrap_or_default()
            }
            Kind::Email(email) => email.host.clone(),
        }
    }
}

/// Of serde's errors only those that name fields; others may quote a value.
fn shape(error: &serde_json::Error) -> String {
    let text = error.to_string();
    if text.starts_with("unknown field") || text.starts_with("missing field") {
        text
    } else {
        "a field is not of the kind that it should be".to_owned()
    }
}

fn webhook_of(raw: RawWebhook) -> Result<Webhook, ChannelError> {
    let uri = raw.url.parse::<Uri>().ok().filter(|uri| {
        matches!(uri.scheme_str(), Some("https" | "http"))
            && uri.host().is_some_and(|host| !host.is_empty())
    });
    let plain = raw.url.len() <= MAX_TEXT && !raw.url.contains('@');
    if uri.is_none() || !plain {
        let message = "must be `https://HOST[:PORT]/PATH` or the same with http, without a user";
        return Err(wrong("webhook.url", message));
    }
    if raw.headers.len() > MAX_HEADERS {
        return Err(wrong(
            "webhook.headers",
            format!("are more than {MAX_HEADERS}"),
        ));
    }
    for (name, value) in &raw.headers {
        let field = "webhook.headers";
        let reserved = ["content-type", "content-length", "host", "idempotency-key"];
        if name.parse::<HeaderName>().is_err() || reserved.contains(&&*name.to_lowercase()) {
            return Err(wrong(field, format!("`{name}` cannot be set")));
        }
        if HeaderValue::from_str(value).is_err() || value.len() > MAX_TEXT {
            return Err(wrong(
                field,
                format!("the value of `{name}` is no header's value"),
            ));
        }
    }
    let format = match raw.format.to_lowercase().rsplit('_').next().unwrap_or("") {
        "slack" => WebhookFormat::Slack,
        "json" | "unspecified" | "" => WebhookFormat::Json,
        _ => return Err(wrong("webhook.format", "must be slack or json")),
    };
    Ok(Webhook {
        url: Secret::new(raw.url),
        headers: raw
            .headers
            .into_iter()
            .map(|(name, value)| (name, Secret::new(value)))
            .collect(),
        format,
        ca_pem: pem("webhook.ca_pem", raw.ca_pem)?,
    })
}

fn email_of(raw: RawEmail) -> Result<Email, ChannelError> {
    let tls = match raw.tls.to_lowercase().rsplit('_').next().unwrap_or("") {
        "implicit" | "unspecified" | "" => EmailTls::Implicit,
        "starttls" => EmailTls::StartTls,
        _ => return Err(wrong("email.tls", "must be implicit or starttls")),
    };
    let port = match (raw.port, tls) {
        (0, EmailTls::Implicit) => 465,
        (0, EmailTls::StartTls) => 587,
        (port, _) => u16::try_from(port).map_err(|_| wrong("email.port", "must be 1 to 65535"))?,
    };
    if raw.host.is_empty() || raw.host.len() > 253 {
        return Err(wrong("email.host", "must be the name of a mail server"));
    }
    if raw.to.is_empty() || raw.to.len() > MAX_RECEIVERS {
        return Err(wrong(
            "email.to",
            format!("must be 1 to {MAX_RECEIVERS} addresses"),
        ));
    }
    if raw.username.is_empty() != raw.password.is_empty() {
        return Err(wrong("email.username", "user and password belong together"));
    }
    if raw.password.len() > MAX_TEXT {
        return Err(wrong("email.password", "is too long"));
    }
    Ok(Email {
        host: raw.host,
        port,
        tls,
        username: raw.username,
        password: Secret::new(raw.password),
        from: raw.from,
        to: raw.to,
        ca_pem: pem("email.ca_pem", raw.ca_pem)?,
    })
}

fn pem(field: &str, text: String) -> Result<String, ChannelError> {
    if text.len() > MAX_PEM {
        return Err(wrong(field, format!("is longer than {MAX_PEM} bytes")));
    }
    if !text.is_empty() {
        let certs = crate::tls::CaCerts::from_pem(&text).and_then(|certs| certs.root_store());
        certs.map_err(|error| wrong(field, error.to_string()))?;
    }
    Ok(text)
}
