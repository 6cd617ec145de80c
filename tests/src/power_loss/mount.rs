//! The disk as the kernel sees it: each call of FUSE is one of the image, and refused while there is no
//! power. Invariant: the power goes between two calls, so nobody is told afterwards that anything is synced.
//! A mount is made anew when the power is back, so that no page of the kernel's outlives it.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, SystemTime},
};

use fuser::{
    BackgroundSession, BsdFileFlags, Config, Errno, FileAttr, FileHandle, FileType, Filesystem,
    FopenFlags, Generation, INodeNo, LockOwner, MountOption, OpenFlags, RenameFlags, ReplyAttr,
    ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs,
    ReplyWrite, Request, TimeOrNow, WriteFlags,
};

use super::image::{Body, Image, Ino, Loss, Node, Refusal, Rights};
use crate::testbed::{base_dir, run};

static NEXT: AtomicU32 = AtomicU32::new(0);
/// How long the kernel may remember names and sizes: nobody else changes them.
const TTL: Duration = Duration::from_secs(1);
const BLOCK: u32 = 4096;
/// What the disk says it has, all of it free: 8 GiB.
const BLOCKS: u64 = 2 << 20;

/// A disk that forgets, mounted; gone when dropped.
#[derive(Debug)]
pub struct LosingDisk {
    dir: PathBuf,
    state: Arc<Mutex<State>>,
    session: Option<BackgroundSession>,
}

#[derive(Debug)]
struct State {
    image: Image,
    powered: bool,
}

impl LosingDisk {
    /// An empty one.
    ///
    /// # Panics
    /// When this machine cannot mount it; the message says what is missing.
    #[must_use]
    pub fn mount() -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // Below the testbed's folder, which is swept when a run was killed.
        let dir = base_dir().join(format!("wt-power-{}-{number}", std::process::id()));
        fs::create_dir_all(dir.join("mount")).expect("a folder");
        let rights = Rights {
            mode: 0o755,
            uid: 0,
            gid: 0,
        };
        let state = State {
            image: Image::new(rights, SystemTime::now()),
            powered: true,
        };
        let mut disk = Self {
            dir,
            state: Arc::new(Mutex::new(state)),
            session: None,
        };
        disk.attach();
        disk
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.dir.join("mount")
    }

    /// A folder beside it, on a disk that loses nothing.
    #[must_use]
    pub fn beside(&self) -> &Path {
        &self.dir
    }

    /// From now on, until the power is lost, it says that it syncs and does not.
    pub fn lie(&self) {
        lock(&self.state).image.lie();
    }

    /// Makes durable what is there.
    pub fn sync_all(&self) {
        lock(&self.state).image.sync_all();
    }

    /// The plug is pulled: from now on every call fails.
    pub fn cut_power(&self) {
        lock(&self.state).powered = false;
    }

    /// The power is back: what is there is what was left. Nobody may have a file open.
    ///
    /// # Panics
    /// When it cannot be mounted again.
    pub fn power_on(&mut self, loss: Loss) {
        self.detach();
        {
            let mut state = lock(&self.state);
            state.image.lose(loss);
            state.powered = true;
        }
        self.attach();
    }

    fn attach(&mut self) {
        let mut config = Config::default();
        config.mount_options = vec![
            MountOption::FSName("losing-disk".to_owned()),
            MountOption::NoAtime,
        ];
        let front = Front(Arc::clone(&self.state));
        let mounted = fuser::spawn_mount(front, self.path(), &config);
        let device = if fs::exists("/dev/fuse").unwrap_or(false) {
            "/dev/fuse is there"
        } else {
            "there is no /dev/fuse"
        };
        let session = mounted.unwrap_or_else(|error| {
            panic!("a file system in user space needs root and /dev/fuse; {device}: {error}")
        });
        self.session = Some(session);
    }

    fn detach(&mut self) {
        // Lazily: a process that was just killed may have a file open for another moment.
        run(Command::new("umount").arg("-l").arg(self.path()));
        drop(self.session.take());
    }
}

