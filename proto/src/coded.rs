//! Coded errors on the wire: an [`ErrorInfo`] inside a `google.rpc.Status`, which gRPC carries in
//! the trailer `grpc-status-details-bin`. Not here: which code means what (each package mints its
//! own; `docs/errors/` has a page for each).

use prost::Message;

use crate::v1::{ErrorInfo, Status, StatusDetail};

/// The type name of [`ErrorInfo`] inside a status detail.
pub const ERROR_INFO_TYPE: &str = "type.googleapis.com/wharf.v1.ErrorInfo";

/// The bytes of a `google.rpc.Status` that carries the info.
#[must_use]
pub fn encode(grpc_code: i32, message: &str, info: &ErrorInfo) -> Vec<u8> {
    Status {
        code: grpc_code,
        message: message.to_owned(),
        details: vec![StatusDetail {
            type_url: ERROR_INFO_TYPE.to_owned(),
            value: info.encode_to_vec(),
        }],
    }
    .encode_to_vec()
}

/// The info inside the bytes of a `google.rpc.Status`, when there is one.
#[must_use]
pub fn decode(bytes: &[u8]) -> Option<ErrorInfo> {
    let status = Status::decode(bytes).ok()?;
    let detail = status
        .details
        .iter()
        .find(|detail| detail.type_url == ERROR_INFO_TYPE)?;
    ErrorInfo::decode(detail.value.as_slice()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_info_that_was_put_in_comes_out() {
        let info = ErrorInfo {
            code: "DIR0012".into(),
            field: "name".into(),
            hint: "choose a shorter name".into(),
            retryable: false,
        };
        assert_eq!(decode(&encode(3, "name is too long", &info)), Some(info));
    }

    proptest! {
        #[test]
        fn any_bytes_decode_or_are_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes);
        }
    }
}
