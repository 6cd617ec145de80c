//! A change of the authority with roles that do what they are told, late, in any order, and go and
//! come back: nobody ever refuses another, and it ends once everybody has done its part.

use proptest::prelude::*;
use wharf_proto::ids::DirectorId;

use super::*;
use crate::{
    apply::apply,
    command::{Body, ChangeAuthority, Command, RegisterProxy},
    fixture::{allocator_id, bytes},
    outcome::Outcome,
    refusal::codes,
    state::{CaRecord, DirectorFacts, DirectorRecord, HostRecord, HostRole},
};

fn ca(number: u64) -> CaRecord {
    CaRecord {
        sha256: format!("{number:064x}"),
        certificate_pem: format!("certificate {number}\n"),
        sealed: "sealed".to_owned(),
    }
}

/// A role that follows its orders.
#[derive(Debug, Clone, Default)]
struct Peer {
    trusted: BTreeSet<String>,
    issuer: String,
    wanted: String,
    generation: u64,
    /// Signed and on its way back.
    signed: Option<String>,
    /// Said and not heard yet.
    said: Option<AuthorityReport>,
}

#[derive(Debug, Clone)]
enum Act {
    Order(usize),
    Sign(usize),
    Renewed(usize),
    Say(usize),
    Hear(usize),
    Away(usize),
    Join,
    Begin,
    Cancel,
    Advance,
    Wait,
}

fn act() -> impl Strategy<Value = Act> {
    let peer = 0_usize..4;
    prop_oneof![
        4 => peer.clone().prop_map(Act::Order),
        4 => peer.clone().prop_map(Act::Sign),
        4 => peer.clone().prop_map(Act::Renewed),
        4 => peer.clone().prop_map(Act::Say),
        4 => peer.clone().prop_map(Act::Hear),
        1 => peer.prop_map(Act::Away),
        1 => Just(Act::Join),
        2 => Just(Act::Begin),
        1 => Just(Act::Cancel),
        4 => Just(Act::Advance),
        2 => Just(Act::Wait),
    ]
}

struct Model {
    state: State,
    now_ms: u64,
    next_ca: u64,
    peers: Vec<Peer>,
    reports: AuthorityReports,
}

impl Model {
    fn new() -> Self {
        let state = State {
            feature_level: 4,
            ..State::default()
        };
        let mut model = Self {
            state,
            now_ms: 1,
            next_ca: 2,
            peers: Vec::new(),
            reports: AuthorityReports::default(),
        };
        for _ in 0..3 {
            model.join();
        }
        model
    }

    fn run(&mut self, body: Body) -> Outcome {
        apply(&mut self.state, &Command::new(self.now_ms, "x", None, body))
    }

    fn issuing(&self) -> String {
        let record = self.state.authority.as_ref();
        record.map_or(ca(1).sha256, |record| record.issuing.sha256.clone())
    }

    fn trusted(&self) -> BTreeSet<String> {
        let record = self.state.authority.as_ref();
        record.map_or([ca(1).sha256].into(), AuthorityRecord::trusted)
    }

    fn id(number: usize) -> ProxyId {
        ProxyId::from_bytes(bytes(number as u64))
    }

    fn join(&mut self) {
        let number = self.peers.len();
        if number >= 4 {
            return;
        }
        self.peers.push(Peer {
            trusted: self.trusted(),
            issuer: self.issuing(),
            ..Peer::default()
        });
        self.run(Body::RegisterProxy(RegisterProxy {
            proxy_id: Self::id(number),
            host: format!("h{number}"),
            zone: "z".to_owned(),
            held_generation: 0,
        }));
    }

    fn act(&mut self, act: &Act) {
        let count = self.peers.len();
        match *act {
            Act::Order(peer) => {
                let (trusted, wanted) = (self.trusted(), self.issuing());
                let generation = self
                    .state
                    .authority
                    .as_ref()
                    .map(|record| record.generation);
                if let (Some(peer), Some(generation)) = (self.peers.get_mut(peer), generation) {
                    (peer.trusted, peer.wanted) = (trusted, wanted);
                    peer.generation = generation;
                }
            }
            Act::Sign(peer) => {
                let issuing = self.issuing();
                let peer = &mut self.peers[peer % count];
                if !peer.wanted.is_empty() && peer.issuer != peer.wanted {
                    peer.signed = Some(issuing);
                }
            }
            Act::Renewed(peer) => {
                let peer = &mut self.peers[peer % count];
                if let Some(signed) = peer.signed.take()
                    && signed == peer.wanted
                {
                    peer.issuer = signed;
                }
            }
            Act::Say(peer) => {
                let peer = &mut self.peers[peer % count];
                peer.said = Some(AuthorityReport {
                    generation: peer.generation,
                    trusted: peer.trusted.clone(),
                    issuer: peer.issuer.clone(),
                    uses: Vec::new(),
                });
            }
            Act::Hear(peer) => {
                let number = peer % count;
                if let Some(said) = self.peers[number].said.take() {
                    self.reports.proxies.insert(Self::id(number), said);
                }
            }
            Act::Away(peer) => {
                let number = peer % count;
                self.peers[number].said = None;
                self.reports.proxies.remove(&Self::id(number));
            }
            Act::Join => self.join(),
            Act::Begin => {
                let (number, sha256) = (self.next_ca, self.issuing());
                self.next_ca += 1;
                self.run(Body::ChangeAuthority(Box::new(ChangeAuthority::Begin {
                    current: CaRecord { sha256, ..ca(1) },
                    next: ca(number),
                    trust_for_ms: 10,
                })));
            }
            Act::Cancel => {
                self.run(Body::ChangeAuthority(Box::new(ChangeAuthority::Cancel)));
            }
            Act::Advance => {
                if let Some(record) = &self.state.authority
                    && waits(&self.state, &self.reports, self.now_ms).is_empty()
                {
                    let generation = record.generation;
                    self.run(Body::ChangeAuthority(Box::new(ChangeAuthority::Advance {
                        generation,
                    })));
                }
            }
            Act::Wait => {
                self.now_ms += 11;
            }
        }
    }

