//! What the methods of a monitoring node do, as far as a director must know: which of them change something, and
//! what such a change is about, for the audit log. Not here: who may call them (the contract).

use std::sync::LazyLock;

use prost_reflect::{DescriptorPool, DynamicMessage, ReflectMessage as _, Value};
use wharf_proto::DESCRIPTORS;

/// What every method of the services begins with.
pub(crate) const PREFIX: &str = "/wharf.monitor.v1.";
/// Methods that change something, or send something to people.
const CHANGES: [&str; 12] = [
    "Alerts/AcknowledgeAlert",
    "Alerts/SilenceAlert",
    "Alerts/UnsilenceAlert",
    "Dashboards/DeleteDashboard",
    "Dashboards/PutDashboard",
    "SavedViews/DeleteSavedView",
    "SavedViews/PutSavedView",
    "Watches/DeleteWatch",
    "Watches/DisableWatch",
    "Watches/EnableWatch",
    "Watches/PutWatch",
    "Watches/RunWatch",
];
/// Bytes of what a change is about.
const ABOUT_BYTES: usize = 120;
/// Bytes before a message: whether it is compressed, and its length.
pub(crate) const FRAME_BYTES: usize = 5;

static POOL: LazyLock<Option<DescriptorPool>> =
    LazyLock::new(|| DescriptorPool::decode(DESCRIPTORS).ok());

/// Whether a method is one of a monitoring node.
pub(crate) fn is_for_monitoring(path: &str) -> bool {
    path.starts_with(PREFIX)
}

/// Whether a call changes something, so that it must not be made twice unasked.
pub(crate) fn changes(path: &str) -> bool {
    path.strip_prefix(PREFIX)
        .is_some_and(|method| CHANGES.contains(&method))
}

/// `put_watch`, as the audit log names it.
pub(crate) fn action(path: &str) -> String {
    let method = path.rsplit('/').next().unwrap_or_default();
    let mut action = String::new();
    for letter in method.chars() {
        if letter.is_ascii_uppercase() && !action.is_empty() {
            action.push('_');
        }
        action.push(letter.to_ascii_lowercase());
    }
    action
}

/// The name or id that a change is about, as its message has it; empty when it has none.
pub(crate) fn about(path: &str, framed: &[u8]) -> String {
    let found = read(path, framed).and_then(|message| named(&message));
    let cut = wharf_director_core::refusal::cut;
    found.map_or_else(String::new, |name| cut(&name, ABOUT_BYTES).to_owned())
}

fn read(path: &str, framed: &[u8]) -> Option<DynamicMessage> {
    let (service, method) = path.strip_prefix('/')?.split_once('/')?;
    let service = POOL.as_ref()?.get_service_by_name(service)?;
    let method = service.methods().find(|known| known.name() == method)?;
    let (frame, bytes) = framed.split_at_checked(FRAME_BYTES)?;
    // A compressed message is not looked into.
    if frame.first() != Some(&0) {
        return None;
    }
    DynamicMessage::decode(method.input(), bytes).ok()
}

/// The name of the message, else of the object in it.
fn named(message: &DynamicMessage) -> Option<String> {
    for field in ["id", "name"] {
        let value = message.get_field_by_name(field);
        if let Some(text) = value.as_deref().and_then(Value::as_str)
            && !text.is_empty()
        {
            return Some(text.to_owned());
        }
    }
    message
        .descriptor()
        .fields()
        .filter(|field| message.has_field(field))
        .find_map(|field| named(message.get_field(&field).as_message()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use wharf_proto::{access::access_table, monitor::v1, v1::Caller};

    use super::*;

    /// For those who may change something, because they show or search what a change would do.
    const TRIALS: [&str; 2] = ["Watches/PreviewWatch", "Watches/TestWatch"];
    /// For those alone who show the credentials of the deployment to its node.
    const SESSIONS: &str = "/wharf.monitor.v1.Sessions/";

    fn framed(message: &impl prost::Message) -> Vec<u8> {
        let bytes = message.encode_to_vec();
        let mut framed = vec![0];
        framed.extend(u32::try_from(bytes.len()).unwrap().to_be_bytes());
        framed.extend(bytes);
        framed
    }

    #[test]
    fn what_a_viewer_may_call_changes_nothing_and_all_else_is_known() {
        let table = access_table().unwrap();
        let mut seen = 0;
        for (path, callers) in table.iter().filter(|(path, _)| is_for_monitoring(path)) {
            // Sessions of browsers at the node itself: the gate lets nobody have them made through a director.
            if *callers == [Caller::Deployment] {
                assert!(path.starts_with(SESSIONS) && !changes(path), "{path}");
                continue;
            }
            assert!(!path.starts_with(SESSIONS), "{path} is not for people here");
            let is_read = callers.contains(&Caller::PlatformViewer);
            let is_trial = TRIALS.contains(&path.strip_prefix(PREFIX).unwrap());
            assert_eq!(changes(path), !is_read && !is_trial, "{path}");
            seen += usize::from(changes(path));
        }
        assert_eq!(seen, CHANGES.len(), "each change is in the contracts");
        assert!(!changes("/wharf.v1.Deployments/DeleteDeployment"));
    }

    #[test]
    fn a_change_is_told_with_what_it_is_about() {
        let path = |method: &str| format!("{PREFIX}{method}");
        let acknowledge = v1::AcknowledgeAlertRequest {
            id: "errors:shop".into(),
            comment: "on it".into(),
        };
        let at = path("Alerts/AcknowledgeAlert");
        assert_eq!(action(&at), "acknowledge_alert");
        assert_eq!(about(&at, &framed(&acknowledge)), "errors:shop");
        let put = v1::PutDashboardRequest {
            dashboard: Some(v1::Dashboard {
                name: "hosts".into(),
                ..Default::default()
            }),
            ..Default::default()
        };
        assert_eq!(
            about(&path("Dashboards/PutDashboard"), &framed(&put)),
            "hosts"
        );
        let spec = v1::WatchSpec {
            name: "n".repeat(10_000),
            ..Default::default()
        };
        let put = v1::PutWatchRequest {
            watch: Some(v1::put_watch_request::Watch::Spec(spec)),
            ..Default::default()
        };
        let told = about(&path("Watches/PutWatch"), &framed(&put));
        assert_eq!(told, "n".repeat(ABOUT_BYTES));
        assert_eq!(about(&path("Watches/PutWatch"), &[1, 0, 0, 0, 0]), "");
    }

    proptest! {
        #[test]
        fn no_message_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64), method in 0..CHANGES.len()) {
            let _ = about(&format!("{PREFIX}{}", CHANGES[method]), &bytes);
        }
    }
}
