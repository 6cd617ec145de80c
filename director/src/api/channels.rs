//! Channels to people: made, replaced, removed, listed without what they are made of, tested by a
//! message that is really sent. Not here: their forms (`channels`), the platform's own messages
//! (`leader/notify_task`).

use std::sync::Arc;

use serde_json::json;
use tonic::{Request, Response, Status};
use wharf_director_core::{
    apply::channel::check_channel_name,
    command::{Body, DeleteChannel, NoteAudit, PutChannel},
    settings,
    state::{ChannelRecord, State},
};
use wharf_proto::{times::timestamp, v1};
use wharf_runtime::delivery::{Attempt, Message, Sender};
use wharf_services::v1::channels_server::Channels;

use super::{asked, asked_secretly, expected, info, not_found, opened, page};
use crate::{
    answer::{internal, refused},
    auth::Principal,
    channels,
    director::Director,
};

const FIELDS: [&str; 6] = ["name", "kind", "host", "created", "changed", "notified"];

/// The service.
#[derive(Clone, Debug)]
pub struct ChannelsApi(pub Arc<Director>);

fn message(state: &State, record: &ChannelRecord) -> v1::ChannelInfo {
    v1::ChannelInfo {
        name: record.name.clone(),
        kind: record.kind.clone(),
        host: record.host.clone(),
        created_at: Some(timestamp(record.created_ms)),
        changed_at: Some(timestamp(record.changed_ms)),
        version: record.version,
        notified: settings::notified_channels(state).contains(&record.name.as_str()),
    }
}

fn find<'a>(state: &'a State, name: &str) -> Result<&'a ChannelRecord, Status> {
    state
        .channels
        .get(name)
        .ok_or_else(|| not_found("channel", name))
}

impl ChannelsApi {
    async fn put(
        &self,
        principal: &Principal,
        mutation: Option<&v1::Mutation>,
        channel: Option<v1::Channel>,
        create: bool,
    ) -> Result<Response<v1::ChannelInfo>, Status> {
        let wanted = channel.unwrap_or_default();
        let asked = asked_secretly(&self.0.key, principal, mutation, &wanted)?;
        check_channel_name(&wanted.name).map_err(|refusal| refused(&refusal))?;
        let checked = channels::checked(&wanted).map_err(|refusal| refused(&refusal))?;
        let body = Body::PutChannel(PutChannel {
            name: wanted.name.clone(),
            kind: channels::kind(&checked).to_owned(),
            host: checked.host(),
            sealed: channels::seal(&self.0.key, &wanted).map_err(internal)?,
            create,
            expected_version: expected(mutation),
        });
        self.0.proposer.once(&asked, |_| Ok(body)).await?;
        let state = self.0.published.state();
        Ok(Response::new(message(&state, find(&state, &wanted.name)?)))
    }
}

#[tonic::async_trait]
impl Channels for ChannelsApi {
    async fn create_channel(
        &self,
        request: Request<v1::CreateChannelRequest>,
    ) -> Result<Response<v1::ChannelInfo>, Status> {
        let (principal, message) = opened(request)?;
        self.put(&principal, message.mutation.as_ref(), message.channel, true)
            .await
    }

    async fn update_channel(
        &self,
        request: Request<v1::UpdateChannelRequest>,
    ) -> Result<Response<v1::ChannelInfo>, Status> {
        let (principal, message) = opened(request)?;
        self.put(
            &principal,
            message.mutation.as_ref(),
            message.channel,
            false,
        )
        .await
    }

    async fn delete_channel(
        &self,
        request: Request<v1::DeleteChannelRequest>,
    ) -> Result<Response<v1::DeleteChannelResponse>, Status> {
        let (principal, message) = opened(request)?;
        let asked = asked(&principal, message.mutation.as_ref(), &message)?;
        let body = Body::DeleteChannel(DeleteChannel {
            name: message.name.clone(),
            expected_version: expected(message.mutation.as_ref()),
        });
        self.0.proposer.once(&asked, |_| Ok(body)).await?;
        Ok(Response::new(v1::DeleteChannelResponse {}))
    }

    async fn get_channel(
        &self,
        request: Request<v1::GetChannelRequest>,
    ) -> Result<Response<v1::ChannelInfo>, Status> {
        let state = self.0.published.state();
        let record = find(&state, &request.get_ref().name)?;
        Ok(Response::new(message(&state, record)))
    }

    async fn list_channels(
        &self,
        request: Request<v1::ListChannelsRequest>,
    ) -> Result<Response<v1::ListChannelsResponse>, Status> {
        let state = self.0.published.state();
        let page = page(
            request.get_ref().options.as_ref(),
            &FIELDS,
            state.channels.values(),
            |row, field| match field {
                "kind" => row.kind.as_str().into(),
                "host" => row.host.as_str().into(),
                "created" => row.created_ms.into(),
                "changed" => row.changed_ms.into(),
                "notified" => settings::notified_channels(&state)
                    .contains(&row.name.as_str())
                    .into(),
                _ => row.name.as_str().into(),
            },
            |row| row.name.clone(),
        )?;
        Ok(Response::new(v1::ListChannelsResponse {
            info: Some(info(&page)),
            channels: page.rows.iter().map(|row| message(&state, row)).collect(),
        }))
    }

    async fn test_channel(
        &self,
        request: Request<v1::TestChannelRequest>,
    ) -> Result<Response<v1::TestChannelResponse>, Status> {
        let (principal, message) = opened(request)?;
        let asked = asked(&principal, message.mutation.as_ref(), &message)?;
        let state = self.0.published.state();
        let record = find(&state, &message.name)?;
        let opened = channels::open(&self.0.key, record).map_err(internal)?;
        let channel = channels::checked(&opened).map_err(|refusal| refused(&refusal))?;
        let sender = Sender::new(&channel).map_err(internal)?;
        let platform = &self.0.config.platform.name;
        let text = format!(
            "{} asked the platform {platform} to test the channel {}. Nothing is wrong.",
            principal.name, message.name
        );
        let subject = format!("[{platform}] test of the channel {}", message.name);
        let test = Message {
            key: format!("{platform}:test:{}", asked.request_id),
            slack_subject: subject.clone(),
            slack_body: text.clone(),
            subject,
            body: text,
            fields: json!({ "platform": platform, "news": "test", "channel": message.name }),
        };
        let (sent, reason) = match sender.attempt(&test).await {
            Attempt::Sent => (true, String::new()),
            Attempt::Again { reason, .. } | Attempt::Refused { reason } => (false, reason),
        };
        let detail = if sent { "sent" } else { "not sent" };
        let note = Body::NoteAudit(NoteAudit {
            action: "test_channel".to_owned(),
            subject: format!("channel/{}", message.name),
            detail: detail.to_owned(),
            place: None,
        });
        self.0.proposer.of(&principal.name, note).await?;
        Ok(Response::new(v1::TestChannelResponse { sent, reason }))
    }
}
