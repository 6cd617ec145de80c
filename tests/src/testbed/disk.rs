//! The disk of a host's data: a file system of its own, a sparse image, also where this machine has little room;
//! put on a small one while the host has no power, filled to the last block, given room again. A fresh one is
//! empty. Not here: disks that lose what was not synced (`power_loss`).

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use super::{Host, base_dir, must, power::unmount_below, run};

/// Free disk below which hosts do not share this machine's: the platform would warn of it and find no room
/// for `system`, whatever the scenario is about.
const CROWDED: u64 = 40 << 30;
/// The disk of a host that has its own; sparse.
const OWN_DISK: u64 = 48 << 30;

/// Whether this machine's disk is too full to be the hosts'.
fn is_crowded() -> bool {
    fs::create_dir_all(base_dir()).expect("the testbed's folder can be made");
    let space = wharf_runtime::disk::space(base_dir());
    space.expect("the disk tells its room").available_bytes < CROWDED
}

impl Host {
    /// Puts the platform's data on a disk of its own where this machine's has too little room for hosts.
    pub(super) fn give_own_disk_where_crowded(&self) {
        if is_crowded() {
            self.mount_image("own-disk.img", OWN_DISK);
        }
    }

    /// Puts the platform's data directory on a disk of its own of this size, before anything is in it.
    ///
    /// # Panics
    /// When the machine cannot mount it.
    pub fn mount_data_disk(&self, bytes: u64) {
        // It may have had a disk of its own, on a machine with little room.
        unmount_below(&self.data_dir());
        self.mount_image("disk.img", bytes);
    }

    /// Loop-mounted, and unmounted with the host.
    fn mount_image(&self, name: &str, bytes: u64) {
        let (image, data) = (self.dir().join(name), self.data_dir());
        let file = fs::File::create(&image).expect("the disk's image can be made");
        file.set_len(bytes).expect("the disk's image can be sparse");
        fs::create_dir_all(&data).expect("the mount point can be made");
        must(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image));
        must(
            Command::new("mount")
                .args(["-o", "loop"])
                .arg(&image)
                .arg(&data),
        );
        // The file system's own folder would pass for something that the platform left.
        fs::remove_dir(data.join("lost+found")).expect("a fresh disk is empty");
    }

    /// Moves the platform's data to a disk of its own of this size. The host has no power meanwhile.
    ///
    /// # Panics
    /// When the machine cannot mount it, or the data does not fit.
    pub fn move_data_to_disk(&self, bytes: u64) {
        let (data, before) = (self.data_dir(), self.dir().join("before"));
        must(Command::new("cp").arg("-a").arg(&data).arg(&before));
        // It may have had a disk of its own, on a machine with little room.
        unmount_below(&data);
        fs::remove_dir_all(&data).expect("the old data can be removed");
        self.mount_image("small-disk.img", bytes);
        must(
            Command::new("cp")
                .arg("-a")
                .arg(before.join("."))
                .arg(&data),
        );
        fs::remove_dir_all(&before).expect("the copy can be removed");
    }

    /// Takes every block that the data's disk has left, those that are kept for root too.
    ///
    /// # Panics
    /// When the disk cannot be filled.
    pub fn fill_data_disk(&self) {
        let room = rustix::fs::statvfs(self.data_dir()).expect("the disk tells its room");
        // What is left of it goes block by block: the file system needs some for itself.
        let most = room.f_bfree.saturating_sub(16_384) * room.f_frsize;
        let ballast = self.ballast();
        must(
            Command::new("fallocate")
                .args(["-l", &most.to_string()])
                .arg(&ballast),
        );
        let filled = run(Command::new("dd")
            .arg("if=/dev/zero")
            .arg(format!("of={}", ballast.display()))
            .args(["bs=4096", "oflag=append", "conv=notrunc,fsync"])
            .stdin(Stdio::null()));
        let said = String::from_utf8_lossy(&filled.stderr).into_owned();
        assert!(said.contains("No space left"), "not filled: {said}");
    }

    /// Gives back what was taken.
    ///
    /// # Panics
    /// When it was not taken.
    pub fn make_room(&self) {
        fs::remove_file(self.ballast()).expect("the ballast is there");
    }

    fn ballast(&self) -> PathBuf {
        self.data_dir().join("ballast")
    }
}
