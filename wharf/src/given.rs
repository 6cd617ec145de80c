//! What a person gives a command beside its arguments: a document from a file or standard input, a
//! secret, a yes, a text edited by an editor. Invariants: a secret is never an argument; every input
//! is bounded; what was typed into an editor is never lost.

use std::{
    io::{IsTerminal, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    process::Command,
};

use crate::failure::Failure;

/// Largest document.
const MAX_DOCUMENT_BYTES: u64 = 1 << 20;

/// Reads a document; `-` is standard input.
pub(crate) fn document(path: &Path) -> Result<String, Failure> {
    let failed = |reason: String| {
        Failure::new(
            "CLI0013",
            format!("cannot read {}: {reason}", path.display()),
            "give a file of UTF-8 text, at most 1 MiB; `-` is standard input",
        )
    };
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin()
            .lock()
            .take(MAX_DOCUMENT_BYTES + 1)
            .read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path)
            .and_then(|file| file.take(MAX_DOCUMENT_BYTES + 1).read_to_end(&mut bytes))
    };
    read.map_err(|error| failed(error.to_string()))?;
    if bytes.len() as u64 > MAX_DOCUMENT_BYTES {
        return Err(failed("it is too large".to_owned()));
    }
    String::from_utf8(bytes).map_err(|_| failed("it is not UTF-8".to_owned()))
}

/// A new password: from a file (`-` is standard input), else asked for twice on the terminal.
pub(crate) fn new_password(file: Option<&Path>, username: &str) -> Result<String, Failure> {
    if let Some(file) = file {
        let text = document(file)?;
        return Ok(text.trim_end_matches(['\r', '\n']).to_owned());
    }
    let refused =
        |message: &str| Failure::new("CLI0018", message, "give it with --new-password-file");
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(refused("there is no terminal to ask for the password on"));
    }
    let ask = |what: &str| {
        hidden(what).map_err(|error| refused(&format!("cannot read the password: {error}")))
    };
    let first = ask(&format!("New password of `{username}`: "))?;
    if first == ask("Once more: ")? {
        Ok(first)
    } else {
        Err(refused("the two passwords differ; nothing was changed"))
    }
}

/// Reads a line that the terminal does not show.
fn hidden(prompt: &str) -> std::io::Result<String> {
    use crossterm::{
        event::{Event, KeyCode, KeyEventKind, KeyModifiers, read},
        terminal::{disable_raw_mode, enable_raw_mode},
    };
    /// The terminal is itself again however the reading ends.
    struct Raw;
    impl Drop for Raw {
        fn drop(&mut self) {
            let _ = disable_raw_mode();
            let _ = writeln!(std::io::stderr());
        }
    }
    let mut stderr = std::io::stderr();
    write!(stderr, "{prompt}")?;
    stderr.flush()?;
    enable_raw_mode()?;
    let _raw = Raw;
    let mut line = String::new();
    loop {
        let Event::Key(key) = read()? else { continue };
        if key.kind == KeyEventKind::Release {
            continue;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Enter => return Ok(line),
            KeyCode::Backspace => {
                line.pop();
            }
            KeyCode::Char('c' | 'd') if control => {
                return Err(std::io::Error::other("interrupted"));
            }
            KeyCode::Char('u') if control => line.clear(),
            KeyCode::Char(c) if !control => line.push(c),
            _ => {}
        }
    }
}

/// A file that is made for a secret before there is one, for its owner alone.
#[derive(Debug)]
pub(crate) struct SecretFile {
    file: std::fs::File,
    path: std::path::PathBuf,
}

impl SecretFile {
    /// Makes the file; one that is there is not touched.
    pub(crate) fn create(path: &Path) -> Result<Self, Failure> {
        let file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(|error| unwritable(path, &error))?;
        Ok(Self {
            file,
            path: path.to_owned(),
        })
    }

    /// Writes the secret.
    pub(crate) fn write(mut self, secret: &str) -> Result<(), Failure> {
        self.file
            .write_all(format!("{secret}\n").as_bytes())
            .and_then(|()| self.file.sync_all())
            .map_err(|error| unwritable(&self.path, &error))
    }

