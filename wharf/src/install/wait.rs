//! The waiting of `wharf install`: until each role of the host says on its loopback page that the platform
//! has it; a director then follows a leader, and gets its vote later. Not here: what they do for that.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use serde_json::Value;
use wharf_runtime::{
    clock,
    net::{ClientOptions, HttpsClient},
    tls::{Authority, Expect, client_config},
};

use crate::{
    client::internal,
    failure::{EXIT_UNHEALTHY, Failure},
};

const LOOK_EVERY: Duration = Duration::from_millis(200);
const PAGE_BYTES: usize = 1 << 20;

/// Waits until every role is well, each told with the port of its page.
pub(super) async fn connected(
    roles: &[(&'static str, u16)],
    deadline: Instant,
    mut done: impl FnMut(&str),
) -> Result<(), Failure> {
    let http = near()?;
    for (role, port) in roles.iter().copied() {
        loop {
            let missing = match page(&http, port).await {
                Ok((true, _)) => break,
                Ok((false, page)) => reason(&page),
                Err(error) => error,
            };
            if Instant::now() >= deadline {
                return Err(Failure::new(
                    "CLI0038",
                    format!("the {role} of this host is not connected: {missing}"),
                    "see that this host reaches the directors' internal port and they its advertised address; `wharf install` again goes on from here",
                )
                .exit(EXIT_UNHEALTHY));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        done(&format!("{role} connected"));
    }
    Ok(())
}

fn reason(page: &Value) -> String {
    let error = &page["session_error"];
    match error.as_str() {
        Some(error) if !error.is_empty() => error.to_owned(),
        _ => page.to_string().chars().take(200).collect(),
    }
}

/// A client of the host's own loopback, which needs no TLS and trusts nobody.
fn near() -> Result<HttpsClient, Failure> {
    let nobody = Authority::create("none", clock::now_ms()).map_err(|e| internal(&e))?;
    let config = client_config(&nobody.certs(), Expect::Name, None).map_err(|e| internal(&e))?;
    let options = ClientOptions {
        timeout: Duration::from_secs(5),
        ..ClientOptions::default()
    };
    Ok(HttpsClient::new(config, options))
}

async fn page(http: &HttpsClient, port: u16) -> Result<(bool, Value), String> {
    let request = Request::get(format!("http://127.0.0.1:{port}/health"))
        .body(Full::new(Bytes::new()))
        .map_err(|error| error.to_string())?;
    let answer = http
        .fetch(request, PAGE_BYTES)
        .await
        .map_err(|error| error.to_string())?;
    let page = serde_json::from_slice(answer.body()).unwrap_or(Value::Null);
    Ok((answer.status().is_success(), page))
}
