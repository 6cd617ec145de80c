//! The real binary against a real director: a platform of one host whose allocator and proxy are
//! driven by hand over real sessions, and the words of each command with what differs from run to
//! run replaced. Not here: what commands are expected to print (`golden/`).
#![allow(dead_code, unreachable_pub)]

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use regex::Regex;
use serde_json::Value;
use tonic::transport::Channel;
use wharf_proto::v1::{self, allocator_report::Report};
use wharf_runtime::task;
use wharf_services::v1::deployments_client::DeploymentsClient;

use crate::platform::{Files, HandAllocator, HandProxy, PASSWORD, Process, call, eventually};

/// The binary under test.
pub const WHARF: &str = env!("CARGO_BIN_EXE_wharf");
/// Container that the allocator says to have seen.
pub const CONTAINER: &str = "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00";

/// A platform and how to reach it.
pub struct Lab {
    pub files: Files,
    pub process: Process,
    ca_file: PathBuf,
    password_file: PathBuf,
}

/// What a command said.
#[derive(Debug, Clone)]
pub struct Said {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Said {
    /// The JSON on standard output.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("no JSON was printed ({error}): {self:?}"))
    }
}

impl Lab {
    /// A platform whose deployment `system` is healthy and whose host has one container of others.
    pub async fn start() -> Self {
        Self::start_on(Files::new()).await
    }

    /// The same on files that the test has changed.
    pub async fn start_on(files: Files) -> Self {
        let lab = Self::director_on(files).await;
        let mut allocator = HandAllocator::connect(&lab.files, &lab.process).await;
        let mut proxy = HandProxy::connect(&lab.files, &lab.process, 0).await;
        allocator
            .send(Report::Containers(v1::ContainerObservations {
                full: true,
                changed: vec![container()],
                ..Default::default()
            }))
            .await;
        task::spawn("allocator by hand", async move {
            while allocator.obey_one().await {}
        });
        task::spawn(
            "proxy by hand",
            async move { while proxy.obey_one().await {} },
        );
        lab.healthy("system").await;
        lab
    }

    /// A director that nobody has connected to.
    pub async fn director_on(files: Files) -> Self {
        let process = Process::start(&files).await;
        let ca_file = files.dir.path().join("ca.pem");
        let password_file = files.dir.path().join("password");
        std::fs::write(&ca_file, files.authority.certificate_pem()).unwrap();
        std::fs::write(&password_file, format!("{PASSWORD}\n")).unwrap();
        Self {
            files,
            process,
            ca_file,
            password_file,
        }
    }

    pub fn channel(&self) -> Channel {
        self.files.channel(self.process.admin, None)
    }

    /// Waits until a deployment is healthy and nothing is done to it.
    pub async fn healthy(&self, name: &str) {
        let channel = self.channel();
        eventually("the deployment is healthy", || async {
            let request = v1::GetDeploymentRequest {
                deployment: name.to_owned(),
            };
            let found = DeploymentsClient::new(channel.clone())
                .get_deployment(call(request))
                .await
                .ok()?
                .into_inner();
            let settled = found.health() == v1::Health::Healthy && found.pending_plan_id.is_empty();
            settled.then_some(())
        })
        .await;
    }

