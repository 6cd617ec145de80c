//! Repositories for snapshots: made, replaced, removed, listed without their secrets. Not here: their
//! forms (`repositories`), which deployments use them (`api/snapshots`).

use std::sync::Arc;

use tonic::{Request, Response, Status};
use wharf_director_core::{
    apply::repository::{check_repository_name, users_of},
    command::{Body, DeleteRepository, PutRepository},
    state::{RepositoryRecord, State},
};
use wharf_proto::{times::timestamp, v1};
use wharf_services::v1::repositories_server::Repositories;

use super::{asked, asked_secretly, expected, info, not_found, opened, page};
use crate::{
    answer::{internal, refused},
    auth::Principal,
    director::Director,
    repositories,
};

const FIELDS: [&str; 6] = [
    "name",
    "kind",
    "location",
    "created",
    "changed",
    "deployments",
];

/// The service.
#[derive(Clone, Debug)]
pub struct RepositoriesApi(pub Arc<Director>);

fn message(state: &State, record: &RepositoryRecord) -> v1::RepositoryInfo {
    v1::RepositoryInfo {
        name: record.name.clone(),
        kind: record.kind.clone(),
        location: record.location.clone(),
        prefix: record.prefix.clone(),
        created_at: Some(timestamp(record.created_ms)),
        changed_at: Some(timestamp(record.changed_ms)),
        version: record.version,
        deployments: users_of(state, &record.name)
            .map(|deployment| deployment.name.clone())
            .collect(),
    }
}

fn find<'a>(state: &'a State, name: &str) -> Result<&'a RepositoryRecord, Status> {
    state
        .repositories
        .get(name)
        .ok_or_else(|| not_found("repository", name))
}

impl RepositoriesApi {
    async fn put(
        &self,
        principal: &Principal,
        mutation: Option<&v1::Mutation>,
        repository: Option<v1::Repository>,
        create: bool,
    ) -> Result<Response<v1::RepositoryInfo>, Status> {
        let mut wanted = repository.unwrap_or_default();
        let asked = asked_secretly(&self.0.key, principal, mutation, &wanted)?;
        check_repository_name(&wanted.name).map_err(|refusal| refused(&refusal))?;
        let mut expected_version = expected(mutation);
        if !create {
            let state = self.0.published.state();
            let record = find(&state, &wanted.name)?;
            let before = repositories::open(&self.0.key, record).map_err(internal)?;
            if repositories::keep_secret(&mut wanted, &before) && expected_version == 0 {
                // Another update may bring another key meanwhile, which the kept one must not replace.
                expected_version = record.version;
            }
        }
        let checked = repositories::checked(&mut wanted).map_err(|refusal| refused(&refusal))?;
        let body = Body::PutRepository(PutRepository {
            name: wanted.name.clone(),
            kind: checked.kind.to_owned(),
            location: checked.location,
            prefix: wanted.prefix.clone(),
            path: checked.path,
            sealed: repositories::seal(&self.0.key, &wanted).map_err(internal)?,
            create,
            expected_version,
        });
        self.0.proposer.once(&asked, |_| Ok(body)).await?;
        let state = self.0.published.state();
        Ok(Response::new(message(&state, find(&state, &wanted.name)?)))
    }
}

#[tonic::async_trait]
impl Repositories for RepositoriesApi {
    async fn create_repository(
        &self,
        request: Request<v1::CreateRepositoryRequest>,
    ) -> Result<Response<v1::RepositoryInfo>, Status> {
        let (principal, message) = opened(request)?;
        let mutation = message.mutation.as_ref();
        self.put(&principal, mutation, message.repository, true)
            .await
    }

    async fn update_repository(
        &self,
        request: Request<v1::UpdateRepositoryRequest>,
    ) -> Result<Response<v1::RepositoryInfo>, Status> {
        let (principal, message) = opened(request)?;
        let mutation = message.mutation.as_ref();
        self.put(&principal, mutation, message.repository, false)
            .await
    }

    async fn delete_repository(
        &self,
        request: Request<v1::DeleteRepositoryRequest>,
    ) -> Result<Response<v1::DeleteRepositoryResponse>, Status> {
        let (principal, message) = opened(request)?;
        let asked = asked(&principal, message.mutation.as_ref(), &message)?;
        let body = Body::DeleteRepository(DeleteRepository {
            name: message.name.clone(),
            expected_version: expected(message.mutation.as_ref()),
        });
        self.0.proposer.once(&asked, |_| Ok(body)).await?;
        Ok(Response::new(v1::DeleteRepositoryResponse {}))
    }

    async fn get_repository(
        &self,
        request: Request<v1::GetRepositoryRequest>,
    ) -> Result<Response<v1::RepositoryInfo>, Status> {
        let state = self.0.published.state();
        let record = find(&state, &request.get_ref().name)?;
        Ok(Response::new(message(&state, record)))
    }

    async fn list_repositories(
        &self,
        request: Request<v1::ListRepositoriesRequest>,
    ) -> Result<Response<v1::ListRepositoriesResponse>, Status> {
        let state = self.0.published.state();
        let page = page(
            request.get_ref().options.as_ref(),
            &FIELDS,
            state.repositories.values(),
            |row, field| match field {
                "kind" => row.kind.as_str().into(),
                "location" => row.location.as_str().into(),
                "created" => row.created_ms.into(),
                "changed" => row.changed_ms.into(),
                "deployments" => {
                    let users: Vec<&str> = users_of(&state, &row.name)
                        .map(|deployment| deployment.name.as_str())
                        .collect();
                    users.join(", ").as_str().into()
                }
                _ => row.name.as_str().into(),
            },
            |row| row.name.clone(),
        )?;
        Ok(Response::new(v1::ListRepositoriesResponse {
            info: Some(info(&page)),
            repositories: page.rows.iter().map(|row| message(&state, row)).collect(),
        }))
    }
}
