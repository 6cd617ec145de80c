//! People in browsers: a log-in gives a cookie that lets the admin UI's calls in and nobody else's, until
//! it ends by time, by request or with its user; on every director, over the loss of the leader.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

#[path = "group/lab.rs"]
mod lab;
mod platform;

use lab::{Lab, code_of};
use platform::{Files, PASSWORD, Process, call, call_as, eventually, mutation};
use tonic::{Code, Status, metadata::MetadataMap, transport::Channel};
use wharf_director_core::{
    command::{Body, Command, NoteAudit},
    settings,
};
use wharf_proto::v1;
use wharf_services::v1::{
    deployments_client::DeploymentsClient, sessions_client::SessionsClient,
    settings_client::SettingsClient, streams_client::StreamsClient, tokens_client::TokensClient,
    users_client::UsersClient,
};

/// The authority of our clients' calls.
const OWN_ORIGIN: &str = "https://wharf.internal";

/// What a browser keeps of a log-in.
#[derive(Clone)]
struct Browser {
    cookie: String,
    session: v1::Session,
}

fn with<T>(message: T, headers: &[(&'static str, &str)]) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    for (name, value) in headers {
        request.metadata_mut().insert(*name, value.parse().unwrap());
    }
    request
}

impl Browser {
    /// A call as the admin UI makes it.
    fn call<T>(&self, message: T) -> tonic::Request<T> {
        let headers = [
            ("cookie", self.cookie.as_str()),
            ("x-wharf-session", "1"),
            ("origin", OWN_ORIGIN),
        ];
        with(message, &headers)
    }

    async fn session(&self, channel: &Channel) -> Result<v1::Session, Status> {
        let request = self.call(v1::GetSessionRequest {});
        let mut sessions = SessionsClient::new(channel.clone());
        let answer = sessions.get_session(request).await?;
        Ok(answer.into_inner())
    }

    async fn listed(&self, channel: &Channel) -> Vec<v1::Session> {
        let request = self.call(v1::ListSessionsRequest::default());
        let mut sessions = SessionsClient::new(channel.clone());
        let answer = sessions.list_sessions(request).await;
        answer.unwrap().into_inner().sessions
    }

    async fn is_refused(&self, channel: &Channel, why: &str) {
        let refused = self.session(channel).await.expect_err(why);
        assert_eq!(
            (refused.code(), code_of(&refused).as_str()),
            (Code::Unauthenticated, "DIR0050"),
            "{why}: {refused:?}"
        );
    }
}

fn of(username: &str, password: &str) -> v1::LogInRequest {
    v1::LogInRequest {
        mutation: None,
        username: username.to_owned(),
        password: password.to_owned(),
    }
}

fn set_cookie(metadata: &MetadataMap) -> String {
    let given = metadata.get("set-cookie").expect("a cookie is set");
    given.to_str().unwrap().to_owned()
}

async fn try_log_in(channel: &Channel, request: v1::LogInRequest) -> Result<Browser, Status> {
    let request = with(request, &[("origin", OWN_ORIGIN)]);
    let answer = SessionsClient::new(channel.clone()).log_in(request).await?;
    let given = set_cookie(answer.metadata());
    for part in [
        "__Host-wharf-",
        "Secure",
        "HttpOnly",
        "SameSite=Strict",
        "Path=/",
    ] {
        assert!(given.contains(part), "the cookie lacks {part}");
    }
    Ok(Browser {
        cookie: given.split(';').next().unwrap().to_owned(),
        session: answer.into_inner().session.expect("a session"),
    })
}

async fn log_in(channel: &Channel, username: &str, password: &str) -> Browser {
    try_log_in(channel, of(username, password)).await.unwrap()
}

fn password_of(name: &str) -> String {
    format!("password of {name}")
}

fn new_user(name: &str, role: &str) -> v1::CreateUserRequest {
    v1::CreateUserRequest {
        mutation: mutation(),
        username: name.into(),
        password: password_of(name),
        roles: vec![role.into()],
    }
}

async fn create(channel: &Channel, name: &str, role: &str) {
    let mut users = UsersClient::new(channel.clone());
    users.create_user(call(new_user(name, role))).await.unwrap();
}

/// The platform's time goes on at once, as if nobody had done anything for so long.
async fn let_pass(process: &Process, ms: u64) {
    let director = &process.running().director;
    let body = Body::NoteAudit(NoteAudit {
        action: "wait".into(),
        subject: "time".into(),
        detail: String::new(),
        place: None,
    });
    let command = Command::new(director.now_ms() + ms, "test", None, body);
    director
        .raft
        .propose(command.encode().unwrap())
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_in_lets_the_uis_calls_in_with_the_users_roles_until_it_is_logged_out() {
    let files = Files::new();
    let process = Process::start(&files).await;
    let channel = files.channel(process.admin, None);
    create(&channel, "vera", "platform_viewer").await;
    let vera = log_in(&channel, "vera", &password_of("vera")).await;
    let mine = vera.session(&channel).await.unwrap();
    assert!(mine.current, "{mine:?}");
    assert_eq!(mine, vera.session);
    assert_eq!(
        (
            mine.username.as_str(),
            mine.roles.as_slice(),
            mine.platform.as_str()
        ),
        ("vera", ["platform_viewer".to_owned()].as_slice(), "lab")
    );
    assert!(mine.via.starts_with("127.0.0.1"), "{}", mine.via);

    let list = vera.call(v1::ListDeploymentsRequest::default());
    let seen = DeploymentsClient::new(channel.clone())
        .list_deployments(list)
        .await;
    assert_eq!(
        seen.unwrap().into_inner().deployments.len(),
        1,
        "`system` is seen"
    );
    let request = vera.call(new_user("eve", "platform_admin"));
    let mut users = UsersClient::new(channel.clone());
    let refused = users.create_user(request).await.unwrap_err();
    assert_eq!(
        (refused.code(), code_of(&refused).as_str()),
        (Code::PermissionDenied, "DIR0051"),
        "a viewer changes nothing"
    );
    let request = vera.call(v1::SetSettingRequest {
        mutation: mutation(),
        key: "streams.per_user".into(),
        value: "3".into(),
    });
    let mut settings = SettingsClient::new(channel.clone());
    let refused = settings.set_setting(request).await.unwrap_err();
    assert_eq!(code_of(&refused), "DIR0051", "a viewer sets nothing");

    // No secret is in what the members keep, nor in what is shown.
    let kept = String::from_utf8(process.running().director.published.state().encode()).unwrap();
    let secret = vera.cookie.rsplit('_').next().unwrap();
    assert!(
        kept.contains(&mine.id) && !kept.contains(secret),
        "the secret is in the state"
    );
    assert!(!format!("{:?}", vera.listed(&channel).await).contains(secret));

    let mut sessions = SessionsClient::new(channel.clone());
    let out = sessions
        .log_out(vera.call(v1::LogOutRequest {}))
        .await
        .unwrap();
    let taken = set_cookie(out.metadata());
    assert!(
        taken.contains("Max-Age=0") && !taken.contains(secret),
        "{taken}"
    );
    vera.is_refused(&channel, "she has logged out").await;
    let no_session = call(v1::GetSessionRequest {});
    let refused = sessions.get_session(no_session).await.unwrap_err();
    assert_eq!(
        refused.code(),
        Code::FailedPrecondition,
        "a password is no session"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_another_sites_page_makes_is_refused_though_the_browser_sends_the_cookie() {
    let files = Files::new();
    let process = Process::start(&files).await;
    let channel = files.channel(process.admin, None);
    let admin = log_in(&channel, "admin", PASSWORD).await;
    let cookie = ("cookie", admin.cookie.as_str());
    let from_ui = ("x-wharf-session", "1");
    let calls: [(&[(&'static str, &str)], bool); 7] = [
        (&[cookie, from_ui], true),
        (&[cookie, from_ui, ("origin", OWN_ORIGIN)], true),
        (&[cookie], false),
        (&[cookie, ("x-wharf-session", "0")], false),
        (&[cookie, ("origin", OWN_ORIGIN)], false),
        (
            &[cookie, from_ui, ("origin", "https://evil.example")],
            false,
        ),
        (&[cookie, from_ui, ("origin", "null")], false),
    ];
    let mut users = UsersClient::new(channel.clone());
    for (headers, taken) in calls {
        let answer = users
            .list_users(with(v1::ListUsersRequest::default(), headers))
            .await;
        match answer {
            Ok(_) => assert!(taken, "{headers:?} was let in"),
            Err(status) => {
                assert!(!taken, "{headers:?}: {status:?}");
                let said = (status.code(), code_of(&status));
                assert_eq!(
                    said,
                    (Code::PermissionDenied, "DIR0085".into()),
                    "{headers:?}"
                );
            }
        }
    }
    // Nobody is logged in, and nothing is guessed, by another site's page.
    let foreign = with(of("admin", PASSWORD), &[("origin", "https://evil.example")]);
    let refused = SessionsClient::new(channel.clone())
        .log_in(foreign)
        .await
        .unwrap_err();
    assert_eq!(code_of(&refused), "DIR0085");
    assert_eq!(admin.listed(&channel).await.len(), 1);
    // A cookie of another platform, or one that is none, is nobody.
    for cookie in ["__Host-wharf-x=y", &admin.cookie.replace('_', "-"), "a=b"] {
        let request = with(
            v1::ListUsersRequest::default(),
            &[("cookie", cookie), from_ui],
        );
        let refused = users.list_users(request).await.unwrap_err();
        assert_eq!(code_of(&refused), "DIR0050", "{cookie}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_is_slowed_down_by_the_counter_that_other_log_ins_have() {
    let files = Files::new();
    let process = Process::start(&files).await;
    let channel = files.channel(process.admin, None);
    let mut codes = Vec::new();
    for round in 0..6 {
        let refused = if round % 2 == 0 {
            try_log_in(&channel, of("admin", "wrong"))
                .await
                .err()
                .unwrap()
        } else {
            let request = call_as("admin", "wrong", v1::ListUsersRequest::default());
            UsersClient::new(channel.clone())
                .list_users(request)
                .await
                .unwrap_err()
        };
        codes.push(code_of(&refused));
    }
    assert_eq!(codes[..5], vec!["DIR0050"; 5], "five guesses are free");
    assert_eq!(codes[5], "DIR0052", "the sixth has to wait");
    let right = try_log_in(&channel, of("admin", PASSWORD))
        .await
        .err()
        .unwrap();
    assert_eq!(
        code_of(&right),
        "DIR0052",
        "the right password has to wait, too"
    );
    let nobody = try_log_in(&channel, of("nobody", PASSWORD))
        .await
        .err()
        .unwrap();
    assert_eq!(code_of(&nobody), "DIR0050", "as if there were such a user");
    assert_eq!(
        process.running().director.published.state().sessions.len(),
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_when_it_lies_idle_and_at_its_age_and_a_use_keeps_it() {
    let files = Files::new();
    let process = Process::start(&files).await;
    let channel = files.channel(process.admin, None);
    let state = process.running().director.published.state();
    let idle_ms = settings::duration_ms(&state, "sessions.idle_seconds");
    let lifetime_ms = settings::duration_ms(&state, "sessions.lifetime_seconds");
    let idle = log_in(&channel, "admin", PASSWORD).await;
    let used = log_in(&channel, "admin", PASSWORD).await;
    let mut passed_ms = 0;
    while passed_ms + idle_ms / 2 < lifetime_ms {
        let_pass(&process, idle_ms / 2).await;
        passed_ms += idle_ms / 2;
        let session = used.session(&channel).await.expect("it was used in time");
        let at = session.used_at.unwrap().seconds;
        assert!(
            at > used.session.used_at.unwrap().seconds,
            "the use was not written down"
        );
        if passed_ms >= idle_ms {
            idle.is_refused(&channel, "nobody used it").await;
            assert_eq!(
                used.listed(&channel).await.len(),
                1,
                "one that has ended is not listed"
            );
        }
    }
    let_pass(&process, lifetime_ms - passed_ms).await;
    used.is_refused(&channel, "its age is reached").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_by_request_and_with_its_user_and_its_streams_end_with_it() {
    let files = Files::new();
    let process = Process::start(&files).await;
    let channel = files.channel(process.admin, None);
    let mut sessions = SessionsClient::new(channel.clone());
    let mut users = UsersClient::new(channel.clone());
    for name in ["ada", "bob"] {
        create(&channel, name, "platform_viewer").await;
    }
    let ada = log_in(&channel, "ada", &password_of("ada")).await;
    let phone = log_in(&channel, "ada", &password_of("ada")).await;
    let bob = log_in(&channel, "bob", &password_of("bob")).await;
    assert_eq!(ada.listed(&channel).await.len(), 2, "her own two");
    let everybodys = call(v1::ListSessionsRequest {
        options: Some(v1::ListOptions {
            filter: "username=bob".into(),
            ..Default::default()
        }),
    });
    let found = sessions
        .list_sessions(everybodys)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(found.info.unwrap().total, 1, "an admin sees everybody's");

    let end = |id: &str| v1::EndSessionRequest {
        mutation: mutation(),
        id: id.to_owned(),
    };
    let request = ada.call(end(&bob.session.id));
    let refused = sessions.end_session(request).await.unwrap_err();
    assert_eq!(code_of(&refused), "DIR0008", "as if there were none");
    let watch = phone.call(v1::WatchRequest {
        stream_id: wharf_runtime::random::new_id(),
        ..Default::default()
    });
    let mut stream = StreamsClient::new(channel.clone())
        .watch(watch)
        .await
        .unwrap()
        .into_inner();
    sessions
        .end_session(ada.call(end(&phone.session.id)))
        .await
        .unwrap();
    phone.is_refused(&channel, "it was ended elsewhere").await;
    let ended = loop {
        match stream.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the stream ended without saying why"),
            Err(status) => break status,
        }
    };
    assert_eq!(code_of(&ended), "DIR0050", "{ended:?}");
    sessions
        .end_session(call(end(&bob.session.id)))
        .await
        .unwrap();
    bob.is_refused(&channel, "an admin ended it").await;

    // What she may changes at once; a token is not touched by what follows.
    let request = v1::SetRolesRequest {
        mutation: mutation(),
        username: "ada".into(),
        roles: vec!["deployments_viewer".into()],
    };
    users.set_roles(call(request)).await.unwrap();
    let refused = users
        .list_users(ada.call(v1::ListUsersRequest::default()))
        .await;
    assert_eq!(code_of(&refused.unwrap_err()), "DIR0051");
    let request = ada.call(v1::CreateTokenRequest {
        mutation: mutation(),
        name: "ci".into(),
        ..Default::default()
    });
    TokensClient::new(channel.clone())
        .create_token(request)
        .await
        .unwrap();
    let request = v1::SetPasswordRequest {
        mutation: mutation(),
        username: "ada".into(),
        password: "another password".into(),
    };
    users.set_password(call(request)).await.unwrap();
    ada.is_refused(&channel, "her password is another").await;
    let ada = log_in(&channel, "ada", "another password").await;
    let request = v1::DeleteUserRequest {
        mutation: mutation(),
        username: "ada".into(),
    };
    users.delete_user(call(request)).await.unwrap();
    ada.is_refused(&channel, "there is no such user").await;
    assert_eq!(
        process.running().director.published.state().sessions.len(),
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_any_director_is_known_to_all_and_outlives_its_leader() {
    let mut lab = Lab::of_three().await;
    let leader = lab.leader().await;
    let (first, second) = ((leader + 1) % 3, (leader + 2) % 3);
    let mut request = of("admin", PASSWORD);
    request.mutation = mutation();
    let admin = try_log_in(&lab.channel(first), request.clone())
        .await
        .unwrap();
    let again = try_log_in(&lab.channel(second), request).await.unwrap();
    assert_eq!(
        again.cookie, admin.cookie,
        "the same request, the same session"
    );
    let other = log_in(&lab.channel(second), "admin", PASSWORD).await;
    for seat in 0..3 {
        let session = admin.session(&lab.channel(seat)).await;
        assert_eq!(session.unwrap().id, admin.session.id, "seat {seat}");
        // What a follower answers itself is guarded as at the leader.
        let bare = with(
            v1::ListUsersRequest::default(),
            &[("cookie", &admin.cookie)],
        );
        let refused = UsersClient::new(lab.channel(seat))
            .list_users(bare)
            .await
            .unwrap_err();
        assert_eq!(code_of(&refused), "DIR0085", "seat {seat}");
        let foreign = admin.call(v1::ListUsersRequest::default());
        let (mut metadata, extensions, message) = foreign.into_parts();
        metadata.insert("origin", "https://evil.example".parse().unwrap());
        let foreign = tonic::Request::from_parts(metadata, extensions, message);
        let refused = UsersClient::new(lab.channel(seat))
            .list_users(foreign)
            .await
            .unwrap_err();
        assert_eq!(code_of(&refused), "DIR0085", "seat {seat}");
    }
    lab.take(leader).kill().await;
    for seat in [first, second] {
        let channel = lab.channel(seat);
        let session = eventually("the session is known to the next leader", || async {
            admin.session(&channel).await.ok()
        })
        .await;
        assert_eq!(session, admin.session, "seat {seat}");
    }
    let mut sessions = SessionsClient::new(lab.channel(first));
    sessions
        .log_out(admin.call(v1::LogOutRequest {}))
        .await
        .unwrap();
    admin
        .is_refused(
            &lab.channel(second),
            "it was logged out at another director",
        )
        .await;
    assert!(
        other.session(&lab.channel(second)).await.is_ok(),
        "that one was not"
    );
}
