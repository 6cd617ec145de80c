//! People of a platform: users with roles, tokens, streams that end with their login, settings,
//! refused logins among the events.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod platform;

use platform::{Files, PASSWORD, Process, call, call_as, eventually, mutation};
use tonic::{
    Code, Status,
    metadata::{Ascii, MetadataValue},
    transport::Channel,
};
use wharf_proto::{coded, v1};
use wharf_services::v1::{
    deployments_client::DeploymentsClient, events_client::EventsClient,
    platform_client::PlatformClient, settings_client::SettingsClient,
    streams_client::StreamsClient, tokens_client::TokensClient, users_client::UsersClient,
};

fn code_of(status: &Status) -> String {
    coded::decode(status.details())
        .map(|info| info.code)
        .unwrap_or_default()
}

fn bearer<T>(secret: &str, message: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    let value: MetadataValue<Ascii> = format!("Bearer {secret}").parse().unwrap();
    request.metadata_mut().insert("authorization", value);
    request
}

fn new_user(name: &str, roles: &[&str]) -> v1::CreateUserRequest {
    v1::CreateUserRequest {
        mutation: mutation(),
        username: name.into(),
        password: format!("password of {name}"),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
    }
}

async fn create(channel: &Channel, name: &str, roles: &[&str]) -> v1::User {
    UsersClient::new(channel.clone())
        .create_user(call(new_user(name, roles)))
        .await
        .unwrap()
        .into_inner()
}

fn listed() -> v1::ListDeploymentsRequest {
    v1::ListDeploymentsRequest::default()
}

