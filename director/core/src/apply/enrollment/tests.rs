//! Hosts that join and leave, by commands alone.

use proptest::prelude::*;

use super::*;
use crate::{
    apply::apply,
    command::{Body, Command, DescribeDirector, RegisterAllocator, RegisterProxy, RemoveDirector},
    size::Size,
    state::{DirectorFacts, PortRange},
};

const HOUR_MS: u64 = 3_600_000;

fn fresh() -> State {
    State {
        feature_level: DIRECTOR_TOKENS_LEVEL,
        ..State::default()
    }
}

fn id(number: u8) -> String {
    format!("{number:032x}")
}

fn allocator(number: u8) -> AllocatorId {
    id(number).parse().unwrap()
}

fn run(state: &mut State, at_ms: u64, body: Body) -> Outcome {
    apply(state, &Command::new(at_ms, "test", None, body))
}

fn code(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Refused(refusal) => &refusal.code,
        _ => "",
    }
}

fn token(state: &mut State, at_ms: u64, roles: &[HostRole], uses: u32) -> Outcome {
    let body = CreateEnrollmentToken {
        id: id(0xaa),
        hash: "0".repeat(64),
        roles: roles.iter().copied().collect(),
        zone: "zone-b".into(),
        lifetime_ms: HOUR_MS,
        uses,
        created_by: "admin".into(),
    };
    run(state, at_ms, Body::CreateEnrollmentToken(body))
}

fn host(number: u8, roles: &[HostRole]) -> EnrollHost {
    let proxy = roles.contains(&HostRole::Proxy);
    let director = roles.contains(&HostRole::Director);
    EnrollHost {
        token_id: id(0xaa),
        allocator_id: allocator(number),
        proxy_id: proxy.then(|| id(number + 100).parse().unwrap()),
        director_id: director.then(|| director_id(number)),
        host: format!("host-{number}"),
        address: format!("10.0.0.{number}"),
        roles: roles.iter().copied().collect(),
        without_engine: false,
    }
}

fn director_id(number: u8) -> DirectorId {
    id(number + 150).parse().unwrap()
}

/// The director of a host says where it is: it is in the group.
fn directs(number: u8) -> Body {
    let host = format!("host-{number}");
    Body::DescribeDirector(DescribeDirector {
        director_id: director_id(number),
        member: u64::from(number),
        facts: DirectorFacts {
            authority: None,
            internal_address: format!("{host}:1"),
            admin_address: format!("{host}:2"),
            host,
            zone: "zone-b".into(),
            build: "1".into(),
            feature_level: DIRECTOR_TOKENS_LEVEL,
        },
    })
}

fn enroll(state: &mut State, at_ms: u64, host: EnrollHost) -> Outcome {
    run(state, at_ms, Body::EnrollHost(host))
}

fn hello(number: u8) -> Body {
    Body::RegisterAllocator(RegisterAllocator {
        allocator_id: allocator(number),
        host: format!("host-{number}"),
        zone: "zone-b".into(),
        tags: Default::default(),
        capacity: Size {
            memory_bytes: 1 << 30,
            disk_bytes: 1 << 30,
            cpu_millis: 1000,
        },
        address: format!("10.0.0.{number}"),
        ports: PortRange { start: 1, end: 2 },
        held_generation: 0,
    })
}

#[test]
fn a_token_lets_as_many_hosts_in_as_it_says_and_none_once_it_is_over_or_revoked() {
    let roles = [HostRole::Allocator, HostRole::Proxy];
    let mut state = fresh();
    token(&mut state, 1, &roles, 2);
    for number in [1, 2] {
        assert_eq!(enroll(&mut state, 2, host(number, &roles)), Outcome::Done);
    }
    let third = enroll(&mut state, 2, host(3, &roles));
    assert_eq!(code(&third), codes::TOKEN_SPENT, "used twice");
    assert_eq!(state.hosts.len(), 2);

    let mut state = fresh();
    token(&mut state, 1, &roles, 2);
    let late = enroll(&mut state, 1 + HOUR_MS, host(1, &roles));
    assert_eq!(code(&late), codes::TOKEN_SPENT, "expired");

    let mut state = fresh();
    token(&mut state, 1, &roles, 2);
    let revoke = || Body::RevokeEnrollmentToken(RevokeEnrollmentToken { id: id(0xaa) });
    assert_eq!(run(&mut state, 2, revoke()), Outcome::Done);
    assert_eq!(run(&mut state, 2, revoke()), Outcome::Unchanged);
    let revoked = enroll(&mut state, 2, host(1, &roles));
    assert_eq!(code(&revoked), codes::TOKEN_SPENT, "revoked");
    let line = state.audit.back().unwrap();
    assert_eq!(
        (line.action.as_str(), line.result.as_str()),
        ("enroll_host", "DIR0048")
    );
}

