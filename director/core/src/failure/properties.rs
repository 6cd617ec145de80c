//! Properties of the watch: whatever the pattern of silences and changes of leader, nothing is replaced
//! before a whole grace of one leader, never more at a time than the budget, never out of a sick zone.

use proptest::prelude::*;

use super::{
    tests::{Leader, connect, lose, two_hosts},
    *,
};
use crate::{
    fixture::{World, allocator_id},
    vacate::open_moves,
};

#[derive(Debug, Clone)]
enum Happens {
    Connect(u64, bool),
    Lose(u64, u64),
    Flap(u64),
    Pass(u64),
    LeaderChange,
    Turn,
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        3 => (1_u64..6, prop::bool::weighted(0.3)).prop_map(|(host, on)| Happens::Connect(host, on)),
        2 => (1_u64..6, 0_u64..15).prop_map(|(host, unheard)| Happens::Lose(host, unheard)),
        2 => (1_u64..6).prop_map(Happens::Flap),
        6 => (1_u64..40).prop_map(Happens::Pass),
        1 => Just(Happens::LeaderChange),
        4 => Just(Happens::Turn),
    ]
}

/// When each host was heard of last, and when this leader began: told apart from what is tested.
struct Truth {
    silent_since: BTreeMap<u64, u64>,
    leader_since: u64,
}

impl Truth {
    fn silence_s(&self, host: u64, now_ms: u64) -> Option<u64> {
        let since = *self.silent_since.get(&host)?;
        Some(now_ms.saturating_sub(since.max(self.leader_since)) / 1000)
    }

    fn is_sick(&self, zone: &[u64]) -> bool {
        let silent = zone
            .iter()
            .filter(|host| self.silent_since.contains_key(host))
            .count();
        silent >= 2 && silent * 2 > zone.len()
    }
}

fn host_of(world: &World, id: &InstanceId) -> u64 {
    let berth = world.state.instances[id].berth.clone().unwrap();
    (1..6)
        .find(|host| allocator_id(*host) == berth.allocator_id)
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(80))]

    #[test]
    fn nothing_is_replaced_too_early_too_many_at_a_time_or_out_of_a_sick_zone(
        script in proptest::collection::vec(happens(), 1..60),
    ) {
        let mut world = two_hosts(5);
        // Hosts 1, 3 and 4 are zone-1; 2 and 5 are zone-2.
        for (host, zone) in [(3, "zone-1"), (4, "zone-1"), (5, "zone-2")] {
            world.host(host, zone);
        }
        world.obey();
        let mut leader = Leader::new();
        let mut truth = Truth { silent_since: BTreeMap::new(), leader_since: world.now_ms };
        for step in script {
            match step {
                Happens::Connect(host, on) => {
                    connect(&mut world, host, on);
                    if on {
                        truth.silent_since.remove(&host);
                    } else {
                        truth.silent_since.entry(host).or_insert(world.now_ms);
                    }
                }
                // It was there until then, whatever came before.
                Happens::Lose(host, unheard) => {
                    connect(&mut world, host, true);
                    world.now_ms += 15_000;
                    leader.steady_ms += 15_000;
                    lose(&mut world, host, unheard);
                    truth.silent_since.insert(host, world.now_ms - unheard * 1000);
                }
                Happens::Flap(host) => {
                    connect(&mut world, host, true);
                    world.now_ms += 1;
                    leader.steady_ms += 1;
                    connect(&mut world, host, false);
                    truth.silent_since.insert(host, world.now_ms);
                }
                Happens::LeaderChange => {
                    leader = Leader::new();
                    truth.leader_since = world.now_ms;
                    world.observed.leader_since_ms = world.now_ms;
                }
                Happens::Turn => {
                    world.turn();
                }
                Happens::Pass(_) => {}
            }
            let seconds = if let Happens::Pass(seconds) = step { seconds } else { 0 };
            for body in leader.after(&mut world, seconds) {
                if let Body::ChangeDeployment(change) = &body
                    && let DeploymentChange::Move { moves } = &change.change
                {
                    let host = host_of(&world, &moves[0].instance_id);
                    let silence = truth.silence_s(host, world.now_ms);
                    prop_assert!(
                        silence.is_some_and(|silent| silent >= 60),
                        "host {host} is replaced after {silence:?} s of silence"
                    );
                    let zone: &[u64] = if [1, 3, 4].contains(&host) { &[1, 3, 4] } else { &[2, 5] };
                    prop_assert!(!truth.is_sick(zone), "out of a sick zone");
                }
                world.apply(body);
            }
            prop_assert!(open_moves(&world.state).1 <= 4, "over the budget");
        }
    }
}
