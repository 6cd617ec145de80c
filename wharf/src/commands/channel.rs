//! `wharf channel`: where the platform's messages go. A channel is a document in YAML or JSON with the
//! fields of the contract, because what it is made of is secret. Invariant: no message quotes it.

use prost::Message;
use serde_json::{Value, json};
use wharf_proto::v1::{
    Channel, ChannelInfo, CreateChannelRequest, DeleteChannelRequest, GetChannelRequest,
    ListChannelsRequest, TestChannelRequest, UpdateChannelRequest,
};

use super::listing::read_all;
use crate::{
    args::ChannelCommand,
    client::{Client, mutation},
    failure::Failure,
    given,
    print::{self, Table},
};

/// A word of a channel's document and the contract's name for it.
type Word = (&'static str, &'static str);

/// By kind and field: the words that its document may use.
const WORDS: [(&str, &str, &[Word]); 2] = [
    (
        "webhook",
        "format",
        &[
            ("slack", "WEBHOOK_FORMAT_SLACK"),
            ("json", "WEBHOOK_FORMAT_JSON"),
        ],
    ),
    (
        "email",
        "tls",
        &[
            ("implicit", "EMAIL_TLS_IMPLICIT"),
            ("starttls", "EMAIL_TLS_STARTTLS"),
        ],
    ),
];

/// Runs the command.
pub(crate) async fn run(client: &Client, command: &ChannelCommand) -> Result<u8, Failure> {
    let channel = match command {
        ChannelCommand::List(args) => {
            let channels = read_all(args, |options| async {
                let request = ListChannelsRequest {
                    options: Some(options),
                };
                let page = client.channels().list_channels(request).await?.into_inner();
                Ok((page.channels, page.info))
            })
            .await?;
            let json = print::json_list(&channels)?;
            print::result(client.output(), &json, || table(&channels, client.now_ms()));
            return Ok(0);
        }
        ChannelCommand::Delete { name, yes } => return delete(client, name, *yes).await,
        ChannelCommand::Test { name } => return test(client, name).await,
        ChannelCommand::Show { name } => {
            let request = GetChannelRequest { name: name.clone() };
            client.channels().get_channel(request).await?
        }
        ChannelCommand::Create(args) => {
            let request = CreateChannelRequest {
                mutation: mutation(),
                channel: Some(parse(&given::document(&args.file)?)?),
            };
            client.channels().create_channel(request).await?
        }
        ChannelCommand::Update(args) => {
            let request = UpdateChannelRequest {
                mutation: mutation(),
                channel: Some(parse(&given::document(&args.file)?)?),
            };
            client.channels().update_channel(request).await?
        }
    }
    .into_inner();
    let json = print::json(&channel)?;
    print::result(client.output(), &json, || render(&channel, client.now_ms()));
    Ok(0)
}

async fn delete(client: &Client, name: &str, yes: bool) -> Result<u8, Failure> {
    let shown = print::printable(name);
    given::confirm(yes, &format!("This deletes the channel `{shown}`"), name)?;
    let request = DeleteChannelRequest {
        mutation: mutation(),
        name: name.to_owned(),
    };
    let answer = client
        .channels()
        .delete_channel(request)
        .await?
        .into_inner();
    let json = print::json(&answer)?;
    print::result(client.output(), &json, || {
        format!("channel `{shown}` deleted\n")
    });
    Ok(0)
}

async fn test(client: &Client, name: &str) -> Result<u8, Failure> {
    let request = TestChannelRequest {
        mutation: mutation(),
        name: name.to_owned(),
    };
    let answer = client.channels().test_channel(request).await?.into_inner();
    let json = print::json(&answer)?;
    print::result(client.output(), &json, || {
        if answer.sent {
            "the receiver took the message\n".to_owned()
        } else {
            String::new()
        }
    });
    if answer.sent {
        return Ok(0);
    }
    Err(Failure::new(
        "CLI0017",
        format!(
            "the message did not arrive: {}",
            print::printable(&answer.reason)
        ),
        "see to the receiver, or give the channel anew with `wharf channel update`",
    ))
}

