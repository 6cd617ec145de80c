//! One bounded cache of what was read and unpacked: columns, dictionaries, source blocks.
//!
//! Invariants: the sum of the entries' sizes stays at or below the budget after each insert; an
//! entry is shared, so evicting it never takes it from a running search. Not here: reading files.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Names a cached thing: the owner (a segment or memtable), the kind and number of its part.
pub(crate) type Key = (u64, u8, u32);

struct Entry {
    value: Arc<dyn Any + Send + Sync>,
    bytes: usize,
    used: u64,
}

#[derive(Default)]
struct Inner {
    entries: HashMap<Key, Entry>,
    bytes: usize,
    clock: u64,
}

/// The cache.
pub(crate) struct Cache {
    inner: Mutex<Inner>,
    budget: usize,
}

impl Cache {
    pub(crate) fn new(budget: usize) -> Self {
        Self {
            inner: Mutex::new(Inner::default()),
            budget,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The entry, or what `make` gives (value and its bytes), which is then kept.
    pub(crate) fn get_or<T: Any + Send + Sync, E>(
        &self,
        key: Key,
        make: impl FnOnce() -> Result<(T, usize), E>,
    ) -> Result<Arc<T>, E> {
        {
            let mut inner = self.lock();
            inner.clock += 1;
            let now = inner.clock;
            if let Some(entry) = inner.entries.get_mut(&key) {
                entry.used = now;
                if let Ok(value) = Arc::clone(&entry.value).downcast::<T>() {
                    return Ok(value);
                }
            }
        }
        let (value, bytes) = make()?;
        let value = Arc::new(value);
        self.put(key, value.clone(), bytes);
        Ok(value)
    }

    fn put(&self, key: Key, value: Arc<dyn Any + Send + Sync>, bytes: usize) {
        let mut inner = self.lock();
        if bytes > self.budget / 2 {
            return;
        }
        let used = inner.clock;
        if let Some(old) = inner.entries.insert(key, Entry { value, bytes, used }) {
            inner.bytes -= old.bytes;
        }
        inner.bytes += bytes;
        if inner.bytes > self.budget {
            inner.evict(self.budget - self.budget / 8);
        }
    }

    /// Drops all parts of an owner that is gone.
    pub(crate) fn forget(&self, owner: u64) {
        let mut inner = self.lock();
        let mut freed = 0;
        inner.entries.retain(|key, entry| {
            let keep = key.0 != owner;
            if !keep {
                freed += entry.bytes;
            }
            keep
        });
        inner.bytes -= freed;
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.lock().bytes
    }
}

impl Inner {
    fn evict(&mut self, target: usize) {
        let mut ages: Vec<(u64, Key)> = self.entries.iter().map(|(k, e)| (e.used, *k)).collect();
        ages.sort_unstable();
        for (_, key) in ages {
            if self.bytes <= target {
                break;
            }
            if let Some(entry) = self.entries.remove(&key) {
                self.bytes -= entry.bytes;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Cache;

    #[test]
    fn stays_within_its_budget_and_keeps_what_was_used_last() {
        let cache = Cache::new(1000);
        for n in 0..50u32 {
            let _ = cache.get_or((1, 0, n), || Ok::<_, ()>((n, 100)));
            let _ = cache.get_or((1, 0, 0), || Ok::<_, ()>((0u32, 100)));
            assert!(cache.bytes() <= 1000);
        }
        let kept = cache.get_or((1, 0, 0), || Err::<(u32, usize), _>("was evicted"));
        assert_eq!(*kept.unwrap(), 0);
        cache.forget(1);
        assert_eq!(cache.bytes(), 0);
    }
}
