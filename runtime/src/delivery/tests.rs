//! Deliveries to real receivers on loopback: an HTTP server that refuses first, a mail server that
//! speaks SMTP over TLS.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use wharf_test_ports::TestPort;

use super::*;
use crate::net::{Limits, PeerInfo, bind, serve_plain};
use crate::task::{Shutdown, Tasks, spawn};
use crate::tls::{Authority, CertSlot, LeafSpec, server_config};

fn message(key: &str) -> Message {
    Message {
        key: key.to_owned(),
        subject: "CRITICAL: memory web<1>".to_owned(),
        body: "web<1>: 0.95 is over 0.9\n.\nthe end".to_owned(),
        slack_subject: "CRITICAL: memory web&lt;1&gt;".to_owned(),
        slack_body: "web&lt;1&gt;: 0.95".to_owned(),
        fields: json!({"watch": "memory", "key": "not this one"}),
    }
}

fn channel(json: Value) -> Channel {
    Channel::from_json(&json).expect("a channel")
}

const FAST: Policy = Policy {
    min_wait: Duration::from_millis(1),
    max_wait: Duration::from_millis(5),
    attempts: 5,
    queue: 2,
};

struct Seen {
    key: String,
    token: String,
    body: Value,
    at: Instant,
}

/// Answers with each status in turn, then 200; keeps what it got.
struct Receiver {
    url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    stop: Shutdown,
}

