//! Follows the log of every container, and the engine's own, into the spool.
//!
//! Invariants: an offset is remembered only after the line is in the spool; when the spool cannot
//! take lines, reading stops where it is and goes on later, nothing is lost; a container that
//! vanished is read to the end of its log first; one turn is bounded whatever is written.
//! Not here: rotation (`tail`), what is in a line (`core::log`).

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use wharf_collectors_core::log::document::LogFile;
use wharf_collectors_core::log::{Joiner, container_line, engine_line};
use wharf_collectors_core::{ContainerContext, ContainerMeta, Document, Envelope};
use wharf_runtime::clock;
use wharf_runtime::task::{Shutdown, spawn_blocking};

use crate::config::Config;
use crate::counters::{Counters, add, set};
use crate::inventory::Snapshot;
use crate::spool::Spool;
use crate::tail::{Follow, Position, Registry, Turn};

/// How often quiet files are looked at.
const POLL: Duration = Duration::from_millis(100);
/// How often it is checked whether files were renamed, and offsets are written.
const HOUSEKEEPING: Duration = Duration::from_secs(1);
/// Bytes that one file may have in one turn, so that a loud container does not silence others.
const FILE_BUDGET: usize = 512 * 1024;
/// Bytes that all files may have in one turn.
const TURN_BUDGET: usize = 4 * 1024 * 1024;
/// A vanished container's log is read for at most this long.
const DRAIN: Duration = Duration::from_secs(60);
/// Offsets of vanished containers are kept for this long: an engine that restarts may list none.
const REMEMBERED: Duration = Duration::from_secs(600);
/// The engine's own log stands in the registry under this name.
const ENGINE: &str = "engine";

/// One followed log.
struct Log {
    follow: Follow,
    /// As the engine names it.
    shown_path: String,
    source: Source,
    /// Where a restart goes on: before the oldest unfinished line.
    resume: Option<Position>,
    gone_since: Option<Instant>,
    has_more: bool,
}

enum Source {
    Container {
        context: Box<ContainerContext>,
        meta: Arc<ContainerMeta>,
        joiner: Box<Joiner>,
    },
    Engine,
}

/// Everything that is followed; moved to a blocking thread for each turn.
struct Logs {
    config: Arc<Config>,
    envelope: Arc<Envelope>,
    registry: Registry,
    logs: HashMap<String, Log>,
    buffer: Vec<u8>,
    started_ms: i64,
    /// Files found in the first moments may have been read by an earlier process.
    is_starting: bool,
    next: usize,
    /// Containers with an offset that the engine does not list, and since when.
    absent: HashMap<String, Instant>,
}

/// What one turn read: documents, and how each log stood before it.
struct Read {
    documents: Vec<Document>,
    verify: bool,
    before: Vec<(String, Option<Position>, Option<Joiner>)>,
    has_more: bool,
}

pub(crate) struct LogTask {
    pub(crate) config: Arc<Config>,
    pub(crate) envelope: Arc<Envelope>,
    pub(crate) registry: Registry,
    pub(crate) snapshots: watch::Receiver<Arc<Snapshot>>,
    pub(crate) spool: Spool,
    pub(crate) counters: Arc<Counters>,
    pub(crate) shutdown: Shutdown,
}