    /// The command with the settings of this platform and no profile.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = bare(args, self.files.dir.path());
        command
            .env("WHARF_DIRECTOR", self.process.admin.to_string())
            .env("WHARF_USERNAME", "admin")
            .env("WHARF_PASSWORD_FILE", &self.password_file)
            .env("WHARF_CA_FILE", &self.ca_file);
        command
    }

    /// Runs a command to its end.
    pub async fn run(&self, args: &[&str]) -> Said {
        finish(self.command(args), "").await
    }

    /// The same with something on standard input.
    pub async fn run_with(&self, args: &[&str], input: &str) -> Said {
        finish(self.command(args), input).await
    }

    /// Types every example of these commands' help, except those that follow, into a shell, with the
    /// deployment that is there. Gives how many there were.
    pub async fn type_examples(&self, commands: &[&str]) -> usize {
        let mut typed = 0;
        for words in commands {
            let help: Vec<&str> = words.split(' ').chain(["--help"]).collect();
            let help = self.run(&help).await.stdout;
            let begin = format!("  wharf {words}");
            let examples = help.lines().filter(|line| line.starts_with(&begin));
            for example in examples.filter(|line| !line.contains(" -f")) {
                let line = example.replace("web", "system");
                let rest = line.trim().strip_prefix("wharf").unwrap();
                let mut shell = Command::new("sh");
                shell
                    .arg("-c")
                    .arg(format!("exec \"$0\" {rest}"))
                    .arg(WHARF);
                shell.env_clear();
                for (name, value) in self.command(&[]).get_envs() {
                    shell.env(name, value.unwrap_or_default());
                }
                let said = finish(shell, "").await;
                assert_eq!(said.code, 0, "`{example}`: {}", said.stderr);
                typed += 1;
            }
        }
        typed
    }

    /// Compares what a command prints as a table and as JSON with the golden files of that name.
    pub async fn golden(&self, name: &str, args: &[&str]) {
        for (output, ending) in [("table", "txt"), ("json", "json")] {
            let mut all = args.to_vec();
            all.extend(["-o", output]);
            let said = self.run(&all).await;
            assert_eq!(
                said.code,
                0,
                "wharf {} failed: {}",
                args.join(" "),
                said.stderr
            );
            if ending == "json" {
                said.json();
            }
            same(&format!("{name}.{ending}"), &self.normal(&said.stdout));
        }
    }

    /// The text with what differs from run to run replaced.
    pub fn normal(&self, text: &str) -> String {
        let boot = &self.files.bootstrap;
        let mut text = text
            .replace(&self.process.admin.to_string(), "<director>")
            .replace(&self.files.dir.path().display().to_string(), "<dir>")
            .replace(env!("CARGO_PKG_VERSION"), "<version>")
            .replace(&boot.raft_id.to_string(), "<raft id>");
        for (id, mark) in [
            (&boot.allocator_id, "<allocator>"),
            (&boot.director_id, "<director id>"),
            (&boot.proxy_id, "<proxy>"),
            (&self.files.platform.platform_id, "<platform>"),
        ] {
            text = text.replace(id.as_str(), mark).replace(&id[..8], mark);
        }
        for (shape, mark) in [
            (r"\b[0-9a-f]{32}\b", "<id>"),
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*Z", "<time>"),
            (r"127\.0\.0\.1:\d+", "<address>"),
            (
                r#"("(?:term|applied_index|commit_index|last_snapshot_index|version|generation|assigned_generation|applied_generation|table_generation|log_index|lag|snapshot_index|entries)": )\d+"#,
                "$1<n>",
            ),
            (r#"("password": ")[^"]+"#, "$1<password>"),
            (r"(?m)^(password +)\S+", "$1<password>"),
            (r"\b(leader|follower)( +\d+)+", "$1 <n>"),
            (r"(version +)\d+\n", "$1<n>\n"),
            (
                r"(generation +)\d+ assigned, \d+ applied",
                "$1<n> assigned, <n> applied",
            ),
            (r"\b(\d+\.\ds|\d+m \d+s)\b", "<duration>"),
            (r"\b\d+[smhd]\b", "<age>"),
            (r"in \d+\.\d s\b", "in <seconds> s"),
            (r"\b(done|running|failed)( +)\d+\.\d\b", "$1$2<seconds>"),
            (r"(route table) \d+", "$1 <n>"),
            (r"(connected +<age> +)\d+", "$1<n>"),
            // What a step waited for depends on how fast the others were.
            (
                r#"\{\s*"at": "<time>",\s*"text": "waits for [^}]*\},?\s*"#,
                "",
            ),
            (r"(?m)^.*waits for (the|a) .*\n", ""),
            // Columns are as wide as what was replaced.
            (r"(\S)  +", "$1  "),
        ] {
            let shape = Regex::new(shape).unwrap();
            text = shape.replace_all(&text, mark).into_owned();
        }
        text
    }
}

/// A command of the binary with nothing of the caller's environment that it reads.
pub fn bare(args: &[&str], home: &Path) -> Command {
    let mut command = Command::new(WHARF);
    command
        .args(args)
        .env_clear()
        .env("HOME", home)
        .env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

/// Runs a command to its end.
pub async fn finish(mut command: Command, input: &str) -> Said {
    let input = input.to_owned();
    tokio::task::spawn_blocking(move || {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // A command that reads nothing may have ended.
        let _ = std::io::Write::write_all(&mut stdin, input.as_bytes());
        drop(stdin);
        said(child)
    })
    .await
    .unwrap()
}

fn said(child: Child) -> Said {
    let output = child.wait_with_output().unwrap();
    Said {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Starts a command that watches, presses Ctrl-C once it waits for that, and gives what it said.
pub async fn interrupted(mut command: Command) -> Said {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    eventually("the command waits for Ctrl-C", || async {
        let status = std::fs::read_to_string(&status).unwrap();
        let caught = status
            .lines()
            .find_map(|line| line.strip_prefix("SigCgt:"))?;
        let caught = u64::from_str_radix(caught.trim(), 16).unwrap();
        (caught & 0b10 != 0).then_some(())
    })
    .await;
    let kill = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
    let end = tokio::task::spawn_blocking(move || said(child));
    end.await.unwrap()
}

/// Compares with a golden file; `WHARF_GOLDEN=write` writes it instead.
pub fn same(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if std::env::var_os("WHARF_GOLDEN").is_some_and(|value| value == "write") {
        std::fs::write(&path, text).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{name}: {error}; WHARF_GOLDEN=write makes it"));
    assert_eq!(
        text, expected,
        "{name} differs from what is printed; when that is right, WHARF_GOLDEN=write writes it anew"
    );
}

fn container() -> v1::Container {
    v1::Container {
        id: CONTAINER.into(),
        name: "shop-web-1".into(),
        image: "nginx:1.27".into(),
        application: "shop".into(),
        service: "web".into(),
        state: "running".into(),
        health: "healthy".into(),
        sample: Some(v1::ContainerSample {
            cpu_percent: 12.5,
            memory_bytes: 64 << 20,
            memory_limit_bytes: 256 << 20,
            network_in_bytes: 1_000,
            network_out_bytes: 2_000,
            processes: 3,
            ..Default::default()
        }),
        ..Default::default()
    }
}
