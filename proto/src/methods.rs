//! The methods of the contracts for callers that name one at run time: who may call it, its request
//! from JSON, its answers to JSON. Invariants: a request with a field that the contract does not have
//! is refused; the JSON form is that of [`crate::json`]. Not here: calling (`wharf api`), checking who
//! may call (the servers).

use prost::Message;
use prost_reflect::{DynamicMessage, MethodDescriptor};
use serde_json::Value;

use crate::{
    access::{AccessError, access_table},
    json,
    v1::Caller,
};

/// A method of a service.
#[derive(Debug, Clone)]
pub struct Method {
    descriptor: MethodDescriptor,
    /// Who may call it, in the order of the contract.
    pub callers: Vec<Caller>,
}

/// Why a request is not one of the method's, or an answer is not.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum MethodError {
    /// The text is not a request of this method.
    #[error("it is no {message}: {reason}")]
    Request {
        /// Full name of the request.
        message: String,
        /// Where and what.
        reason: String,
    },
    /// The bytes are not an answer of this method.
    #[error("the answer is no {message}: {reason}")]
    Answer {
        /// Full name of the answer.
        message: String,
        /// What is wrong.
        reason: String,
    },
}

/// Every method of every contract, by package, service, then as the contract has them.
///
/// # Errors
/// When the descriptor set inside the binary is broken.
pub fn methods() -> Result<Vec<Method>, AccessError> {
    let mut access = access_table()?;
    let Some(pool) = json::pool() else {
        return Err(AccessError::NoOption);
    };
    let mut found = Vec::new();
    for service in pool.services() {
        for descriptor in service.methods() {
            let path = format!("/{}/{}", service.full_name(), descriptor.name());
            found.push(Method {
                callers: access.remove(&path).unwrap_or_default(),
                descriptor,
            });
        }
    }
    found.sort_by_key(|method| method.descriptor.parent_service().full_name().to_owned());
    Ok(found)
}

impl Method {
    /// `wharf.v1.Plans/GetPlan`.
    #[must_use]
    pub fn name(&self) -> String {
        let service = self.descriptor.parent_service();
        format!("{}/{}", service.full_name(), self.descriptor.name())
    }

    /// `wharf.v1`.
    #[must_use]
    pub fn package(&self) -> String {
        self.descriptor.parent_service().package_name().to_owned()
    }

    /// Full name of its request's message.
    #[must_use]
    pub fn request(&self) -> String {
        self.descriptor.input().full_name().to_owned()
    }

    /// Full name of its answer's message.
    #[must_use]
    pub fn answer(&self) -> String {
        self.descriptor.output().full_name().to_owned()
    }

    /// The caller sends a stream of messages.
    #[must_use]
    pub fn streams_requests(&self) -> bool {
        self.descriptor.is_client_streaming()
    }

    /// The server sends a stream of messages.
    #[must_use]
    pub fn streams_answers(&self) -> bool {
        self.descriptor.is_server_streaming()
    }

    /// Whether a person of some role may call it.
    #[must_use]
    pub fn is_for_people(&self) -> bool {
        self.callers.iter().any(|caller| {
            matches!(
                caller,
                Caller::Anyone
                    | Caller::DeploymentsViewer
                    | Caller::DeploymentsManager
                    | Caller::PlatformViewer
                    | Caller::PlatformAdmin
                    | Caller::Deployment
            )
        })
    }

    /// Whether a name means this method: all of its name, or an end of it that begins at a part,
    /// `Plans/GetPlan` or `GetPlan`.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        let own = self.name();
        let wanted = name.trim_start_matches('/');
        !wanted.is_empty()
            && own.strip_suffix(wanted).is_some_and(|before| {
                before.is_empty() || before.ends_with('.') || before.ends_with('/')
            })
    }

    /// The request's bytes from JSON, the fields named as in the contract or in camel case.
    ///
    /// # Errors
    /// When the text is no JSON, or has a field that the request does not have.
    pub fn encode(&self, text: &str) -> Result<Vec<u8>, MethodError> {
        let wrong = |reason: String| MethodError::Request {
            message: self.request(),
            reason,
        };
        let mut reader = serde_json::Deserializer::from_str(text);
        let message = DynamicMessage::deserialize(self.descriptor.input(), &mut reader)
            .map_err(|error| wrong(error.to_string()))?;
        reader.end().map_err(|error| wrong(error.to_string()))?;
        Ok(message.encode_to_vec())
    }

    /// An answer's JSON.
    ///
    /// # Errors
    /// When the bytes are no answer of this method.
    pub fn decode(&self, bytes: &[u8]) -> Result<Value, MethodError> {
        let wrong = |reason: String| MethodError::Answer {
            message: self.answer(),
            reason,
        };
        let message = DynamicMessage::decode(self.descriptor.output(), bytes)
            .map_err(|error| wrong(error.to_string()))?;
        json::dynamic(&message).map_err(|error| wrong(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::v1;

    fn named(name: &str) -> Vec<String> {
        let all = methods().unwrap();
        let found = all.iter().filter(|method| method.is_named(name));
        found.map(Method::name).collect()
    }

    fn get_plan() -> Method {
        let all = methods().unwrap();
        all.into_iter()
            .find(|method| method.is_named("Plans/GetPlan"))
            .unwrap()
    }

    #[test]
    fn an_end_of_a_name_that_begins_at_a_part_names_a_method() {
        for name in [
            "GetPlan",
            "Plans/GetPlan",
            "wharf.v1.Plans/GetPlan",
            "/wharf.v1.Plans/GetPlan",
        ] {
            assert_eq!(named(name), ["wharf.v1.Plans/GetPlan"], "`{name}`");
        }
        for name in ["", "/", "etPlan", "lans/GetPlan", "Plans"] {
            assert!(named(name).is_empty(), "`{name}` names {:?}", named(name));
        }
    }

    #[test]
    fn a_request_of_json_is_the_message_and_an_answer_is_json_again() {
        let method = get_plan();
        let bytes = method.encode(r#"{"plan_id": "p"}"#).unwrap();
        let request = v1::GetPlanRequest::decode(bytes.as_slice()).unwrap();
        assert_eq!(request.plan_id, "p");
        let plan = v1::Plan {
            id: "p".into(),
            version: u64::MAX,
            ..Default::default()
        };
        let json = method.decode(&plan.encode_to_vec()).unwrap();
        assert_eq!(json, json::to_json(&plan).unwrap());
    }

    #[test]
    fn an_unknown_field_and_a_second_value_are_refused() {
        let method = get_plan();
        let error = method.encode(r#"{"plan": "p"}"#).unwrap_err().to_string();
        assert!(
            error.contains("GetPlanRequest") && error.contains("plan"),
            "the error names message and field: {error}"
        );
        assert!(method.encode(r#"{"plan_id": "p"} {}"#).is_err());
        assert!(method.encode("").is_err());
    }

    #[test]
    fn methods_of_machines_are_told_from_those_of_people() {
        let all = methods().unwrap();
        let session = all
            .iter()
            .find(|method| method.is_named("AllocatorSession/Session"))
            .unwrap();
        assert!(session.streams_requests() && !session.is_for_people());
        assert!(get_plan().is_for_people());
    }

    proptest! {
        #[test]
        fn no_text_and_no_bytes_break_a_codec(text in ".{0,200}", bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let method = get_plan();
            let _ = method.encode(&text);
            let _ = method.decode(&bytes);
        }
    }
}
