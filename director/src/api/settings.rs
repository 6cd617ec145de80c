//! Settings of the platform: known keys, what they take, what is in force. Not here: what they act
//! on, what values are right (`wharf_director_core::settings`).

use std::sync::Arc;

use tonic::{Request, Response, Status};
use wharf_director_core::{
    command::{self, Body},
    refusal::codes,
    settings::{self, KNOWN, Known, SettingKind},
    state::State,
};
use wharf_proto::{times::timestamp, v1};
use wharf_runtime::telemetry;
use wharf_services::v1::settings_server::Settings;

use super::{asked, expected, info, not_found, opened, page};
use crate::{
    answer::{field_status, refused},
    director::Director,
    propose::Asked,
};

const FIELDS: [&str; 3] = ["key", "value", "set"];

/// The service.
#[derive(Clone, Debug)]
pub struct SettingsApi(pub Arc<Director>);

fn message(state: &State, known: &Known) -> v1::Setting {
    let record = state.settings.get(known.key);
    v1::Setting {
        key: known.key.to_owned(),
        value: record
            .map_or(known.default, |record| record.value.as_str())
            .to_owned(),
        default_value: known.default.to_owned(),
        set: record.is_some(),
        takes: known.takes(),
        about: known.about.to_owned(),
        version: record.map_or(0, |record| record.version),
        changed_at: record.map(|record| timestamp(record.changed_ms)),
    }
}

fn find(key: &str) -> Result<&'static Known, Status> {
    settings::known(key).ok_or_else(|| not_found("setting", key))
}

/// Checks a value, which came in this field of a request. The core cannot read what a log takes.
pub(super) fn check(known: &Known, value: &str, field: &str) -> Result<(), Status> {
    settings::check(known.key, value).map_err(|refusal| refused(&refusal.field(field)))?;
    if known.kind == SettingKind::LogFilter {
        telemetry::check(value).map_err(|error| {
            field_status(
                codes::SETTING,
                field,
                error.to_string(),
                "for example `info` or `info,wharf_director=debug`",
            )
        })?;
    }
    Ok(())
}

impl SettingsApi {
    async fn put(
        &self,
        asked: &Asked,
        mutation: Option<&v1::Mutation>,
        key: String,
        value: Option<String>,
    ) -> Result<Response<v1::Setting>, Status> {
        let known = find(&key)?;
        if let Some(value) = &value {
            check(known, value, "value")?;
        }
        let body = Body::SetSetting(command::SetSetting {
            key,
            value,
            expected_version: expected(mutation),
        });
        self.0.proposer.once(asked, |_| Ok(body)).await?;
        Ok(Response::new(message(&self.0.published.state(), known)))
    }
}

#[tonic::async_trait]
impl Settings for SettingsApi {
    async fn get_setting(
        &self,
        request: Request<v1::GetSettingRequest>,
    ) -> Result<Response<v1::Setting>, Status> {
        let known = find(&request.get_ref().key)?;
        Ok(Response::new(message(&self.0.published.state(), known)))
    }

    async fn list_settings(
        &self,
        request: Request<v1::ListSettingsRequest>,
    ) -> Result<Response<v1::ListSettingsResponse>, Status> {
        let state = self.0.published.state();
        let page = page(
            request.get_ref().options.as_ref(),
            &FIELDS,
            KNOWN.iter().map(|known| message(&state, known)),
            |row, field| match field {
                "value" => row.value.as_str().into(),
                "set" => row.set.into(),
                _ => row.key.as_str().into(),
            },
            |row| row.key.clone(),
        )?;
        Ok(Response::new(v1::ListSettingsResponse {
            info: Some(info(&page)),
            settings: page.rows,
        }))
    }

    async fn set_setting(
        &self,
        request: Request<v1::SetSettingRequest>,
    ) -> Result<Response<v1::Setting>, Status> {
        let (principal, message) = opened(request)?;
        let asked = asked(&principal, message.mutation.as_ref(), &message)?;
        let value = Some(message.value);
        self.put(&asked, message.mutation.as_ref(), message.key, value)
            .await
    }

    async fn clear_setting(
        &self,
        request: Request<v1::ClearSettingRequest>,
    ) -> Result<Response<v1::Setting>, Status> {
        let (principal, message) = opened(request)?;
        let asked = asked(&principal, message.mutation.as_ref(), &message)?;
        self.put(&asked, message.mutation.as_ref(), message.key, None)
            .await
    }
}
