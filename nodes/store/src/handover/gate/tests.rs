//! Requests at the gate while writes are held.

use super::*;

async fn entered(gate: &Arc<Gate>) -> UnderWay {
    match gate.enter(|| ()).await {
        Ok(Entry::Here(under_way)) => under_way,
        _ => panic!("a write is taken"),
    }
}

#[tokio::test]
async fn a_hold_waits_for_what_is_under_way_and_a_request_for_its_end() {
    let gate = Gate::new(None);
    let first = entered(&gate).await;
    gate.quiet().await.unwrap();
    assert!(gate.maintain().is_none(), "files are kept still");
    let holder = Arc::clone(&gate);
    let held = wharf_runtime::task::spawn("hold", async move {
        holder.hold().await.unwrap();
        holder.drained("a").unwrap();
    });
    while !matches!(gate.lock().source, Source::Draining { .. }) {
        tokio::task::yield_now().await;
    }
    assert!(!held.is_finished(), "a write is under way");
    drop(first);
    held.await.unwrap();
    let (told, mut hears) = watch::channel(false);
    let waiter = Arc::clone(&gate);
    let waits = wharf_runtime::task::spawn("write", async move {
        let entry = waiter.enter(|| told.send(true).unwrap()).await;
        matches!(entry, Ok(Entry::Here(_)))
    });
    hears.changed().await.unwrap();
    gate.release("another attempt");
    assert!(matches!(gate.lock().source, Source::Holding { .. }));
    gate.release("a");
    assert!(waits.await.unwrap(), "it is taken here");
}

#[tokio::test]
async fn who_waited_is_sent_on_when_the_data_went() {
    let gate = Gate::new(None);
    gate.quiet().await.unwrap();
    gate.hold().await.unwrap();
    gate.drained("a").unwrap();
    let (told, mut hears) = watch::channel(false);
    let waiter = Arc::clone(&gate);
    let waits = wharf_runtime::task::spawn("write", async move {
        let entry = waiter.admit(|| told.send(true).unwrap()).await;
        matches!(entry, Ok(Entry::Elsewhere))
    });
    hears.changed().await.unwrap();
    let Surrender::Mark(marker) = gate.surrender("a", "there:1") else {
        panic!("the attempt is in force")
    };
    gate.marked();
    assert!(waits.await.unwrap());
    assert_eq!(gate.given_up(), Some(marker));
    assert!(gate.maintain().is_none());
}

#[tokio::test]
async fn a_maintenance_round_is_waited_for_before_files_are_still() {
    let gate = Gate::new(None);
    let round = gate.maintain().unwrap();
    let asks = Arc::clone(&gate);
    let quiet = wharf_runtime::task::spawn("quiet", async move { asks.quiet().await });
    while !matches!(gate.lock().source, Source::Quiet { .. }) {
        tokio::task::yield_now().await;
    }
    assert!(!quiet.is_finished());
    drop(round);
    quiet.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_cut_waits_for_maintenance_and_writes_and_writes_wait_for_its_end() {
    let gate = Gate::new(None);
    let round = gate.maintain().unwrap();
    let asks = Arc::clone(&gate);
    let still = wharf_runtime::task::spawn("still", async move { asks.still().await });
    while !gate.lock().still {
        tokio::task::yield_now().await;
    }
    assert!(gate.maintain().is_none(), "no other round begins");
    assert!(!still.is_finished(), "one goes on");
    drop(round);
    let still = still.await.unwrap().ok().unwrap();
    let first = entered(&gate).await;
    let refused = still.hold().await.err();
    assert_eq!(refused, Some(NotStill::Writing), "a write did not end");
    drop(entered(&gate).await);
    drop(first);
    let held = still.hold().await.ok().unwrap();
    let (told, mut hears) = watch::channel(false);
    let waiter = Arc::clone(&gate);
    let waits = wharf_runtime::task::spawn("write", async move {
        let entry = waiter.enter(|| told.send(true).unwrap()).await;
        matches!(entry, Ok(Entry::Here(_)))
    });
    hears.changed().await.unwrap();
    assert_eq!(
        gate.lock().writing,
        0,
        "nothing is written while it is held"
    );
    assert_eq!(held.release(), Ok(()));
    assert!(waits.await.unwrap(), "it is taken here");
    drop(still);
    assert!(gate.maintain().is_some());
}

#[tokio::test]
async fn nothing_is_cut_while_the_data_goes_elsewhere_and_a_move_waits_for_a_cut() {
    let gate = Gate::new(None);
    let still = gate.still().await.ok().unwrap();
    let asks = Arc::clone(&gate);
    let quiet = wharf_runtime::task::spawn("quiet", async move { asks.quiet().await });
    while !matches!(gate.lock().source, Source::Quiet { .. }) {
        tokio::task::yield_now().await;
    }
    assert!(!quiet.is_finished(), "a cut goes on");
    drop(still);
    quiet.await.unwrap().unwrap();
    assert_eq!(gate.still().await.err(), Some(NotStill::Moving));
    let gone = Gate::new(Some(GivenUp {
        attempt: "a".into(),
        to: "there:1".into(),
    }));
    assert_eq!(gone.still().await.err(), Some(NotStill::Moving));
}

#[tokio::test]
async fn a_cut_that_takes_too_long_holds_nobody_any_more_and_does_not_count() {
    let gate = Gate::new(None);
    let still = gate.still().await.ok().unwrap();
    let mut held = still.hold().await.ok().unwrap();
    let now = gate.now_ms();
    (held.until_ms, gate.lock().cut_until_ms) = (now, Some(now));
    drop(entered(&gate).await);
    assert_eq!(held.release(), Err(NotStill::Slow));
}