    /// There will be no secret.
    pub(crate) fn remove(self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(
        "CLI0030",
        format!("cannot write {}: {error}", path.display()),
        "give a file that is not there yet, in a folder that can be written",
    )
}

/// Asks for the name of what is to be deleted, unless `yes` was given.
pub(crate) fn confirm(yes: bool, what: &str, name: &str) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    let refused = |message: &str| {
        Failure::new(
            "CLI0007",
            message,
            "give --yes to go on without being asked",
        )
    };
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(refused(&format!("{what}; there is no terminal to ask on")));
    }
    let mut stderr = std::io::stderr().lock();
    let _ = write!(stderr, "{what}. Type `{name}` to go on: ");
    let _ = stderr.flush();
    let mut answer = String::new();
    std::io::stdin()
        .read_line(&mut answer)
        .map_err(|error| refused(&format!("cannot read the answer: {error}")))?;
    if answer.trim() == name {
        Ok(())
    } else {
        Err(refused("nothing was done: the name differs"))
    }
}

/// Lets the person edit a text in `$VISUAL` or `$EDITOR`. Gives the text and the file that keeps it
/// until `Edited::done`; nothing when it was not changed.
pub(crate) fn edit(name: &str, text: &str) -> Result<Option<Edited>, Failure> {
    let failed = |reason: String| {
        Failure::new(
            "CLI0014",
            reason,
            "set VISUAL or EDITOR to an editor that ends when the file is closed",
        )
    };
    let path = std::env::temp_dir().join(format!(
        "wharf-{name}-{}.yaml",
        &wharf_runtime::random::new_id()[..8]
    ));
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| failed(format!("cannot write {}: {error}", path.display())))?;
    let edited = Edited {
        path: path.clone(),
        text: String::new(),
    };
    let editor = ["VISUAL", "EDITOR"]
        .iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|editor| !editor.trim().is_empty())
        .unwrap_or_else(|| "vi".to_owned());
    // An editor is given with its flags, as a shell reads them.
    let status = Command::new("sh")
        .arg("-c")
        .arg(format!("{editor} \"$1\""))
        .arg("sh")
        .arg(&path)
        .status()
        .map_err(|error| failed(format!("cannot start `{editor}`: {error}")))?;
    if !status.success() {
        edited.done();
        return Err(failed(format!(
            "`{editor}` ended with {status}; nothing was changed"
        )));
    }
    let new = document(&path)?;
    if new == text {
        edited.done();
        return Ok(None);
    }
    Ok(Some(Edited { path, text: new }))
}

/// An edited text, still in its file.
#[derive(Debug)]
pub(crate) struct Edited {
    path: std::path::PathBuf,
    pub(crate) text: String,
}

impl Edited {
    /// The text has arrived: its file goes.
    pub(crate) fn done(self) {
        let _ = std::fs::remove_file(&self.path);
    }

    /// The failure, with where the text is.
    pub(crate) fn kept(self, mut failure: Failure) -> Failure {
        let kept = format!("your text is kept in {}", self.path.display());
        failure.hint = if failure.hint.is_empty() {
            kept
        } else {
            format!("{}; {kept}", failure.hint)
        };
        failure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_that_is_too_large_or_no_text_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("d");
        std::fs::write(&path, vec![b'x'; 1 << 20]).unwrap();
        assert_eq!(document(&path).unwrap().len(), 1 << 20);
        std::fs::write(&path, vec![b'x'; (1 << 20) + 1]).unwrap();
        assert_eq!(document(&path).unwrap_err().code, "CLI0013");
        std::fs::write(&path, [0xff]).unwrap();
        assert_eq!(document(&path).unwrap_err().code, "CLI0013");
        assert_eq!(
            document(&dir.path().join("none")).unwrap_err().code,
            "CLI0013"
        );
    }

    #[test]
    fn a_password_of_a_file_ends_before_its_line_does() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p");
        std::fs::write(&path, "two words \r\n").unwrap();
        assert_eq!(new_password(Some(&path), "alice").unwrap(), "two words ");
        assert_eq!(new_password(None, "alice").unwrap_err().code, "CLI0018");
    }

    #[test]
    fn a_secret_is_written_for_its_owner_alone_and_over_nothing() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        SecretFile::create(&path).unwrap().write("x").unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(SecretFile::create(&path).unwrap_err().code, "CLI0030");
        let other = dir.path().join("t");
        SecretFile::create(&other).unwrap().remove();
        assert!(!other.exists());
    }

    #[test]
    fn without_a_terminal_nothing_is_confirmed() {
        assert!(confirm(true, "Deletes `web`", "web").is_ok());
        assert_eq!(
            confirm(false, "Deletes `web`", "web").unwrap_err().code,
            "CLI0007"
        );
    }
}