async fn receiver(answers: Vec<(u16, Option<&'static str>, &'static str)>) -> Receiver {
    let listener = bind((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
    let url = format!(
        "http://{}/services/T0KEN/s3cret",
        listener.local_addr().unwrap()
    );
    let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
    let stop = Shutdown::new();
    let answers = Arc::new(answers);
    let kept = Arc::clone(&seen);
    let factory = move |_: &PeerInfo| {
        let (kept, answers) = (Arc::clone(&kept), Arc::clone(&answers));
        service_fn(move |request: Request<Incoming>| {
            let (kept, answers) = (Arc::clone(&kept), Arc::clone(&answers));
            async move {
                let header = |name: &str| {
                    let value = request.headers().get(name);
                    value.map_or(String::new(), |v| v.to_str().unwrap().to_owned())
                };
                let (key, token) = (header("idempotency-key"), header("authorization"));
                let body = request.into_body().collect().await.unwrap().to_bytes();
                let mut kept = kept.lock().unwrap();
                let answer = answers.get(kept.len()).copied();
                kept.push(Seen {
                    key,
                    token,
                    body: serde_json::from_slice(&body).unwrap(),
                    at: Instant::now(),
                });
                let (status, after, text) = answer.unwrap_or((200, None, "ok"));
                let mut response = Response::builder().status(status);
                if let Some(after) = after {
                    response = response.header("retry-after", after);
                }
                let body = Full::new(Bytes::from(text));
                Ok::<_, Infallible>(response.body(body).unwrap())
            }
        })
    };
    let serving = serve_plain(listener, factory, stop.clone(), Limits::default());
    drop(spawn("receiver", serving));
    Receiver { url, seen, stop }
}

fn webhook(url: &str, format: &str) -> Channel {
    channel(json!({"name": "ops", "webhook": {
        "url": url, "format": format, "headers": {"authorization": "Bearer hunter22"},
    }}))
}

fn post(channels: Vec<Channel>) -> (Post, Tasks) {
    let tasks = Tasks::new();
    let post = Post::new(tasks.clone(), FAST, || 7);
    let broken = post.set_channels(channels);
    assert!(broken.is_empty(), "{broken:?}");
    (post, tasks)
}

#[tokio::test]
async fn a_receiver_that_fails_first_gets_the_same_message_again_until_it_takes_it() {
    let receiver = receiver(vec![
        (500, None, "broken"),
        (503, None, ""),
        (429, None, ""),
    ])
    .await;
    let (post, tasks) = post(vec![webhook(&receiver.url, "WEBHOOK_FORMAT_JSON")]);
    let sent = post.enqueue("ops", message("a:1:1")).unwrap();
    let outcome = sent.outcome().await.expect("an outcome");
    assert!(outcome.is_sent, "{outcome:?}");
    assert_eq!(outcome.attempts, 4);
    {
        let seen = receiver.seen.lock().unwrap();
        assert_eq!(seen.len(), 4);
        assert!(seen.iter().all(|seen| seen.key == "a:1:1"), "one key");
        assert_eq!(seen[3].token, "Bearer hunter22");
        assert_eq!(
            seen[3].body,
            json!({"key": "a:1:1", "subject": message("").subject,
                   "body": message("").body, "watch": "memory"})
        );
    }
    receiver.stop.trigger();
    tasks.shutdown().await;
}

#[tokio::test]
async fn slack_gets_its_text() {
    let receiver = receiver(Vec::new()).await;
    let (post, tasks) = post(vec![webhook(&receiver.url, "WEBHOOK_FORMAT_SLACK")]);
    let sent = post.enqueue("ops", message("k")).unwrap();
    assert!(sent.outcome().await.expect("an outcome").is_sent);
    let text = json!({"text": "*CRITICAL: memory web&lt;1&gt;*\nweb&lt;1&gt;: 0.95"});
    assert_eq!(receiver.seen.lock().unwrap()[0].body, text);
    tasks.shutdown().await;
}

#[tokio::test]
async fn a_receiver_that_asks_for_time_gets_it() {
    let receiver = receiver(vec![(429, Some("1"), "slow down")]).await;
    let (post, tasks) = post(vec![webhook(&receiver.url, "json")]);
    let sent = post.enqueue("ops", message("k")).unwrap();
    let outcome = sent.outcome().await.expect("an outcome");
    assert_eq!((outcome.is_sent, outcome.attempts), (true, 2));
    tasks.shutdown().await;
    let seen = receiver.seen.lock().unwrap();
    let waited = seen[1].at - seen[0].at;
    assert!(
        waited >= Duration::from_secs(1),
        "asked for 1 s: {waited:?}"
    );
}

#[tokio::test]
async fn a_refusal_is_final_and_its_reason_holds_no_secret() {
    let answer = "no such hook /services/T0KEN/s3cret for Bearer hunter22";
    let receiver = receiver(vec![(404, None, answer)]).await;
    let (post, tasks) = post(vec![webhook(&receiver.url, "json")]);
    let sent = post.enqueue("ops", message("k")).unwrap();
    let outcome = sent.outcome().await.expect("an outcome");
    assert_eq!((outcome.is_sent, outcome.attempts), (false, 1));
    assert!(
        outcome.reason.starts_with("HTTP 404: no such hook"),
        "{outcome:?}"
    );
    for secret in ["T0KEN", "s3cret", "hunter22"] {
        assert!(!outcome.reason.contains(secret), "{outcome:?}");
    }
    let shown = format!("{:?}", webhook(&receiver.url, "json"));
    assert!(
        !shown.contains("s3cret") && !shown.contains("hunter22"),
        "{shown}"
    );
    tasks.shutdown().await;
}

#[tokio::test]
async fn nobody_there_is_given_up_and_a_full_queue_says_so() {
    let nobody = TestPort::reserve();
    let url = format!("http://{}/hook", nobody.addr());
    let (post, tasks) = post(vec![webhook(&url, "json")]);
    let sent = post.enqueue("ops", message("k")).unwrap();
    let outcome = sent.outcome().await.expect("an outcome");
    assert_eq!((outcome.is_sent, outcome.attempts), (false, FAST.attempts));
    assert!(outcome.reason.contains("refused"), "{outcome:?}");
    assert_eq!(
        post.enqueue("other", message("k")).unwrap_err(),
        PostError::NoChannel
    );
    // A receiver that takes connections and never answers.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}/hook", silent.local_addr().unwrap());
    post.set_channels(vec![webhook(&url, "json")]);
    let mut waiting = vec![post.enqueue("ops", message("1")).unwrap()];
    let connection = silent.accept().await.unwrap();
    for key in ["2", "3"] {
        waiting.push(post.enqueue("ops", message(key)).unwrap());
    }
    assert_eq!(
        post.enqueue("ops", message("4")).unwrap_err(),
        PostError::Full
    );
    post.set_channels(Vec::new());
    for one in waiting {
        assert_eq!(one.outcome().await, None, "handed back unsettled");
    }
    drop(connection);
    tasks.shutdown().await;
}

/// What a mail server got.
#[derive(Debug, Default, Clone)]
struct Mail {
    commands: Vec<String>,
    data: String,
    began_plain: bool,
}

/// Speaks SMTP (RFC 5321) on one connection until it is ended; `refuse` is said to the first `DATA`.
async fn smtp<S>(
    stream: S,
    starttls: bool,
    refuse: Option<&'static str>,
    mail: &mut Mail,
) -> Option<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut stream = BufReader::new(stream);
    if !mail.commands.iter().any(|command| command == "STARTTLS") {
        stream
            .write_all(b"220 mail.localhost ESMTP\r\n")
            .await
            .ok()?;
    }
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_owned();
        mail.commands.push(line.clone());
        let answer = match line.split(' ').next().unwrap_or("") {
            "EHLO" if starttls => "250-mail.localhost\r\n250 STARTTLS\r\n",
            "EHLO" => "250-mail.localhost\r\n250-AUTH PLAIN\r\n250 8BITMIME\r\n",
            "STARTTLS" if starttls => {
                stream.write_all(b"220 go ahead\r\n").await.ok()?;
                return Some(stream.into_inner());
            }
            // "\0ann\0hunter22"
            "AUTH" if line == "AUTH PLAIN AGFubgBodW50ZXIyMg==" => "235 welcome\r\n",
            "AUTH" => "535 wrong\r\n",
            "MAIL" | "RCPT" | "RSET" | "NOOP" => "250 ok\r\n",
            "QUIT" => "221 bye\r\n",
            "DATA" => {
                if let Some(refusal) = refuse {
                    stream.write_all(refusal.as_bytes()).await.ok()?;
                    continue;
                }
                stream.write_all(b"354 go on\r\n").await.ok()?;
                while !mail.data.ends_with("\r\n.\r\n") {
                    if stream.read_line(&mut mail.data).await.ok()? == 0 {
                        return None;
                    }
                }
                "250 taken\r\n"
            }
            _ => "502 what?\r\n",
        };
        stream.write_all(answer.as_bytes()).await.ok()?;
    }
}

