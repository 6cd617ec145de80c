//! Channels to people between their three forms: the message of the API, the sealed text in the
//! state, what the delivery code sends through. Invariant: nothing here prints what a channel is
//! made of. Not here: who may see one (`api/channels`), sending (`wharf_runtime::delivery`).

use prost::Message;
use wharf_director_core::{
    refusal::{Refusal, RefusalKind, codes},
    state::ChannelRecord,
};
use wharf_proto::{json, v1};
use wharf_runtime::delivery::{Channel, ChannelError, Kind, Sender};

use crate::secrets::{PlatformKey, SecretError};

fn secret_name(name: &str) -> String {
    format!("channel/{name}")
}

/// The channel of a message, checked: everything that can be known without sending.
///
/// # Errors
/// Names the field that is wrong, never its value.
pub fn checked(message: &v1::Channel) -> Result<Channel, Refusal> {
    let refuse = |field: &str, message: String| {
        Refusal::new(RefusalKind::InvalidArgument, codes::CHANNEL, message)
            .field(format!("channel.{field}"))
            .hint("docs/errors/DIR0034.md has an example of each kind")
    };
    let value = json::to_json(message).map_err(|error| refuse("", error.to_string()))?;
    let wrong = |error: ChannelError| refuse(&error.field, error.to_string());
    let channel = Channel::from_json(&value).map_err(wrong)?;
    Sender::new(&channel).map_err(wrong)?;
    Ok(channel)
}

/// `webhook` or `email`.
#[must_use]
pub fn kind(channel: &Channel) -> &'static str {
    match channel.kind {
        Kind::Webhook(_) => "webhook",
        Kind::Email(_) => "email",
    }
}

/// Seals a channel for the state.
///
/// # Errors
/// See [`PlatformKey::seal`].
pub fn seal(key: &PlatformKey, message: &v1::Channel) -> Result<String, SecretError> {
    key.seal(&secret_name(&message.name), &message.encode_to_vec())
}

/// The message that a record was made from, with its secrets: for those who send.
///
/// # Errors
/// When it was sealed with another platform key, or is damaged.
pub fn open(key: &PlatformKey, record: &ChannelRecord) -> Result<v1::Channel, SecretError> {
    let name = secret_name(&record.name);
    let bytes = key.open(&name, &record.sealed)?;
    v1::Channel::decode(bytes.as_slice()).map_err(|_| SecretError::Sealed(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use v1::channel::Kind as Of;

    fn webhook(url: &str) -> v1::Channel {
        v1::Channel {
            name: "ops".into(),
            kind: Some(Of::Webhook(v1::WebhookChannel {
                url: url.into(),
                headers: [("x-key".to_owned(), "hush".to_owned())].into(),
                format: v1::WebhookFormat::Slack as i32,
                ca_pem: String::new(),
            })),
        }
    }

    fn email(to: &[&str]) -> v1::Channel {
        v1::Channel {
            name: "mail".into(),
            kind: Some(Of::Email(v1::EmailChannel {
                host: "mail.example".into(),
                tls: v1::EmailTls::Starttls as i32,
                username: "u".into(),
                password: "hush".into(),
                from: "wharf@example.org".into(),
                to: to.iter().map(|to| (*to).to_owned()).collect(),
                ..Default::default()
            })),
        }
    }

    #[test]
    fn a_channel_is_what_it_was_after_sealing_and_the_seal_hides_it() {
        wharf_runtime::tls::install_provider();
        let key = PlatformKey::new(&[7; 32]);
        for message in [
            webhook("https://hooks.example/secret"),
            email(&["a@example.org"]),
        ] {
            let channel = checked(&message).unwrap();
            let sealed = seal(&key, &message).unwrap();
            assert!(!sealed.contains("hush") && !sealed.contains("secret"));
            let record = ChannelRecord {
                name: message.name.clone(),
                kind: kind(&channel).into(),
                host: channel.host(),
                sealed,
                created_ms: 1,
                changed_ms: 1,
                version: 1,
            };
            assert_eq!(open(&key, &record).unwrap(), message);
            let renamed = ChannelRecord {
                name: "other".into(),
                ..record
            };
            assert!(open(&key, &renamed).is_err(), "sealed under another name");
        }
    }

    #[test]
    fn what_cannot_be_sent_to_is_refused_with_its_field_and_without_its_value() {
        wharf_runtime::tls::install_provider();
        let wrong = [
            (webhook("ftp://hush.example/hush"), "channel.webhook.url"),
            (email(&[]), "channel.email.to"),
            (email(&["no address hush"]), "channel.email.to"),
            (
                v1::Channel {
                    name: "x".into(),
                    kind: None,
                },
                "channel.channel",
            ),
        ];
        for (message, field) in wrong {
            let refusal = checked(&message).unwrap_err();
            assert_eq!(refusal.field, field, "{refusal}");
            assert!(!refusal.message.contains("hush"), "{refusal}");
        }
    }
}
