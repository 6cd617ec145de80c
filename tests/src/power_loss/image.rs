//! A disk in memory that knows what was synced. Each file, directory and link is there twice: as it is now,
//! and as it is after the power was lost.
//!
//! Invariants: what is written is only there now until its own file is synced; a name is only there now
//! until its own directory is synced, as POSIX promises and no more; a file that was removed stays until
//! the power is lost, since its directory may still have it then. Not here: the kernel's side (`mount`).

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    time::SystemTime,
};

/// Number of a file, directory or link.
pub(super) type Ino = u64;
/// The disk's own directory.
pub(super) const ROOT: Ino = 1;

/// What is not on the disk after the power was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// Everything that was not synced.
    All,
    /// The same, but names are as they were: a new file that nobody synced is there and empty.
    Contents,
    /// The same as all, but the first write to each file that was not synced is there by half.
    Torn,
}

/// Why a call is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There is nothing of that name.
    Missing,
    /// There is something of that name.
    Exists,
    /// The directory is not empty.
    NotEmpty,
    /// It is no directory.
    NoDirectory,
    /// It is a directory.
    Directory,
    /// It is not of a kind that can do that.
    Invalid,
}

/// What a node holds.
#[derive(Debug, Clone)]
pub(super) enum Body {
    /// Bytes.
    File(Vec<u8>),
    /// Names.
    Folder(BTreeMap<OsString, Ino>),
    /// Where it points.
    Link(PathBuf),
    /// A Unix socket: its name is all that the disk has of it.
    Socket,
}

impl Body {
    /// A node of the same kind with nothing in it.
    fn emptied(&self) -> Self {
        match self {
            Self::File(_) => Self::File(Vec::new()),
            Self::Folder(_) => Self::Folder(BTreeMap::new()),
            same => same.clone(),
        }
    }
}

/// What was done to a file since it was synced.
#[derive(Debug)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Resize(usize),
}

/// Who may do what with a node.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rights {
    pub(super) mode: u16,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// One of the disk's nodes.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) rights: Rights,
    pub(super) changed: SystemTime,
    pub(super) now: Body,
    kept: Body,
    changes: Vec<Change>,
}

impl Node {
    fn new(body: Body, rights: Rights, at: SystemTime) -> Self {
        Self {
            rights,
            changed: at,
            kept: body.emptied(),
            now: body,
            changes: Vec::new(),
        }
    }

    /// How many bytes a file has.
    pub(super) fn size(&self) -> u64 {
        match &self.now {
            Body::File(bytes) => bytes.len() as u64,
            Body::Link(to) => to.as_os_str().len() as u64,
            Body::Folder(_) | Body::Socket => 0,
        }
    }

    fn file(&mut self) -> Result<&mut Vec<u8>, Refusal> {
        match &mut self.now {
            Body::File(bytes) => Ok(bytes),
            Body::Folder(_) => Err(Refusal::Directory),
            Body::Link(_) | Body::Socket => Err(Refusal::Invalid),
        }
    }

    fn sync(&mut self) {
        if matches!(self.now, Body::File(_)) {
            let changes = std::mem::take(&mut self.changes);
            changes.iter().for_each(|change| self.keep(change));
        } else {
            self.kept = self.now.clone();
        }
    }

    fn keep(&mut self, change: &Change) {
        let Body::File(bytes) = &mut self.kept else {
            return;
        };
        match change {
            Change::Write { at, bytes: new } => write_at(bytes, *at, new),
            Change::Resize(length) => bytes.resize(*length, 0),
        }
    }

    /// What is left of it.
    fn lose(&mut self, loss: Loss) {
        let changes = std::mem::take(&mut self.changes);
        let first = changes.into_iter().next();
        if let (Loss::Torn, Some(Change::Write { at, mut bytes })) = (loss, first) {
            bytes.truncate(bytes.len() / 2);
            self.keep(&Change::Write { at, bytes });
        }
        if loss == Loss::Contents && !matches!(self.now, Body::File(_)) {
            self.kept = self.now.clone();
        }
        self.now = self.kept.clone();
    }
}

fn write_at(bytes: &mut Vec<u8>, at: usize, new: &[u8]) {
    let end = at + new.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[at..end].copy_from_slice(new);
}

/// The whole disk.
#[derive(Debug)]
pub(super) struct Image {
    nodes: BTreeMap<Ino, Node>,
    next: Ino,
    lying: bool,
}

