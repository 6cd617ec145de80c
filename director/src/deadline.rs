//! Until when an answer to a unary call is waited for: gRPC's own header, bounded. Not here: giving a
//! call up (`auth`, `relay`).

use std::time::Duration;

use http::HeaderMap;
use tonic::{Code, Status};

use crate::{answer::coded_status, codes};

/// A unary call is given up after this even when the client would wait longer.
const LONGEST_CALL: Duration = Duration::from_secs(60);

/// The deadline passed.
pub(crate) fn late() -> Status {
    coded_status(
        Code::DeadlineExceeded,
        codes::DEADLINE,
        "the deadline passed before there was an answer",
        "retry a change with the same request id",
    )
}

/// gRPC's own header: up to eight digits and a unit.
pub(crate) fn deadline(headers: &HeaderMap) -> Duration {
    headers
        .get("grpc-timeout")
        .and_then(|value| value.to_str().ok())
        .and_then(|text| {
            let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
            if number.len() > 8 {
                return None;
            }
            let number: u64 = number.parse().ok()?;
            Some(match unit {
                "H" => Duration::from_secs(number * 3600),
                "M" => Duration::from_secs(number * 60),
                "S" => Duration::from_secs(number),
                "m" => Duration::from_millis(number),
                "u" => Duration::from_micros(number),
                "n" => Duration::from_nanos(number),
                _ => return None,
            })
        })
        .map_or(LONGEST_CALL, |asked| asked.min(LONGEST_CALL))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_the_clients_but_bounded() {
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", text.parse().unwrap());
            deadline(&headers)
        };
        assert_eq!(of("250m"), Duration::from_millis(250));
        assert_eq!(of("99999999H"), LONGEST_CALL);
        assert_eq!(of("S"), LONGEST_CALL);
        assert_eq!(of("1x"), LONGEST_CALL);
    }

    proptest::proptest! {
        #[test]
        fn no_header_panics(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..64)) {
            if let Ok(value) = http::HeaderValue::from_bytes(&bytes) {
                let mut headers = HeaderMap::new();
                headers.insert("grpc-timeout", value);
                proptest::prop_assert!(deadline(&headers) <= LONGEST_CALL);
            }
        }
    }
}
