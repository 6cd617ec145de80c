//! `wharf diagnostics`: what somebody needs who looks into a problem elsewhere, in one archive. Every
//! part is tried by itself: with the director down the host, the engine and the logs are still there,
//! and what could not be had is told with its reason. Invariants: nothing is changed; no secret is
//! written (`redact.rs`). Not here: what `wharf status` shows of a platform that answers.

mod archive;
mod host;
mod redact;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use wharf_allocator::host::HostRunner;
use wharf_proto::{methods::Method, times};
use wharf_runtime::{
    clock,
    net::HttpsClient,
    platform_file::PlatformFile,
    tls::{Authority, Expect, client_config},
};

use self::archive::Archive;
use crate::{
    args::{DiagnosticsArgs, GlobalArgs},
    client::Client,
    failure::Failure,
    print,
    settings::{self, Login},
    up,
};

/// Rows of a list that are asked for at once, and at most in all.
const PAGE: usize = 500;
const MAX_ROWS: usize = 50_000;
/// Largest message of an answer.
const MAX_ANSWER_BYTES: usize = 64 << 20;
/// Largest log of a container.
const MAX_LOG_BYTES: usize = 16 << 20;
/// Containers whose logs are read.
const MAX_CONTAINERS: usize = 500;

/// Runs the command.
pub(crate) async fn run(global: &GlobalArgs, args: &DiagnosticsArgs) -> Result<u8, Failure> {
    let now_ms = u64::try_from(clock::now_ms()).unwrap_or(0);
    let data_dir = up::data_dir(&args.platform)?;
    let (path, folder) = place(args, now_ms);
    if path.exists() {
        return Err(Failure::new(
            "CLI0030",
            format!("{} is there already", path.display()),
            "give another --file",
        ));
    }
    let mut archive = Archive::default();
    let settings = settings::settle_for(global, up::profile_name(&args.platform.name));
    if let Ok(settings) = &settings {
        match &settings.login {
            Login::Password { username, password } => {
                archive.redactor.know_login(username, password);
            }
            Login::Token(token) => archive.redactor.know(token),
        }
    }
    for variable in ["WHARF_PASSWORD", "WHARF_TOKEN"] {
        if let Ok(secret) = std::env::var(variable) {
            archive.redactor.know(&secret);
        }
    }
    host::know_secrets(&mut archive, &data_dir);

    archive.json(
        "version.json",
        &json!({
            "wharf": env!("CARGO_PKG_VERSION"),
            "made_at": times::rfc3339(now_ms),
            "platform": args.platform.name,
            "data_dir": data_dir.display().to_string(),
        }),
    );
    host::facts(&mut archive, &data_dir);
    print::remark("  host");
    let platform = host::configs(&mut archive, &data_dir);
    print::remark("  configuration");
    match &platform {
        Some(platform) => {
            match near_client() {
                Ok(http) => host::roles(&mut archive, platform, &http).await,
                Err(failure) => archive.missing("roles/", &failure.message),
            }
            host::instances(&mut archive, &data_dir).await;
            print::remark("  health and metrics of roles and instances");
            engine(&mut archive, args, platform, &data_dir).await;
            print::remark("  engine and logs");
        }
        None => archive.missing(
            "roles/, engine/, logs/",
            &format!("{} holds no platform that can be read", data_dir.display()),
        ),
    }
    match settings.and_then(|settings| Client::new(&settings)) {
        Ok(client) => director(&mut archive, &client).await,
        Err(failure) => archive.missing("director/", &failure.to_string()),
    }
    print::remark("  status and lists of the director");

    let files = archive.names().len();
    let missing: Vec<Value> = archive
        .all_missing()
        .iter()
        .map(|(what, why)| json!({"what": what, "why": why}))
        .collect();
    for (what, why) in archive.all_missing() {
        print::remark(&print::printable(&format!("  missing: {what}: {why}")));
    }
    archive.write(&path, &folder, now_ms)?;
    let result = json!({
        "file": path.display().to_string(),
        "files": files,
        "missing": missing,
    });
    print::result(global.output, &result, || format!("{}\n", path.display()));
    Ok(0)
}

/// Where the archive goes, and the folder inside it.
fn place(args: &DiagnosticsArgs, now_ms: u64) -> (PathBuf, String) {
    let time: String = times::rfc3339(now_ms)
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take("20260101T000000".len())
        .collect();
    let folder = format!("wharf-diagnostics-{}-{time}", args.platform.name);
    let path = args
        .file
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("{folder}.tar.gz")));
    (path, folder)
}