impl LogTask {
    /// The task.
    pub(crate) async fn run(mut self) {
        let mut logs = Logs {
            config: self.config,
            envelope: self.envelope,
            registry: self.registry,
            logs: HashMap::new(),
            buffer: Vec::new(),
            started_ms: clock::now_ms(),
            is_starting: true,
            next: 0,
            absent: HashMap::new(),
        };
        let mut housekeeping = Instant::now();
        let mut is_full = false;
        let mut has_snapshot = false;
        loop {
            let is_new = self.snapshots.has_changed().unwrap_or(false);
            let snapshot = is_new.then(|| Arc::clone(&self.snapshots.borrow_and_update()));
            has_snapshot |= snapshot.is_some();
            let is_due = housekeeping.elapsed() >= HOUSEKEEPING;
            if is_due {
                housekeeping = Instant::now();
            }
            let turn = spawn_blocking("log-read", move || {
                if let Some(snapshot) = snapshot {
                    logs.adopt(&snapshot);
                }
                let read = logs.turn(is_due);
                (logs, read)
            });
            let read;
            (logs, read) = match turn.await {
                Ok(done) => done,
                // A panic was logged. The offsets on disk are right: end this task's work in order.
                Err(_) => return,
            };
            let lines = read.documents.len();
            let has_more = read.has_more;
            match self.spool.append(read.documents, read.verify).await {
                Ok(()) => {
                    add(&self.counters.log_lines, lines);
                    is_full = false;
                    logs.remember(&read.before);
                }
                Err(error) => {
                    if !is_full {
                        tracing::warn!(code = "COL0003", %error, "log lines wait in their files until the spool takes them");
                    }
                    is_full = true;
                    logs.go_back(read.before);
                }
            }
            set(&self.counters.log_files, logs.logs.len() as u64);
            if is_due || self.shutdown.is_triggered() {
                // Only what is known to be running can tell what is gone.
                if has_snapshot {
                    logs.forget_gone();
                }
                let saved = spawn_blocking("log-offsets", move || {
                    if let Err(error) = logs.registry.save() {
                        tracing::warn!(%error, "log offsets could not be written");
                    }
                    logs
                });
                logs = match saved.await {
                    Ok(logs) => logs,
                    Err(_) => return,
                };
            }
            if self.shutdown.is_triggered() {
                break;
            }
            if !has_more || is_full {
                tokio::select! {
                    () = self.shutdown.triggered() => {}
                    () = tokio::time::sleep(POLL) => {}
                    _ = self.snapshots.changed(), if !is_full => {
                        // Seen again above; a publisher that is gone must not make this spin.
                        self.snapshots.mark_changed();
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                }
            }
        }
    }
}

impl Logs {
    /// Follows the logs of new containers and marks those that are gone.
    fn adopt(&mut self, snapshot: &Snapshot) {
        let present: HashSet<&str> = snapshot
            .containers
            .iter()
            .map(|meta| meta.id.as_str())
            .collect();
        for (id, log) in &mut self.logs {
            let is_gone = id != ENGINE && !present.contains(id.as_str());
            log.gone_since = if is_gone {
                log.gone_since.or(Some(Instant::now()))
            } else {
                None
            };
        }
        let absent = self
            .registry
            .containers()
            .filter(|id| *id != ENGINE && !present.contains(id));
        let absent: HashSet<String> = absent.map(str::to_owned).collect();
        self.absent.retain(|id, _| absent.contains(id));
        for id in absent {
            self.absent.entry(id).or_insert_with(Instant::now);
        }
        for meta in &snapshot.containers {
            let Some(shown) = meta.log_path.as_deref().filter(|path| !path.is_empty()) else {
                continue;
            };
            if let Some(log) = self.logs.get_mut(&meta.id) {
                if let Source::Container {
                    context,
                    meta: known,
                    ..
                } = &mut log.source
                    && known != meta
                {
                    **context = ContainerContext::new(meta);
                    *known = Arc::clone(meta);
                }
                continue;
            }
            let path = prefixed(&self.config.log_prefix, shown);
            let follow = match self.registry.get(&meta.id) {
                Some(position) => Follow::resume(path, position),
                None if self.registry.is_new() && meta.created_ms < self.started_ms => {
                    Follow::from_tail(path, self.config.first_read_bytes)
                }
                None => Follow::from_beginning(path),
            };
            let source = Source::Container {
                context: Box::new(ContainerContext::new(meta)),
                meta: Arc::clone(meta),
                joiner: Box::default(),
            };
            self.logs
                .insert(meta.id.clone(), Log::new(follow, shown, source));
        }
        if let Some(path) = &self.config.engine_log
            && !self.logs.contains_key(ENGINE)
        {
            let follow = match self.registry.get(ENGINE) {
                Some(position) => Follow::resume(path, position),
                None => Follow::from_tail(path, self.config.first_read_bytes),
            };
            let log = Log::new(follow, &path.to_string_lossy(), Source::Engine);
            self.logs.insert(ENGINE.to_owned(), log);
        }
    }

