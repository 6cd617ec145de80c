//! A monitoring node as a team's browser meets it: the admin UI's files with their policy, a log-in with the
//! deployment's credentials, calls by the cookie that it gives, and all that such a cookie does not let in.
//! What pages show is for `admin-ui/e2e`.

// A test fails by panicking and tells what it saw.
#![allow(clippy::panic, clippy::print_stderr, clippy::unwrap_used)]

// Receivers, crashes and histories are for `monitor.rs`.
#[allow(dead_code)]
#[path = "monitor/bench.rs"]
mod bench;

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use bench::{Bench, PASSWORD, wait_for};
use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::Full;
use serde_json::json;
use tonic::Code;
use wharf_proto::coded;
use wharf_runtime::clock::now_ms;
use wharf_runtime::net::{ClientOptions, HttpsClient};
use wharf_runtime::tls::{
    CertSlot, Expect, Identity, LeafSpec, ROLE_ALLOCATOR, ROLE_PROXY, client_config,
};

const LOG_IN: &str = "Sessions/LogIn";
const STREAMS: &str = "Search/ListDataStreams";
/// Wrong passwords before waiting begins, and one more.
const TOO_MANY: usize = 6;

/// What a browser makes of an answer of gRPC-web.
#[derive(Debug)]
struct Answer {
    code: Code,
    /// `MON0005`, empty when all is well.
    wharf_code: String,
    /// The `set-cookie`, empty without one.
    cookie: String,
    text: String,
}

impl Answer {
    fn refused(&self) -> (Code, &str) {
        (self.code, self.wharf_code.as_str())
    }
}

type Headers<'a> = &'a [(&'static str, &'a str)];

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// A header, or a trailer in the last frame of the body.
fn found(headers: &HeaderMap, text: &str, name: &str) -> Option<String> {
    let header = headers.get(name).and_then(|value| value.to_str().ok());
    let trailer = || {
        let at = text.find(&format!("{name}:"))?;
        text[at + name.len() + 1..].lines().next()
    };
    header.or_else(trailer).map(|text| text.trim().to_owned())
}

fn origin(bench: &Bench) -> String {
    format!("https://localhost:{}", bench.monitor_port.port())
}

/// A call with an empty message, as a page makes it.
async fn call_over(
    client: &HttpsClient,
    bench: &Bench,
    method: &str,
    headers: Headers<'_>,
) -> Answer {
    let uri = format!("{}/wharf.monitor.v1.{method}", origin(bench));
    let mut request = Request::post(uri).header("content-type", "application/grpc-web+proto");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request
        .body(Full::new(Bytes::from_static(&[0; 5])))
        .unwrap();
    let answer = client.fetch(request, 1 << 20).await.unwrap();
    let text = String::from_utf8_lossy(answer.body()).into_owned();
    let of = |name: &str| found(answer.headers(), &text, name);
    let code = of("grpc-status").unwrap_or_else(|| panic!("{method}: {answer:?}"));
    let details = of("grpc-status-details-bin").unwrap_or_default();
    let details = STANDARD_NO_PAD
        .decode(details.trim_end_matches('='))
        .unwrap();
    let cookie = answer.headers().get("set-cookie");
    Answer {
        code: Code::from(code.parse::<i32>().unwrap()),
        wharf_code: coded::decode(&details).map_or_else(String::new, |info| info.code),
        cookie: cookie.map_or_else(String::new, |value| value.to_str().unwrap().to_owned()),
        text,
    }
}

async fn call(bench: &Bench, method: &str, headers: Headers<'_>) -> Answer {
    call_over(&bench.client, bench, method, headers).await
}

async fn try_log_in(bench: &Bench, user: &str, password: &str) -> Answer {
    let headers = [
        ("authorization", basic(user, password)),
        ("origin", origin(bench)),
        ("x-wharf-session", "1".to_owned()),
    ];
    let headers = headers
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    call(bench, LOG_IN, &headers).await
}

/// The cookie of a log-in, as the browser sends it.
async fn log_in(bench: &Bench, user: &str, password: &str) -> String {
    let answer = try_log_in(bench, user, password).await;
    assert_eq!(answer.code, Code::Ok, "{answer:?}");
    answer.cookie.split(';').next().unwrap().to_owned()
}