#[test]
fn a_role_that_the_token_does_not_carry_is_refused_and_uses_nothing_up() {
    let mut state = fresh();
    token(&mut state, 1, &[HostRole::Collector], 1);
    let refused = enroll(&mut state, 2, host(1, &[HostRole::Allocator]));
    assert_eq!(code(&refused), codes::TOKEN_ROLE);
    assert_eq!(
        enroll(&mut state, 2, host(1, &[HostRole::Collector])),
        Outcome::Done
    );
}

#[test]
fn a_host_that_is_only_watched_offers_nothing_whatever_it_says() {
    let mut state = fresh();
    token(&mut state, 1, &[HostRole::Collector], 1);
    enroll(&mut state, 2, host(1, &[HostRole::Collector]));
    run(&mut state, 3, hello(1));
    assert_eq!(state.allocators[&allocator(1)].capacity, Size::default());
    assert_eq!(run(&mut state, 4, hello(1)), Outcome::Unchanged);
}

#[test]
fn two_hosts_never_have_one_name_or_address() {
    let roles = [HostRole::Allocator];
    let mut state = fresh();
    token(&mut state, 1, &roles, 9);
    enroll(&mut state, 2, host(1, &roles));
    run(&mut state, 3, hello(1));
    let name = EnrollHost {
        host: "host-1".into(),
        ..host(2, &roles)
    };
    let address = EnrollHost {
        address: "10.0.0.1".into(),
        ..host(2, &roles)
    };
    for (twin, field) in [(name, "host"), (address, "advertised_address")] {
        let Outcome::Refused(refusal) = enroll(&mut state, 4, twin) else {
            panic!("a twin by {field} joined");
        };
        assert_eq!(
            (refusal.code.as_str(), refusal.field.as_str()),
            (codes::HOST, field)
        );
    }
    // A join that was broken off holds no name.
    enroll(&mut state, 5, host(3, &roles));
    let again = EnrollHost {
        host: "host-3".into(),
        address: "10.0.0.3".into(),
        ..host(4, &roles)
    };
    assert_eq!(enroll(&mut state, 6, again), Outcome::Done);
    assert_eq!(code(&run(&mut state, 7, hello(3))), codes::HOST_LEFT);
}

#[test]
fn a_host_that_left_is_forgotten_and_cannot_come_back_by_its_certificates() {
    let roles = [HostRole::Allocator, HostRole::Proxy];
    let mut state = fresh();
    token(&mut state, 1, &roles, 1);
    enroll(&mut state, 2, host(1, &roles));
    let proxy_hello = || {
        Body::RegisterProxy(RegisterProxy {
            proxy_id: id(101).parse().unwrap(),
            host: "host-1".into(),
            zone: "zone-b".into(),
            held_generation: 0,
        })
    };
    run(&mut state, 3, hello(1));
    run(&mut state, 3, proxy_hello());
    assert_eq!((state.allocators.len(), state.proxies.len()), (1, 1));
    let leave = || {
        Body::ForgetHost(ForgetHost {
            allocator_id: allocator(1),
            lost: false,
        })
    };
    assert_eq!(run(&mut state, 4, leave()), Outcome::Done);
    assert_eq!((state.allocators.len(), state.proxies.len()), (0, 0));
    assert_eq!(run(&mut state, 4, leave()), Outcome::Unchanged);
    for again in [hello(1), proxy_hello()] {
        assert_eq!(code(&run(&mut state, 5, again)), codes::HOST_LEFT);
    }
}

#[test]
fn the_host_of_the_platform_itself_is_not_forgotten() {
    let mut state = fresh();
    run(&mut state, 1, hello(1));
    let forget = Body::ForgetHost(ForgetHost {
        allocator_id: allocator(1),
        lost: false,
    });
    assert_eq!(code(&run(&mut state, 2, forget)), codes::HOST);
    assert_eq!(state.allocators.len(), 1);
}

