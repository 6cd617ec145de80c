//! `wharf authority`: the platform's certificate authorities, and the CA file of this client, which is
//! replaced only by what came over a connection that it verified.

use std::{path::Path, time::Duration};

use wharf_proto::v1::{
    Authority, CancelAuthorityRotationRequest, GetAuthorityRequest, RotateAuthorityRequest,
};
use wharf_runtime::{data_dir::write_atomic, tls::CaCerts};

use super::following;
use crate::{
    args::{AuthorityCommand, RotateArgs},
    client::{Client, internal, mutation},
    failure::Failure,
    print::{self, Table},
    times,
};

/// Between looks at a change that is followed.
const EVERY: Duration = Duration::from_secs(1);
/// Looks in a row that may fail: a director that restarts is back within seconds.
const TRIES: u32 = 30;

/// Runs the command.
pub(crate) async fn run(client: &Client, command: &AuthorityCommand) -> Result<u8, Failure> {
    let shown = match command {
        AuthorityCommand::Show => get(client).await.map_err(Failure::from)?,
        AuthorityCommand::Fetch { to } => {
            let found = get(client).await.map_err(Failure::from)?;
            save(&found, to.as_deref().unwrap_or(client.ca_file()))?;
            found
        }
        AuthorityCommand::Rotate(args) => rotate(client, args).await?,
        AuthorityCommand::Cancel => client
            .platform()
            .cancel_authority_rotation(CancelAuthorityRotationRequest {
                mutation: mutation(),
            })
            .await?
            .into_inner(),
    };
    let json = print::json(&shown)?;
    print::result(client.output(), &json, || render(&shown, client.now_ms()));
    Ok(0)
}

async fn get(client: &Client) -> Result<Authority, tonic::Status> {
    let answer = client
        .platform()
        .get_authority(GetAuthorityRequest {})
        .await?;
    Ok(answer.into_inner())
}

async fn rotate(client: &Client, args: &RotateArgs) -> Result<Authority, Failure> {
    let request = RotateAuthorityRequest {
        mutation: mutation(),
        trust_seconds: times::age(&args.trust_for)? / 1_000,
        dry_run: args.dry_run,
    };
    let begun = client
        .platform()
        .rotate_authority(request)
        .await?
        .into_inner();
    if begun.usable_tokens > 0 {
        print::remark(&format!(
            "{} usable tokens may name the authority of before; hosts cannot join by them once the new one issues",
            begun.usable_tokens
        ));
    }
    if !args.follow {
        return Ok(begun);
    }
    let again = "`wharf authority show` says how far it has come";
    following::until_ended("the change of the authority", again, None, follow(client)).await
}

/// Looks until the change has ended. What is trusted now is saved and used from the next connection on, so
/// that this command and every later one find the directors when the old authority is trusted no more.
async fn follow(client: &Client) -> Result<Authority, Failure> {
    let mut told = String::new();
    let mut failures = 0_u32;
    loop {
        match get(client).await {
            Ok(found) => {
                failures = 0;
                client.trust(&save(&found, client.ca_file())?)?;
                tell(&found, &mut told);
                if found.phase == "rest" {
                    return Ok(found);
                }
            }
            Err(status) => {
                failures += 1;
                if !following::passes(&status) || failures > TRIES {
                    return Err(Failure::from(status));
                }
            }
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// Tells what the change waits for, when that is not what was told last.
fn tell(found: &Authority, told: &mut String) {
    let waits: Vec<String> = found
        .waits
        .iter()
        .take(3)
        .map(|wait| format!("{}: {}", wait.who, wait.reason))
        .collect();
    let now = format!("{}: waits for {}", found.phase, waits.join("; "));
    if now != *told {
        print::remark(&now);
        *told = now;
    }
}

/// Replaces a CA file by what is trusted now, when it holds something else; gives what is trusted.
fn save(found: &Authority, path: &Path) -> Result<CaCerts, Failure> {
    let trusted = CaCerts::from_pem(&found.ca_pem).map_err(|error| internal(&error))?;
    if CaCerts::load(path).is_ok_and(|held| held == trusted) {
        return Ok(trusted);
    }
    let written = write_atomic(path, trusted.to_pem().as_bytes(), 0o644);
    written.map(|()| trusted).map_err(|error| {
        Failure::new(
            "CLI0005",
            format!("cannot write the CA file {}: {error}", path.display()),
            "`wharf authority fetch --to FILE` writes another; name it with --ca-file",
        )
    })
}

fn render(found: &Authority, now_ms: u64) -> String {
    let mut text = format!("issues   {}\n", found.issuing);
    if !found.other.is_empty() {
        text.push_str(&format!("trusted  {}\n", found.other));
    }
    text.push_str(&format!("phase    {}", found.phase));
    if found.cancelled {
        text.push_str(", taken back");
    }
    if found.phase != "rest" {
        text.push_str(&format!(
            ", since {}, begun by {}",
            print::age(now_ms, found.since.as_ref()),
            found.actor
        ));
    }
    text.push('\n');
    if !found.waits.is_empty() {
        let mut table = Table::new(&["WAITS FOR", "BECAUSE"]);
        for wait in &found.waits {
            table.row([&wait.who, &wait.reason]);
        }
        text.push('\n');
        text.push_str(&table.render());
    }
    text
}
