//! A wrong clock for one process: what the kernel gives every process to read the time with, without
//! a system call, is written over in that process's memory, so that it asks and adds seconds.
//!
//! Processes of one machine share its clock, and a static binary takes no library that fakes one.
//! Invariants: only the wall clock is changed, the clock that measures durations is not; the process is
//! stopped while it is changed and goes on in every case; what was there is put back when this is dropped.
//! Needs root. Not here: the clock of a whole host.

use std::{
    fs,
    io::Error,
    os::unix::fs::FileExt as _,
    process::Command,
    time::{Duration, Instant},
};

use crate::testbed::run;

/// Until every thread stands, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at the threads.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A process whose clock is wrong.
#[derive(Debug)]
pub struct WrongClock {
    pid: String,
    place: u64,
    before: Vec<u8>,
}

impl WrongClock {
    /// Puts a process's clock this much ahead.
    ///
    /// # Panics
    /// When the process is gone or this machine's kernel is of another kind.
    #[must_use]
    pub fn ahead(pid: &str, seconds: i32) -> Self {
        let maps = fs::read_to_string(format!("/proc/{pid}/maps")).expect("the process runs");
        let line = maps.lines().find(|line| line.ends_with("[vdso]"));
        let range = line.expect("the kernel's page").split(' ').next();
        let (from, to) = range
            .and_then(|range| range.split_once('-'))
            .expect("a range");
        let address = |text| u64::from_str_radix(text, 16).expect("an address");
        let (from, to) = (address(from), address(to));
        let memory = fs::File::open(format!("/proc/{pid}/mem")).expect("its memory");
        let mut page = vec![0; usize::try_from(to - from).expect("small")];
        memory.read_exact_at(&mut page, from).expect("readable");
        let at = symbol(&page, "__vdso_clock_gettime").expect("the function");
        let code = code(seconds);
        let start = usize::try_from(at).expect("small");
        let clock = Self {
            pid: pid.to_owned(),
            place: from + at,
            before: page[start..start + code.len()].to_vec(),
        };
        clock.write(&code).expect("its memory can be written");
        clock
    }

    fn write(&self, bytes: &[u8]) -> Result<(), Error> {
        let memory = fs::OpenOptions::new()
            .write(true)
            .open(format!("/proc/{}/mem", self.pid))?;
        let stopped = run(Command::new("kill").args(["-STOP", &self.pid]));
        if !stopped.status.success() {
            return Err(Error::other("it cannot be stopped"));
        }
        let _goes_on = GoesOn(&self.pid);
        let begun = Instant::now();
        while !self.stands() {
            if begun.elapsed() > PATIENCE {
                return Err(Error::other("its threads do not stand"));
            }
            std::thread::sleep(LOOK_EVERY);
        }
        memory.write_all_at(bytes, self.place)
    }

    /// Whether no thread of it moves.
    fn stands(&self) -> bool {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid));
        let stats = tasks
            .into_iter()
            .flatten()
            .filter_map(|task| fs::read_to_string(task.ok()?.path().join("stat")).ok());
        stats.into_iter().all(|stat| stat.contains(") T "))
    }
}

/// A stopped process that goes on when this is dropped, also by a panic.
struct GoesOn<'a>(&'a str);

impl Drop for GoesOn<'_> {
    fn drop(&mut self) {
        run(Command::new("kill").args(["-CONT", self.0]));
    }
}

impl Drop for WrongClock {
    fn drop(&mut self) {
        // A process that is gone has no clock to put right.
        if fs::exists(format!("/proc/{}/mem", self.pid)).unwrap_or(false)
            && let Err(error) = self.write(&self.before)
        {
            eprintln!("the clock of {} stays wrong: {error}", self.pid);
        }
    }
}

/// `clock_gettime` for x86-64: asks the kernel, and adds seconds when the clock is the wall's.
fn code(seconds: i32) -> Vec<u8> {
    let mut code = vec![
        0xb8, 0xe4, 0, 0, 0, // mov eax, 228 (clock_gettime)
        0x0f, 0x05, // syscall
        0x85, 0xff, // test edi, edi (0 is CLOCK_REALTIME)
        0x75, 0x07, // jne to the end
        0x48, 0x81, 0x06, // add qword ptr [rsi], seconds
    ];
    code.extend_from_slice(&seconds.to_le_bytes());
    code.push(0xc3); // ret
    code
}

/// Where a function is in a page that is a little ELF file.
fn symbol(page: &[u8], name: &str) -> Option<u64> {
    let number = |at: usize, bytes: usize| -> Option<u64> {
        let raw = page.get(at..at + bytes)?;
        let digits = raw.iter().rev();
        Some(digits.fold(0, |value, byte| value << 8 | u64::from(*byte)))
    };
    let place = |at: usize, bytes: usize| usize::try_from(number(at, bytes)?).ok();
    let (sections, size, count) = (place(40, 8)?, place(58, 2)?, place(60, 2)?);
    let section = |index: usize| sections + index * size;
    let symbols = (0..count)
        .map(section)
        .find(|at| number(at + 4, 4) == Some(11))?;
    let names = place(section(place(symbols + 40, 4)?) + 24, 8)?;
    let (from, bytes) = (place(symbols + 24, 8)?, place(symbols + 32, 8)?);
    (from..from + bytes).step_by(24).find_map(|at| {
        let text = page.get(names + place(at, 4)?..)?;
        let is_it = text.starts_with(name.as_bytes()) && text.get(name.len()) == Some(&0);
        is_it.then(|| number(at + 8, 8))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_sees_another_time_until_it_is_put_right() {
        let mut process = Command::new("python3")
            .args([
                "-c",
                "import sys, time\nfor _ in sys.stdin: print(int(time.time()), flush=True)",
            ])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("python3 is there");
        let (mut ask, tell) = (
            process.stdin.take().expect("piped"),
            std::io::BufReader::new(process.stdout.take().expect("piped")),
        );
        let mut answers = std::io::BufRead::lines(tell);
        let mut now = || -> i64 {
            std::io::Write::write_all(&mut ask, b"\n").expect("asked");
            let line = answers.next().expect("an answer").expect("text");
            line.parse().expect("seconds")
        };
        let right = now();
        let clock = WrongClock::ahead(&process.id().to_string(), 86_400);
        let wrong = now();
        drop(clock);
        let again = now();
        drop(ask);
        process.wait().expect("it ends");
        assert!(wrong >= right + 86_400, "{right} {wrong}");
        assert!(again < wrong, "{wrong} {again}");
    }
}