impl Image {
    /// An empty one.
    pub(super) fn new(rights: Rights, at: SystemTime) -> Self {
        let root = Node::new(Body::Folder(BTreeMap::new()), rights, at);
        Self {
            nodes: BTreeMap::from([(ROOT, root)]),
            next: ROOT + 1,
            lying: false,
        }
    }

    /// From now on it says that it has synced, and has not.
    pub(super) fn lie(&mut self) {
        self.lying = true;
    }

    pub(super) fn node(&self, ino: Ino) -> Result<&Node, Refusal> {
        self.nodes.get(&ino).ok_or(Refusal::Missing)
    }

    pub(super) fn node_mut(&mut self, ino: Ino) -> Result<&mut Node, Refusal> {
        self.nodes.get_mut(&ino).ok_or(Refusal::Missing)
    }

    pub(super) fn names(&self, folder: Ino) -> Result<&BTreeMap<OsString, Ino>, Refusal> {
        match &self.node(folder)?.now {
            Body::Folder(names) => Ok(names),
            _ => Err(Refusal::NoDirectory),
        }
    }

    fn names_mut(
        &mut self,
        folder: Ino,
        at: SystemTime,
    ) -> Result<&mut BTreeMap<OsString, Ino>, Refusal> {
        let node = self.node_mut(folder)?;
        node.changed = at;
        match &mut node.now {
            Body::Folder(names) => Ok(names),
            _ => Err(Refusal::NoDirectory),
        }
    }

    pub(super) fn find(&self, folder: Ino, name: &OsStr) -> Result<Ino, Refusal> {
        let found = self.names(folder)?.get(name).copied();
        found.ok_or(Refusal::Missing)
    }

    /// A new node of that name.
    pub(super) fn make(
        &mut self,
        folder: Ino,
        name: &OsStr,
        body: Body,
        rights: Rights,
        at: SystemTime,
    ) -> Result<Ino, Refusal> {
        if self.names(folder)?.contains_key(name) {
            return Err(Refusal::Exists);
        }
        let ino = self.next;
        self.next += 1;
        self.nodes.insert(ino, Node::new(body, rights, at));
        self.names_mut(folder, at)?.insert(name.to_owned(), ino);
        Ok(ino)
    }

    /// Another name for a node.
    pub(super) fn link(
        &mut self,
        ino: Ino,
        folder: Ino,
        name: &OsStr,
        at: SystemTime,
    ) -> Result<(), Refusal> {
        if self.names(folder)?.contains_key(name) {
            return Err(Refusal::Exists);
        }
        self.names_mut(folder, at)?.insert(name.to_owned(), ino);
        Ok(())
    }

    /// Takes a name away.
    pub(super) fn remove(
        &mut self,
        folder: Ino,
        name: &OsStr,
        wants_folder: bool,
        at: SystemTime,
    ) -> Result<(), Refusal> {
        let ino = self.find(folder, name)?;
        match (&self.node(ino)?.now, wants_folder) {
            (Body::Folder(names), true) if !names.is_empty() => return Err(Refusal::NotEmpty),
            (Body::Folder(_), false) => return Err(Refusal::Directory),
            (Body::Folder(_), true) => {}
            (_, true) => return Err(Refusal::NoDirectory),
            (_, false) => {}
        }
        self.names_mut(folder, at)?.remove(name);
        Ok(())
    }

    /// Gives a node another name; what had that name loses it.
    pub(super) fn rename(
        &mut self,
        from: (Ino, &OsStr),
        to: (Ino, &OsStr),
        replace: bool,
        at: SystemTime,
    ) -> Result<(), Refusal> {
        let ino = self.find(from.0, from.1)?;
        match self.find(to.0, to.1) {
            Ok(same) if same == ino => return Ok(()),
            Ok(_) if !replace => return Err(Refusal::Exists),
            Ok(other) => {
                let is_folder = matches!(self.node(other)?.now, Body::Folder(_));
                self.remove(to.0, to.1, is_folder, at)?;
            }
            Err(Refusal::Missing) => {}
            Err(refusal) => return Err(refusal),
        }
        self.names_mut(from.0, at)?.remove(from.1);
        self.names_mut(to.0, at)?.insert(to.1.to_owned(), ino);
        Ok(())
    }

    pub(super) fn write(
        &mut self,
        ino: Ino,
        at: u64,
        new: &[u8],
        when: SystemTime,
    ) -> Result<(), Refusal> {
        let at = usize::try_from(at).map_err(|_| Refusal::Invalid)?;
        let node = self.node_mut(ino)?;
        write_at(node.file()?, at, new);
        node.changed = when;
        let bytes = new.to_vec();
        node.changes.push(Change::Write { at, bytes });
        Ok(())
    }