    /// Who would refuse whom.
    fn quarrel(&self) -> Option<String> {
        for (a, one) in self.peers.iter().enumerate() {
            for (b, other) in self.peers.iter().enumerate() {
                if !one.trusted.contains(&other.issuer) {
                    return Some(format!("{a} {one:?} refuses {b} {other:?}"));
                }
            }
        }
        None
    }

    fn phase(&self) -> AuthorityPhase {
        let record = self.state.authority.as_ref();
        record.map_or(AuthorityPhase::Rest, |record| record.phase)
    }
}

proptest! {
    #[test]
    fn nobody_who_follows_ever_refuses_another_and_the_change_ends(
        acts in proptest::collection::vec(act(), 0..400)
    ) {
        let mut model = Model::new();
        for act in &acts {
            model.act(act);
            prop_assert_eq!(model.quarrel(), None, "after {:?}", act);
        }
        // Everybody is there and does its part.
        for _ in 0..8 {
            model.act(&Act::Wait);
            for peer in 0..model.peers.len() {
                for act in [Act::Order(peer), Act::Sign(peer), Act::Renewed(peer), Act::Say(peer), Act::Hear(peer)] {
                    model.act(&act);
                    prop_assert_eq!(model.quarrel(), None, "after {:?}", act);
                }
            }
            model.act(&Act::Advance);
        }
        prop_assert_eq!(model.phase(), AuthorityPhase::Rest);
        let only: BTreeSet<String> = [model.issuing()].into();
        for peer in &model.peers {
            prop_assert_eq!(&peer.issuer, &model.issuing());
            if model.state.authority.is_some() {
                prop_assert_eq!(&peer.trusted, &only);
            }
        }
    }

    #[test]
    fn no_report_from_outside_panics_and_all_are_bounded(
        names in proptest::collection::vec(".{0,300}", 0..20), uses in 0_usize..6_000
    ) {
        let message = v1::AuthorityReport {
            generation: 1,
            trusted: names,
            issuer: "x".repeat(10_000),
            uses: vec![v1::AuthorityUse { name: "é".repeat(500), ..Default::default() }; uses],
        };
        let read = AuthorityReport::from(&message);
        prop_assert!(read.trusted.len() <= TRUSTED && read.uses.len() <= USES);
        prop_assert!(read.issuer.len() <= NAME_BYTES);
        // What was cut off may be undone.
        prop_assert!(uses <= USES || read.uses.iter().all(|one| one.pending));
    }
}

fn begun() -> Model {
    let mut model = Model::new();
    model.act(&Act::Begin);
    model
}

fn reasons(model: &Model) -> Vec<String> {
    let waits = waits(&model.state, &model.reports, model.now_ms);
    waits
        .iter()
        .map(|wait| format!("{}: {}", wait.who, wait.reason))
        .collect()
}

