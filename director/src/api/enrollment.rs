//! Roles' certificates and how hosts come and go: a role renews its own certificate, proven by the one
//! it has; a host joins by a token; a host leaves. The names in a certificate are what the platform
//! knows of the role, never what the request asks for. Invariants: a token's secret is compared before
//! anything else is told; what is refused is told to the audit log, summed up when it comes often. Not
//! here: signing (`wharf_runtime::tls`), what a token is worth (the core).

use std::{collections::BTreeSet, net::IpAddr, sync::Arc};

use prost::Message;
use tonic::{Code, Request, Response, Status};
use wharf_director_core::{
    apply::{
        engineless,
        enrollment::{check_empty, check_token, role_names},
    },
    command::{self, Body, NoteAudit},
    refusal::{Refusal, RefusalKind, codes as core_codes, cut},
    state::{EnrollmentTokenRecord, HostRole},
};
use wharf_proto::{
    ids::{AllocatorId, DirectorId, ProxyId, RequestId},
    times::timestamp,
    v1,
};
use wharf_runtime::{
    platform_file::Ports,
    tls::{Identity, LEAF_DAYS, MAX_CSR_BYTES, ROLE_ALLOCATOR, ROLE_DIRECTOR, ROLE_PROXY},
};
use wharf_services::v1::enrollment_server::Enrollment;

use super::{
    asked, directors::DirectorsApi, info, not_found, opened, page, principal,
    vacates::not_connected,
};
use crate::{
    answer::{coded_status, field_status, internal, not_leading, refused},
    auth,
    certificates::role_spec,
    codes,
    director::Director,
    enrollment_tokens::{self, Tries},
    living,
    propose::{Asked, ProposalError, SYSTEM},
};

const FIELDS: [&str; 7] = [
    "id",
    "roles",
    "zone",
    "created_by",
    "created",
    "expires",
    "state",
];
/// Life of a token when none is asked for.
const LIFETIME_MS: u64 = 3_600_000;
/// Bytes of a host's name at most.
const HOST_BYTES: usize = 128;

/// The service.
#[derive(Clone, Debug)]
pub struct EnrollmentApi {
    director: Arc<Director>,
    tries: Arc<Tries>,
}

impl EnrollmentApi {
    /// The service of a director.
    #[must_use]
    pub fn new(director: Arc<Director>) -> Self {
        Self {
            director,
            tries: Arc::default(),
        }
    }

    /// The token that a caller shows, or why it is none.
    async fn token(&self, text: &str, from: IpAddr) -> Result<EnrollmentTokenRecord, Status> {
        if !self.director.leads() {
            return Err(not_leading());
        }
        let wait_ms = self.tries.wait_ms(from, self.director.now_ms());
        if wait_ms > 0 {
            return Err(coded_status(
                Code::ResourceExhausted,
                codes::TOO_MANY_TOKENS,
                "too many tokens from this address were refused",
                &format!("wait {} s", wait_ms.div_ceil(1000)),
            ));
        }
        let state = self.director.published.state();
        if let Some(found) = enrollment_tokens::find(&state, text) {
            return Ok(found.clone());
        }
        let status = coded_status(
            Code::Unauthenticated,
            codes::UNKNOWN_TOKEN,
            "the platform does not know this token",
            "copy it whole, or make another with `wharf token create --roles ... --zone ...`",
        );
        self.note(from, "an unknown token", codes::UNKNOWN_TOKEN)
            .await;
        Err(status)
    }

    /// Tells the audit log that somebody could not join, unless it was told of many just now.
    async fn note(&self, from: IpAddr, what: &str, code: &str) {
        let Some(count) = self.tries.refused(from, self.director.now_ms()) else {
            return;
        };
        tracing::warn!(%from, code, count, what, "a host could not join");
        let note = NoteAudit {
            action: "enrollment_refused".to_owned(),
            subject: "enrollment".to_owned(),
            detail: format!("{code}: {what}, from {from}, {count} since the last such line"),
            place: None,
        };
        // The refusal stands whether or not it could be written down.
        if let Err(error) = self
            .director
            .proposer
            .of(SYSTEM, Body::NoteAudit(note))
            .await
        {
            tracing::warn!(%error, "a refused enrollment is not in the audit log");
        }
    }