    pub(super) fn resize(
        &mut self,
        ino: Ino,
        length: u64,
        when: SystemTime,
    ) -> Result<(), Refusal> {
        let length = usize::try_from(length).map_err(|_| Refusal::Invalid)?;
        let node = self.node_mut(ino)?;
        node.file()?.resize(length, 0);
        node.changed = when;
        node.changes.push(Change::Resize(length));
        Ok(())
    }

    /// A part of a file; less at its end.
    pub(super) fn read(&self, ino: Ino, at: u64, length: u32) -> Result<&[u8], Refusal> {
        let Body::File(bytes) = &self.node(ino)?.now else {
            return Err(Refusal::Directory);
        };
        let begin = usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
        let end = begin.saturating_add(length as usize).min(bytes.len());
        Ok(&bytes[begin..end])
    }

    pub(super) fn target(&self, ino: Ino) -> Result<&Path, Refusal> {
        match &self.node(ino)?.now {
            Body::Link(to) => Ok(to),
            _ => Err(Refusal::Invalid),
        }
    }

    /// Makes one node durable: a file's bytes, a directory's names.
    pub(super) fn sync(&mut self, ino: Ino) -> Result<(), Refusal> {
        let lying = self.lying;
        let node = self.node_mut(ino)?;
        if !lying {
            node.sync();
        }
        Ok(())
    }

    /// Makes all of it durable.
    pub(super) fn sync_all(&mut self) {
        self.nodes.values_mut().for_each(Node::sync);
    }