#[tokio::test(flavor = "multi_thread")]
async fn users_have_roles_passwords_that_change_and_an_admin_always_remains() {
    let files = Files::new();
    let process = Process::start(&files).await;
    let channel = files.channel(process.admin, None);
    let mut users = UsersClient::new(channel.clone());

    let wrong = [
        (new_user("a b", &["platform_admin"]), "username"),
        (new_user("system", &["platform_admin"]), "username"),
        (new_user("ada", &["god"]), "roles"),
        (new_user("ada", &[]), "roles"),
        (
            v1::CreateUserRequest {
                password: "short".into(),
                ..new_user("ada", &["platform_admin"])
            },
            "password",
        ),
    ];
    for (request, field) in wrong {
        let refused = users.create_user(call(request)).await.unwrap_err();
        let info = coded::decode(refused.details()).unwrap();
        assert_eq!(
            (info.code.as_str(), info.field.as_str()),
            ("DIR0028", field)
        );
    }

    let request = new_user("ada", &["deployments_manager", "platform_viewer"]);
    let ada = users
        .create_user(call(request.clone()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(ada.roles, ["deployments_manager", "platform_viewer"]);
    // The same request again gets the same answer; with another password it is another request.
    let again = users
        .create_user(call(request.clone()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(again, ada);
    let other = v1::CreateUserRequest {
        password: "another password".into(),
        ..request
    };
    let reused = users.create_user(call(other)).await.unwrap_err();
    assert_eq!(code_of(&reused), "DIR0006");

    let mut deployments = DeploymentsClient::new(channel.clone());
    let as_ada = |message| call_as("ada", "password of ada", message);
    assert!(deployments.list_deployments(as_ada(listed())).await.is_ok());
    let mine = call_as("ada", "password of ada", v1::WhoAmIRequest {});
    let me = users.who_am_i(mine).await.unwrap().into_inner();
    assert_eq!((me.username.as_str(), me.roles.len()), ("ada", 2));
    let forbidden = call_as(
        "ada",
        "password of ada",
        new_user("eve", &["platform_admin"]),
    );
    let forbidden = users.create_user(forbidden).await.unwrap_err();
    assert_eq!(code_of(&forbidden), "DIR0051");

    // Her own password: the old one is asked for, and no longer works then.
    let change = |current: &str| v1::ChangeOwnPasswordRequest {
        mutation: mutation(),
        current_password: current.into(),
        password: "a new password".into(),
    };
    let request = call_as("ada", "password of ada", change("not it"));
    let refused = users.change_own_password(request).await.unwrap_err();
    assert_eq!(code_of(&refused), "DIR0050");
    let request = call_as("ada", "password of ada", change("password of ada"));
    assert_eq!(
        users
            .change_own_password(request)
            .await
            .unwrap()
            .into_inner()
            .version,
        2
    );
    let old = deployments
        .list_deployments(as_ada(listed()))
        .await
        .unwrap_err();
    assert_eq!(code_of(&old), "DIR0050");
    let request = call_as("ada", "a new password", listed());
    assert!(deployments.list_deployments(request).await.is_ok());

    // The last admin who can log in stays.
    let remove = |name: &str| v1::DeleteUserRequest {
        mutation: mutation(),
        username: name.into(),
    };
    let disable = |name: &str, disabled| v1::SetDisabledRequest {
        mutation: mutation(),
        username: name.into(),
        disabled,
    };
    let refused = users.delete_user(call(remove("admin"))).await.unwrap_err();
    assert_eq!(code_of(&refused), "DIR0033");
    create(&channel, "root", &["platform_admin"]).await;
    users
        .set_disabled(call(disable("root", true)))
        .await
        .unwrap();
    let refused = users
        .set_disabled(call(disable("admin", true)))
        .await
        .unwrap_err();
    assert_eq!(code_of(&refused), "DIR0033", "the other one is disabled");
    let demote = v1::SetRolesRequest {
        mutation: mutation(),
        username: "admin".into(),
        roles: vec!["platform_viewer".into()],
    };
    let refused = users.set_roles(call(demote)).await.unwrap_err();
    assert_eq!(code_of(&refused), "DIR0033");
    let disabled = call_as("root", "password of root", listed());
    let refused = deployments.list_deployments(disabled).await.unwrap_err();
    assert_eq!(code_of(&refused), "DIR0050");
    users
        .set_disabled(call(disable("root", false)))
        .await
        .unwrap();
    users.delete_user(call(remove("admin"))).await.unwrap();
    let list = v1::ListUsersRequest {
        options: Some(v1::ListOptions {
            order_by: "username desc".into(),
            ..Default::default()
        }),
    };
    let list = users
        .list_users(call_as("root", "password of root", list))
        .await
        .unwrap();
    let names: Vec<_> = list
        .into_inner()
        .users
        .into_iter()
        .map(|user| user.username)
        .collect();
    assert_eq!(names, ["root", "ada"]);

    // No password, old or new, is in what the members keep.
    let kept = String::from_utf8(process.running().director.published.state().encode()).unwrap();
    for secret in ["password of", "a new password", "another password"] {
        assert!(!kept.contains(secret), "`{secret}` is in the state");
    }
    let audited = ["create_user", "update_user", "delete_user"];
    assert!(audited.iter().all(|action| kept.contains(action)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_does_what_its_roles_admit_until_it_is_taken_back() {
    let files = Files::new();
    let process = Process::start(&files).await;
    let channel = files.channel(process.admin, None);
    create(&channel, "ada", &["platform_viewer"]).await;
    let mut tokens = TokensClient::new(channel.clone());
    let mut deployments = DeploymentsClient::new(channel.clone());
    let wanted = |roles: &[&str]| v1::CreateTokenRequest {
        mutation: mutation(),
        name: "ci".into(),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        lifetime_seconds: 3_600,
    };
    let as_ada = |message| call_as("ada", "password of ada", message);

    let refused = tokens
        .create_token(as_ada(wanted(&["platform_admin"])))
        .await
        .unwrap_err();
    assert_eq!(code_of(&refused), "DIR0036", "more than she has");
    let long = v1::CreateTokenRequest {
        lifetime_seconds: u64::MAX,
        ..wanted(&[])
    };
    let refused = tokens.create_token(as_ada(long)).await.unwrap_err();
    assert_eq!(code_of(&refused), "DIR0036", "for too long");

    let request = wanted(&["deployments_viewer"]);
    let made = tokens
        .create_token(as_ada(request.clone()))
        .await
        .unwrap()
        .into_inner();
    let again = tokens
        .create_token(as_ada(request))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        again.secret, made.secret,
        "the same request, the same token"
    );
    let token = made.token.unwrap();
    assert!(
        deployments
            .list_deployments(bearer(&made.secret, listed()))
            .await
            .is_ok()
    );
    let settings = SettingsClient::new(channel.clone())
        .list_settings(bearer(&made.secret, v1::ListSettingsRequest::default()))
        .await
        .unwrap_err();
    assert_eq!(
        code_of(&settings),
        "DIR0051",
        "the token has fewer roles than its user"
    );
    let refused = tokens
        .create_token(bearer(&made.secret, wanted(&[])))
        .await
        .unwrap_err();
    assert_eq!(code_of(&refused), "DIR0051", "a token makes no tokens");

    let list = tokens
        .list_tokens(call(v1::ListTokensRequest::default()))
        .await
        .unwrap();
    let list = list.into_inner().tokens;
    assert_eq!((list.len(), &list[0]), (1, &token));
    let kept = String::from_utf8(process.running().director.published.state().encode()).unwrap();
    assert!(
        !kept.contains(&made.secret[36..]),
        "the secret is in the state"
    );

    // Somebody else's token is not seen, nor taken back, by those who do not see the platform.
    create(&channel, "bob", &["deployments_manager"]).await;
    let as_bob = |message| call_as("bob", "password of bob", message);
    let request = call_as("bob", "password of bob", v1::ListTokensRequest::default());
    assert!(
        tokens
            .list_tokens(request)
            .await
            .unwrap()
            .into_inner()
            .tokens
            .is_empty()
    );
    let revoke = || v1::RevokeTokenRequest {
        mutation: mutation(),
        id: token.id.clone(),
    };
    let refused = tokens.revoke_token(as_bob(revoke())).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);

    // A stream that was opened with a token ends with it.
    let watch = v1::WatchRequest {
        stream_id: "a".repeat(32),
        topics: vec![v1::Topic::Deployments as i32],
        resume_version: 0,
        only_topics: false,
    };
    let mut stream = StreamsClient::new(channel.clone())
        .watch(bearer(&made.secret, watch))
        .await
        .unwrap()
        .into_inner();
    assert!(stream.message().await.unwrap().is_some());
    tokens.revoke_token(as_ada_revoke(&token.id)).await.unwrap();
    let ended = loop {
        match stream.message().await {
            Ok(Some(_)) => {}
            ended => break ended,
        }
    };
    assert_eq!(code_of(&ended.unwrap_err()), "DIR0050");
    let refused = deployments
        .list_deployments(bearer(&made.secret, listed()))
        .await;
    assert_eq!(code_of(&refused.unwrap_err()), "DIR0050");
}

fn as_ada_revoke(id: &str) -> tonic::Request<v1::RevokeTokenRequest> {
    let revoke = v1::RevokeTokenRequest {
        mutation: mutation(),
        id: id.to_owned(),
    };
    call_as("ada", "password of ada", revoke)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_stream_ends_when_its_user_is_changed_disabled_or_deleted() {
    let files = Files::new();
    let process = Process::start(&files).await;
    let channel = files.channel(process.admin, None);
    let mut users = UsersClient::new(channel.clone());
    for (number, how) in ["password", "roles", "disabled", "deleted"]
        .into_iter()
        .enumerate()
    {
        let name = format!("user-{how}");
        create(&channel, &name, &["platform_viewer"]).await;
        let watch = v1::WatchRequest {
            stream_id: format!("{number:032x}"),
            topics: vec![v1::Topic::Status as i32],
            resume_version: 0,
            only_topics: false,
        };
        let mut stream = StreamsClient::new(channel.clone())
            .watch(call_as(&name, &format!("password of {name}"), watch))
            .await
            .unwrap()
            .into_inner();
        assert!(stream.message().await.unwrap().is_some());
        let (mutation, username) = (mutation(), name.clone());
        match how {
            "password" => {
                let password = "another password".to_owned();
                let request = v1::SetPasswordRequest {
                    mutation,
                    username,
                    password,
                };
                users.set_password(call(request)).await.unwrap();
            }
            "roles" => {
                let roles = vec!["deployments_viewer".to_owned()];
                let request = v1::SetRolesRequest {
                    mutation,
                    username,
                    roles,
                };
                users.set_roles(call(request)).await.unwrap();
            }
            "disabled" => {
                let request = v1::SetDisabledRequest {
                    mutation,
                    username,
                    disabled: true,
                };
                users.set_disabled(call(request)).await.unwrap();
            }
            _ => {
                let request = v1::DeleteUserRequest { mutation, username };
                users.delete_user(call(request)).await.unwrap();
            }
        }
        let ended = loop {
            match stream.message().await {
                Ok(Some(_)) => {}
                ended => break ended,
            }
        };
        assert_eq!(code_of(&ended.unwrap_err()), "DIR0050", "{how}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_no_log_takes_is_refused_by_name_and_kept_nowhere() {
    let files = Files::new();
    let process = Process::start(&files).await;
    let channel = files.channel(process.admin, None);
    let mut platform = PlatformClient::new(channel.clone());
    let mut settings = SettingsClient::new(channel);
    let set = |value: &str| v1::SetSettingRequest {
        mutation: mutation(),
        key: "log.proxy".into(),
        value: value.into(),
    };
    for wrong in ["nonsense", "info,loud", "wharf_proxy=loud", "a=b=c", ""] {
        let request = v1::SetLogLevelRequest {
            mutation: mutation(),
            role: "proxy".into(),
            filter: wrong.into(),
        };
        let by_level = platform.set_log_level(call(request)).await.unwrap_err();
        let by_setting = settings.set_setting(call(set(wrong))).await.unwrap_err();
        for (status, field) in [(by_level, "filter"), (by_setting, "value")] {
            let info = coded::decode(status.details()).unwrap();
            assert_eq!(status.code(), Code::InvalidArgument, "`{wrong}`");
            assert_eq!(
                (info.code.as_str(), info.field.as_str()),
                ("DIR0030", field)
            );
        }
    }
    let request = v1::GetSettingRequest {
        key: "log.proxy".into(),
    };
    let kept = settings.get_setting(call(request)).await.unwrap();
    assert!(!kept.into_inner().set, "a refused filter was kept");
    let right = settings
        .set_setting(call(set("info,wharf_proxy=debug")))
        .await;
    assert_eq!(right.unwrap().into_inner().value, "info,wharf_proxy=debug");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_checked_shown_and_act_and_refused_logins_are_events() {
    let files = Files::new();
    let process = Process::start(&files).await;
    let channel = files.channel(process.admin, None);
    let mut settings = SettingsClient::new(channel.clone());
    let set = |key: &str, value: &str| v1::SetSettingRequest {
        mutation: mutation(),
        key: key.into(),
        value: value.into(),
    };
    let all = settings
        .list_settings(call(v1::ListSettingsRequest::default()))
        .await
        .unwrap();
    let all = all.into_inner().settings;
    assert!(
        all.iter()
            .all(|one| !one.set && one.value == one.default_value && !one.takes.is_empty())
    );
    let unknown = settings
        .set_setting(call(set("nope", "1")))
        .await
        .unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    let wrong = settings
        .set_setting(call(set("streams.per_user", "0")))
        .await
        .unwrap_err();
    assert_eq!(code_of(&wrong), "DIR0030");
    let nobody = settings
        .set_setting(call(set("notifications.channels", "ops")))
        .await
        .unwrap_err();
    assert_eq!(code_of(&nobody), "DIR0030", "there is no such channel");

    let one = settings
        .set_setting(call(set("streams.per_user", "1")))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((one.value.as_str(), one.set, one.version), ("1", true, 1));
    let stale = v1::SetSettingRequest {
        mutation: mutation().map(|mutation| v1::Mutation {
            expected_version: 7,
            ..mutation
        }),
        ..set("streams.per_user", "2")
    };
    assert_eq!(
        settings.set_setting(call(stale)).await.unwrap_err().code(),
        Code::Aborted
    );
    let mut streams = StreamsClient::new(channel.clone());
    let watch = |number: u32| v1::WatchRequest {
        stream_id: format!("{number:032x}"),
        topics: vec![v1::Topic::Status as i32],
        resume_version: 0,
        only_topics: false,
    };
    let first = streams.watch(call(watch(1))).await.unwrap();
    let second = streams.watch(call(watch(2))).await.unwrap_err();
    assert_eq!(second.code(), Code::ResourceExhausted);
    let clear = v1::ClearSettingRequest {
        mutation: mutation(),
        key: "streams.per_user".into(),
    };
    let cleared = settings
        .clear_setting(call(clear))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((cleared.value.as_str(), cleared.set), ("64", false));
    assert!(streams.watch(call(watch(2))).await.is_ok());
    drop(first);

    // A wrong password of a user, and a name that is no user's: the second is not shown.
    let mut platform = PlatformClient::new(channel.clone());
    for (name, password) in [("admin", "guess"), ("my-mistyped-password", PASSWORD)] {
        let request = call_as(name, password, v1::GetStatusRequest {});
        assert!(platform.get_status(request).await.is_err());
    }
    let mut events = EventsClient::new(channel.clone());
    let refused = eventually("refused logins are events", || {
        let mut events = EventsClient::new(channel.clone());
        async move {
            let filter = "kind=login_refused".to_owned();
            let options = Some(v1::ListOptions {
                filter,
                ..Default::default()
            });
            let request = v1::ListEventsRequest {
                options,
                ..Default::default()
            };
            let found = events
                .list_events(call(request))
                .await
                .unwrap()
                .into_inner()
                .events;
            (found.len() == 2).then_some(found)
        }
    })
    .await;
    assert!(refused.iter().any(|event| event.subject == "user/admin"));
    let text = format!("{refused:?}");
    assert!(
        !text.contains("mistyped") && text.contains("127.0.0.1"),
        "{text}"
    );

    // A stream that is resumed has what came after, changes that were asked for among it.
    let after_number = refused.iter().map(|event| event.number).max().unwrap();
    settings
        .set_setting(call(set("log.proxy", "debug")))
        .await
        .unwrap();
    let follow = v1::FollowEventsRequest {
        after_number,
        filter: "subject=setting/log.proxy".into(),
    };
    let mut stream = events
        .follow_events(call(follow))
        .await
        .unwrap()
        .into_inner();
    let event = stream.message().await.unwrap().unwrap();
    assert_eq!(
        (event.kind.as_str(), event.actor.as_str()),
        ("set_setting", "admin")
    );
    assert!(event.detail.contains("debug"), "{}", event.detail);
}