struct MailServer {
    ca_pem: String,
    port: u16,
    mails: Arc<Mutex<Vec<Mail>>>,
}

async fn mail_server(starttls: bool, refusals: Vec<&'static str>) -> MailServer {
    let ca = Authority::create("mail", crate::clock::now_ms()).unwrap();
    let leaf = LeafSpec::for_host("localhost");
    let leaf = ca.issue(&leaf, crate::clock::now_ms()).unwrap();
    let acceptor = TlsAcceptor::from(server_config(CertSlot::new(&leaf)).unwrap());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mails: Arc<Mutex<Vec<Mail>>> = Arc::default();
    let kept = Arc::clone(&mails);
    drop(spawn("mail server", async move {
        let mut refusals = refusals.into_iter();
        while let Ok((tcp, _)) = listener.accept().await {
            let mut mail = Mail::default();
            let tcp = if starttls {
                mail.began_plain = true;
                match smtp(tcp, true, None, &mut mail).await {
                    Some(tcp) => tcp,
                    None => continue,
                }
            } else {
                tcp
            };
            if let Ok(tls) = acceptor.accept(tcp).await {
                smtp(tls, false, refusals.next(), &mut mail).await;
            }
            kept.lock().unwrap().push(mail);
        }
    }));
    MailServer {
        ca_pem: ca.certificate_pem().to_owned(),
        port,
        mails,
    }
}