    /// The power is lost. What is left is what there is.
    pub(super) fn lose(&mut self, loss: Loss) {
        self.nodes.values_mut().for_each(|node| node.lose(loss));
        self.lying = false;
        let mut reached = BTreeSet::from([ROOT]);
        let mut next = VecDeque::from([ROOT]);
        while let Some(folder) = next.pop_front() {
            let Ok(names) = self.names(folder) else {
                continue;
            };
            next.extend(names.values().filter(|ino| reached.insert(**ino)));
        }
        self.nodes.retain(|ino, _| reached.contains(ino));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIGHTS: Rights = Rights {
        mode: 0o755,
        uid: 0,
        gid: 0,
    };
    const AT: SystemTime = SystemTime::UNIX_EPOCH;

    fn image() -> Image {
        Image::new(RIGHTS, AT)
    }

    fn file(image: &mut Image, folder: Ino, name: &str) -> Ino {
        let made = image.make(folder, name.as_ref(), Body::File(Vec::new()), RIGHTS, AT);
        made.expect("a new name")
    }

    fn folder(image: &mut Image, name: &str) -> Ino {
        let body = Body::Folder(BTreeMap::new());
        let made = image.make(ROOT, name.as_ref(), body, RIGHTS, AT);
        made.expect("a new name")
    }

    fn read(image: &Image, folder: Ino, name: &str) -> Option<Vec<u8>> {
        let ino = image.find(folder, name.as_ref()).ok()?;
        image.read(ino, 0, u32::MAX).ok().map(<[u8]>::to_vec)
    }

    #[test]
    fn what_was_not_synced_is_gone_and_what_was_is_there() {
        let mut image = image();
        let kept = file(&mut image, ROOT, "kept");
        image.write(kept, 0, b"synced", AT).unwrap();
        image.sync(kept).unwrap();
        image.sync(ROOT).unwrap();
        image.write(kept, 0, b"not!", AT).unwrap();
        image.write(kept, 6, b" more", AT).unwrap();
        let late = file(&mut image, ROOT, "late");
        image
            .write(late, 0, b"synced in a folder that was not", AT)
            .unwrap();
        image.sync(late).unwrap();
        assert_eq!(read(&image, ROOT, "kept").unwrap(), b"not!ed more");
        image.lose(Loss::All);
        assert_eq!(read(&image, ROOT, "kept").unwrap(), b"synced");
        assert_eq!(read(&image, ROOT, "late"), None, "its name was not synced");
    }

    #[test]
    fn a_file_put_in_place_needs_its_bytes_synced_and_its_folder() {
        for (bytes_synced, folder_synced) in [(true, true), (true, false), (false, true)] {
            let mut image = image();
            let old = file(&mut image, ROOT, "state");
            image.write(old, 0, b"old", AT).unwrap();
            image.sync_all();
            let new = file(&mut image, ROOT, "state.tmp");
            image.write(new, 0, b"new", AT).unwrap();
            if bytes_synced {
                image.sync(new).unwrap();
            }
            let (from, to) = ("state.tmp".as_ref(), "state".as_ref());
            image.rename((ROOT, from), (ROOT, to), true, AT).unwrap();
            if folder_synced {
                image.sync(ROOT).unwrap();
            }
            image.lose(Loss::All);
            let expected: &[u8] = match (bytes_synced, folder_synced) {
                (true, true) => b"new",
                (true, false) => b"old",
                (false, _) => b"",
            };
            assert_eq!(read(&image, ROOT, "state").unwrap(), expected);
        }
    }

    #[test]
    fn a_removed_file_is_back_when_its_folder_was_not_synced() {
        let mut image = image();
        let inside = folder(&mut image, "inside");
        let gone = file(&mut image, inside, "gone");
        image.write(gone, 0, b"x", AT).unwrap();
        image.sync_all();
        image.remove(inside, "gone".as_ref(), false, AT).unwrap();
        assert_eq!(read(&image, inside, "gone"), None);
        image.lose(Loss::All);
        assert_eq!(read(&image, inside, "gone").unwrap(), b"x");
        image.remove(inside, "gone".as_ref(), false, AT).unwrap();
        image.sync(inside).unwrap();
        image.lose(Loss::All);
        assert_eq!(read(&image, inside, "gone"), None);
        assert!(image.node(gone).is_err(), "nothing has it any more");
    }

    #[test]
    fn names_may_outlive_contents_and_a_write_may_be_torn() {
        let mut image = image();
        let new = file(&mut image, ROOT, "new");
        image.write(new, 0, b"bytes", AT).unwrap();
        image.lose(Loss::Contents);
        assert_eq!(read(&image, ROOT, "new").unwrap(), b"");
        image.write(new, 0, b"head", AT).unwrap();
        image.sync_all();
        image.write(new, 4, b"tail", AT).unwrap();
        image.write(new, 8, b"later", AT).unwrap();
        image.lose(Loss::Torn);
        assert_eq!(read(&image, ROOT, "new").unwrap(), b"headta");
    }

    #[test]
    fn a_lying_disk_keeps_nothing_from_then_on() {
        let mut image = image();
        let one = file(&mut image, ROOT, "one");
        image.write(one, 0, b"a", AT).unwrap();
        image.sync_all();
        image.lie();
        image.write(one, 1, b"b", AT).unwrap();
        image.sync(one).unwrap();
        assert_eq!(read(&image, ROOT, "one").unwrap(), b"ab");
        image.lose(Loss::All);
        assert_eq!(read(&image, ROOT, "one").unwrap(), b"a");
        image.write(one, 1, b"c", AT).unwrap();
        image.sync(one).unwrap();
        image.lose(Loss::All);
        assert_eq!(read(&image, ROOT, "one").unwrap(), b"ac", "honest again");
    }

    #[test]
    fn names_are_refused_as_a_disk_refuses_them() {
        let mut image = image();
        let inside = folder(&mut image, "inside");
        let one = file(&mut image, inside, "one");
        let body = Body::File(Vec::new());
        let again = image.make(inside, "one".as_ref(), body, RIGHTS, AT);
        assert_eq!(again, Err(Refusal::Exists));
        let remove = |image: &mut Image, folder, name: &str, wants| {
            image.remove(folder, name.as_ref(), wants, AT)
        };
        assert_eq!(
            remove(&mut image, ROOT, "inside", true),
            Err(Refusal::NotEmpty)
        );
        assert_eq!(
            remove(&mut image, ROOT, "inside", false),
            Err(Refusal::Directory)
        );
        assert_eq!(
            remove(&mut image, inside, "one", true),
            Err(Refusal::NoDirectory)
        );
        assert_eq!(
            remove(&mut image, inside, "two", false),
            Err(Refusal::Missing)
        );
        let (from, to) = ((inside, "one".as_ref()), (ROOT, "inside".as_ref()));
        assert_eq!(image.rename(from, to, false, AT), Err(Refusal::Exists));
        assert_eq!(image.rename(from, to, true, AT), Err(Refusal::NotEmpty));
        image.link(one, ROOT, "other".as_ref(), AT).unwrap();
        image.write(one, 0, b"same", AT).unwrap();
        assert_eq!(read(&image, ROOT, "other").unwrap(), b"same");
        image.resize(one, 2, AT).unwrap();
        assert_eq!(read(&image, inside, "one").unwrap(), b"sa");
    }
}
