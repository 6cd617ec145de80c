//! The only place that starts tasks: every task has a name, ends on the shutdown token, and never loses a panic.
//!
//! Invariants: a panic of a task started here is logged with the task's name and counted in
//! [`panics`], in every build profile that unwinds (in the others the hook of
//! [`install_panic_hook`] logs it before the process ends); a critical task that ends while nobody
//! asked for it ends the process with exit code [`CRITICAL_EXIT_CODE`]; [`Tasks::shutdown`] returns.
//! Not here: what a task does, and restarting one (a task that must live on loops inside itself).

use std::any::Any;
use std::future::Future;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// What the process exits with when a critical task panics or ends unasked (`EX_SOFTWARE`).
pub const CRITICAL_EXIT_CODE: i32 = 70;

/// How long [`Tasks::shutdown`] waits for each task unless told otherwise.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(10);

static PANICS: AtomicU64 = AtomicU64::new(0);

tokio::task_local! {
    static TASK_NAME: String;
}

/// How many tasks of this process have panicked so far.
pub fn panics() -> u64 {
    PANICS.load(Ordering::Relaxed)
}

/// The name of the task that runs this, if it was started here.
pub fn current_name() -> Option<String> {
    TASK_NAME.try_with(Clone::clone).ok()
}

/// A token that says "end now". Clones are the same token; children end with their parent.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    token: CancellationToken,
}

impl Shutdown {
    /// A token of its own, not triggered.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks everybody who holds this token, or a child of it, to end.
    pub fn trigger(&self) {
        self.token.cancel();
    }

    /// Whether the end was asked for.
    pub fn is_triggered(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Returns when the end was asked for; at once when it already was.
    pub async fn triggered(&self) {
        self.token.cancelled().await;
    }

    /// A token that is triggered with this one, and can be triggered alone.
    pub fn child(&self) -> Self {
        Self {
            token: self.token.child_token(),
        }
    }

    /// The bare token, for libraries that take one.
    pub fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// Runs `future` until it is done (`Some`) or the end is asked for (`None`).
    pub async fn run_until<F: Future>(&self, future: F) -> Option<F::Output> {
        self.token.run_until_cancelled(future).await
    }
}

/// What [`Tasks::shutdown`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShutdownReport {
    /// Tasks that had ended, or ended within their deadline.
    pub ended: usize,
    /// Names of the tasks that did not, and were aborted.
    pub aborted: Vec<String>,
    /// Names of the tasks that had panicked.
    pub panicked: Vec<String>,
}

struct Entry {
    name: String,
    handle: JoinHandle<()>,
}

/// The named tasks of one role, and the token that ends them. Cheap to clone.
#[derive(Clone)]
pub struct Tasks {
    shutdown: Shutdown,
    deadline: Duration,
    entries: Arc<Mutex<Vec<Entry>>>,
}

impl Default for Tasks {
    fn default() -> Self {
        Self::new()
    }
}

impl Tasks {
    /// An empty registry with a token of its own.
    pub fn new() -> Self {
        Self::with_shutdown(Shutdown::new())
    }

    /// An empty registry whose tasks end with `shutdown`.
    pub fn with_shutdown(shutdown: Shutdown) -> Self {
        Self {
            shutdown,
            deadline: DEFAULT_DEADLINE,
            entries: Arc::default(),
        }
    }

    /// The same with another deadline per task.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// The token that [`Tasks::shutdown`] triggers; hand it to every long-lived task.
    pub fn token(&self) -> Shutdown {
        self.shutdown.clone()
    }

    /// Starts a task. Its panic is logged and counted, and the rest of the process goes on.
    pub fn spawn<F>(&self, name: impl Into<String>, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let name = name.into();
        let handle = spawn(name.clone(), future);
        self.remember(name, handle);
    }