impl MailServer {
    fn channel(&self, tls: &str, password: &str) -> Channel {
        channel(json!({"name": "mail", "email": {
            "host": "localhost", "port": self.port, "tls": tls, "ca_pem": self.ca_pem,
            "username": "ann", "password": password,
            "from": "Wharf <wharf@localhost.localdomain>", "to": ["ops@localhost.localdomain"],
        }}))
    }
}

#[tokio::test]
async fn a_mail_arrives_over_tls_after_the_server_was_busy() {
    for (tls, starttls) in [("implicit", false), ("EMAIL_TLS_STARTTLS", true)] {
        let server = mail_server(starttls, vec!["451 busy\r\n"]).await;
        let (post, tasks) = post(vec![server.channel(tls, "hunter22")]);
        let sent = post.enqueue("mail", message("memory:1:2")).unwrap();
        let outcome = sent.outcome().await.expect("an outcome");
        assert_eq!(
            (outcome.is_sent, outcome.attempts),
            (true, 2),
            "{outcome:?}"
        );
        tasks.shutdown().await;
        let mails = server.mails.lock().unwrap();
        let mail = mails.iter().find(|mail| !mail.data.is_empty());
        let mail = mail.expect("a mail").clone();
        assert_eq!(mail.began_plain, starttls);
        if starttls {
            let at = |word: &str| mail.commands.iter().position(|line| line.starts_with(word));
            assert!(at("STARTTLS") < at("AUTH"), "{:?}", mail.commands);
        }
        assert!(
            mail.data.contains("Subject: CRITICAL: memory web<1>\r\n"),
            "{}",
            mail.data
        );
        assert!(
            mail.data.contains("To: ops@localhost.localdomain\r\n"),
            "{}",
            mail.data
        );
        assert!(
            mail.data.contains("\r\n..\r\nthe end"),
            "a lone dot is kept: {}",
            mail.data
        );
        let id = mail
            .data
            .lines()
            .find(|line| line.starts_with("Message-ID: <"));
        assert!(
            id.is_some_and(|id| id.ends_with("@localhost.localdomain>")),
            "{}",
            mail.data
        );
    }
}

#[tokio::test]
async fn a_server_without_starttls_or_of_an_unknown_authority_gets_nothing() {
    let server = mail_server(false, Vec::new()).await;
    let other = Authority::create("other", crate::clock::now_ms()).unwrap();
    let mut stranger = server.channel("implicit", "hunter22");
    if let Kind::Email(email) = &mut stranger.kind {
        email.ca_pem = other.certificate_pem().to_owned();
    }
    let sender = Sender::new(&stranger).unwrap();
    let attempt = sender.attempt(&message("k")).await;
    assert!(matches!(&attempt, Attempt::Again { .. }), "{attempt:?}");
    assert!(
        server
            .mails
            .lock()
            .unwrap()
            .iter()
            .all(|mail| mail.commands.is_empty())
    );

    let plain = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = plain.local_addr().unwrap().port();
    let serving = spawn("plain mail server", async move {
        let mut mail = Mail::default();
        let (tcp, _) = plain.accept().await.unwrap();
        smtp(tcp, false, None, &mut mail).await;
        mail
    });
    let mut channel = server.channel("starttls", "hunter22");
    if let Kind::Email(email) = &mut channel.kind {
        email.port = port;
    }
    let sender = Sender::new(&channel).unwrap();
    let attempt = sender.attempt(&message("k")).await;
    assert!(!matches!(attempt, Attempt::Sent), "{attempt:?}");
    let mail = serving.await.unwrap();
    assert!(
        !mail.commands.iter().any(|line| line.starts_with("AUTH")),
        "{mail:?}"
    );
}

