//! Follows the files of systemd's journal for the entries of the engine's units.
//!
//! Invariants: every entry of those units is given out in each file's order, at least once, with the
//! same id each time; a file is known by its own id, so that a rename is no change; one that vanished
//! is read to its end first; a turn is bounded, and what cannot be read is said once and passed over.
//! Not here: the format (`core::journald`), the document (`core::log::journald`), when to read.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use wharf_collectors_core::journald::{
    Bytes, Header, JournaldError, LEAST_FILE_BYTES, Units, entry, header,
};
use wharf_collectors_core::log::engine_entry;
use wharf_collectors_core::{Document, Envelope};

use super::registry::{Position, Registry};
use super::{Identity, open};
use crate::config::Config;

/// The units that an engine runs as: Docker's, containerd's, and what distributions call them.
const UNITS: [&str; 7] = [
    "docker.service",
    "docker.socket",
    "containerd.service",
    "docker-latest.service",
    "early-docker.service",
    "snap.docker.dockerd.service",
    "balena.service",
];
/// The most entries of one turn.
const MAX_ENTRIES: usize = 1000;
/// The most bytes of documents of one turn.
const MAX_BYTES: usize = 4 * 1024 * 1024;
/// The most files that are followed; systemd keeps a hundred by default.
const MAX_FILES: usize = 1000;
/// How far a file was read is kept for this long after it vanished.
const REMEMBERED: Duration = Duration::from_secs(600);
/// Files found in the first moments may have been read by an earlier process.
const STARTING: Duration = Duration::from_secs(10);
/// A file is looked at once more after its last change: its index is written after its counts.
const LOOKS: u8 = 2;

/// A file's id.
type FileId = [u8; 16];

struct OnDisk(File);

