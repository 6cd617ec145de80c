//! Hosts without an engine, by commands alone.

use super::*;
use crate::{
    apply::apply,
    command::{
        Body, Command, CreateEnrollmentToken, DescribeDirector, EnrollHost, ForgetHost,
        RegisterProxy, RemoveDirector,
    },
    outcome::Outcome,
    state::{DirectorFacts, FEATURE_LEVEL, WITHOUT_ENGINE_LEVEL},
};

const BOTH: [HostRole; 2] = [HostRole::Director, HostRole::Proxy];

fn id(number: u8) -> String {
    format!("{number:032x}")
}

fn director(number: u8) -> DirectorId {
    DirectorId::from_bytes([number; 16])
}

fn proxy(number: u8) -> ProxyId {
    ProxyId::from_bytes([number; 16])
}

fn run(state: &mut State, at_ms: u64, body: Body) -> Outcome {
    apply(state, &Command::new(at_ms, "test", None, body))
}

fn refusal(outcome: Outcome) -> Refusal {
    match outcome {
        Outcome::Refused(refusal) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

/// A platform with a token that carries every role.
fn fresh() -> State {
    let mut state = State {
        feature_level: FEATURE_LEVEL,
        ..State::default()
    };
    let token = CreateEnrollmentToken {
        id: id(0xaa),
        hash: "0".repeat(64),
        roles: HostRole::ALL.into(),
        zone: "z".into(),
        lifetime_ms: 3_600_000,
        uses: 9,
        created_by: "admin".into(),
    };
    assert!(!matches!(
        run(&mut state, 1, Body::CreateEnrollmentToken(token)),
        Outcome::Refused(_)
    ));
    state
}

fn host(number: u8, roles: &[HostRole]) -> EnrollHost {
    let has = |role| roles.contains(&role);
    EnrollHost {
        token_id: id(0xaa),
        allocator_id: AllocatorId::from_bytes([number; 16]),
        proxy_id: has(HostRole::Proxy).then(|| proxy(number)),
        director_id: has(HostRole::Director).then(|| director(number)),
        host: format!("host-{number}"),
        address: format!("10.0.0.{number}"),
        roles: roles.iter().copied().collect(),
        without_engine: true,
    }
}

fn joins(state: &mut State, at_ms: u64, host: EnrollHost) -> Outcome {
    run(state, at_ms, Body::EnrollHost(host))
}

fn proxy_hello(number: u8) -> Body {
    Body::RegisterProxy(RegisterProxy {
        proxy_id: proxy(number),
        host: format!("host-{number}"),
        zone: "z".into(),
        held_generation: 0,
    })
}

fn directs(number: u8) -> Body {
    let host = format!("host-{number}");
    Body::DescribeDirector(DescribeDirector {
        director_id: director(number),
        member: u64::from(number),
        facts: DirectorFacts {
            authority: None,
            internal_address: format!("{host}:1"),
            admin_address: format!("{host}:2"),
            host,
            zone: "z".into(),
            build: "1".into(),
            feature_level: FEATURE_LEVEL,
        },
    })
}

#[test]
fn roles_that_need_an_engine_are_refused_by_name_and_spend_nothing() {
    let mut state = fresh();
    for role in [HostRole::Allocator, HostRole::Collector] {
        let refused = refusal(joins(&mut state, 2, host(1, &[HostRole::Proxy, role])));
        assert_eq!(refused.code, codes::HOST);
        assert_eq!(refused.field, "roles");
        assert!(refused.message.contains(role.as_str()), "{refused}");
    }
    assert_eq!(state.enrollment_tokens[&id(0xaa)].used, 0);
    assert_eq!(joins(&mut state, 2, host(1, &BOTH)), Outcome::Done);
}

#[test]
fn members_that_do_not_know_of_such_hosts_are_waited_for() {
    let mut state = fresh();
    state.feature_level = WITHOUT_ENGINE_LEVEL - 1;
    let refused = refusal(joins(&mut state, 2, host(1, &[HostRole::Proxy])));
    assert_eq!(refused.code, codes::FEATURE_LEVEL);
}

#[test]
fn who_came_by_its_proxy_or_its_director_keeps_its_name_and_its_address() {
    for hello in [proxy_hello(1), directs(1)] {
        let mut state = fresh();
        joins(&mut state, 2, host(1, &BOTH));
        run(&mut state, 3, hello);
        let name = EnrollHost {
            host: "host-1".into(),
            ..host(2, &BOTH)
        };
        let address = EnrollHost {
            address: "10.0.0.1".into(),
            ..host(2, &BOTH)
        };
        for twin in [name, address] {
            assert_eq!(refusal(joins(&mut state, 4, twin)).code, codes::HOST);
        }
    }
}

#[test]
fn who_never_came_is_replaced() {
    let mut state = fresh();
    joins(&mut state, 2, host(1, &BOTH));
    let again = EnrollHost {
        host: "host-1".into(),
        ..host(2, &BOTH)
    };
    assert_eq!(joins(&mut state, 3, again), Outcome::Done);
    assert_eq!(find(&state, "host-1").unwrap().proxy_id, Some(proxy(2)));
    assert!(state.removed_directors.contains(&director(1)));
}

#[test]
fn nobody_waits_for_an_allocator_there_and_changing_it_is_refused_by_name() {
    let mut state = fresh();
    joins(&mut state, 2, host(1, &BOTH));
    assert_eq!(with_allocator(&state).count(), 0);
    let refused = no_allocator(&state, "host-1");
    assert_eq!(refused.code, codes::HOST);
    assert!(refused.message.contains("no container engine"), "{refused}");
    assert_eq!(no_allocator(&state, "other").code, codes::NOT_FOUND);
}

#[test]
fn its_proxy_and_its_director_speak_for_it_and_for_no_host_with_an_engine() {
    let mut state = fresh();
    joins(&mut state, 2, host(1, &BOTH));
    let with_engine = EnrollHost {
        without_engine: false,
        ..host(2, &BOTH)
    };
    joins(&mut state, 2, with_engine);
    let of = |number: u8| {
        let by_proxy = spoken_for(&state, Some(&proxy(number)), None);
        let by_director = spoken_for(&state, None, Some(&director(number)));
        [by_proxy, by_director].map(|found| found.map(|host| host.host.as_str()))
    };
    assert_eq!(of(1), [Some("host-1"); 2]);
    assert_eq!(of(2), [None; 2]);
    assert!(spoken_for(&state, None, None).is_none());
}

#[test]
fn a_host_that_only_directed_has_left_once_its_director_is_removed_and_others_stay() {
    for (roles, left) in [(&BOTH[..1], true), (&BOTH[..], false)] {
        let mut state = fresh();
        joins(&mut state, 2, host(1, roles));
        run(&mut state, 3, directs(1));
        let remove = Body::RemoveDirector(RemoveDirector {
            director_id: director(1),
        });
        assert_eq!(run(&mut state, 4, remove), Outcome::Done);
        assert_eq!(find(&state, "host-1").is_none(), left, "{roles:?}");
        let record = state.hosts.values().next().unwrap();
        assert!(!record.roles.contains(&HostRole::Collector));
    }
}

#[test]
fn it_leaves_and_its_proxy_with_it() {
    let mut state = fresh();
    joins(&mut state, 2, host(1, &[HostRole::Proxy]));
    run(&mut state, 3, proxy_hello(1));
    let forget = Body::ForgetHost(ForgetHost {
        allocator_id: AllocatorId::from_bytes([1; 16]),
        lost: false,
    });
    assert_eq!(run(&mut state, 4, forget), Outcome::Done);
    assert!(state.proxies.is_empty());
    let again = refusal(run(&mut state, 5, proxy_hello(1)));
    assert_eq!(again.code, codes::HOST_LEFT);
}
