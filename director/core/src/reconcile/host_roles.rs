//! Which roles a host is to run beside its allocator, once that was changed by request: a director was
//! removed, or its roles were set. Invariant: a later wish has a higher generation. Not here: what a
//! host began with (its own file, which `wharf up` and `wharf install` write).

use wharf_proto::ids::AllocatorId;

use crate::state::{HostRole, State};

/// The roles of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostRoles {
    /// Grows with every change.
    pub generation: u64,
    /// A director runs there.
    pub director: bool,
    /// A proxy runs there.
    pub proxy: bool,
}

/// What the host of an allocator is to be told; nothing when it is as it began.
#[must_use]
pub fn host_roles(state: &State, id: &AllocatorId) -> Option<HostRoles> {
    let Some(host) = state.hosts.get(id) else {
        // The host that the platform was brought up on has all roles.
        let platform = state.platform.as_ref()?;
        return Some(HostRoles {
            generation: platform.first_director_removed_ms,
            director: false,
            proxy: true,
        })
        .filter(|roles| roles.generation > 0);
    };
    Some(HostRoles {
        generation: host.roles_changed_ms,
        director: host.roles.contains(&HostRole::Director),
        proxy: host.roles.contains(&HostRole::Proxy),
    })
    .filter(|roles| roles.generation > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        apply::apply,
        command::{
            Body, BootstrapPlatform, Command, CreateEnrollmentToken, DescribeDirector, EnrollHost,
            RemoveDirector,
        },
        outcome::Outcome,
        state::{DirectorFacts, FEATURE_LEVEL},
    };
    use wharf_proto::ids::{DirectorId, PlatformId, ProxyId};

    fn run(state: &mut State, at_ms: u64, body: Body) {
        let outcome = apply(state, &Command::new(at_ms, "test", None, body));
        assert!(!matches!(outcome, Outcome::Refused(_)), "{outcome:?}");
    }

    fn id(number: u8) -> DirectorId {
        DirectorId::from_bytes([number; 16])
    }

    fn described(number: u8) -> Body {
        let host = format!("h{number}");
        Body::DescribeDirector(DescribeDirector {
            director_id: id(number),
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

    /// A platform whose first director is 1, and a host with these roles whose director is 2.
    fn state(roles: &[HostRole]) -> State {
        let mut state = State::default();
        run(
            &mut state,
            1,
            Body::BootstrapPlatform(BootstrapPlatform {
                platform_id: PlatformId::from_bytes([9; 16]),
                name: "p".into(),
                domain: "localhost".into(),
                proxy_https_port: 9243,
                director_id: id(1),
                admin_username: "admin".into(),
                admin_password_hash: "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAA".into(),
            }),
        );
        state.feature_level = FEATURE_LEVEL;
        let roles: std::collections::BTreeSet<HostRole> = roles.iter().copied().collect();
        run(
            &mut state,
            2,
            Body::CreateEnrollmentToken(CreateEnrollmentToken {
                id: "a".repeat(32),
                hash: "0".repeat(64),
                roles: roles.clone(),
                zone: "z".into(),
                lifetime_ms: 3_600_000,
                uses: 1,
                created_by: "admin".into(),
            }),
        );
        let proxy = roles.contains(&HostRole::Proxy);
        run(
            &mut state,
            3,
            Body::EnrollHost(EnrollHost {
                token_id: "a".repeat(32),
                allocator_id: AllocatorId::from_bytes([2; 16]),
                proxy_id: proxy.then(|| ProxyId::from_bytes([2; 16])),
                director_id: Some(id(2)),
                host: "h2".into(),
                address: "10.0.0.2".into(),
                roles,
                without_engine: false,
            }),
        );
        run(&mut state, 4, described(1));
        run(&mut state, 5, described(2));
        state
    }

    fn remove(state: &mut State, number: u8) {
        let director_id = id(number);
        run(
            state,
            10,
            Body::RemoveDirector(RemoveDirector { director_id }),
        );
    }

    #[test]
    fn the_host_of_a_removed_director_keeps_its_other_roles() {
        let mut state = state(&[HostRole::Director, HostRole::Allocator, HostRole::Proxy]);
        let host = AllocatorId::from_bytes([2; 16]);
        let first = AllocatorId::from_bytes([1; 16]);
        assert_eq!(host_roles(&state, &host), None, "it is as it joined");
        remove(&mut state, 2);
        let told = host_roles(&state, &host).expect("its roles changed");
        assert_eq!((told.director, told.proxy), (false, true));
        assert!(state.hosts[&host].hosts_instances());
        assert_eq!(
            host_roles(&state, &first),
            None,
            "that of another is as it was"
        );
    }

    #[test]
    fn a_host_that_only_directed_is_watched_from_then_on() {
        let mut state = state(&[HostRole::Director]);
        remove(&mut state, 2);
        let host = AllocatorId::from_bytes([2; 16]);
        assert_eq!(
            state.hosts[&host].roles,
            std::collections::BTreeSet::from([HostRole::Collector])
        );
        let told = host_roles(&state, &host).expect("its roles changed");
        assert_eq!((told.director, told.proxy), (false, false));
    }

    #[test]
    fn the_first_host_is_told_when_its_director_is_removed() {
        let mut state = state(&[HostRole::Director, HostRole::Proxy]);
        remove(&mut state, 1);
        let first = AllocatorId::from_bytes([1; 16]);
        let told = host_roles(&state, &first).expect("its roles changed");
        assert_eq!((told.director, told.proxy), (false, true));
    }
}
