//! Mending what `wharf preflight` found: kernel settings, now and over a restart of the machine. Invariant:
//! a value is only raised, and a file of ours alone is written. Not here: judging (`checks`).

use std::path::Path;

use wharf_runtime::data_dir::write_atomic;

use super::{
    Check, Verdict,
    checks::{SYSCTLS, judge_sysctl, sysctl_path},
};

const FILE: &str = "/etc/sysctl.d/90-wharfinger.conf";
const HEAD: &str = "# Written by `wharf preflight --fix`.\n";

/// Mends one check, and says in it what was done or why not.
pub(super) fn mend(check: &mut Check) {
    let Some((name, least, reason)) = SYSCTLS.iter().find(|(name, ..)| *name == check.check) else {
        return;
    };
    match raise(Path::new(&sysctl_path(name)), Path::new(FILE), name, *least) {
        Ok(()) => {
            let found = std::fs::read_to_string(sysctl_path(name)).unwrap_or_default();
            *check = judge_sysctl(name, *least, reason, found.trim());
            check.fixed = if check.verdict == Verdict::Ok {
                format!("set to {least}, and written into {FILE}")
            } else {
                "the kernel did not take it".to_owned()
            };
        }
        Err(error) => check.fixed = format!("could not be mended: {error}; run this as root"),
    }
}

fn raise(kernel: &Path, file: &Path, name: &str, least: u64) -> std::io::Result<()> {
    std::fs::write(kernel, least.to_string())?;
    let before = std::fs::read_to_string(file).unwrap_or_default();
    let text = with_line(&before, name, least);
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    write_atomic(file, text.as_bytes(), 0o644)
}

/// The file with one line for the setting.
fn with_line(before: &str, name: &str, least: u64) -> String {
    let other = |line: &&str| line.split('=').next().is_none_or(|key| key.trim() != name);
    let mut text: String = before
        .lines()
        .filter(other)
        .filter(|line| *line != HEAD.trim_end())
        .map(|line| format!("{line}\n"))
        .collect();
    text.insert_str(0, HEAD);
    text.push_str(&format!("{name} = {least}\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_stands_in_the_file_once_however_often_it_is_mended() {
        let dir = tempfile::tempdir().unwrap();
        let (kernel, file) = (dir.path().join("kernel"), dir.path().join("d/90.conf"));
        for least in [5, 7] {
            raise(&kernel, &file, "a.b", least).unwrap();
        }
        raise(&kernel, &file, "a.c", 1).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(text, format!("{HEAD}a.b = 7\na.c = 1\n"));
        assert_eq!(std::fs::read_to_string(&kernel).unwrap(), "1");
    }
}