#[test]
fn a_host_whose_director_is_in_the_group_stays_until_that_is_removed() {
    let roles = [HostRole::Director, HostRole::Allocator];
    let mut state = fresh();
    token(&mut state, 1, &roles, 9);
    enroll(&mut state, 2, host(1, &roles));
    // Its allocator has not come yet: its name is taken all the same.
    run(&mut state, 3, directs(1));
    let twin = EnrollHost {
        host: "host-1".into(),
        ..host(2, &roles)
    };
    assert_eq!(code(&enroll(&mut state, 3, twin)), codes::HOST);
    run(&mut state, 4, hello(1));
    let leave = || {
        Body::ForgetHost(ForgetHost {
            allocator_id: allocator(1),
            lost: false,
        })
    };
    assert_eq!(code(&run(&mut state, 5, leave())), codes::HOST);
    let remove = Body::RemoveDirector(RemoveDirector {
        director_id: director_id(1),
    });
    assert_eq!(run(&mut state, 6, remove), Outcome::Done);
    assert_eq!(run(&mut state, 7, leave()), Outcome::Done);
}

#[test]
fn a_director_that_never_came_may_not_come_once_its_host_left_or_was_replaced() {
    let roles = [HostRole::Director];
    let mut state = fresh();
    token(&mut state, 1, &roles, 9);
    for number in [1, 2] {
        let again = EnrollHost {
            host: "host-1".into(),
            ..host(number, &roles)
        };
        assert_eq!(enroll(&mut state, 2, again), Outcome::Done);
    }
    let leave = Body::ForgetHost(ForgetHost {
        allocator_id: allocator(2),
        lost: false,
    });
    assert_eq!(run(&mut state, 3, leave), Outcome::Done);
    for number in [1, 2] {
        assert!(
            state.removed_directors.contains(&director_id(number)),
            "{number}"
        );
    }
}

#[test]
fn a_token_for_directors_waits_for_members_that_know_of_it() {
    let mut state = State {
        feature_level: DIRECTOR_TOKENS_LEVEL - 1,
        ..State::default()
    };
    let made = token(&mut state, 1, &[HostRole::Director], 1);
    assert_eq!(code(&made), codes::FEATURE_LEVEL);
    let made = token(&mut state, 1, &[HostRole::Proxy], 1);
    assert_eq!(code(&made), "");
}

#[test]
fn the_name_of_a_directors_host_is_refused_from_the_level_on_at_which_all_members_look() {
    let roles = [HostRole::Proxy];
    let joins = |level: u64| {
        let mut state = State {
            feature_level: level,
            ..State::default()
        };
        token(&mut state, 1, &roles, 1);
        run(&mut state, 2, directs(1));
        assert_eq!(state.directors.len(), 1, "the director is known");
        enroll(&mut state, 3, host(1, &roles))
    };
    assert_eq!(joins(DIRECTOR_TOKENS_LEVEL - 1), Outcome::Done);
    let Outcome::Refused(refusal) = joins(DIRECTOR_TOKENS_LEVEL) else {
        panic!("a host joined under the name of a director's host");
    };
    assert_eq!(
        (refusal.code.as_str(), refusal.field.as_str()),
        (codes::HOST, "host")
    );
    assert!(refusal.message.contains("a director runs"), "{refusal}");
}

#[test]
fn nothing_is_done_while_a_member_would_stop_at_it() {
    let mut state = State::default();
    let made = token(&mut state, 1, &[HostRole::Allocator], 1);
    assert_eq!(code(&made), codes::FEATURE_LEVEL);
}

proptest! {
    #[test]
    fn whatever_is_asked_for_no_token_is_used_too_often_and_no_two_hosts_are_twins(
        uses in 1..4_u32,
        asked in proptest::collection::vec((0..6_u8, 0..4_usize, 0..4_u8, any::<bool>()), 0..30),
    ) {
        let mut state = fresh();
        token(&mut state, 1, &HostRole::ALL, uses);
        for (number, (name, role, address, come)) in (1_u8..).zip(asked) {
            let one = EnrollHost {
                host: format!("host-{name}"),
                address: format!("10.0.0.{address}"),
                ..host(number, &[HostRole::ALL[role]])
            };
            let outcome = enroll(&mut state, 2, one.clone());
            if outcome == Outcome::Done && come {
                let Body::RegisterAllocator(mut said) = hello(number) else { unreachable!() };
                said.host = one.host;
                said.address = one.address;
                run(&mut state, 3, Body::RegisterAllocator(said));
            }
            let used = state.enrollment_tokens.values().map(|token| token.used).max();
            prop_assert!(used <= Some(uses));
            let here: Vec<_> = state.hosts.values().filter(|host| host.left_ms.is_none()).collect();
            for (at, one) in here.iter().enumerate() {
                for other in &here[at + 1..] {
                    prop_assert_ne!(&one.host, &other.host);
                    prop_assert_ne!(&one.address, &other.address);
                }
            }
        }
    }
}
