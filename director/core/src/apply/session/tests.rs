//! Sessions of browsers: how each ends, and what holds whatever is done in whatever order.

use proptest::prelude::*;

use super::*;
use crate::{
    apply::apply,
    command::{Body, Command, CreateUser, DeleteUser, SetSetting, UpdateUser},
    fixture::World,
    state::{Role, USE_NOTED_MS},
};

const MINUTE_MS: u64 = 60_000;

fn id(number: u64) -> String {
    format!("{number:032x}")
}

fn user(name: &str) -> Body {
    Body::CreateUser(CreateUser {
        username: name.to_owned(),
        password_hash: "$argon2id$x".to_owned(),
        roles: [Role::PlatformViewer].into(),
    })
}

fn update(name: &str) -> UpdateUser {
    UpdateUser {
        username: name.to_owned(),
        password_hash: None,
        roles: None,
        disabled: None,
        expected_version: 0,
    }
}

fn begin(number: u64, name: &str, user_version: u64) -> Body {
    Body::BeginSession(BeginSession {
        id: id(number),
        username: name.to_owned(),
        user_version,
        hash: "a".repeat(64),
        via: "10.0.0.7".to_owned(),
    })
}

fn used(number: u64) -> Body {
    Body::NoteSessionUsed(NoteSessionUsed { id: id(number) })
}

fn end(number: u64, owner: Option<&str>) -> Body {
    Body::EndSession(EndSession {
        id: id(number),
        owner: owner.map(str::to_owned),
    })
}

/// A platform in which ada has logged in once.
fn logged_in() -> World {
    let mut world = World::with_host();
    for body in [user("ada"), user("bob"), begin(1, "ada", 1)] {
        world.apply(body).accepted().expect("the command is taken");
    }
    world
}

fn apply_at(world: &mut World, at_ms: u64, body: Body) -> Outcome {
    world.now_ms = at_ms;
    apply(&mut world.state, &Command::new(at_ms, "ada", None, body))
}

fn worth(world: &World, number: u64) -> bool {
    let state = &world.state;
    let session = state.sessions.get(&id(number));
    session.is_some_and(|session| {
        let user = &state.users[&session.username];
        let roles = session.roles_now(user, state.now_ms, idle_ms(state));
        !roles.is_empty()
    })
}

#[test]
fn a_session_that_lies_idle_ends_and_a_late_use_does_not_wake_it() {
    let mut world = logged_in();
    let idle_ms = idle_ms(&world.state);
    let begun_ms = world.now_ms;
    apply_at(&mut world, begun_ms + idle_ms - 1, used(1));
    assert!(worth(&world, 1), "it was used in time");
    let last_ms = world.now_ms;
    let outcome = apply_at(&mut world, last_ms + idle_ms, used(1));
    assert_eq!(outcome, Outcome::Unchanged, "it had ended before");
    assert!(!worth(&world, 1), "it lay idle for too long");
}

#[test]
fn a_session_ends_at_its_age_however_much_it_is_used() {
    let mut world = logged_in();
    let expires_ms = world.state.sessions[&id(1)].expires_ms;
    let step_ms = idle_ms(&world.state) / 2;
    while world.now_ms + step_ms < expires_ms {
        let at_ms = world.now_ms + step_ms;
        assert_eq!(apply_at(&mut world, at_ms, used(1)), Outcome::Done);
    }
    assert!(worth(&world, 1), "its age is not reached");
    apply_at(&mut world, expires_ms, used(1));
    assert!(!worth(&world, 1), "its age is reached");
}

#[test]
fn a_shorter_idle_time_ends_sessions_that_are_there() {
    let mut world = logged_in();
    let at_ms = world.now_ms + 20 * MINUTE_MS;
    let set = SetSetting {
        key: IDLE.to_owned(),
        value: Some("900".to_owned()),
        expected_version: 0,
    };
    apply_at(&mut world, at_ms, Body::SetSetting(set))
        .accepted()
        .expect("15 minutes are a value that it takes");
    assert!(!worth(&world, 1), "it lay idle for 20 minutes");
}

#[test]
fn another_password_a_disabled_and_a_deleted_user_end_the_sessions_of_that_user_alone() {
    let changes = [
        Body::UpdateUser(UpdateUser {
            password_hash: Some("$argon2id$y".to_owned()),
            ..update("ada")
        }),
        Body::UpdateUser(UpdateUser {
            disabled: Some(true),
            ..update("ada")
        }),
        Body::DeleteUser(DeleteUser {
            username: "ada".to_owned(),
            expected_version: 0,
        }),
    ];
    for change in changes {
        let mut world = logged_in();
        world
            .apply(begin(2, "bob", 1))
            .accepted()
            .expect("bob logs in");
        world.apply(change.clone()).accepted().expect("it is taken");
        assert!(!world.state.sessions.contains_key(&id(1)), "{change:?}");
        assert!(worth(&world, 2), "bob is not touched by {change:?}");
    }
}

#[test]
fn other_roles_keep_a_session_which_may_then_what_its_user_may() {
    let mut world = logged_in();
    let roles: std::collections::BTreeSet<Role> = [Role::DeploymentsViewer].into();
    let change = UpdateUser {
        roles: Some(roles.clone()),
        ..update("ada")
    };
    world
        .apply(Body::UpdateUser(change))
        .accepted()
        .expect("it is taken");
    let state = &world.state;
    let now = state.sessions[&id(1)].roles_now(&state.users["ada"], state.now_ms, idle_ms(state));
    assert_eq!(now, roles);
}