#[test]
fn a_phase_names_whom_it_waits_for_and_why() {
    let mut model = begun();
    let told = reasons(&model);
    assert!(told[0].starts_with("clients outside"), "{told:?}");
    assert_eq!(
        told[1..],
        [0, 1, 2].map(|n| format!("the proxy on h{n}: it is not connected"))
    );
    model.act(&Act::Wait);
    for peer in 0..3 {
        for act in [Act::Order(peer), Act::Say(peer), Act::Hear(peer)] {
            model.act(&act);
        }
    }
    assert_eq!(reasons(&model), [""; 0]);
    let report = model.reports.proxies.get_mut(&Model::id(1)).unwrap();
    report.uses.push(AuthorityUse {
        name: "the instance storage-0".to_owned(),
        trusted: [ca(1).sha256].into(),
        ..AuthorityUse::default()
    });
    assert_eq!(
        reasons(&model),
        ["the proxy on h1: the instance storage-0 does not trust what is to be trusted"]
    );
    // A director that has said nothing is waited for like everybody else.
    let id = DirectorId::from_bytes(bytes(77));
    let facts = DirectorFacts {
        host: "d".to_owned(),
        zone: "z".to_owned(),
        internal_address: "d:1".to_owned(),
        admin_address: "d:2".to_owned(),
        build: "1".to_owned(),
        feature_level: 4,
        authority: None,
    };
    let record = DirectorRecord {
        id: id.clone(),
        member: 1,
        incarnation: 0,
        join_id: String::new(),
        facts,
        created_ms: 0,
        changed_ms: 0,
        version: 1,
    };
    model.state.directors.insert(id, record);
    assert!(
        reasons(&model)[0].starts_with("the director on d: it has not"),
        "{:?}",
        reasons(&model)
    );
}

#[test]
fn a_proxy_is_waited_for_before_it_says_hello_and_not_once_its_host_lost_the_role() {
    let mut model = begun();
    let host = HostRecord {
        allocator_id: allocator_id(9),
        proxy_id: Some(ProxyId::from_bytes(bytes(9))),
        director_id: None,
        host: "h9".to_owned(),
        address: "10.0.0.9".to_owned(),
        roles: [HostRole::Proxy].into(),
        roles_changed_ms: 0,
        token_id: "ab".repeat(16),
        enrolled_ms: 1,
        left_ms: None,
        without_engine: false,
    };
    let mut waited_for = |roles: &[HostRole]| {
        let roles = roles.iter().copied().collect();
        let host = HostRecord {
            roles,
            ..host.clone()
        };
        model.state.hosts.insert(allocator_id(9), host);
        reasons(&model)
            .iter()
            .any(|reason| reason.starts_with("the proxy on h9"))
    };
    assert!(waited_for(&[HostRole::Proxy, HostRole::Allocator]));
    assert!(
        !waited_for(&[HostRole::Allocator]),
        "it is refused from then on: a change would wait for ever"
    );
}

#[test]
fn a_change_is_refused_while_one_runs_below_its_level_and_taken_back_before_it_retires() {
    let refused = |outcome: Outcome| match outcome {
        Outcome::Refused(refusal) => refusal.code,
        other => panic!("not refused: {other:?}"),
    };
    let change = |model: &mut Model, change| model.run(Body::ChangeAuthority(Box::new(change)));
    let begin = |number, trust_for_ms| ChangeAuthority::Begin {
        current: ca(1),
        next: ca(number),
        trust_for_ms,
    };
    let mut model = Model::new();
    assert_eq!(
        refused(change(&mut model, ChangeAuthority::Cancel)),
        codes::AUTHORITY
    );
    assert_eq!(refused(change(&mut model, begin(1, 0))), codes::AUTHORITY);
    assert_eq!(
        refused(change(&mut model, begin(2, u64::MAX))),
        codes::AUTHORITY
    );
    model.state.feature_level = 3;
    assert_eq!(
        refused(change(&mut model, begin(2, 0))),
        codes::FEATURE_LEVEL
    );
    model.state.feature_level = 4;
    assert_eq!(
        change(&mut model, begin(2, 0)),
        Outcome::Version { version: 1 }
    );
    assert_eq!(refused(change(&mut model, begin(3, 0))), codes::AUTHORITY);
    // What was seen of another generation moves nothing on.
    let late = ChangeAuthority::Advance { generation: 7 };
    assert_eq!(refused(change(&mut model, late)), codes::AUTHORITY);
    let advance = |generation| ChangeAuthority::Advance { generation };
    assert_eq!(
        change(&mut model, advance(1)),
        Outcome::Version { version: 2 }
    );
    assert_eq!(
        (model.phase(), model.issuing()),
        (AuthorityPhase::Issue, ca(2).sha256)
    );
    assert_eq!(
        change(&mut model, ChangeAuthority::Cancel),
        Outcome::Version { version: 3 }
    );
    assert_eq!(
        (model.phase(), model.issuing()),
        (AuthorityPhase::Issue, ca(1).sha256)
    );
    assert_eq!(
        refused(change(&mut model, ChangeAuthority::Cancel)),
        codes::AUTHORITY
    );
    assert_eq!(model.trusted().len(), 2, "certificates of it are in use");
    change(&mut model, advance(3));
    assert_eq!(model.trusted(), [ca(1).sha256].into());
    assert_eq!(
        refused(change(&mut model, ChangeAuthority::Cancel)),
        codes::AUTHORITY
    );
    change(&mut model, advance(4));
    assert_eq!(model.phase(), AuthorityPhase::Rest);
    assert_eq!(
        change(&mut model, begin(4, 0)),
        Outcome::Version { version: 6 }
    );
}
