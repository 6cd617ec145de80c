//! `wharf alert`: what fires, and who takes care of it.

use wharf_proto::monitor::v1::{
    AcknowledgeAlertRequest, Alert, GetAlertRequest, GroupPart, ListAlertsRequest,
    SilenceAlertRequest, UnsilenceAlertRequest,
};

use super::listing::read_all;
use crate::{
    args::AlertCommand,
    client::Client,
    failure::Failure,
    monitor::Monitor,
    print::{self, Table},
    times,
};

/// Runs the command.
pub(crate) async fn run(client: &Client, command: &AlertCommand) -> Result<u8, Failure> {
    let alert = match command {
        AlertCommand::List {
            recovered,
            monitor,
            list,
        } => {
            let node = Monitor::of(client, &monitor.deployment).await?;
            let alerts = read_all(list, |options| async {
                let request = ListAlertsRequest {
                    include_recovered: *recovered,
                    options: Some(options),
                };
                let answer = node.alerts().list_alerts(request).await;
                let page = answer.map_err(|status| node.failed(status))?.into_inner();
                Ok((page.alerts, page.info))
            })
            .await?;
            let json = print::json_list(&alerts)?;
            print::result(client.output(), &json, || table(&alerts, client.now_ms()));
            return Ok(0);
        }
        AlertCommand::Show(args) => {
            let node = Monitor::of(client, &args.monitor.deployment).await?;
            let id = args.id.clone();
            let answer = node.alerts().get_alert(GetAlertRequest { id }).await;
            answer.map_err(|status| node.failed(status))?
        }
        AlertCommand::Ack { alert, comment } => {
            let node = Monitor::of(client, &alert.monitor.deployment).await?;
            let request = AcknowledgeAlertRequest {
                id: alert.id.clone(),
                comment: comment.clone(),
            };
            let answer = node.alerts().acknowledge_alert(request).await;
            answer.map_err(|status| node.failed(status))?
        }
        AlertCommand::Silence {
            alert,
            duration,
            comment,
        } => {
            let request = SilenceAlertRequest {
                id: alert.id.clone(),
                duration_ms: times::age(duration)?,
                comment: comment.clone(),
            };
            let node = Monitor::of(client, &alert.monitor.deployment).await?;
            let answer = node.alerts().silence_alert(request).await;
            answer.map_err(|status| node.failed(status))?
        }
        AlertCommand::Unsilence(args) => {
            let node = Monitor::of(client, &args.monitor.deployment).await?;
            let request = UnsilenceAlertRequest {
                id: args.id.clone(),
            };
            let answer = node.alerts().unsilence_alert(request).await;
            answer.map_err(|status| node.failed(status))?
        }
    }
    .into_inner();
    let json = print::json(&alert)?;
    print::result(client.output(), &json, || render(&alert, client.now_ms()));
    Ok(0)
}

/// A group for people: `host=h1, container=web`.
pub(crate) fn group(parts: &[GroupPart]) -> String {
    if parts.is_empty() {
        return "-".to_owned();
    }
    let parts: Vec<String> = parts
        .iter()
        .map(|part| format!("{}={}", part.name, part.value))
        .collect();
    parts.join(", ")
}

fn state(alert: &Alert) -> String {
    print::word(alert.state().as_str_name(), "ALERT_STATE_")
}

fn severity(alert: &Alert) -> String {
    print::word(alert.severity().as_str_name(), "SEVERITY_")
}

fn is_silenced(alert: &Alert, now_ms: u64) -> bool {
    alert
        .silenced_until
        .as_ref()
        .is_some_and(|until| wharf_proto::times::millis(until) > now_ms)
}

fn table(alerts: &[Alert], now_ms: u64) -> String {
    let mut table = Table::new(&[
        "WATCH", "SEVERITY", "STATE", "SINCE", "GROUP", ">VALUE", ">LIMIT", "SILENCED", "BY", "ID",
    ]);
    for alert in alerts {
        table.row([
            alert.watch.clone(),
            severity(alert),
            state(alert),
            print::age(now_ms, alert.since.as_ref()),
            group(&alert.group),
            alert.value.clone(),
            alert.threshold.clone(),
            if is_silenced(alert, now_ms) {
                "yes"
            } else {
                "-"
            }
            .to_owned(),
            alert.handled_by.clone(),
            alert.id.clone(),
        ]);
    }
    table.render()
}

fn render(alert: &Alert, now_ms: u64) -> String {
    let mut text = format!(
        "alert       {}\nwatch       {}\nseverity    {}\nstate       {} for {}\ngroup       {}\nvalue       {} (limit {})\nsummary     {}\nmessages    {}, the last {} ago\n",
        print::printable(&alert.id),
        print::printable(&alert.watch),
        severity(alert),
        state(alert),
        print::age(now_ms, alert.since.as_ref()),
        print::printable(&group(&alert.group)),
        print::printable(&alert.value),
        print::printable(&alert.threshold),
        print::printable(&alert.summary),
        alert.messages,
        print::age(now_ms, alert.last_message_at.as_ref()),
    );
    if let Some(until) = alert
        .silenced_until
        .as_ref()
        .filter(|_| is_silenced(alert, now_ms))
    {
        let until = wharf_proto::times::rfc3339(wharf_proto::times::millis(until));
        text.push_str(&format!("silenced    until {until}\n"));
    }
    if !alert.handled_by.is_empty() {
        text.push_str(&format!(
            "handled by  {} {}\n",
            print::printable(&alert.handled_by),
            print::printable(&alert.comment)
        ));
    }
    text
}