    /// Starts a task without which the process is of no use: when it panics, or ends before the
    /// shutdown token is triggered, the process ends with [`CRITICAL_EXIT_CODE`].
    pub fn spawn_critical<F>(&self, name: impl Into<String>, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let name = name.into();
        let shutdown = self.shutdown.clone();
        let guarded = {
            let name = name.clone();
            async move {
                let outcome = AssertUnwindSafe(future).catch_unwind().await;
                match outcome {
                    Ok(()) if shutdown.is_triggered() => {}
                    Ok(()) => exit_critical(&name, "ended although nobody asked for it"),
                    Err(payload) => {
                        PANICS.fetch_add(1, Ordering::Relaxed);
                        exit_critical(&name, &panic_text(payload.as_ref()));
                    }
                }
            }
        };
        let handle = spawn(name.clone(), guarded);
        self.remember(name, handle);
    }

    /// Names of the tasks that still run, in the order they were started.
    pub fn running(&self) -> Vec<String> {
        let entries = lock(&self.entries);
        entries
            .iter()
            .filter(|e| !e.handle.is_finished())
            .map(|e| e.name.clone())
            .collect()
    }

    /// Triggers the token and waits for every task, each at most the deadline counted from now;
    /// those that are late are aborted and named. Returns what happened.
    pub async fn shutdown(&self) -> ShutdownReport {
        self.shutdown.trigger();
        let until = tokio::time::Instant::now() + self.deadline;
        let mut report = ShutdownReport::default();
        loop {
            // Tasks may start others while they end, so ask again until none is left.
            let Some(mut entry) = lock(&self.entries).pop() else {
                break;
            };
            match tokio::time::timeout_at(until, &mut entry.handle).await {
                Ok(Ok(())) => report.ended += 1,
                Ok(Err(error)) if error.is_panic() => report.panicked.push(entry.name),
                Ok(Err(_)) => report.ended += 1,
                Err(_) => {
                    entry.handle.abort();
                    tracing::warn!(
                        task = entry.name,
                        "task did not end in time and was aborted"
                    );
                    report.aborted.push(entry.name);
                }
            }
        }
        report
    }

    fn remember(&self, name: String, handle: JoinHandle<()>) {
        let mut entries = lock(&self.entries);
        entries.retain(|entry| !entry.handle.is_finished());
        entries.push(Entry { name, handle });
    }
}

/// Starts one task that no registry keeps, such as the one of a connection. A panic is logged with
/// the name, counted, and handed on through the handle.
pub fn spawn<F>(name: impl Into<String>, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let name = name.into();
    tokio::spawn(TASK_NAME.scope(name, async move {
        match AssertUnwindSafe(future).catch_unwind().await {
            Ok(output) => output,
            Err(payload) => {
                count_panic(payload.as_ref());
                panic::resume_unwind(payload)
            }
        }
    }))
}

/// Runs blocking work (files, compression) beside the async threads. Panics are treated as in [`spawn`].
pub fn spawn_blocking<F, T>(name: impl Into<String>, work: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let name = name.into();
    tokio::task::spawn_blocking(move || {
        TASK_NAME.sync_scope(name, || match panic::catch_unwind(AssertUnwindSafe(work)) {
            Ok(output) => output,
            Err(payload) => {
                count_panic(payload.as_ref());
                panic::resume_unwind(payload)
            }
        })
    })
}

/// An executor for hyper and tonic that starts their tasks here, so that a panic in a handler has a
/// name and is counted.
#[derive(Clone, Debug)]
pub struct NamedExecutor {
    name: Arc<str>,
}

impl NamedExecutor {
    /// Every task it starts carries this name.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self { name: name.into() }
    }
}

impl<F> hyper::rt::Executor<F> for NamedExecutor
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        drop(spawn(self.name.to_string(), future));
    }
}