    async fn refuse(&self, from: IpAddr, token: &str, refusal: &Refusal) -> Status {
        let what = format!("the token {token}: {}", refusal.message);
        self.note(from, cut(&what, 200), &refusal.code).await;
        refused(refusal)
    }

    fn ports(&self) -> v1::HostPorts {
        let Ports {
            admin,
            internal,
            director_metrics,
            allocator_metrics,
            proxy_metrics,
            proxy_https,
            proxy_http,
            instances_start,
            instances_end,
        } = self.director.config.platform.ports;
        v1::HostPorts {
            admin: admin.into(),
            internal: internal.into(),
            director_metrics: director_metrics.into(),
            allocator_metrics: allocator_metrics.into(),
            proxy_metrics: proxy_metrics.into(),
            proxy_https: proxy_https.into(),
            proxy_http: proxy_http.into(),
            instances_start: instances_start.into(),
            instances_end: instances_end.into(),
        }
    }

    /// The host that a role speaks for when it says that its host leaves.
    fn host_of(&self, identity: &Identity) -> Result<AllocatorId, Status> {
        let state = self.director.published.state();
        let found = match identity.role.as_str() {
            ROLE_ALLOCATOR => return identity.id.parse().map_err(internal),
            ROLE_PROXY => {
                let id: ProxyId = identity.id.parse().map_err(internal)?;
                engineless::spoken_for(&state, Some(&id), None)
            }
            _ => {
                let id: DirectorId = identity.id.parse().map_err(internal)?;
                engineless::spoken_for(&state, None, Some(&id))
            }
        };
        found.map(|host| host.allocator_id.clone()).ok_or_else(|| {
            coded_status(
                Code::PermissionDenied,
                codes::FORBIDDEN,
                format!("{identity} may not say that its host leaves"),
                "its allocator says it; where a host has no engine, its proxy or its director",
            )
        })
    }

    fn sign(&self, role: &str, id: &str, address: &str, csr: &str) -> Result<String, Status> {
        let director = &self.director;
        let identity =
            Identity::new(director.config.platform_id.as_str(), role, id).map_err(internal)?;
        let spec = role_spec(identity, address, &director.config.platform.domain);
        let signer = director.certificates.signer(&director.published.state());
        signer
            .map_err(internal)?
            .sign_csr(csr, &spec, director.clock.now_ms())
            .map_err(|error| {
                field_status(
                    codes::CERTIFICATE,
                    &format!("{role}_csr_pem"),
                    error.to_string(),
                    "send a PEM request signed by its own key",
                )
            })
    }
}

fn message(record: &EnrollmentTokenRecord, now_ms: u64) -> v1::EnrollmentToken {
    v1::EnrollmentToken {
        id: record.id.clone(),
        roles: names(&record.roles),
        zone: record.zone.clone(),
        uses: record.uses,
        used: record.used,
        created_by: record.created_by.clone(),
        created_at: Some(timestamp(record.created_ms)),
        expires_at: Some(timestamp(record.expires_ms)),
        state: record.worth(now_ms).as_str().to_owned(),
    }
}

fn names(roles: &BTreeSet<HostRole>) -> Vec<String> {
    roles.iter().map(|role| role.as_str().to_owned()).collect()
}

fn parse_roles(asked: &[String]) -> Result<BTreeSet<HostRole>, Status> {
    asked
        .iter()
        .map(|text| {
            HostRole::parse(text).ok_or_else(|| {
                let message = format!("there is no role `{}` of hosts", cut(text, 64));
                let hint = format!("there are: {}", role_names(&HostRole::ALL.into()));
                field_status(core_codes::ENROLLMENT_TOKEN, "roles", message, &hint)
            })
        })
        .collect()
}

fn request_id(mutation: Option<&v1::Mutation>) -> Result<RequestId, Status> {
    let text = mutation.map_or("", |mutation| mutation.request_id.as_str());
    text.parse().map_err(|error: wharf_proto::ids::IdError| {
        field_status(
            codes::REQUEST_ID,
            "mutation.request_id",
            error.to_string(),
            "make 16 random bytes for each change and send them in lower-case hex",
        )
    })
}