    /// Reads from the files, each its share, starting with another one each time.
    fn turn(&mut self, check_rotation: bool) -> Read {
        let mut read = Read {
            documents: Vec::new(),
            verify: false,
            before: Vec::new(),
            has_more: false,
        };
        if clock::now_ms().saturating_sub(self.started_ms) > 10_000 {
            self.is_starting = false;
        }
        let mut ids: Vec<String> = self.logs.keys().cloned().collect();
        if !ids.is_empty() {
            let start = self.next % ids.len();
            ids.rotate_left(start);
        }
        self.next = self.next.wrapping_add(1);
        let now_ms = clock::now_ms();
        let mut bytes = 0;
        for id in ids {
            if bytes >= TURN_BUDGET {
                read.has_more = true;
                break;
            }
            let Some(log) = self.logs.get_mut(&id) else {
                continue;
            };
            let position = log.follow.position();
            let joiner = log.joiner().cloned();
            let count = read.documents.len();
            let is_last = log.gone_since.is_some();
            let check_rotation = check_rotation || log.has_more || is_last;
            let file_path = log.shown_path.clone();
            let (source, resume) = (&mut log.source, &mut log.resume);
            let (envelope, documents) = (&*self.envelope, &mut read.documents);
            let (verify, is_starting) = (&mut read.verify, self.is_starting);
            let turn = log.follow.turn(
                &mut self.buffer,
                FILE_BUDGET,
                check_rotation,
                is_last,
                &mut |line| {
                    bytes += line.bytes.len() + 1;
                    *verify |= is_starting && line.is_old;
                    let file = LogFile {
                        path: &file_path,
                        identity: (line.file.device, line.file.inode),
                    };
                    match source {
                        Source::Container {
                            context, joiner, ..
                        } => {
                            let had_pending = joiner.pending_offset().is_some();
                            if let Some(whole) = joiner.push(line.offset, line.bytes, now_ms) {
                                documents.push(container_line(envelope, context, file, &whole));
                            }
                            match joiner.pending_offset() {
                                None => *resume = None,
                                Some(offset) if !had_pending => {
                                    *resume = Some(Position {
                                        file: line.file,
                                        offset,
                                        head: 0,
                                    });
                                }
                                Some(_) => {}
                            }
                        }
                        Source::Engine => {
                            let document =
                                engine_line(envelope, file, line.offset, line.bytes, now_ms);
                            documents.extend(document);
                        }
                    }
                },
            );
            if is_last && turn == Turn::Idle {
                // Nothing will end what is unfinished.
                let identity = log.follow.position().map(|position| position.file);
                if let (
                    Source::Container {
                        context, joiner, ..
                    },
                    Some(identity),
                ) = (&mut log.source, identity)
                {
                    let identity = (identity.device, identity.inode);
                    let file = LogFile {
                        path: &file_path,
                        identity,
                    };
                    let unfinished = joiner.flush();
                    read.documents.extend(
                        unfinished
                            .iter()
                            .map(|line| container_line(&self.envelope, context, file, line)),
                    );
                    log.resume = None;
                }
            }
            log.has_more = turn == Turn::More;
            read.has_more |= log.has_more;
            if log.follow.position() != position || read.documents.len() > count {
                read.before.push((id, position, joiner));
            }
        }
        read
    }

    /// What was read is in the spool: remember how far.
    fn remember(&mut self, read: &[(String, Option<Position>, Option<Joiner>)]) {
        for (id, ..) in read {
            if let Some(log) = self.logs.get(id)
                && let Some(position) = log.resume.or_else(|| log.follow.position())
            {
                self.registry.set(id, position);
            }
        }
    }

    /// What was read could not be kept: stand where it was.
    fn go_back(&mut self, read: Vec<(String, Option<Position>, Option<Joiner>)>) {
        for (id, position, joiner) in read {
            let Some(log) = self.logs.get_mut(&id) else {
                continue;
            };
            match position {
                Some(position) => log.follow.rewind(position),
                // It was opened in this very turn: from where the last process stopped.
                None => match self.registry.get(&id) {
                    Some(position) => log.follow.rewind(position),
                    None => log.follow.restart(),
                },
            }
            if let (Source::Container { joiner: now, .. }, Some(joiner)) = (&mut log.source, joiner)
            {
                **now = joiner;
            }
        }
    }

    /// Drops what is gone and was read to its end.
    fn forget_gone(&mut self) {
        self.logs.retain(|_, log| {
            let Some(since) = log.gone_since else {
                return true;
            };
            // One whole housekeeping round after it vanished, so that the end was surely read.
            let is_drained = !log.has_more && since.elapsed() >= HOUSEKEEPING;
            !is_drained && since.elapsed() < DRAIN
        });
        let (registry, logs) = (&mut self.registry, &self.logs);
        self.absent.retain(|id, since| {
            let keep = since.elapsed() < REMEMBERED || logs.contains_key(id);
            if !keep {
                registry.remove(id);
            }
            keep
        });
    }
}

impl Log {
    fn new(follow: Follow, shown_path: &str, source: Source) -> Self {
        Self {
            follow,
            shown_path: shown_path.to_owned(),
            source,
            resume: None,
            gone_since: None,
            has_more: false,
        }
    }

    fn joiner(&self) -> Option<&Joiner> {
        match &self.source {
            Source::Container { joiner, .. } => Some(joiner.as_ref()),
            Source::Engine => None,
        }
    }
}

fn prefixed(prefix: &std::path::Path, path: &str) -> PathBuf {
    if prefix.as_os_str().is_empty() {
        PathBuf::from(path)
    } else {
        prefix.join(path.trim_start_matches('/'))
    }
}