/// A call of the page of a browser that is logged in.
async fn by_cookie(bench: &Bench, method: &str, cookie: &str) -> Answer {
    let origin = origin(bench);
    let headers = [
        ("cookie", cookie),
        ("x-wharf-session", "1"),
        ("origin", origin.as_str()),
    ];
    call(bench, method, &headers).await
}

async fn get(bench: &Bench, path: &str) -> (u16, HeaderMap, String) {
    let request = Request::get(format!("{}{path}", origin(bench)));
    let request = request.body(Full::new(Bytes::new())).unwrap();
    let answer = bench.client.fetch(request, 8 << 20).await.unwrap();
    let (head, body) = answer.into_parts();
    let text = String::from_utf8_lossy(&body).into_owned();
    (head.status.as_u16(), head.headers, text)
}

/// Whoever shows a certificate of that role.
fn client_of(bench: &Bench, role: &str) -> HttpsClient {
    let identity = Identity::new("platform", role, "one").unwrap();
    let leaf = bench
        .authority
        .issue(&LeafSpec::for_identity(identity), now_ms());
    let own = CertSlot::new(&leaf.unwrap());
    let tls = client_config(&bench.authority.certs(), Expect::Name, Some(own)).unwrap();
    HttpsClient::new(tls, ClientOptions::default())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_come_with_their_policy_and_nothing_of_the_platform_is_there() {
    let bench = Bench::start().await;
    let dist = concat!(env!("CARGO_MANIFEST_DIR"), "/../admin-ui/dist/index.html");
    for path in ["/", "/discover", "/dashboards/containers"] {
        let (status, headers, page) = get(&bench, path).await;
        if page.contains("no admin UI") {
            assert!(!fs::exists(dist).unwrap(), "it was built: {page}");
            assert_eq!(status, 404, "{page}");
            continue;
        }
        assert_eq!(
            (status, headers["cache-control"].as_bytes()),
            (200, &b"no-store"[..])
        );
        let shown = "content=\"logs of team &lt;a&gt;\"";
        assert!(
            page.contains(shown),
            "the page says whose data it shows: {page}"
        );
        let policy = headers["content-security-policy"].to_str().unwrap();
        let nonce = policy.split("'nonce-").nth(1).expect("a nonce");
        let nonce = nonce.split('\'').next().expect("its end");
        assert!(page.contains(&format!("nonce=\"{nonce}\"")), "{page}");
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        let named = page.split('"').filter(|text| text.starts_with("/assets/"));
        for file in named {
            let (status, headers, _) = get(&bench, file).await;
            assert_eq!(status, 200, "{file}");
            assert_eq!(headers["x-content-type-options"], "nosniff", "{file}");
        }
    }
    for path in [
        "/_wharf/nothing",
        "/api/ca",
        "/assets/nothing.js",
        "/wharf.v1.Users/WhoAmI",
    ] {
        let (status, _, text) = get(&bench, path).await;
        assert_eq!(status, 404, "{path}: {text}");
    }
    let (status, _, text) = get(&bench, "/metrics").await;
    assert_eq!(status, 401, "for the deployment's credentials: {text}");
    let platform = Request::post(format!("{}/wharf.v1.Platform/GetStatus", origin(&bench)))
        .header("content-type", "application/grpc-web+proto")
        .header("authorization", basic("elastic", PASSWORD))
        .body(Full::new(Bytes::from_static(&[0; 5])))
        .unwrap();
    let answer = bench.client.fetch(platform, 1 << 20).await.unwrap();
    let text = String::from_utf8_lossy(answer.body()).into_owned();
    let status = found(answer.headers(), &text, "grpc-status");
    assert_eq!(
        status.as_deref(),
        Some("12"),
        "there is no such method: {text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_in_gives_a_cookie_that_the_ui_alone_reads_the_data_with() {
    let mut bench = Bench::start().await;
    let wrong = try_log_in(&bench, "elastic", "wrong").await;
    assert_eq!(
        wrong.refused(),
        (Code::Unauthenticated, "MON0005"),
        "{wrong:?}"
    );
    assert_eq!(wrong.cookie, "");
    let right = try_log_in(&bench, "elastic", PASSWORD).await;
    for part in [
        "__Host-wharf-",
        "; Path=/",
        "; Secure",
        "; HttpOnly",
        "; SameSite=Strict",
    ] {
        assert!(right.cookie.contains(part), "the cookie lacks `{part}`");
    }
    let secret = right.cookie.split(['=', ';']).nth(1).unwrap();
    assert!(
        secret.len() >= 40 && !right.text.contains(secret),
        "in the cookie alone"
    );

    let cookie = log_in(&bench, "elastic", PASSWORD).await;
    let session = by_cookie(&bench, "Sessions/GetSession", &cookie).await;
    assert_eq!(session.code, Code::Ok, "{session:?}");
    for word in ["elastic", "logs of team <a>"] {
        assert!(session.text.contains(word), "{session:?} lacks {word}");
    }
    for method in [STREAMS, "Watches/ListWatches", "Dashboards/ListDashboards"] {
        let read = by_cookie(&bench, method, &cookie).await;
        assert_eq!(read.code, Code::Ok, "{method}: {read:?}");
    }

    let own = origin(&bench);
    let (session, credentials) = (("x-wharf-session", "1"), basic("elastic", PASSWORD));
    let another = "https://other.localhost";
    let shown = ("cookie", cookie.as_str());
    for (headers, why) in [
        (vec![shown], "a cookie alone"),
        (vec![shown, ("origin", own.as_str())], "without the header"),
        (
            vec![shown, session, ("origin", another)],
            "another site's page",
        ),
        (
            vec![shown, session, ("origin", "null")],
            "a page of nowhere",
        ),
        (
            vec![("authorization", credentials.as_str()), ("origin", another)],
            "another site's page that knows the password",
        ),
    ] {
        let refused = call(&bench, STREAMS, &headers).await;
        assert_eq!(
            refused.refused(),
            (Code::PermissionDenied, "MON0015"),
            "{why}"
        );
    }
    let mut forged = cookie.clone();
    let last = if forged.pop() == Some('A') { 'B' } else { 'A' };
    forged.push(last);
    for cookie in [forged.as_str(), "__Host-wharf-=", "a=b"] {
        let refused = by_cookie(&bench, STREAMS, cookie).await;
        assert_eq!(
            refused.refused(),
            (Code::Unauthenticated, "MON0005"),
            "{cookie}"
        );
    }
    let again = by_cookie(&bench, LOG_IN, &cookie).await;
    assert_eq!(
        again.code,
        Code::FailedPrecondition,
        "no session out of a session"
    );
    let none = call(
        &bench,
        "Sessions/GetSession",
        &[("authorization", &credentials)],
    )
    .await;
    assert_eq!(
        none.code,
        Code::FailedPrecondition,
        "user and password are no session"
    );

    let other = log_in(&bench, "elastic", PASSWORD).await;
    let out = by_cookie(&bench, "Sessions/LogOut", &cookie).await;
    assert!(
        out.code == Code::Ok && out.cookie.contains("Max-Age=0"),
        "{out:?}"
    );
    let ended = by_cookie(&bench, STREAMS, &cookie).await;
    assert_eq!(
        ended.refused(),
        (Code::Unauthenticated, "MON0005"),
        "it was logged out"
    );
    let lives = by_cookie(&bench, STREAMS, &other).await;
    assert_eq!(lives.code, Code::Ok, "another browser's goes on: {lives:?}");

    bench.kill_monitor();
    bench.start_monitor();
    bench.wait_loaded().await;
    let ended = by_cookie(&bench, STREAMS, &other).await;
    assert_eq!(
        ended.code,
        Code::Unauthenticated,
        "sessions are in memory alone"
    );
    let log = bench.log("monitor");
    let others = other.split('=').nth(1).unwrap();
    for secret in [secret, others, PASSWORD, &credentials] {
        assert!(!log.contains(secret), "the log has a secret: {log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_guesses_has_to_wait_at_the_address_that_a_proxy_tells_and_nowhere_else() {
    let bench = Bench::start().await;
    let [right, wrong] = [PASSWORD, "wrong"].map(|password| basic("elastic", password));
    let proxy = client_of(&bench, ROLE_PROXY);
    let from = async |client: &HttpsClient, method: &str, who: &str, address: &str| {
        let headers = [("authorization", who), ("x-forwarded-for", address)];
        call_over(client, &bench, method, &headers).await
    };
    // The first wait is short, and a busy machine may sleep over it.
    let waits =
        async |clients: &[&HttpsClient], method: &str, address: &dyn Fn(usize) -> String| {
            wait_for("who guesses has to wait", async || {
                for at in 0..TOO_MANY {
                    from(clients[at % clients.len()], method, &wrong, &address(at)).await;
                }
                let answer = from(clients[0], method, &right, &address(TOO_MANY)).await;
                match answer.refused() {
                    (Code::ResourceExhausted, "MON0016") => Ok(()),
                    _ => Err(format!("{method}: {answer:?}")),
                }
            })
            .await;
        };
    for method in [LOG_IN, STREAMS] {
        waits(&[&proxy], method, &|_| "10.0.0.9".to_owned()).await;
        let other = from(&proxy, method, &right, "10.0.0.8").await;
        assert_eq!(other.code, Code::Ok, "another address: {other:?}");
    }
    // Whoever is no proxy cannot say that it is somewhere else.
    let allocator = client_of(&bench, ROLE_ALLOCATOR);
    let inside = [&bench.client, &allocator];
    waits(&inside, LOG_IN, &|at| format!("10.0.1.{at}")).await;
    // The director's calls come past proxies, and are not to suffer from guesses of others.
    let passed_on = from(&bench.client, STREAMS, &right, "10.0.1.99").await;
    assert_eq!(passed_on.code, Code::Ok, "{passed_on:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_password_ends_the_sessions_behind_the_old_one() {
    let bench = Bench::start().await;
    let users = |password: &str, more: &[(&str, &str)]| {
        let all = [&[("elastic", password)], more].concat();
        let all = all
            .iter()
            .map(|(name, password)| json!({"username": name, "password": password}));
        json!({"users": all.collect::<Vec<_>>()})
    };
    let set_users = async |file: &serde_json::Value, user: &str, password: &str| {
        bench.write("store/secrets/users.json", file);
        wait_for("the storage knows the users", async || {
            let headers = [("authorization", basic(user, password))];
            let headers = headers
                .each_ref()
                .map(|(name, value)| (*name, value.as_str()));
            // No data is read: the node's own credentials may be outdated meanwhile.
            let answer = call(&bench, "Sessions/GetSession", &headers).await;
            match answer.code {
                Code::FailedPrecondition => Ok(()),
                _ => Err(format!("{answer:?}")),
            }
        })
        .await;
    };
    set_users(&users(PASSWORD, &[("bob", "bob's")]), "bob", "bob's").await;
    let elastic = log_in(&bench, "elastic", PASSWORD).await;
    let bob = log_in(&bench, "bob", "bob's").await;
    for cookie in [&elastic, &bob] {
        let lives = by_cookie(&bench, STREAMS, cookie).await;
        assert_eq!(lives.code, Code::Ok, "{lives:?}");
    }

    const NEW: &str = "another horse";
    set_users(&users(NEW, &[]), "elastic", NEW).await;
    let new = log_in(&bench, "elastic", NEW).await;
    let access = json!({
        "url": bench.storage_url(), "alias": "web", "server_name": "localhost",
        "username": "elastic", "password": NEW, "version": 2,
    });
    bench.write("monitor/secrets/storage.json", &access);
    for cookie in [&elastic, &bob] {
        wait_for("the session ends", async || {
            let answer = by_cookie(&bench, STREAMS, cookie).await;
            match answer.refused() {
                (Code::Unauthenticated, "MON0005") => Ok(()),
                _ => Err(format!("{answer:?}")),
            }
        })
        .await;
    }
    let lives = by_cookie(&bench, STREAMS, &new).await;
    assert_eq!(lives.code, Code::Ok, "of the new password: {lives:?}");
    let old = try_log_in(&bench, "elastic", PASSWORD).await;
    assert_eq!(old.code, Code::Unauthenticated, "{old:?}");
}