/// A client of plain loopback listeners. It verifies nobody, because there is no TLS: the authority
/// is made on the spot and signs nothing.
fn near_client() -> Result<HttpsClient, Failure> {
    let internal = |error: &dyn std::error::Error| Failure::new("CLI0002", error.to_string(), "");
    let nobody = Authority::create("none", clock::now_ms()).map_err(|e| internal(&e))?;
    let config = client_config(&nobody.certs(), Expect::Name, None).map_err(|e| internal(&e))?;
    Ok(HttpsClient::new(config, host::near()))
}

/// What the engine says, and the ends of the logs of the platform's containers.
async fn engine(
    archive: &mut Archive,
    args: &DiagnosticsArgs,
    platform: &PlatformFile,
    data_dir: &Path,
) {
    let docker_host = up::docker_host(&args.platform);
    let runner = match HostRunner::connect(&docker_host, platform, data_dir).await {
        Ok(runner) => runner,
        Err(error) => return archive.missing("engine/, logs/", &error.to_string()),
    };
    match runner.facts().await {
        Ok(facts) => archive.json(
            "engine/facts.json",
            &json!({
                "address": docker_host,
                "version": facts.version,
                "api_version": facts.api_version,
                "os": facts.os,
                "kernel": facts.kernel,
                "root_dir": facts.root_dir,
                "memory_bytes": facts.memory_bytes,
                "cpus": facts.cpus,
                "cpu_quota": facts.cpu_quota,
                "pids_limit": facts.pids_limit,
                "host": facts.host,
            }),
        ),
        Err(error) => archive.missing("engine/facts.json", &error.to_string()),
    }
    let containers = match runner.list().await {
        Ok(containers) => containers,
        Err(error) => return archive.missing("engine/containers.json, logs/", &error.to_string()),
    };
    let list = containers
        .iter()
        .map(|seen| {
            json!({
                "name": seen.name,
                "role": seen.role,
                "id": seen.observed.id,
                "image_id": seen.observed.image_id,
                "state": format!("{:?}", seen.observed.state),
                "created_ms": seen.observed.created_ms,
                "started_ms": seen.observed.started_ms,
                "port": seen.port,
                "last_lines": seen.tail,
            })
        })
        .collect();
    archive.json("engine/containers.json", &list);
    for seen in containers.iter().take(MAX_CONTAINERS) {
        let inside = format!("logs/{}.log", seen.name);
        let log = runner
            .log_tail(&seen.observed.id, args.log_lines, MAX_LOG_BYTES)
            .await;
        match log {
            Ok(text) => archive.text(&inside, &text),
            Err(error) => archive.missing(&inside, &error.to_string()),
        }
    }
}

/// The director's status and every list that a person can ask it for.
async fn director(archive: &mut Archive, client: &Client) {
    let methods = match wharf_proto::methods::methods() {
        Ok(methods) => methods,
        Err(error) => return archive.missing("director/", &error.to_string()),
    };
    let ours = methods.iter().filter(|method| {
        method.package() == "wharf.v1"
            && method.is_for_people()
            && !method.streams_requests()
            && !method.streams_answers()
    });
    for method in ours {
        let name = method.name();
        let short = name.rsplit('/').next().unwrap_or_default();
        let answer = if short == "GetStatus" {
            one(client, method, &json!({})).await
        } else if short.starts_with("List") {
            rows(client, method).await
        } else {
            continue;
        };
        let inside = format!("director/{short}.json");
        match answer {
            Ok(value) => archive.json(&inside, &value),
            Err(failure) => archive.missing(&inside, &failure.to_string()),
        }
    }
}

async fn one(client: &Client, method: &Method, request: &Value) -> Result<Value, Failure> {
    let internal = |error: &dyn std::error::Error| Failure::new("CLI0002", error.to_string(), "");
    let bytes = method
        .encode(&request.to_string())
        .map_err(|e| internal(&e))?;
    let mut answers = client.call(method, bytes, MAX_ANSWER_BYTES).await?;
    let answer = answers.message().await?;
    method
        .decode(&answer.unwrap_or_default())
        .map_err(|e| internal(&e))
}

/// Every page of a list: the answer's one field of rows.
async fn rows(client: &Client, method: &Method) -> Result<Value, Failure> {
    let mut all = Vec::new();
    let mut token = String::new();
    // A list that takes no options comes whole.
    let paged = method.encode(r#"{"options": {}}"#).is_ok();
    loop {
        let request = if paged {
            json!({"options": {"page_size": PAGE, "page_token": token}})
        } else {
            json!({})
        };
        let mut page = one(client, method, &request).await?;
        token = page["info"]["next_page_token"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        if let Some(fields) = page.as_object_mut() {
            for rows in fields.values_mut().filter_map(Value::as_array_mut) {
                all.append(rows);
            }
        }
        if token.is_empty() || all.len() >= MAX_ROWS {
            return Ok(Value::Array(all));
        }
    }
}