#[tonic::async_trait]
impl Enrollment for EnrollmentApi {
    async fn renew(
        &self,
        request: Request<v1::RenewRequest>,
    ) -> Result<Response<v1::RenewResponse>, Status> {
        let director = &self.director;
        let identity = principal(&request)?
            .identity
            .ok_or_else(|| internal("a role without an identity"))?;
        if !director.leads() {
            return Err(not_leading());
        }
        let state = director.published.state();
        let gone = || {
            coded_status(
                Code::PermissionDenied,
                codes::CERTIFICATE,
                format!("the platform does not know {identity}"),
                "connect a session first, or enroll again",
            )
        };
        let own = director.config.platform.advertised_address.as_str();
        let address = match identity.role.as_str() {
            ROLE_ALLOCATOR => {
                let record = state
                    .allocators
                    .get(identity.id.as_str())
                    .ok_or_else(gone)?;
                record.address.as_str()
            }
            ROLE_PROXY => {
                let record = state.proxies.get(identity.id.as_str()).ok_or_else(gone)?;
                let mut allocators = state.allocators.values();
                let beside = allocators.find(|allocator| allocator.host == record.host);
                let alone = engineless::spoken_for(&state, Some(&record.id), None);
                match (beside, alone) {
                    (_, Some(host)) => host.address.as_str(),
                    (Some(allocator), None) => allocator.address.as_str(),
                    (None, None) => "",
                }
            }
            ROLE_DIRECTOR if identity.id == director.config.director_id.as_str() => own,
            _ => return Err(gone()),
        };
        let spec = role_spec(identity.clone(), address, &director.config.platform.domain);
        let csr = request.into_inner().csr_pem;
        let authority = director.certificates.signer(&state).map_err(internal)?;
        let now_ms = director.clock.now_ms();
        let certificate_pem = authority.sign_csr(&csr, &spec, now_ms).map_err(|error| {
            coded_status(
                Code::InvalidArgument,
                codes::CERTIFICATE,
                error.to_string(),
                "send a PEM request signed by its own key",
            )
        })?;
        tracing::info!(%identity, "a certificate was renewed");
        let life_ms = u64::from(LEAF_DAYS) * 24 * 3_600_000;
        Ok(Response::new(v1::RenewResponse {
            certificate_pem,
            ca_pem: director.certificates.ca_pem(&state),
            expires_at: Some(timestamp(
                u64::try_from(now_ms).unwrap_or(0).saturating_add(life_ms),
            )),
        }))
    }

    async fn inspect_token(
        &self,
        request: Request<v1::InspectTokenRequest>,
    ) -> Result<Response<v1::InspectTokenResponse>, Status> {
        let from = auth::address(request.extensions());
        let text = request.into_inner().token;
        let token = self.token(&text, from).await?;
        let director = &self.director;
        if let Err(refusal) = check_token(&token, &BTreeSet::new(), director.now_ms()) {
            return Err(self.refuse(from, &token.id, &refusal).await);
        }
        Ok(Response::new(v1::InspectTokenResponse {
            platform_id: director.config.platform_id.to_string(),
            platform_name: director.config.platform.name.clone(),
            zone: token.zone.clone(),
            roles: names(&token.roles),
            expires_at: Some(timestamp(token.expires_ms)),
            server_time: Some(timestamp(director.clock_ms())),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ports: Some(self.ports()),
        }))
    }