impl Drop for LosingDisk {
    fn drop(&mut self) {
        self.detach();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl From<Refusal> for Errno {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Missing => Self::ENOENT,
            Refusal::Exists => Self::EEXIST,
            Refusal::NotEmpty => Self::ENOTEMPTY,
            Refusal::NoDirectory => Self::ENOTDIR,
            Refusal::Directory => Self::EISDIR,
            Refusal::Invalid => Self::EINVAL,
        }
    }
}

fn kind(node: &Node) -> FileType {
    match node.now {
        Body::File(_) => FileType::RegularFile,
        Body::Folder(_) => FileType::Directory,
        Body::Link(_) => FileType::Symlink,
        Body::Socket => FileType::Socket,
    }
}

fn attr(image: &Image, ino: Ino) -> Result<FileAttr, Errno> {
    let node = image.node(ino)?;
    Ok(FileAttr {
        ino: INodeNo(ino),
        size: node.size(),
        blocks: node.size().div_ceil(512),
        atime: node.changed,
        mtime: node.changed,
        ctime: node.changed,
        crtime: node.changed,
        kind: kind(node),
        perm: node.rights.mode,
        nlink: 1,
        uid: node.rights.uid,
        gid: node.rights.gid,
        rdev: 0,
        blksize: BLOCK,
        flags: 0,
    })
}

/// Of the process that asks.
fn rights(request: &Request, mode: u32, umask: u32) -> Rights {
    Rights {
        mode: u16::try_from(mode & !umask & 0o7777).unwrap_or(0o600),
        uid: request.uid(),
        gid: request.gid(),
    }
}

/// What the kernel calls.
#[derive(Debug)]
struct Front(Arc<Mutex<State>>);

impl Front {
    /// Does it, while there is power.
    fn with<T>(&self, work: impl FnOnce(&mut Image) -> Result<T, Errno>) -> Result<T, Errno> {
        let mut state = lock(&self.0);
        if state.powered {
            work(&mut state.image)
        } else {
            Err(Errno::EIO)
        }
    }

    fn made(
        &self,
        parent: INodeNo,
        name: &OsStr,
        body: Body,
        rights: Rights,
    ) -> Result<FileAttr, Errno> {
        self.with(|image| {
            let ino = image.make(parent.0, name, body, rights, SystemTime::now())?;
            attr(image, ino)
        })
    }
}

fn entry(answer: Result<FileAttr, Errno>, reply: ReplyEntry) {
    match answer {
        Ok(attr) => reply.entry(&TTL, &attr, Generation(0)),
        Err(errno) => reply.error(errno),
    }
}

fn done(answer: Result<(), Errno>, reply: ReplyEmpty) {
    match answer {
        Ok(()) => reply.ok(),
        Err(errno) => reply.error(errno),
    }
}

impl Filesystem for Front {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let found = self.with(|image| attr(image, image.find(parent.0, name)?));
        entry(found, reply);
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.with(|image| attr(image, ino.0)) {
            Ok(attr) => reply.attr(&TTL, &attr),
            Err(errno) => reply.error(errno),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        mtime: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let changed = self.with(|image| {
            if let Some(size) = size {
                image.resize(ino.0, size, SystemTime::now())?;
            }
            let node = image.node_mut(ino.0)?;
            if let Some(mode) = mode {
                node.rights.mode = u16::try_from(mode & 0o7777).unwrap_or(0o600);
            }
            node.rights.uid = uid.unwrap_or(node.rights.uid);
            node.rights.gid = gid.unwrap_or(node.rights.gid);
            match mtime {
                Some(TimeOrNow::SpecificTime(at)) => node.changed = at,
                Some(TimeOrNow::Now) => node.changed = SystemTime::now(),
                None => {}
            }
            attr(image, ino.0)
        });
        match changed {
            Ok(attr) => reply.attr(&TTL, &attr),
            Err(errno) => reply.error(errno),
        }
    }

    fn readlink(&self, _: &Request, ino: INodeNo, reply: ReplyData) {
        use std::os::unix::ffi::OsStrExt as _;
        let target = self.with(|image| Ok(image.target(ino.0)?.to_path_buf()));
        match target {
            Ok(target) => reply.data(target.as_os_str().as_bytes()),
            Err(errno) => reply.error(errno),
        }
    }