#[test]
fn a_log_in_is_refused_when_the_user_was_changed_since_the_password_was_checked() {
    let mut world = logged_in();
    let change = UpdateUser {
        password_hash: Some("$argon2id$y".to_owned()),
        ..update("ada")
    };
    world
        .apply(Body::UpdateUser(change))
        .accepted()
        .expect("it is taken");
    let refused = world.apply(begin(3, "ada", 1)).accepted().unwrap_err();
    assert_eq!(refused.code, codes::VERSION);
    let refused = world.apply(begin(3, "eve", 1)).accepted().unwrap_err();
    assert_eq!(refused.code, codes::NOT_FOUND);
    let refused = world.apply(begin(3, "bob", 1)).accepted();
    assert!(refused.is_ok(), "bob was not changed");
    let refused = world.apply(begin(3, "bob", 1)).accepted().unwrap_err();
    assert_eq!(refused.code, codes::SESSION_ID, "the id is taken");
}

#[test]
fn ones_own_session_is_ended_and_somebody_elses_only_without_an_owner() {
    let mut world = logged_in();
    let refused = world.apply(end(1, Some("bob"))).accepted().unwrap_err();
    assert_eq!(refused.code, codes::NOT_FOUND, "as if it were not there");
    assert!(worth(&world, 1));
    world
        .apply(end(1, Some("ada")))
        .accepted()
        .expect("her own");
    assert!(!world.state.sessions.contains_key(&id(1)));
    world.apply(begin(2, "ada", 1)).accepted().expect("again");
    world.apply(end(2, None)).accepted().expect("anybody's");
    assert_eq!(world.state.sessions.len(), 0);
}

#[test]
fn the_audit_log_tells_of_log_ins_and_not_of_uses() {
    let mut world = logged_in();
    let at_ms = world.now_ms + USE_NOTED_MS;
    apply_at(&mut world, at_ms, used(1));
    let last = world.state.audit.back().expect("a line");
    assert_eq!(
        (last.action.as_str(), last.subject.as_str()),
        ("log_in", format!("session/{}", id(1)).as_str())
    );
    assert_eq!(last.detail, "of ada, from 10.0.0.7");
}

#[derive(Debug, Clone)]
enum Act {
    Begin(u64, bool),
    Use(u64),
    End(u64),
    Password(bool),
    Wait(u64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0_u64..60, any::<bool>()).prop_map(|(number, ada)| Act::Begin(number, ada)),
        2 => (0_u64..60).prop_map(Act::Use),
        1 => (0_u64..60).prop_map(Act::End),
        1 => any::<bool>().prop_map(Act::Password),
        2 => (1_u64..600).prop_map(Act::Wait),
    ]
}

const fn name(ada: bool) -> &'static str {
    if ada { "ada" } else { "bob" }
}

proptest! {
    #[test]
    fn whatever_is_done_sessions_are_bounded_and_one_that_has_ended_stays_so(
        acts in proptest::collection::vec(act(), 1..120)
    ) {
        let mut world = logged_in();
        let mut ended: std::collections::BTreeSet<String> = Default::default();
        let mut hashes = 0_u64;
        for act in acts {
            let before: Vec<String> = world.state.sessions.keys().cloned().collect();
            match &act {
                Act::Begin(number, ada) => {
                    let number = number + 100;
                    // An id is used once: they are made of 16 random bytes.
                    if !ended.contains(&id(number)) {
                        let version = world.state.users[name(*ada)].version;
                        world.apply(begin(number, name(*ada), version));
                    }
                }
                Act::Use(number) => { world.apply(used(number + 100)); }
                Act::End(number) => { world.apply(end(number + 100, None)); }
                Act::Password(ada) => {
                    hashes += 1;
                    let change = UpdateUser {
                        password_hash: Some(format!("$argon2id$n{hashes}")),
                        ..update(name(*ada))
                    };
                    world.apply(Body::UpdateUser(change));
                    let left = world.state.sessions.values();
                    prop_assert_eq!(left.filter(|session| session.username == name(*ada)).count(), 0);
                }
                Act::Wait(minutes) => world.now_ms += minutes * MINUTE_MS,
            }
            let (state, now_ms) = (&world.state, world.now_ms);
            for id in before {
                let alive = state.sessions.get(&id)
                    .is_some_and(|session| now_ms < session.ends_ms(idle_ms(state)));
                if !alive {
                    ended.insert(id);
                }
            }
            for session in state.sessions.values() {
                let alive = now_ms < session.ends_ms(idle_ms(state));
                prop_assert!(!alive || !ended.contains(&session.id), "{act:?} woke {}", session.id);
                prop_assert!(session.used_ms <= state.now_ms && session.created_ms <= session.used_ms);
            }
            for name in ["ada", "bob"] {
                let own = state.sessions.values().filter(|session| session.username == name);
                prop_assert!(own.count() <= SESSIONS_OF_USER);
            }
            let read = State::decode(&state.encode()).ok();
            prop_assert_eq!(read.as_ref(), Some(state));
        }
    }
}