    async fn enroll(
        &self,
        request: Request<v1::EnrollRequest>,
    ) -> Result<Response<v1::EnrollResponse>, Status> {
        let from = auth::address(request.extensions());
        let wanted = request.into_inner();
        let token = self.token(&wanted.token, from).await?;
        let director = &self.director;
        let asked_id = request_id(wanted.mutation.as_ref())?;
        let too_long = wanted.host.len() > HOST_BYTES
            || wanted.allocator_csr_pem.len() > MAX_CSR_BYTES
            || wanted.proxy_csr_pem.len() > MAX_CSR_BYTES
            || wanted.director_csr_pem.len() > MAX_CSR_BYTES
            || wanted.advertised_address.parse::<IpAddr>().is_err();
        if too_long {
            return Err(field_status(
                core_codes::HOST,
                "host",
                "the host's name, its address or a certificate request is unusable or too long",
                "give a short --host-name and an IP address",
            ));
        }
        let roles = if wanted.roles.is_empty() {
            token.roles.clone()
        } else {
            parse_roles(&wanted.roles)?
        };
        let id =
            |role| enrollment_tokens::host_id(&director.key, role, &token.id, asked_id.as_str());
        let allocator_id: AllocatorId = id(ROLE_ALLOCATOR).parse().map_err(internal)?;
        let proxy_id: Option<ProxyId> = roles
            .contains(&HostRole::Proxy)
            .then(|| id(ROLE_PROXY).parse().map_err(internal))
            .transpose()?;
        let director_id: Option<DirectorId> = roles
            .contains(&HostRole::Director)
            .then(|| id(ROLE_DIRECTOR).parse().map_err(internal))
            .transpose()?;
        // Before the token is used up.
        let address = wanted.advertised_address.as_str();
        // Where there is no engine nobody may speak as an allocator.
        let allocator_certificate_pem = if wanted.without_engine {
            String::new()
        } else {
            self.sign(
                ROLE_ALLOCATOR,
                allocator_id.as_str(),
                address,
                &wanted.allocator_csr_pem,
            )?
        };
        let proxy_certificate_pem = match &proxy_id {
            Some(id) => self.sign(ROLE_PROXY, id.as_str(), address, &wanted.proxy_csr_pem)?,
            None => String::new(),
        };
        let director_certificate_pem = match &director_id {
            Some(id) => self.sign(
                ROLE_DIRECTOR,
                id.as_str(),
                address,
                &wanted.director_csr_pem,
            )?,
            None => String::new(),
        };
        let actor = format!("token/{}", token.id);
        let asked = Asked::new(&actor, asked_id, &wanted.encode_to_vec());
        let body = Body::EnrollHost(command::EnrollHost {
            token_id: token.id.clone(),
            allocator_id: allocator_id.clone(),
            proxy_id: proxy_id.clone(),
            director_id: director_id.clone(),
            host: wanted.host.clone(),
            address: address.to_owned(),
            roles: roles.clone(),
            without_engine: wanted.without_engine,
        });
        match director.proposer.once(&asked, |_| Ok(body)).await {
            Ok(_) => {}
            Err(ProposalError::Refused(refusal)) => {
                // It is in the audit log as a command that was refused.
                let _ = self.tries.refused(from, director.now_ms());
                return Err(refused(&refusal));
            }
            Err(error) => return Err(error.into()),
        }
        self.tries.joined(from);
        tracing::info!(host = wanted.host, allocator = %allocator_id, %from, "a host joined");
        let platform = &director.config.platform;
        Ok(Response::new(v1::EnrollResponse {
            platform_id: director.config.platform_id.to_string(),
            platform_name: platform.name.clone(),
            domain: platform.domain.clone(),
            zone: token.zone.clone(),
            ports: Some(self.ports()),
            directors: living::internal(director),
            ca_pem: director.certificates.ca_pem(&director.published.state()),
            roles: names(&roles),
            allocator_id: allocator_id.to_string(),
            allocator_certificate_pem,
            proxy_id: proxy_id.map(|id| id.to_string()).unwrap_or_default(),
            proxy_certificate_pem,
            director_id: director_id.map(|id| id.to_string()).unwrap_or_default(),
            director_certificate_pem,
        }))
    }

    async fn leave(
        &self,
        request: Request<v1::LeaveRequest>,
    ) -> Result<Response<v1::LeaveResponse>, Status> {
        let principal = principal(&request)?;
        if !self.director.leads() {
            return Err(not_leading());
        }
        let identity = principal
            .identity
            .clone()
            .ok_or_else(|| internal("a role without an identity"))?;
        let allocator_id = self.host_of(&identity)?;
        if request.get_ref().remove_director {
            let state = self.director.published.state();
            check_empty(&state, &allocator_id).map_err(|refusal| refused(&refusal))?;
            let host = state.hosts.get(&allocator_id);
            if let Some(id) = host.and_then(|host| host.director_id.as_ref()) {
                let directors = DirectorsApi(Arc::clone(&self.director));
                directors.leave(id, &principal.name).await?;
            }
        }
        let body = Body::ForgetHost(command::ForgetHost {
            allocator_id,
            lost: false,
        });
        self.director.proposer.of(&principal.name, body).await?;
        tracing::info!(%identity, "a host left");
        Ok(Response::new(v1::LeaveResponse {}))
    }

