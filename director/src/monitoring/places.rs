//! How many calls are passed on at once, in all and for each user. Who has his share waits; too many of one user's
//! that wait are refused. Invariants: nobody's calls keep another's from their turn; a call that is given up while it
//! waits leaves nothing behind. Not here: until when a call waits (the caller).

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// See the module.
#[derive(Debug)]
pub(crate) struct Places {
    all: Arc<Semaphore>,
    each: usize,
    waiting: usize,
    users: Mutex<BTreeMap<String, Arc<User>>>,
}

#[derive(Debug)]
struct User {
    own: Arc<Semaphore>,
    waiting: AtomicUsize,
}

/// Lets a call through until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _own: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
    // Keeps the user known while calls of theirs run.
    _user: Arc<User>,
}

/// Counts who waits, also when the waiting is given up.
struct Waits<'a>(&'a User);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Places {
    /// So many in all, of each user, and waiting of each user.
    pub(crate) fn new(all: usize, each: usize, waiting: usize) -> Self {
        Self {
            all: Arc::new(Semaphore::new(all)),
            each,
            waiting,
            users: Mutex::default(),
        }
    }

    fn user(&self, name: &str) -> Arc<User> {
        // The map is whole after every statement.
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(user) = users.get(name) {
            return Arc::clone(user);
        }
        users.retain(|_, user| Arc::strong_count(user) > 1);
        let user = Arc::new(User {
            own: Arc::new(Semaphore::new(self.each)),
            waiting: AtomicUsize::new(0),
        });
        users.insert(name.to_owned(), Arc::clone(&user));
        user
    }

    /// Waits for a place; none when too many calls of this user wait already.
    pub(crate) async fn take(&self, name: &str) -> Option<Place> {
        let user = self.user(name);
        if user.waiting.fetch_add(1, Ordering::Relaxed) >= self.waiting {
            drop(Waits(&user));
            return None;
        }
        let waits = Waits(&user);
        // One's own first: who waits for it stands in nobody's way.
        let own = Arc::clone(&user.own).acquire_owned().await.ok()?;
        let all = Arc::clone(&self.all).acquire_owned().await.ok()?;
        drop(waits);
        Some(Place {
            _own: own,
            _all: all,
            _user: user,
        })
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a_user_has_a_share_and_others_are_not_kept_waiting_by_it() {
        let places = Places::new(3, 2, 1);
        let first = places.take("ada").await.expect("a place");
        let _second = places.take("ada").await.expect("another");
        let mut third = Box::pin(places.take("ada"));
        assert!(third.as_mut().now_or_never().is_none(), "it waits");
        assert!(places.take("ada").await.is_none(), "one waits already");
        let _bob = places.take("bob").now_or_never().expect("bob's own share");
        drop(first);
        assert!(third.await.is_some(), "its turn came");
    }

    #[tokio::test]
    async fn a_call_that_is_given_up_while_it_waits_leaves_its_turn_to_others() {
        let places = Places::new(1, 2, 1);
        let held = places.take("ada").await.expect("a place");
        let mut waits = Box::pin(places.take("bob"));
        assert!(waits.as_mut().now_or_never().is_none(), "all are taken");
        drop(waits);
        let mut again = Box::pin(places.take("bob"));
        assert!(again.as_mut().now_or_never().is_none(), "it is not refused");
        drop(held);
        assert!(again.await.is_some());
    }

    #[tokio::test]
    async fn users_without_calls_are_forgotten() {
        let places = Places::new(2, 2, 1);
        for number in 0..100 {
            drop(places.take(&format!("user {number}")).await);
        }
        assert!(places.users.lock().unwrap().len() <= 1);
    }
}
