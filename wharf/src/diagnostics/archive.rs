//! The archive that is written: one gzip-compressed tar of its owner alone. Invariants: everything
//! goes through the redactor; a file and the whole are bounded; what is cut or missing is told inside.
//! Not here: what is gathered (`mod.rs`).

use std::{
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};

use super::redact::Redactor;
use crate::failure::Failure;

/// Largest file inside; of a longer text the end is kept, which is the newest of a log.
const MAX_FILE_BYTES: usize = 16 << 20;
/// Largest sum of the files.
const MAX_ALL_BYTES: usize = 256 << 20;

/// Files on their way into an archive.
#[derive(Debug, Default)]
pub(super) struct Archive {
    pub(super) redactor: Redactor,
    files: Vec<(String, Vec<u8>)>,
    missing: Vec<(String, String)>,
    bytes: usize,
}

impl Archive {
    /// Adds a text.
    pub(super) fn text(&mut self, name: &str, text: &str) {
        let mut from = text.len().saturating_sub(MAX_FILE_BYTES);
        while !text.is_char_boundary(from) {
            from += 1;
        }
        if from > 0 {
            self.missing(name, &format!("the first {from} bytes are left out"));
        }
        let clean = self.redactor.text(&text[from..]);
        self.push(name, clean.into_bytes());
    }

    /// Adds a value.
    pub(super) fn json(&mut self, name: &str, value: &Value) {
        let clean = self.redactor.json(value);
        let text = format!("{clean:#}\n");
        if text.len() > MAX_FILE_BYTES {
            self.missing(
                name,
                &format!("it has {} bytes and is left out", text.len()),
            );
            return;
        }
        self.push(name, text.into_bytes());
    }

    /// Says that something could not be had.
    pub(super) fn missing(&mut self, name: &str, why: &str) {
        let why = self.redactor.text(why);
        self.missing.push((name.to_owned(), why));
    }

    /// What could not be had, and why.
    pub(super) fn all_missing(&self) -> &[(String, String)] {
        &self.missing
    }

    /// Names of the files.
    pub(super) fn names(&self) -> Vec<&str> {
        self.files.iter().map(|(name, _)| name.as_str()).collect()
    }

    fn push(&mut self, name: &str, bytes: Vec<u8>) {
        if self.bytes + bytes.len() > MAX_ALL_BYTES {
            self.missing(name, "the archive is full");
            return;
        }
        self.bytes += bytes.len();
        self.files.push((name.to_owned(), bytes));
    }

    /// Writes the archive; a file that is there is not touched, a part of one is not left.
    pub(super) fn write(mut self, path: &Path, folder: &str, at_ms: u64) -> Result<(), Failure> {
        let missing: Value = self
            .missing
            .iter()
            .map(|(what, why)| json!({"what": what, "why": why}))
            .collect();
        self.files.push((
            "missing.json".to_owned(),
            format!("{missing:#}\n").into_bytes(),
        ));
        let failed = |error: io::Error| {
            let hint = match error.kind() {
                io::ErrorKind::AlreadyExists => "give another --file",
                io::ErrorKind::StorageFull => "make room, or give a --file elsewhere",
                _ => "give a --file that can be written",
            };
            Failure::new(
                "CLI0030",
                format!("cannot write {}: {error}", path.display()),
                hint,
            )
        };
        let file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(failed)?;
        let written = self.pack(file, folder, at_ms);
        if written.is_err() {
            // The error that is told is the first one.
            let _ = std::fs::remove_file(path);
        }
        written.map_err(failed)
    }

    fn pack(&self, file: std::fs::File, folder: &str, at_ms: u64) -> io::Result<()> {
        let mut tar = tar::Builder::new(GzEncoder::new(file, Compression::default()));
        for (name, bytes) in &self.files {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o600);
            header.set_mtime(at_ms / 1000);
            tar.append_data(&mut header, format!("{folder}/{name}"), bytes.as_slice())?;
        }
        let mut file = tar.into_inner()?.finish()?;
        file.flush()?;
        file.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn an_archive_is_for_its_owner_alone_and_takes_no_others_place() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.tar.gz");
        let mut archive = Archive::default();
        archive.text("log.txt", "password=hunter2-Zq9");
        archive.write(&path, "d", 0).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let again = Archive::default().write(&path, "d", 0).unwrap_err();
        assert_eq!(
            (again.code.as_str(), again.hint.as_str()),
            ("CLI0030", "give another --file")
        );

        let bytes = std::fs::read(&path).unwrap();
        let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(bytes.as_slice()));
        let mut found = Vec::new();
        for entry in tar.entries().unwrap() {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().display().to_string();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            found.push((name, text));
        }
        assert_eq!(found[0], ("d/log.txt".into(), "password=[redacted]".into()));
        assert_eq!(found[1].0, "d/missing.json");
    }

    #[test]
    fn of_a_log_that_is_too_long_the_end_is_kept_and_the_cut_is_told() {
        let mut archive = Archive::default();
        let text = "é".repeat(MAX_FILE_BYTES / 2 + 1) + "end";
        archive.text("log.txt", &text);
        let (_, bytes) = &archive.files[0];
        assert!(bytes.len() <= MAX_FILE_BYTES && bytes.ends_with(b"end"));
        assert_eq!(archive.all_missing().len(), 1);
    }
}
