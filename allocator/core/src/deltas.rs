//! What changed in a keyed list since it was last sent: the whole list first, then differences.
//!
//! Invariants: a receiver that applies every message in order holds the list. Not here: sending.

use std::collections::BTreeMap;

/// What to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delta<T> {
    /// The whole list is in `changed`.
    pub full: bool,
    /// New and different entries.
    pub changed: Vec<T>,
    /// Keys that are no longer there.
    pub gone: Vec<String>,
}

/// What the receiver holds.
#[derive(Debug, Clone)]
pub struct Sent<T> {
    held: Option<BTreeMap<String, T>>,
}

impl<T> Default for Sent<T> {
    fn default() -> Self {
        Self { held: None }
    }
}

impl<T: Clone + PartialEq> Sent<T> {
    /// What makes the receiver hold `now`; nothing when it does.
    pub fn update(&mut self, now: &BTreeMap<String, T>) -> Option<Delta<T>> {
        let delta = match &self.held {
            None => Delta {
                full: true,
                changed: now.values().cloned().collect(),
                gone: vec![],
            },
            Some(held) => Delta {
                full: false,
                changed: now
                    .iter()
                    .filter(|(key, value)| held.get(*key) != Some(*value))
                    .map(|(_, value)| value.clone())
                    .collect(),
                gone: held
                    .keys()
                    .filter(|key| !now.contains_key(*key))
                    .cloned()
                    .collect(),
            },
        };
        if !delta.full && delta.changed.is_empty() && delta.gone.is_empty() {
            return None;
        }
        self.held = Some(now.clone());
        Some(delta)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_receiver_of_every_delta_holds_the_list(
            lists in proptest::collection::vec(
                proptest::collection::btree_map("[a-d]", 0_u8..3, 0..4), 1..12)
        ) {
            let mut sent = Sent::default();
            let mut receiver: BTreeMap<String, (String, u8)> = BTreeMap::new();
            for list in lists {
                let list: BTreeMap<String, (String, u8)> =
                    list.into_iter().map(|(key, value)| (key.clone(), (key, value))).collect();
                if let Some(delta) = sent.update(&list) {
                    if delta.full {
                        receiver.clear();
                    }
                    for key in &delta.gone {
                        receiver.remove(key);
                    }
                    receiver.extend(delta.changed.into_iter().map(|one| (one.0.clone(), one)));
                }
                prop_assert_eq!(&receiver, &list);
            }
        }
    }
}