    async fn forget_host(
        &self,
        request: Request<v1::ForgetHostRequest>,
    ) -> Result<Response<v1::ForgetHostResponse>, Status> {
        let (principal, message) = opened(request)?;
        let asked = asked(&principal, message.mutation.as_ref(), &message)?;
        let named = &message.allocator;
        self.director
            .proposer
            .once(&asked, |state| {
                let known = state.find_allocator(named).map(|found| &found.id);
                let alone = || engineless::find(state, named).map(|host| &host.allocator_id);
                let allocator_id = known
                    .or_else(alone)
                    .cloned()
                    .ok_or_else(|| Refusal::not_found("allocator", named))?;
                if message.lost {
                    not_connected(&self.director, state, &allocator_id)?;
                }
                Ok(Body::ForgetHost(command::ForgetHost {
                    allocator_id,
                    lost: message.lost,
                }))
            })
            .await?;
        Ok(Response::new(v1::ForgetHostResponse {}))
    }

    async fn create_enrollment_token(
        &self,
        request: Request<v1::CreateEnrollmentTokenRequest>,
    ) -> Result<Response<v1::CreateEnrollmentTokenResponse>, Status> {
        let principal = principal(&request)?;
        let wanted = request.into_inner();
        let asked = asked(&principal, wanted.mutation.as_ref(), &wanted)?;
        let director = &self.director;
        let platform = &director.config.platform;
        let roles = parse_roles(&wanted.roles)?;
        let loopback = platform
            .advertised_address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback());
        if loopback {
            let refusal = Refusal::new(
                RefusalKind::FailedPrecondition,
                core_codes::ENROLLMENT_TOKEN,
                "the platform is reached on loopback only; no other host could join it",
            )
            .hint("`wharf up --advertise ADDRESS` on its host changes address and certificates in place");
            return Err(refused(&refusal));
        }
        let signer = director.certificates.signer(&director.published.state());
        let ca = signer.map_err(internal)?.fingerprint();
        let (token, hash) = enrollment_tokens::mint(
            &director.key,
            &principal.name,
            asked.request_id.as_str(),
            ca,
        );
        let body = Body::CreateEnrollmentToken(command::CreateEnrollmentToken {
            id: token.id.clone(),
            hash,
            roles,
            zone: wanted.zone,
            lifetime_ms: match wanted.lifetime_seconds {
                0 => LIFETIME_MS,
                seconds => seconds.saturating_mul(1_000),
            },
            uses: wanted.uses.max(1),
            created_by: principal.name.clone(),
        });
        director.proposer.once(&asked, |_| Ok(body)).await?;
        let state = director.published.state();
        let record = state
            .enrollment_tokens
            .get(&token.id)
            .ok_or_else(|| not_found("token", &token.id))?;
        let text = token.to_text();
        Ok(Response::new(v1::CreateEnrollmentTokenResponse {
            token: Some(message(record, director.now_ms())),
            join: format!("{text}@{}", living::admin(director).join(",")),
            secret: text,
        }))
    }

    async fn list_enrollment_tokens(
        &self,
        request: Request<v1::ListEnrollmentTokensRequest>,
    ) -> Result<Response<v1::ListEnrollmentTokensResponse>, Status> {
        let state = self.director.published.state();
        let now_ms = self.director.now_ms();
        let page = page(
            request.get_ref().options.as_ref(),
            &FIELDS,
            state.enrollment_tokens.values(),
            |row, field| match field {
                "roles" => names(&row.roles).join(",").into(),
                "zone" => row.zone.as_str().into(),
                "created_by" => row.created_by.as_str().into(),
                "created" => row.created_ms.into(),
                "expires" => row.expires_ms.into(),
                "state" => row.worth(now_ms).as_str().into(),
                _ => row.id.as_str().into(),
            },
            |row| row.id.clone(),
        )?;
        Ok(Response::new(v1::ListEnrollmentTokensResponse {
            info: Some(info(&page)),
            tokens: page.rows.iter().map(|row| message(row, now_ms)).collect(),
        }))
    }

    async fn revoke_enrollment_token(
        &self,
        request: Request<v1::RevokeEnrollmentTokenRequest>,
    ) -> Result<Response<v1::RevokeEnrollmentTokenResponse>, Status> {
        let (principal, message) = opened(request)?;
        let asked = asked(&principal, message.mutation.as_ref(), &message)?;
        let body = Body::RevokeEnrollmentToken(command::RevokeEnrollmentToken { id: message.id });
        self.director.proposer.once(&asked, |_| Ok(body)).await?;
        Ok(Response::new(v1::RevokeEnrollmentTokenResponse {}))
    }
}