/// The channel of a document.
fn parse(text: &str) -> Result<Channel, Failure> {
    let wrong = |reason: String| {
        Failure::new(
            "CLI0016",
            format!("the document is no channel: {reason}"),
            "`wharf channel create --help` shows one",
        )
    };
    let mut value: Value = serde_yaml_ng::from_str(text).map_err(|error| {
        // The error's own text may quote a secret.
        wrong(error.location().map_or_else(
            || "it is no YAML or JSON".to_owned(),
            |at| format!("line {}, column {}", at.line(), at.column()),
        ))
    })?;
    let Some(fields) = value.as_object() else {
        return Err(wrong("it has no fields".to_owned()));
    };
    if let Some(unknown) = fields
        .keys()
        .find(|name| !matches!(name.as_str(), "name" | "webhook" | "email"))
    {
        return Err(wrong(format!(
            "there is no field `{}`; there are name, webhook, email",
            print::printable(unknown)
        )));
    }
    for (kind, field, words) in WORDS {
        if let Some(word) = value.get_mut(kind).and_then(|kind| kind.get_mut(field)) {
            let long = words.iter().find(|(short, _)| word == short);
            if let Some((_, long)) = long {
                *word = Value::from(*long);
            }
        }
    }
    let methods = wharf_proto::methods::methods().map_err(|error| wrong(error.to_string()))?;
    let method = methods
        .iter()
        .find(|method| method.is_named("Channels/CreateChannel"))
        .ok_or_else(|| wrong("this binary knows no channels".to_owned()))?;
    let request = json!({ "channel": value }).to_string();
    let bytes = method
        .encode(&request)
        .map_err(|error| wrong(without_values(&error.to_string(), &value)))?;
    let request =
        CreateChannelRequest::decode(bytes.as_slice()).map_err(|error| wrong(error.to_string()))?;
    Ok(request.channel.unwrap_or_default())
}

/// A reason without any text that the document holds.
fn without_values(reason: &str, value: &Value) -> String {
    match value {
        Value::String(text) if !text.is_empty() => reason.replace(text.as_str(), "…"),
        Value::Array(items) => items.iter().fold(reason.to_owned(), |reason, item| {
            without_values(&reason, item)
        }),
        Value::Object(fields) => fields.values().fold(reason.to_owned(), |reason, field| {
            without_values(&reason, field)
        }),
        _ => reason.to_owned(),
    }
}

fn table(channels: &[ChannelInfo], now_ms: u64) -> String {
    let mut table = Table::new(&["CHANNEL", "KIND", "HOST", "PLATFORM'S", "AGE"]);
    for channel in channels {
        table.row([
            channel.name.clone(),
            channel.kind.clone(),
            channel.host.clone(),
            if channel.notified { "yes" } else { "-" }.to_owned(),
            print::age(now_ms, channel.created_at.as_ref()),
        ]);
    }
    table.render()
}

fn render(channel: &ChannelInfo, now_ms: u64) -> String {
    format!(
        "channel     {}\nkind        {}\nhost        {}\nplatform's  {}\ncreated     {} ago\nchanged     {} ago\nversion     {}\n",
        print::printable(&channel.name),
        channel.kind,
        print::printable(&channel.host),
        if channel.notified {
            "its own messages go there"
        } else {
            "-"
        },
        print::age(now_ms, channel.created_at.as_ref()),
        print::age(now_ms, channel.changed_at.as_ref()),
        channel.version,
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use wharf_proto::v1::{WebhookFormat, channel::Kind};

    use super::*;

    #[test]
    fn a_channel_is_read_from_yaml_and_from_json() {
        for text in [
            "name: ops\nwebhook: {url: 'https://h.example/x', format: slack}",
            r#"{"name": "ops", "webhook": {"url": "https://h.example/x", "format": "WEBHOOK_FORMAT_SLACK"}}"#,
        ] {
            let channel = parse(text).unwrap();
            let Some(Kind::Webhook(webhook)) = channel.kind else {
                panic!("no webhook in {text}");
            };
            assert_eq!(channel.name, "ops");
            assert_eq!(webhook.format(), WebhookFormat::Slack);
        }
    }

    #[test]
    fn what_is_wrong_is_named_and_no_secret_is_quoted() {
        for (text, named) in [
            ("name: ops\nwebhook: {url: [hunter2-Zq9]}", "no channel"),
            ("name: ops\nwebhook: {uri: hunter2-Zq9}", "uri"),
            (
                "name: ops\nemail: {host: h, port: hunter2-Zq9}",
                "no channel",
            ),
            ("name: ops\nslack: hunter2-Zq9", "slack"),
            ("name: ops\nwebhook: {url: hunter2-Zq9", "line"),
            ("hunter2-Zq9", "fields"),
        ] {
            let failure = parse(text).unwrap_err();
            assert_eq!(failure.code, "CLI0016");
            let said = failure.to_string();
            assert!(said.contains(named), "`{text}`: {said}");
            assert!(!said.contains("hunter2"), "`{text}`: {said}");
        }
    }

    proptest! {
        #[test]
        fn no_document_breaks_the_reading(text in ".{0,200}") {
            let _ = parse(&text);
        }
    }
}