    fn mknod(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _: u32,
        reply: ReplyEntry,
    ) {
        // The kind is in the mode's upper bits, and kinds are few here.
        let body = match mode & 0o170_000 {
            0o100_000 => Body::File(Vec::new()),
            0o140_000 => Body::Socket,
            _ => return reply.error(Errno::EPERM),
        };
        entry(
            self.made(parent, name, body, rights(request, mode, umask)),
            reply,
        );
    }

    fn mkdir(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        reply: ReplyEntry,
    ) {
        let body = Body::Folder(std::collections::BTreeMap::new());
        entry(
            self.made(parent, name, body, rights(request, mode, umask)),
            reply,
        );
    }

    fn symlink(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        target: &Path,
        reply: ReplyEntry,
    ) {
        let body = Body::Link(target.to_path_buf());
        entry(
            self.made(parent, name, body, rights(request, 0o777, 0)),
            reply,
        );
    }

    fn link(&self, _: &Request, ino: INodeNo, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let linked = self.with(|image| {
            image.link(ino.0, parent.0, name, SystemTime::now())?;
            attr(image, ino.0)
        });
        entry(linked, reply);
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let at = SystemTime::now();
        let removed = self.with(|image| Ok(image.remove(parent.0, name, false, at)?));
        done(removed, reply);
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let at = SystemTime::now();
        let removed = self.with(|image| Ok(image.remove(parent.0, name, true, at)?));
        done(removed, reply);
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        newparent: INodeNo,
        newname: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        if flags.intersects(RenameFlags::RENAME_EXCHANGE | RenameFlags::RENAME_WHITEOUT) {
            return reply.error(Errno::EINVAL);
        }
        let replace = !flags.contains(RenameFlags::RENAME_NOREPLACE);
        let (from, to) = ((parent.0, name), (newparent.0, newname));
        let at = SystemTime::now();
        done(
            self.with(|image| Ok(image.rename(from, to, replace, at)?)),
            reply,
        );
    }

    fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        let body = Body::File(Vec::new());
        match self.made(parent, name, body, rights(request, mode, umask)) {
            Ok(attr) => {
                let (handle, flags) = (FileHandle(0), FopenFlags::empty());
                reply.created(&TTL, &attr, Generation(0), handle, flags);
            }
            Err(errno) => reply.error(errno),
        }
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        match self.with(|_| Ok(())) {
            Ok(()) => reply.opened(FileHandle(0), FopenFlags::FOPEN_KEEP_CACHE),
            Err(errno) => reply.error(errno),
        }
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.with(|image| Ok(image.read(ino.0, offset, size)?.to_vec())) {
            Ok(bytes) => reply.data(&bytes),
            Err(errno) => reply.error(errno),
        }
    }

    fn write(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let at = SystemTime::now();
        match self.with(|image| Ok(image.write(ino.0, offset, data, at)?)) {
            Ok(()) => reply.written(u32::try_from(data.len()).unwrap_or(u32::MAX)),
            Err(errno) => reply.error(errno),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        // Closing a file syncs nothing.
        done(self.with(|_| Ok(())), reply);
    }

    fn fsync(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        done(self.with(|image| Ok(image.sync(ino.0)?)), reply);
    }

    fn fsyncdir(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        done(self.with(|image| Ok(image.sync(ino.0)?)), reply);
    }

    fn readdir(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        // An offset is the number of the last node that was told of: numbers only grow, so that names that
        // come and go meanwhile make nobody skip others.
        let listed = self.with(|image| {
            let names = image.names(ino.0)?.iter();
            let mut rows: Vec<(Ino, FileType, std::ffi::OsString)> = names
                .filter(|(_, child)| **child > offset)
                .filter_map(|(name, child)| {
                    Some((*child, kind(image.node(*child).ok()?), name.clone()))
                })
                .collect();
            rows.sort_unstable_by_key(|row| row.0);
            Ok(rows)
        });
        match listed {
            Ok(rows) => {
                for (child, kind, name) in rows {
                    if reply.add(INodeNo(child), child, kind, name) {
                        break;
                    }
                }
                reply.ok();
            }
            Err(errno) => reply.error(errno),
        }
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        reply.statfs(BLOCKS, BLOCKS, BLOCKS, BLOCKS, BLOCKS, BLOCK, 255, BLOCK);
    }
}
