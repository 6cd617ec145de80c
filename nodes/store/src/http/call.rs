//! A request as handlers see it: method, path parts, parameters, body.
//!
//! Invariants: parts and parameters are percent-decoded; their number is bounded. Not here: bytes from the network.

use std::collections::BTreeMap;

use http::Method;
use serde_json::Value;
use wharf_store_core::error::{EsError, EsResult};
use wharf_store_core::wildcard::NameOptions;

use super::Received;
use crate::auth::Principal;

const MAX_PARTS: usize = 16;
const MAX_PARAMS: usize = 256;

/// A request.
pub(crate) struct Call {
    pub(crate) method: Method,
    /// Path and query as sent, for messages.
    pub(crate) target: String,
    pub(crate) parts: Vec<String>,
    pub(crate) params: BTreeMap<String, String>,
    pub(crate) received: Received,
    pub(crate) principal: Principal,
}

/// Undoes percent-encoding; `plus`: a plus is a space.
pub(crate) fn percent_decode(text: &str, plus: bool) -> EsResult<String> {
    let wrong = || {
        EsError::illegal_argument(format!(
            "cannot decode [{}] in the request's path or parameters",
            text.chars().take(200).collect::<String>()
        ))
    };
    if !text.contains(['%', '+']) {
        return Ok(text.to_owned());
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'%' => {
                let hex = bytes.get(at + 1..at + 3).ok_or_else(wrong)?;
                let hex = std::str::from_utf8(hex).map_err(|_| wrong())?;
                out.push(u8::from_str_radix(hex, 16).map_err(|_| wrong())?);
                at += 3;
                continue;
            }
            b'+' if plus => out.push(b' '),
            byte => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8(out).map_err(|_| wrong())
}

impl Call {
    pub(crate) fn new(
        method: &Method,
        target: &str,
        received: Received,
        principal: Principal,
    ) -> EsResult<Self> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let parts: Vec<String> = path
            .split('/')
            .filter(|p| !p.is_empty())
            .take(MAX_PARTS + 1)
            .map(|p| percent_decode(p, false))
            .collect::<EsResult<_>>()?;
        if parts.len() > MAX_PARTS {
            return Err(EsError::illegal_argument("request path has too many parts"));
        }
        let mut params = BTreeMap::new();
        for pair in query.split('&').filter(|p| !p.is_empty()).take(MAX_PARAMS) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            params.insert(percent_decode(name, true)?, percent_decode(value, true)?);
        }
        Ok(Self {
            method: method.clone(),
            target: target.to_owned(),
            parts,
            params,
            received,
            principal,
        })
    }

    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        self.params.get(name).map(String::as_str)
    }

    /// Refuses parameters that the request does not know.
    pub(crate) fn only(&self, known: &[&str]) -> EsResult<()> {
        // What every request takes.
        const COMMON: [&str; 6] = [
            "pretty",
            "human",
            "error_trace",
            "filter_path",
            "format",
            "source_content_type",
        ];
        let unknown =
            |name: &&String| !known.contains(&name.as_str()) && !COMMON.contains(&name.as_str());
        let Some(name) = self.params.keys().find(unknown) else {
            return Ok(());
        };
        let path = self.target.split('?').next().unwrap_or_default();
        Err(EsError::illegal_argument(format!(
            "request [{path}] contains unrecognized parameter: [{}]",
            name.chars().take(200).collect::<String>()
        )))
    }

    /// A flag: absent is false, present without value is true.
    pub(crate) fn flag(&self, name: &str) -> EsResult<bool> {
        self.flag_or(name, false)
    }

    pub(crate) fn flag_or(&self, name: &str, default: bool) -> EsResult<bool> {
        match self.param(name) {
            None => Ok(default),
            Some("" | "true") => Ok(true),
            Some("false") => Ok(false),
            Some(other) => Err(EsError::illegal_argument(format!(
                "Failed to parse value [{other}] as only [true] or [false] are allowed for parameter [{name}]"
            ))),
        }
    }

    pub(crate) fn number<T: std::str::FromStr>(&self, name: &str) -> EsResult<Option<T>> {
        self.param(name)
            .map(|text| {
                text.parse().map_err(|_| {
                    EsError::illegal_argument(format!(
                        "Failed to parse parameter [{name}] with value [{text}]"
                    ))
                })
            })
            .transpose()
    }

    /// The body, whole.
    pub(crate) fn body(&self) -> EsResult<&[u8]> {
        match &self.received.broken {
            None => Ok(&self.received.bytes),
            Some(why) => Err(EsError::illegal_argument(format!(
                "request body is broken gzip: {why}"
            ))),
        }
    }

    /// The body as JSON; null when there is none.
    pub(crate) fn json(&self) -> EsResult<Value> {
        let bytes = self.body()?;
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return match self.param("source") {
                Some(source) => parse_json(source.as_bytes()),
                None => Ok(Value::Null),
            };
        }
        parse_json(bytes)
    }

    /// The body as JSON; there must be one.
    pub(crate) fn required_json(&self) -> EsResult<Value> {
        match self.json()? {
            Value::Null => Err(EsError::parse("request body is required")),
            value => Ok(value),
        }
    }

    /// The body as a JSON object; null when there is none. For requests that OpenSearch reads into a map: it tells by the first
    /// byte whether a body is one at all.
    pub(crate) fn object(&self) -> EsResult<Value> {
        let first = self.body()?.iter().find(|b| !b.is_ascii_whitespace());
        if first.is_some_and(|first| *first != b'{') {
            return Err(EsError::not_x_content("the request body is no JSON object"));
        }
        self.json().map_err(|error| match error.kind() {
            "unexpected_end_of_input_exception" | "json_parse_exception" => {
                EsError::parse("Failed to parse content to map").caused_by(error)
            }
            _ => error,
        })
    }

    /// The body as a JSON object; there must be one.
    pub(crate) fn required_object(&self) -> EsResult<Value> {
        match self.object()? {
            Value::Null => Err(EsError::parse("request body is required")),
            value => Ok(value),
        }
    }

    /// How names in the path are resolved.
    pub(crate) fn name_options(&self, base: NameOptions) -> EsResult<NameOptions> {
        let mut options = base;
        options.ignore_unavailable = self.flag_or("ignore_unavailable", base.ignore_unavailable)?;
        options.allow_no_indices = self.flag_or("allow_no_indices", base.allow_no_indices)?;
        match self.param("expand_wildcards") {
            Some(text) => options.expand(text),
            None => Ok(options),
        }
    }
}

/// Reads JSON with an error as Elasticsearch gives it.
pub(crate) fn parse_json(bytes: &[u8]) -> EsResult<Value> {
    serde_json::from_slice(bytes).map_err(|e| {
        EsError::malformed(&e)
            .with("line", e.line())
            .with("col", e.column())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::percent_decode;

    #[test]
    fn names_with_date_math_are_decoded() {
        assert_eq!(
            percent_decode("%3Cm-%7Bnow%2Fd%7D%3E", false).unwrap(),
            "<m-{now/d}>"
        );
        assert_eq!(percent_decode("a+b", true).unwrap(), "a b");
        assert_eq!(percent_decode("a+b", false).unwrap(), "a+b");
        assert!(percent_decode("%zz", false).is_err());
        assert!(percent_decode("%f", false).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_decoded_or_refused(text in ".{0,40}") {
            let _ = percent_decode(&text, true);
        }
    }
}
