//! Messages as JSON, by the standard proto3 mapping with the field names of the `.proto` files,
//! numbers as numbers and fields that are unset present with their default. What `-o json` prints,
//! and what files and documents keep.

use std::sync::OnceLock;

use prost::{Message, Name};
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
use serde_json::Value;

/// Why a message has no JSON form (then the binary was built wrongly), or JSON is no message.
#[derive(Debug, thiserror::Error)]
#[error("the message {name} and its JSON do not agree: {reason}")]
pub struct JsonError {
    /// Full name of the message.
    pub name: String,
    /// What went wrong.
    pub reason: String,
}

pub(crate) fn pool() -> Option<&'static DescriptorPool> {
    static POOL: OnceLock<Option<DescriptorPool>> = OnceLock::new();
    POOL.get_or_init(|| DescriptorPool::decode(crate::DESCRIPTORS).ok())
        .as_ref()
}

/// The message as JSON.
///
/// # Errors
/// When the contracts inside the binary do not know the message.
pub fn to_json<M: Message + Name>(message: &M) -> Result<Value, JsonError> {
    let failed = |reason: String| JsonError {
        name: M::full_name(),
        reason,
    };
    let descriptor = pool()
        .and_then(|pool| pool.get_message_by_name(&M::full_name()))
        .ok_or_else(|| failed("it is in no contract".to_owned()))?;
    let dynamic = DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice())
        .map_err(|error| failed(error.to_string()))?;
    self::dynamic(&dynamic).map_err(|error| failed(error.to_string()))
}

/// The same of a message whose type is known at run time only.
pub(crate) fn dynamic(message: &DynamicMessage) -> Result<Value, serde_json::Error> {
    let options = SerializeOptions::new()
        .use_proto_field_name(true)
        .stringify_64_bit_integers(false)
        .skip_default_fields(false);
    message.serialize_with_options(serde_json::value::Serializer, &options)
}

/// The message of JSON; a field that the message does not have is an error.
///
/// # Errors
/// When it is not the JSON of such a message.
pub fn from_json<M: Message + Name + Default>(json: &Value) -> Result<M, JsonError> {
    let failed = |reason: String| JsonError {
        name: M::full_name(),
        reason,
    };
    let descriptor = pool()
        .and_then(|pool| pool.get_message_by_name(&M::full_name()))
        .ok_or_else(|| failed("it is in no contract".to_owned()))?;
    let dynamic = DynamicMessage::deserialize(descriptor, json.clone())
        .map_err(|error| failed(error.to_string()))?;
    dynamic
        .transcode_to()
        .map_err(|error| failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1;

    #[test]
    fn what_was_written_is_read_back_and_what_is_not_known_is_refused() {
        let deployment = v1::Deployment {
            name: "web".into(),
            version: u64::MAX,
            created_at: Some(crate::times::timestamp(1_700_000_000_500)),
            health: v1::Health::Degraded.into(),
            problems: vec!["x".into()],
            ..Default::default()
        };
        let mut json = to_json(&deployment).unwrap();
        assert_eq!(from_json::<v1::Deployment>(&json).unwrap(), deployment);
        json["unheard_of"] = 1.into();
        let error = from_json::<v1::Deployment>(&json).unwrap_err().to_string();
        assert!(error.contains("unheard_of"), "{error}");
    }

    #[test]
    fn field_names_are_those_of_the_contract_and_numbers_are_numbers() {
        let status = v1::PlatformStatus {
            healthy: true,
            containers: 3,
            ..Default::default()
        };
        let json = to_json(&status).unwrap();
        assert_eq!(json["healthy"], true);
        assert_eq!(json["containers"], 3);
        assert_eq!(json["problems"], serde_json::json!([]));
    }

    #[test]
    fn times_are_rfc_3339_and_enums_are_names() {
        let deployment = v1::Deployment {
            created_at: Some(crate::times::timestamp(1_700_000_000_500)),
            health: v1::Health::Healthy.into(),
            ..Default::default()
        };
        let json = to_json(&deployment).unwrap();
        assert_eq!(json["created_at"], "2023-11-14T22:13:20.500Z");
        assert_eq!(json["health"], "HEALTH_HEALTHY");
    }

    proptest::proptest! {
        #[test]
        fn any_json_is_a_message_or_refused(text in "[\\[\\]{}\",:a-z0-9_]{0,60}") {
            if let Ok(json) = serde_json::from_str::<Value>(&text) {
                let _ = from_json::<v1::Deployment>(&json);
            }
            let json = serde_json::json!({"name": text, "problems": [text], "health": text});
            let _ = from_json::<v1::Deployment>(&json);
        }
    }
}
