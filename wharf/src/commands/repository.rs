//! `wharf repository`: where storage nodes keep their snapshots. Invariant: a secret key comes from a file
//! or the environment, and no message quotes it.

use std::path::Path;

use wharf_proto::v1::{
    CreateRepositoryRequest, DeleteRepositoryRequest, FileRepository, GetRepositoryRequest,
    ListRepositoriesRequest, Repository, RepositoryInfo, S3Repository, UpdateRepositoryRequest,
    repository::Kind,
};

use super::listing::read_all;
use crate::{
    args::{RepositoryArgs, RepositoryCommand},
    client::{Client, mutation, mutation_as},
    failure::Failure,
    given,
    print::{self, Table},
};

/// The environment's word for the secret key.
const SECRET_VARIABLE: &str = "WHARF_S3_SECRET_ACCESS_KEY";

/// Runs the command.
pub(crate) async fn run(client: &Client, command: &RepositoryCommand) -> Result<u8, Failure> {
    let shown = match command {
        RepositoryCommand::List(args) => {
            let all = read_all(args, |options| async {
                let request = ListRepositoriesRequest {
                    options: Some(options),
                };
                let page = client.repositories().list_repositories(request).await?;
                let page = page.into_inner();
                Ok((page.repositories, page.info))
            })
            .await?;
            let json = print::json_list(&all)?;
            print::result(client.output(), &json, || table(&all, client.now_ms()));
            return Ok(0);
        }
        RepositoryCommand::Delete { name, yes } => return delete(client, name, *yes).await,
        RepositoryCommand::Show { name } => {
            let request = GetRepositoryRequest { name: name.clone() };
            client.repositories().get_repository(request).await?
        }
        RepositoryCommand::Create(args) => {
            let request = CreateRepositoryRequest {
                mutation: mutation_as(args.request.request_id.as_deref()),
                repository: Some(repository(args)?),
            };
            client.repositories().create_repository(request).await?
        }
        RepositoryCommand::Update(args) => {
            let request = UpdateRepositoryRequest {
                mutation: mutation_as(args.request.request_id.as_deref()),
                repository: Some(repository(args)?),
            };
            client.repositories().update_repository(request).await?
        }
    }
    .into_inner();
    let json = print::json(&shown)?;
    print::result(client.output(), &json, || render(&shown, client.now_ms()));
    Ok(0)
}

fn secret_key(file: Option<&Path>) -> Result<String, Failure> {
    let text = match file {
        Some(file) => given::document(file)?,
        None => std::env::var(SECRET_VARIABLE).unwrap_or_default(),
    };
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn repository(args: &RepositoryArgs) -> Result<Repository, Failure> {
    let text = |given: &Option<String>| given.clone().unwrap_or_default();
    let kind = if let Some(path) = &args.path {
        Kind::File(FileRepository { path: path.clone() })
    } else {
        Kind::S3(S3Repository {
            endpoint: text(&args.s3_endpoint),
            region: text(&args.region),
            bucket: text(&args.bucket),
            access_key_id: text(&args.access_key_id),
            secret_access_key: secret_key(args.secret_access_key_file.as_deref())?,
            ca_pem: match &args.s3_ca_file {
                Some(file) => given::document(file)?,
                None => String::new(),
            },
            virtual_hosted: args.virtual_hosted,
        })
    };
    Ok(Repository {
        name: args.name.clone(),
        prefix: args.prefix.clone(),
        kind: Some(kind),
    })
}

async fn delete(client: &Client, name: &str, yes: bool) -> Result<u8, Failure> {
    let shown = print::printable(name);
    let what = format!("This forgets the repository `{shown}`; what is in it stays");
    given::confirm(yes, &what, name)?;
    let request = DeleteRepositoryRequest {
        mutation: mutation(),
        name: name.to_owned(),
    };
    let answer = client.repositories().delete_repository(request).await?;
    let json = print::json(&answer.into_inner())?;
    print::result(client.output(), &json, || {
        format!("repository `{shown}` deleted; what is in it stays\n")
    });
    Ok(0)
}

fn used_by(repository: &RepositoryInfo) -> String {
    match repository.deployments.as_slice() {
        [] => "-".to_owned(),
        names => names.join(", "),
    }
}

fn table(all: &[RepositoryInfo], now_ms: u64) -> String {
    let mut table = Table::new(&["REPOSITORY", "KIND", "LOCATION", "PREFIX", "USED BY", "AGE"]);
    for repository in all {
        table.row([
            repository.name.clone(),
            repository.kind.clone(),
            repository.location.clone(),
            if repository.prefix.is_empty() {
                "-".to_owned()
            } else {
                repository.prefix.clone()
            },
            used_by(repository),
            print::age(now_ms, repository.created_at.as_ref()),
        ]);
    }
    table.render()
}

fn render(repository: &RepositoryInfo, now_ms: u64) -> String {
    let prefix = match repository.prefix.as_str() {
        "" => "-",
        prefix => prefix,
    };
    format!(
        "repository  {}\nkind        {}\nlocation    {}\nprefix      {}\nused by     {}\ncreated     {} ago\nchanged     {} ago\nversion     {}\n",
        print::printable(&repository.name),
        repository.kind,
        print::printable(&repository.location),
        print::printable(prefix),
        print::printable(&used_by(repository)),
        print::age(now_ms, repository.created_at.as_ref()),
        print::age(now_ms, repository.changed_at.as_ref()),
        repository.version,
    )
}