/// Returns when the process is asked to end: SIGTERM or SIGINT.
///
/// # Errors
/// When the signal handlers cannot be installed.
pub async fn termination_signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Sends every panic of the process to the log with its place and its task's name, instead of bare
/// text to stderr. Call once in main, after the log is set up.
pub fn install_panic_hook() {
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let task = current_name().unwrap_or_else(|| "none".to_owned());
        let message = panic_text(info.payload());
        let backtrace = std::backtrace::Backtrace::capture();
        tracing::error!(task, place, message, %backtrace, "panic");
    }));
}

fn count_panic(payload: &(dyn Any + Send)) {
    PANICS.fetch_add(1, Ordering::Relaxed);
    let task = current_name().unwrap_or_default();
    tracing::error!(task, message = panic_text(payload), "task panicked");
}

fn panic_text(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic without a message".to_owned()
    }
}

fn exit_critical(name: &str, why: &str) -> ! {
    tracing::error!(
        task = name,
        why,
        "critical task ended; the process ends to be restarted"
    );
    std::process::exit(CRITICAL_EXIT_CODE);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // The guarded lists are valid after every statement, so a poisoned lock is as good as any.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_counted_and_reported_by_name() {
        let before = panics();
        let tasks = Tasks::new();
        tasks.spawn("breaks", async { panic!("planted") });
        while panics() == before {
            tokio::task::yield_now().await;
        }
        // Whether it is still listed depends on who reaped it first; the count is what never lies.
        let report = tasks.shutdown().await;
        assert!(report.aborted.is_empty());
        assert!(panics() > before);
    }

    #[tokio::test]
    async fn shutdown_waits_for_tasks_that_listen_and_aborts_those_that_do_not() {
        let tasks = Tasks::new().with_deadline(Duration::from_millis(50));
        let token = tasks.token();
        tasks.spawn("listens", async move { token.triggered().await });
        tasks.spawn("deaf", std::future::pending());
        let report = tasks.shutdown().await;
        assert_eq!(report.ended, 1);
        assert_eq!(report.aborted, ["deaf"]);
    }

    #[tokio::test]
    async fn a_critical_task_may_end_after_the_token_was_triggered() {
        let tasks = Tasks::new();
        let token = tasks.token();
        tasks.spawn_critical("heart", async move { token.triggered().await });
        assert_eq!(tasks.running(), ["heart"]);
        assert_eq!(tasks.shutdown().await.ended, 1);
    }

    /// Ends the process, so it does its work only in a process of its own, started by the test below.
    #[tokio::test]
    async fn child_with_a_critical_task() {
        let Ok(how) = std::env::var("WHARF_TEST_CRITICAL") else {
            return;
        };
        let tasks = Tasks::new();
        tasks.spawn_critical("heart", async move {
            assert_ne!(how, "panics", "planted");
        });
        std::future::pending::<()>().await;
    }

    #[test]
    fn a_critical_task_that_panics_or_ends_unasked_ends_the_process() {
        for how in ["panics", "ends"] {
            let status = std::process::Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "task::tests::child_with_a_critical_task"])
                .env("WHARF_TEST_CRITICAL", how)
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null())
                .status()
                .unwrap();
            assert_eq!(status.code(), Some(CRITICAL_EXIT_CODE), "{how}");
        }
    }

    #[tokio::test]
    async fn a_task_knows_its_name_and_hands_its_panic_on() {
        assert_eq!(
            spawn("named", async { current_name() })
                .await
                .unwrap()
                .unwrap(),
            "named"
        );
        assert!(
            spawn("breaks", async { panic!("planted") })
                .await
                .unwrap_err()
                .is_panic()
        );
        assert!(
            spawn_blocking("breaks", || panic!("planted"))
                .await
                .unwrap_err()
                .is_panic()
        );
    }

    #[tokio::test]
    async fn children_end_with_their_parent_but_not_the_other_way_round() {
        let parent = Shutdown::new();
        let child = parent.child();
        child.trigger();
        assert!(!parent.is_triggered());
        let second = parent.child();
        parent.trigger();
        second.triggered().await;
        assert_eq!(second.run_until(std::future::pending::<()>()).await, None);
    }
}