#[tokio::test]
async fn a_refused_mail_and_a_wrong_password_are_told_without_the_password() {
    let server = mail_server(false, vec!["554 no hunter22 here\r\n"]).await;
    let sender = Sender::new(&server.channel("implicit", "hunter22")).unwrap();
    match sender.attempt(&message("k")).await {
        Attempt::Refused { reason } => {
            assert!(
                reason.contains("554") && !reason.contains("hunter22"),
                "{reason}"
            );
        }
        other => panic!("a lasting refusal: {other:?}"),
    }
    let sender = Sender::new(&server.channel("implicit", "wrong-one")).unwrap();
    match sender.attempt(&message("k")).await {
        Attempt::Again { reason, .. } => assert!(!reason.contains("wrong-one"), "{reason}"),
        other => panic!("a login can be mended: {other:?}"),
    }
}

#[test]
fn the_time_that_a_receiver_asks_for_is_read_in_both_forms() {
    let now = 1_445_412_480_000;
    let read = |text| webhook::retry_after(text, now).map(|wait| wait.as_secs());
    assert_eq!(read("120"), Some(120));
    assert_eq!(read("Wed, 21 Oct 2015 07:29:00 GMT"), Some(60));
    assert_eq!(read("Wed, 21 Oct 2015 07:27:00 GMT"), Some(0), "it is past");
    assert_eq!(read("soon"), None);
}

#[test]
fn what_is_wrong_with_a_channel_is_named_and_never_shown() {
    let url = "https://hooks.example.com/s3cret";
    let mail = |field: &str, value: Value| {
        let mut email =
            json!({"host": "mail.example.com", "from": "a@b.example", "to": ["c@d.example"]});
        email[field] = value;
        json!({"name": "x", "email": email})
    };
    for (json, field) in [
        (json!({"webhook": {"url": url}}), "name"),
        (json!({"name": "x"}), "channel"),
        (
            json!({"name": "x", "webhook": {"url": "ftp://s3cret"}}),
            "webhook.url",
        ),
        (
            json!({"name": "x", "webhook": {"url": "https://a:s3cret@b/"}}),
            "webhook.url",
        ),
        (
            json!({"name": "x", "webhook": {"url": url, "format": "xml"}}),
            "webhook.format",
        ),
        (
            json!({"name": "x", "webhook": {"url": url, "headers": {"host": "s3cret"}}}),
            "webhook.headers",
        ),
        (
            json!({"name": "x", "webhook": {"url": url, "headers": {"a": "s3cret\n"}}}),
            "webhook.headers",
        ),
        (
            json!({"name": "x", "webhook": {"url": url, "ca_pem": "s3cret"}}),
            "webhook.ca_pem",
        ),
        (mail("to", json!([])), "email.to"),
        (mail("port", json!(70_000)), "email.port"),
        (mail("tls", json!("none")), "email.tls"),
        (mail("password", json!("s3cret")), "email.username"),
        (
            json!({"name": "x", "webhook": {"url": url, "headers": "s3cret"}}),
            "channel",
        ),
        (
            json!({"name": "x", "webhook": {"url": url, "urll": 1}}),
            "channel",
        ),
    ] {
        let error = Channel::from_json(&json).expect_err(field);
        assert_eq!(error.field, field, "{error}");
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
    let error = Sender::new(&channel(mail("from", json!("nobody")))).unwrap_err();
    assert_eq!(error.field, "email.from");
    let good = channel(mail("port", json!(0)));
    assert_eq!(good.host(), "mail.example.com");
}

proptest! {
    #[test]
    fn any_json_is_a_channel_or_a_refusal(
        url in "(https?://)?[a-z.:@/ ]{0,20}", name in ".{0,3}", format in ".{0,8}", port in any::<u32>(),
    ) {
        for json in [
            json!({"name": name, "webhook": {"url": url, "format": format}}),
            json!({"name": name, "email": {"host": url, "port": port, "tls": format, "from": url, "to": [url]}}),
        ] {
            if let Ok(channel) = Channel::from_json(&json) {
                let _ = (Sender::new(&channel), channel.host());
            }
        }
    }

    #[test]
    fn any_header_is_a_time_or_none(text in ".{0,40}", now in any::<i64>()) {
        let _ = webhook::retry_after(&text, now);
    }
}
