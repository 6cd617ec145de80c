//! Whether an instance begins from its last snapshot, and what is durable of that.
//!
//! Invariants: what was begun is finished or served never; data that was served already is never replaced; a later order
//! counts only where nothing was ever opened. Not here: bringing the files.

use serde::{Deserialize, Serialize};

/// What is written down of a restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum Kept {
    /// Files lie here that are not whole.
    Restoring {
        /// The life that the order was for.
        incarnation: u64,
        /// Which snapshot, once it was chosen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        snapshot: Option<String>,
    },
    /// The data is here.
    Restored {
        /// The life that it was for.
        incarnation: u64,
        /// Which snapshot.
        snapshot: String,
        /// When it was taken.
        taken_ms: u64,
        /// Its bytes.
        bytes: u64,
    },
}

/// What was found in the place of the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// None.
    Nothing,
    /// One that cannot be read: an order all the same, because an empty store in its place would be worse.
    Unreadable,
    /// One.
    Order {
        /// The life that it is for.
        incarnation: u64,
    },
}

/// How an instance begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begin {
    /// With what it has.
    Serve {
        /// It was told to begin from a snapshot and has data of its own.
        refused: bool,
    },
    /// With a snapshot. This is to be durable before anything else is done.
    /// An order that is missing or cannot be read then is waited for: nothing is served before one was followed.
    Restore(Kept),
}

/// Decides. `has_data`: a store was opened here, or files of one lie here.
#[must_use]
pub fn begin(found: Found, kept: Option<&Kept>, has_data: bool) -> Begin {
    match (kept, found) {
        (
            Some(Kept::Restored {
                incarnation: done, ..
            }),
            Found::Order { incarnation },
        ) => Begin::Serve {
            refused: incarnation > *done,
        },
        (Some(Kept::Restored { .. }), _) => Begin::Serve { refused: false },
        (
            Some(Kept::Restoring {
                incarnation: begun, ..
            }),
            Found::Order { incarnation },
        ) if *begun == incarnation => Begin::Restore(kept.cloned().unwrap_or(fresh(incarnation))),
        // Nothing of it was served: what lies here may belong to another snapshot and is replaced where it differs.
        (Some(Kept::Restoring { .. }), Found::Order { incarnation }) => {
            Begin::Restore(fresh(incarnation))
        }
        (Some(begun @ Kept::Restoring { .. }), _) => Begin::Restore(begun.clone()),
        (None, Found::Nothing) => Begin::Serve { refused: false },
        (None, _) if has_data => Begin::Serve { refused: true },
        (None, Found::Order { incarnation }) => Begin::Restore(fresh(incarnation)),
        (None, Found::Unreadable) => Begin::Restore(fresh(0)),
    }
}

fn fresh(incarnation: u64) -> Kept {
    Kept::Restoring {
        incarnation,
        snapshot: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn restored(incarnation: u64) -> Kept {
        Kept::Restored {
            incarnation,
            snapshot: "s".into(),
            taken_ms: 1,
            bytes: 2,
        }
    }

    #[test]
    fn an_order_counts_where_nothing_was_opened() {
        let order = Found::Order { incarnation: 2 };
        assert_eq!(begin(order, None, false), Begin::Restore(fresh(2)));
        assert_eq!(begin(order, None, true), Begin::Serve { refused: true });
        assert_eq!(
            begin(Found::Nothing, None, false),
            Begin::Serve { refused: false }
        );
        assert_eq!(
            begin(Found::Unreadable, None, false),
            Begin::Restore(fresh(0))
        );
        assert_eq!(
            begin(order, Some(&restored(2)), true),
            Begin::Serve { refused: false }
        );
        assert_eq!(
            begin(order, Some(&restored(1)), true),
            Begin::Serve { refused: true }
        );
    }

    #[test]
    fn a_restore_that_began_goes_on_with_its_snapshot_or_anew_for_a_later_order() {
        let begun = Kept::Restoring {
            incarnation: 2,
            snapshot: Some("s".into()),
        };
        let order = |incarnation| Found::Order { incarnation };
        assert_eq!(
            begin(order(2), Some(&begun), true),
            Begin::Restore(begun.clone())
        );
        assert_eq!(
            begin(order(3), Some(&begun), true),
            Begin::Restore(fresh(3))
        );
        assert_eq!(
            begin(Found::Nothing, Some(&begun), true),
            Begin::Restore(begun.clone())
        );
        assert_eq!(
            begin(Found::Unreadable, Some(&begun), true),
            Begin::Restore(begun.clone())
        );
    }

    #[test]
    fn what_is_written_down_is_read_again() {
        for kept in [fresh(4), restored(7)] {
            let text = serde_json::to_string(&kept).unwrap();
            assert_eq!(serde_json::from_str::<Kept>(&text).unwrap(), kept, "{text}");
        }
    }

    /// What happens to a place.
    #[derive(Debug, Clone, Copy)]
    enum Event {
        /// It starts, with this in the order's place, and comes so far before it ends.
        Start(u64, u8),
        /// It starts without an order.
        StartWithout,
    }

    proptest! {
        #[test]
        fn nothing_unfinished_is_served_and_nothing_served_is_replaced(
            events in proptest::collection::vec(prop_oneof![
                (1..4u64, 0..4u8).prop_map(|(order, steps)| Event::Start(order, steps)),
                Just(Event::StartWithout),
            ], 0..12),
        ) {
            // What lies here: whole or not, and whether it was ever served.
            let (mut kept, mut whole, mut files, mut served): (Option<Kept>, bool, bool, bool) = (None, true, false, false);
            for event in events {
                let (found, steps) = match event {
                    Event::Start(incarnation, steps) => (Found::Order { incarnation }, steps),
                    Event::StartWithout => (Found::Nothing, 3),
                };
                match begin(found, kept.as_ref(), files) {
                    Begin::Serve { .. } => {
                        prop_assert!(whole, "{:?} is served with {:?}", event, kept);
                        (files, served) = (true, true);
                    }
                    Begin::Restore(begun) => {
                        prop_assert!(!served, "served data is replaced: {:?}", begun);
                        let Kept::Restoring { incarnation, .. } = begun else {
                            return Err(TestCaseError::fail("a finished restore begins"));
                        };
                        kept = Some(begun);
                        // Without an order it waits.
                        let steps = if found == Found::Nothing { 0 } else { steps };
                        if steps > 0 {
                            (files, whole) = (true, false);
                        }
                        if steps > 1 {
                            // Every file is right and durable, then this is.
                            (kept, whole) = (Some(restored(incarnation)), true);
                        }
                        served |= steps > 2;
                    }
                }
            }
        }
    }
}