impl Bytes for OnDisk {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> usize {
        let mut done = 0;
        while done < into.len() {
            match self.0.read_at(&mut into[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        done
    }
}

/// One file.
struct Followed {
    /// None once it was read to an end behind which nothing can come.
    file: Option<OnDisk>,
    path: PathBuf,
    identity: Identity,
    units: Units,
    /// The last entry that was given out.
    cursor: u64,
    /// Entries until here may have been given out by an earlier process.
    old_until: u64,
    head_realtime_us: u64,
    /// Entries and last object at the last look, and how often it was the same.
    seen: (u64, u64),
    looks: u8,
    is_gone: bool,
    is_said: bool,
}

/// What one turn read, and where each file stood before it.
#[derive(Default)]
pub(crate) struct Read {
    pub(crate) documents: Vec<Document>,
    pub(crate) verify: bool,
    pub(crate) has_more: bool,
    before: Vec<(FileId, u64)>,
}

/// The journal's files, followed.
pub(crate) struct Journald {
    config: Arc<Config>,
    envelope: Arc<Envelope>,
    registry: Registry,
    /// Nothing of any journal was read yet: only the ends of files are.
    is_first: bool,
    files: BTreeMap<FileId, Followed>,
    /// What is at each path, with the id where it is a journal file.
    paths: HashMap<PathBuf, (Identity, Option<FileId>)>,
    absent: HashMap<String, Instant>,
    is_unread_said: bool,
    started: Instant,
}

impl Journald {
    pub(crate) fn new(config: Arc<Config>, envelope: Arc<Envelope>, registry: Registry) -> Self {
        let is_first = registry.containers().next().is_none();
        Self {
            is_first,
            config,
            envelope,
            registry,
            files: BTreeMap::new(),
            paths: HashMap::new(),
            absent: HashMap::new(),
            is_unread_said: false,
            started: Instant::now(),
        }
    }

    /// How many files are followed.
    pub(crate) fn followed(&self) -> usize {
        self.files.values().filter(|one| one.file.is_some()).count()
    }

    /// Looks which files there are. Blocks.
    pub(crate) fn scan(&mut self) {
        let listed = self.list();
        for path in &listed {
            let Some((file, identity, size)) = self.changed(path) else {
                continue;
            };
            if size < LEAST_FILE_BYTES {
                // Being made.
                continue;
            }
            let id = match self.adopt(path, identity, OnDisk(file)) {
                Ok(id) => Some(id),
                Err(error) => {
                    tracing::warn!(code = "COL0004", path = %path.display(), %error, "a file of the journal is passed over");
                    None
                }
            };
            self.paths.insert(path.clone(), (identity, id));
        }
        // From now on, a file that was never seen is a new one.
        self.is_first &= self.files.is_empty();
        self.paths.retain(|path, _| listed.contains(path));
        let present: HashSet<FileId> = self.paths.values().filter_map(|(_, id)| *id).collect();
        for (id, one) in &mut self.files {
            one.is_gone = !present.contains(id);
        }
        self.files
            .retain(|_, one| !one.is_gone || one.file.is_some());
        self.forget_absent(&present);
    }

    fn forget_absent(&mut self, present: &HashSet<FileId>) {
        let present: HashSet<String> = present.iter().map(name_of).collect();
        let absent = self.registry.containers();
        let absent: HashSet<String> = absent
            .filter(|name| !present.contains(*name))
            .map(str::to_owned)
            .collect();
        self.absent.retain(|name, _| absent.contains(name));
        for name in absent {
            let since = *self.absent.entry(name.clone()).or_insert_with(Instant::now);
            if since.elapsed() >= REMEMBERED {
                self.registry.remove(&name);
            }
        }
    }

    /// The files of this machine's system journal: the one that is written, archived ones, and those
    /// that were put aside because they were not closed in order.
    fn list(&self) -> HashSet<PathBuf> {
        let machine = std::fs::read_to_string(self.config.host_root.join("etc/machine-id"));
        let machine = machine.unwrap_or_default();
        let mut found = HashSet::new();
        for root in &self.config.journal_roots {
            let folders = entries(root).filter(|path| match machine.trim() {
                "" => file_name(path).is_some_and(is_id),
                machine => file_name(path) == Some(machine),
            });
            let files = folders.flat_map(|folder| entries(&folder).collect::<Vec<_>>());
            found.extend(files.filter(|path| file_name(path).is_some_and(is_system_journal)));
        }
        if found.len() > MAX_FILES {
            // The newest by their names, which have the time in them behind `system@`.
            let mut all: Vec<PathBuf> = found.into_iter().collect();
            all.sort_unstable_by(|a, b| b.cmp(a));
            all.truncate(MAX_FILES);
            found = all.into_iter().collect();
        }
        found
    }

    /// Opens a path when something else is there than at the last look.
    fn changed(&self, path: &Path) -> Option<(File, Identity, u64)> {
        let known = self.paths.get(path).map(|(identity, _)| *identity);
        if known.is_some() && known == Identity::at(path) {
            return None;
        }
        open(path)
    }

    fn adopt(
        &mut self,
        path: &Path,
        identity: Identity,
        file: OnDisk,
    ) -> Result<FileId, JournaldError> {
        let header = header(&file)?;
        if let Some(known) = self.files.get_mut(&header.file_id) {
            path.clone_into(&mut known.path);
            return Ok(header.file_id);
        }
        let name = name_of(&header.file_id);
        let cursor = match self.registry.get(&name) {
            Some(position) => position.offset,
            None if self.is_first && header.is_archived => header.tail_object,
            None if self.is_first => {
                let bytes = self.config.first_read_bytes;
                header.tail_object.saturating_sub(bytes)
            }
            None => 0,
        };
        let position = Position {
            file: identity,
            offset: cursor,
            head: 0,
        };
        self.registry.set(&name, position);
        let followed = Followed {
            file: Some(file),
            path: path.to_path_buf(),
            identity,
            units: Units::new(UNITS),
            cursor,
            old_until: if self.started.elapsed() < STARTING {
                header.tail_object
            } else {
                0
            },
            head_realtime_us: header.head_realtime_us,
            seen: (0, 0),
            looks: 0,
            is_gone: false,
            is_said: false,
        };
        self.files.insert(header.file_id, followed);
        Ok(header.file_id)
    }

    /// Reads what came, the oldest file first. Blocks.
    pub(crate) fn turn(&mut self) -> Read {
        let mut read = Read::default();
        let mut bytes = 0;
        let mut order: Vec<(u64, FileId)> = self
            .files
            .iter()
            .map(|(id, one)| (one.head_realtime_us, *id))
            .collect();
        order.sort_unstable();
        for (_, id) in order {
            let left = MAX_ENTRIES.saturating_sub(read.documents.len());
            if left == 0 || bytes >= MAX_BYTES {
                read.has_more = true;
                break;
            }
            let Some(one) = self.files.get_mut(&id) else {
                continue;
            };
            let before = one.cursor;
            let shown = shown(&one.path, &self.config.log_prefix);
            let result = one.turn(left, &mut |header, file, offset, needs, is_old| {
                let entry = entry(file, header, offset)?;
                if needs.is_some_and(|(name, value)| entry.text(name) != Some(value)) {
                    return Ok(true);
                }
                if let Some(why) = entry.unread.first()
                    && !self.is_unread_said
                {
                    self.is_unread_said = true;
                    tracing::warn!(code = "COL0004", path = %shown, why, "an entry of the journal is shipped without what cannot be read; others like it are not told");
                }
                if let Some(document) = engine_entry(&self.envelope, &shown, header, &entry) {
                    bytes += document.body.len();
                    read.verify |= is_old;
                    read.documents.push(document);
                }
                Ok(bytes < MAX_BYTES)
            });
            match result {
                Ok(has_more) => read.has_more |= has_more,
                Err(error) if !one.is_said => {
                    one.is_said = true;
                    tracing::warn!(code = "COL0004", path = %shown, %error, "a part of the journal is passed over");
                }
                Err(_) => {}
            }
            if one.cursor != before {
                read.before.push((id, before));
            }
        }
        read
    }

    /// What was read is in the spool: remember how far.
    pub(crate) fn remember(&mut self, read: &Read) {
        for (id, _) in &read.before {
            if let Some(one) = self.files.get(id) {
                let position = Position {
                    file: one.identity,
                    offset: one.cursor,
                    head: 0,
                };
                self.registry.set(&name_of(id), position);
            }
        }
    }

    /// What was read could not be kept: stand where it was.
    pub(crate) fn go_back(&mut self, read: &Read) {
        for (id, before) in &read.before {
            if let Some(one) = self.files.get_mut(id) {
                one.cursor = *before;
                one.looks = 0;
            }
        }
    }

    /// Writes how far the files were read. Blocks.
    pub(crate) fn save(&mut self) {
        if let Err(error) = self.registry.save() {
            tracing::warn!(%error, "offsets of the journal could not be written");
        }
    }
}

/// Takes an entry: its file's header, the file, its place, what it needs, whether it was there
/// before; says whether there is room for more.
type Take<'a> = dyn FnMut(
        &Header,
        &OnDisk,
        u64,
        Option<(&'static str, &'static str)>,
        bool,
    ) -> Result<bool, JournaldError>
    + 'a;

impl Followed {
    /// Gives out at most `most` entries; says whether there are more. An entry that is broken is
    /// passed over; the error tells of the last such one.
    fn turn(&mut self, most: usize, take: &mut Take<'_>) -> Result<bool, JournaldError> {
        let Some(file) = &self.file else {
            return Ok(false);
        };
        let header = header(file)?;
        let seen = (header.entries, header.tail_object);
        if seen != self.seen {
            self.looks = 0;
        } else if self.looks >= LOOKS {
            if header.is_archived || self.is_gone {
                self.file = None;
            }
            return Ok(false);
        }
        self.seen = seen;
        self.looks = self.looks.saturating_add(1);
        let found = self.units.entries_after(file, &header, self.cursor, most)?;
        let mut broken = None;
        let mut has_more = found.len() >= most;
        for found in found {
            let is_old = found.offset <= self.old_until;
            self.cursor = found.offset;
            match take(&header, file, found.offset, found.needs, is_old) {
                Ok(true) => {}
                Ok(false) => {
                    has_more = true;
                    break;
                }
                Err(error) => broken = Some(error),
            }
        }
        if has_more {
            self.looks = 0;
        }
        broken.map_or(Ok(has_more), Err)
    }
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let listed = std::fs::read_dir(folder).into_iter().flatten();
    listed.filter_map(|entry| Some(entry.ok()?.path()))
}

fn file_name(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()
}

fn is_id(name: &str) -> bool {
    name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_system_journal(name: &str) -> bool {
    let rest = name
        .strip_suffix(".journal")
        .or_else(|| name.strip_suffix(".journal~"));
    rest.is_some_and(|rest| rest == "system" || rest.starts_with("system@"))
}

fn name_of(id: &FileId) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The path as the host has it.
fn shown(path: &Path, prefix: &Path) -> String {
    match path.strip_prefix(prefix) {
        Ok(rest) if !prefix.as_os_str().is_empty() => Path::new("/").join(rest),
        _ => path.to_path_buf(),
    }
    .display()
    .to_string()
}
