//! Work on several things at the same time, no more of it than this machine has cores: engines, images
//! and installations keep one busy each. Not here: what the work is.

use std::{
    num::NonZero,
    sync::{Mutex, PoisonError},
    thread,
};

/// Does the work on each thing and gives what came of it, in the order of the things.
///
/// # Panics
/// With the first panic of the work, when all of it has ended.
pub(super) fn each<T: Send, R: Send>(
    things: impl IntoIterator<Item = T>,
    work: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    let waiting: Vec<(usize, T)> = things.into_iter().enumerate().collect();
    let workers = thread::available_parallelism()
        .map_or(2, NonZero::get)
        .max(2)
        .min(waiting.len());
    let queue = Mutex::new(waiting.into_iter());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let mut done: Vec<(usize, R)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..workers)
            .map(|_| {
                scope.spawn(|| {
                    let mut own = Vec::new();
                    while let Some((place, thing)) = next() {
                        own.push((place, work(thing)));
                    }
                    own
                })
            })
            .collect();
        let ended: Vec<_> = workers.into_iter().map(|worker| worker.join()).collect();
        ended
            .into_iter()
            .flat_map(|ended| ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    done.sort_unstable_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_thing_is_worked_on_once_and_results_keep_the_order() {
        assert_eq!(
            each(0..100, |n| n * 2),
            (0..200).step_by(2).collect::<Vec<_>>()
        );
        assert_eq!(each(Vec::<u8>::new(), |n| n), [0; 0]);
    }
}
