//! Alerts: listed, acknowledged, silenced.

use std::sync::Arc;

use tonic::{Request, Response, Status};
use wharf_monitor_core::kept::Kept;
use wharf_proto::alerting::{Alert, HandleError, MAX_SILENCE_MS, Phase};
use wharf_proto::listing::Value;
use wharf_proto::monitor::v1;
use wharf_services::monitor::v1::alerts_server::Alerts;

use super::{caller, page};
use crate::indices;
use crate::ledger::Doc;
use crate::monitor::Monitor;
use crate::slot::Slot;
use crate::status::{field_status, internal, not_found};

const FIELDS: [&str; 8] = [
    "since", "id", "watch", "severity", "state", "value", "summary", "messages",
];
/// Shortest silence.
const MIN_SILENCE_MS: u64 = 60_000;

/// The service.
pub(crate) struct AlertsApi(pub(crate) Arc<Monitor>);

fn word(name: &str) -> String {
    let word = name.rsplit('_').next().unwrap_or_default();
    word.to_lowercase()
}

fn field(alert: &v1::Alert, field: &str) -> Value {
    match field {
        "since" => alert
            .since
            .as_ref()
            .map_or(0, wharf_proto::times::millis)
            .into(),
        "watch" => alert.watch.as_str().into(),
        "severity" => word(alert.severity().as_str_name()).into(),
        "state" => word(alert.state().as_str_name()).into(),
        "value" => alert.value.as_str().into(),
        "summary" => alert.summary.as_str().into(),
        "messages" => alert.messages.into(),
        _ => alert.id.as_str().into(),
    }
}

impl AlertsApi {
    /// The watch of an alert: its id begins with the watch's name.
    async fn find(&self, id: &str) -> Result<(Arc<Slot>, Kept), Status> {
        for slot in self.0.slots() {
            if !id.starts_with(&slot.name) {
                continue;
            }
            let kept = slot.alerts.lock().await.kept(id);
            if let Some(kept) = kept {
                return Ok((slot, kept));
            }
        }
        Err(not_found("alert", id))
    }

    /// Changes an alert; the change is on disk when this returns.
    async fn change(
        &self,
        id: &str,
        change: impl FnOnce(&mut Alert, u64) -> Result<(), HandleError>,
    ) -> Result<Response<v1::Alert>, Status> {
        let (slot, _) = self.find(id).await?;
        let mut alerts = slot.alerts.lock().await;
        let before = alerts.clone();
        let alert = alerts.alert_mut(id).ok_or_else(|| not_found("alert", id))?;
        change(alert, self.0.now_ms()).map_err(|error| {
            let field = match error {
                HandleError::NotFiring => "id",
                HandleError::SilenceEnd => "duration_ms",
                HandleError::Comment => "comment",
            };
            field_status(field, error.to_string(), "change the request accordingly")
        })?;
        let kept = alerts.kept(id).ok_or_else(|| not_found("alert", id))?;
        let doc = Doc::put(indices::ALERTS, id, kept.to_document());
        if let Err(error) = self.0.ledger.write(vec![doc]).await {
            *alerts = before;
            return Err(internal(error));
        }
        Ok(Response::new(kept.to_message(slot.watch().as_ref(), "")))
    }
}

#[tonic::async_trait]
impl Alerts for AlertsApi {
    async fn list_alerts(
        &self,
        request: Request<v1::ListAlertsRequest>,
    ) -> Result<Response<v1::ListAlertsResponse>, Status> {
        let message = request.into_inner();
        let mut rows = Vec::new();
        for slot in self.0.slots() {
            let watch = slot.watch();
            let alerts = slot.alerts.lock().await;
            let of = alerts
                .all()
                .filter(|kept| message.include_recovered || kept.alert.phase != Phase::Recovered);
            rows.extend(of.map(|kept| kept.to_message(watch.as_ref(), "")));
        }
        let id = |alert: &v1::Alert| alert.id.clone();
        let page = page(
            message.options.as_ref(),
            &FIELDS,
            "since desc",
            rows,
            field,
            id,
        )?;
        Ok(Response::new(v1::ListAlertsResponse {
            info: Some(page.info()),
            alerts: page.rows,
        }))
    }

    async fn get_alert(
        &self,
        request: Request<v1::GetAlertRequest>,
    ) -> Result<Response<v1::Alert>, Status> {
        let (slot, kept) = self.find(&request.into_inner().id).await?;
        Ok(Response::new(kept.to_message(slot.watch().as_ref(), "")))
    }

    async fn acknowledge_alert(
        &self,
        request: Request<v1::AcknowledgeAlertRequest>,
    ) -> Result<Response<v1::Alert>, Status> {
        let by = caller(&request);
        let message = request.into_inner();
        let change = |alert: &mut Alert, now_ms| alert.acknowledge(&by, &message.comment, now_ms);
        self.change(&message.id, change).await
    }

    async fn silence_alert(
        &self,
        request: Request<v1::SilenceAlertRequest>,
    ) -> Result<Response<v1::Alert>, Status> {
        let by = caller(&request);
        let message = request.into_inner();
        if !(MIN_SILENCE_MS..=MAX_SILENCE_MS).contains(&message.duration_ms) {
            return Err(field_status(
                "duration_ms",
                "a silence lasts one minute to thirty days",
                "give 60000 to 2592000000",
            ));
        }
        let change = |alert: &mut Alert, now_ms: u64| {
            let until_ms = now_ms.saturating_add(message.duration_ms);
            alert.silence_until(until_ms, &by, &message.comment, now_ms)
        };
        self.change(&message.id, change).await
    }

    async fn unsilence_alert(
        &self,
        request: Request<v1::UnsilenceAlertRequest>,
    ) -> Result<Response<v1::Alert>, Status> {
        let message = request.into_inner();
        let change = |alert: &mut Alert, _| {
            alert.unsilence();
            Ok(())
        };
        self.change(&message.id, change).await
    }
}
