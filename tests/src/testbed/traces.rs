//! What a testbed has on this machine: namespaces, folders, mounts. Taken while it is there, so that
//! after its end it can be seen that nothing is left. Not here: the end itself.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::Host;

/// Where `ip netns` keeps names.
const NAMESPACES: &str = "/run/netns";

/// Names and folders to look for.
#[derive(Debug, Clone, Default)]
pub struct Traces {
    namespaces: Vec<String>,
    folders: Vec<PathBuf>,
}

impl Traces {
    /// The same with those of a host.
    pub(super) fn of_host(mut self, host: &Host) -> Self {
        self.add_namespace(host.namespace());
        self.folders.push(host.dir().to_path_buf());
        self
    }

    /// A namespace that is no host's.
    pub(super) fn add_namespace(&mut self, namespace: &str) {
        self.namespaces.push(namespace.to_owned());
    }

    /// What of it is on this machine now: each namespace, folder and mount point.
    ///
    /// # Panics
    /// When this machine does not say what is mounted.
    #[must_use]
    pub fn left(&self) -> Vec<String> {
        let mounts = fs::read_to_string("/proc/mounts").expect("Linux tells its mounts");
        let namespaces = self.namespaces.iter();
        let namespaces = namespaces.map(|name| Path::new(NAMESPACES).join(name));
        let there = namespaces.chain(self.folders.iter().cloned());
        let mut left: Vec<String> = there
            .filter(|path| path.exists())
            .map(|path| path.display().to_string())
            .collect();
        left.extend(self.mounted(&mounts).map(|path| format!("mount {path}")));
        left
    }

    /// Mount points that are below a folder, or are a namespace's name.
    fn mounted<'a>(&'a self, mounts: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        let points = mounts.lines().filter_map(|line| line.split(' ').nth(1));
        points.filter(|point| {
            let below = |folder: &PathBuf| Path::new(point).starts_with(folder);
            let named = |name: &String| Path::new(point) == Path::new(NAMESPACES).join(name);
            self.folders.iter().any(below) || self.namespaces.iter().any(named)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_mounts_that_are_there_are_told_and_nobody_elses() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut traces = Traces {
            folders: vec![folder.path().to_path_buf(), "/nowhere/wt-7-1".into()],
            ..Traces::default()
        };
        traces.add_namespace("wt-7-n0");
        assert_eq!(traces.left(), [folder.path().display().to_string()]);
        let mounts = "overlay /nowhere/wt-7-1/data/x overlay rw 0 0\n\
                      overlay /nowhere/wt-7-10/data overlay rw 0 0\n\
                      nsfs /run/netns/wt-7-n0 nsfs rw 0 0\n\
                      nsfs /run/netns/wt-7-n01 nsfs rw 0 0\n";
        let told: Vec<&str> = traces.mounted(mounts).collect();
        assert_eq!(told, ["/nowhere/wt-7-1/data/x", "/run/netns/wt-7-n0"]);
    }
}
