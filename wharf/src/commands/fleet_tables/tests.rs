//! What the tables say of what no small platform shows: refusals, moves, data that was set aside.

use wharf_proto::v1::{Instance, PlacementCandidate, VacateStatus};

use super::*;

#[test]
fn a_vacate_is_shown_with_every_move_and_how_far_it_is() {
    let mut shown = Vacate {
        id: "v1".into(),
        allocator_id: "a1".into(),
        host: "h1".into(),
        status: VacateStatus::Running.into(),
        actor: "alice".into(),
        parallelism: 2,
        cancelling: true,
        moves: vec![VacateMove {
            instance_name: "storage-0".into(),
            deployment_name: "web".into(),
            state: "moving".into(),
            to_host: "h2".into(),
            bytes_done: 1 << 30,
            bytes_total: 4 << 30,
            plan_id: "p1".into(),
            ..VacateMove::default()
        }],
        ..Vacate::default()
    };
    let text = vacate(&shown, 0);
    for part in [
        "status      cancelling\n",
        "asked by    alice\n",
        "at a time   2\n",
        "web/storage-0  moving  h2  1.0 GiB of 4.0 GiB  -       p1\n",
    ] {
        assert!(text.contains(part), "`{part}` is missing:\n{text}");
    }
    shown.id.clear();
    assert!(vacate(&shown, 0).starts_with("A dry run: nothing was changed."));
    shown.moves.clear();
    assert!(vacate(&shown, 0).ends_with("no instance lies there\n"));
}

#[test]
fn an_instance_says_that_it_is_paused_not_routed_and_how_far_its_move_is() {
    let placed = PlacedInstance {
        instance: Some(Instance {
            name: "storage-0".into(),
            ..Instance::default()
        }),
        deployment_name: "web".into(),
        paused: true,
        routing_stopped: true,
        copy: Some(CopyProgress {
            stage: "catching_up".into(),
            bytes_done: 1 << 20,
            bytes_total: 2 << 20,
            ..CopyProgress::default()
        }),
        ..PlacedInstance::default()
    };
    let text = instances(&[placed]);
    for part in [
        "web/storage-0",
        "paused, not routed",
        "catching up 1.0 MiB of 2.0 MiB",
    ] {
        assert!(text.contains(part), "`{part}` is missing:\n{text}");
    }
}

#[test]
fn placement_names_the_score_of_what_it_admits_and_every_refusal_of_the_rest() {
    let host = |name: &str, admitted: bool| PlacementCandidate {
        allocator_id: name.into(),
        host: name.into(),
        admitted,
        refusals: if admitted {
            Vec::new()
        } else {
            vec!["x".into(), "y".into()]
        },
        score: if admitted {
            vec!["zone_spread=0".into(), "apart=1".into()]
        } else {
            Vec::new()
        },
        free: Some(Size {
            cpu_millis: 1500,
            ..Size::default()
        }),
        ..PlacementCandidate::default()
    };
    let answer = ExplainPlacementResponse {
        candidates: vec![host("h1", true), host("h2", false)],
        strategy: "fill".into(),
        allocator_id: "h2".into(),
        refusal: String::new(),
        last_move: "from h9 at 2026-01-01T00:00:00.000Z, plan x; vacate: h9 is emptied".into(),
    };
    let text = explained(&answer);
    for part in [
        "lies on     h2\n",
        "last move   from h9 at 2026-01-01T00:00:00.000Z, plan x; vacate: h9 is emptied\n",
        "zone_spread=0, apart=1\n",
        "refused: x; y\n",
        "1.5",
    ] {
        assert!(text.contains(part), "`{part}` is missing:\n{text}");
    }
}

#[test]
fn a_rebalance_without_moves_says_why() {
    let nothing = RebalanceResponse {
        moves: Vec::new(),
        reason: "the load is spread well".into(),
        policy: None,
    };
    assert_eq!(rebalance(&nothing, false), "the load is spread well\n");
    let one = RebalanceMove {
        instance_name: "storage-0".into(),
        deployment_name: "web".into(),
        from_host: "h1".into(),
        to_host: "h2".into(),
        reason: "zone a has two".into(),
        disk_bytes: 3 << 30,
        ..RebalanceMove::default()
    };
    let some = RebalanceResponse {
        moves: vec![one],
        ..nothing
    };
    let text = rebalance(&some, true);
    assert!(text.starts_with("A dry run"), "{text}");
    assert!(
        text.contains("web/storage-0  h1    h2     3.0 GiB  zone a has two  -"),
        "{text}"
    );
}

#[test]
fn what_rebalancing_waits_for_is_told_with_since_when() {
    let manual = Rebalancing {
        threshold_percent: 20,
        quiet_seconds: 600,
        moves: 1,
        reason: "nothing moves unless it is asked for".into(),
        ..Rebalancing::default()
    };
    assert_eq!(
        rebalancing(&manual, 0),
        "mode        manual\nthreshold   20 % of memory\nquiet time  10m 0s\nat a time   1\ndata        \
         stays\n\nnothing moves unless it is asked for\n"
    );
    let waits = Rebalancing {
        automatic: true,
        waits: vec![wharf_proto::v1::RebalancingWait {
            reason: "h3, which is silent".into(),
            since: Some(wharf_proto::times::timestamp(60_000)),
        }],
        moving: vec![RebalanceMove {
            instance_name: "monitoring-0".into(),
            deployment_name: "web".into(),
            from_host: "h1".into(),
            to_host: "h2".into(),
            plan_id: "f".repeat(32),
            ..RebalanceMove::default()
        }],
        ..manual
    };
    let text = rebalancing(&waits, 180_000);
    for part in [
        "mode        automatic",
        "h3, which is silent  2m",
        "Moving:\n",
        "web/monitoring-0  h1    h2",
    ] {
        assert!(text.contains(part), "`{part}` is missing:\n{text}");
    }
    assert!(!text.contains("Next:"), "{text}");
    let some = RebalanceResponse {
        policy: Some(waits),
        ..RebalanceResponse::default()
    };
    let text = rebalance(&some, true);
    assert!(text.contains("and waits"), "{text}");
}

#[test]
fn data_of_an_instance_that_is_forgotten_goes_by_its_id() {
    let copy = SetAsideCopy {
        instance_id: "f".repeat(32),
        host: "h1".into(),
        path: "/var/lib/wharfinger/set-aside/x".into(),
        bytes: 5 << 30,
        ..SetAsideCopy::default()
    };
    let text = set_aside(&[copy], 0);
    assert!(
        text.contains(&"f".repeat(32)) && text.contains("5.0 GiB"),
        "{text}"
    );
}

#[test]
fn a_name_from_elsewhere_cannot_move_the_cursor() {
    let one = VacateMove {
        instance_name: "storage-0\u{1b}[2J".into(),
        ..VacateMove::default()
    };
    assert!(!progress(&Vacate::default(), &one).contains('\u{1b}'));
}
