//! What commands ask: the director's services over one verified TLS channel, and a deployment's
//! store through the proxy. Passwords travel in headers over TLS only.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use base64::Engine as _;
use bytes::Bytes;
use http::uri::PathAndQuery;
use http_body_util::Full;
use hyper::Request;
use serde_json::Value;
use tonic::{
    client::Grpc,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::Channel,
};
use wharf_proto::{
    methods::Method,
    v1::{Credentials, Mutation},
};
use wharf_runtime::{
    clock,
    net::{Addresses, ClientOptions, HttpsClient, channel},
    tls::{CaCerts, Expect, ExpectedIdentity, ROLE_DIRECTOR, TrustSlot, following_client_config},
};
use wharf_services::v1::{
    allocators_client::AllocatorsClient, channels_client::ChannelsClient,
    containers_client::ContainersClient, deployments_client::DeploymentsClient,
    directors_client::DirectorsClient, enrollment_client::EnrollmentClient,
    events_client::EventsClient, instances_client::InstancesClient,
    placement_client::PlacementClient, plans_client::PlansClient, platform_client::PlatformClient,
    proxies_client::ProxiesClient, repositories_client::RepositoriesClient,
    settings_client::SettingsClient, templates_client::TemplatesClient,
    tokens_client::TokensClient, users_client::UsersClient,
};

use crate::{
    args::Output,
    bytes_codec::BytesCodec,
    failure::{EXIT_UNREACHABLE, Failure},
    profile,
    settings::{Login, Settings},
};

/// A request that is not answered within this is given up.
const TIMEOUT: Duration = Duration::from_secs(20);
const MAX_ANSWER_BYTES: usize = 64 << 20;

/// Puts the user's credentials into each call.
#[derive(Clone)]
pub(crate) struct Credentialed {
    header: MetadataValue<Ascii>,
}

impl Interceptor for Credentialed {
    fn call(
        &mut self,
        mut request: tonic::Request<()>,
    ) -> Result<tonic::Request<()>, tonic::Status> {
        request
            .metadata_mut()
            .insert("authorization", self.header.clone());
        Ok(request)
    }
}

type Service = InterceptedService<Channel, Credentialed>;

/// Several directors are separated by commas; the next is dialed where one does not answer.
fn directors(text: &str) -> Addresses {
    Addresses::new(text.split(',').map(str::trim).filter(|one| !one.is_empty()))
}

/// A connection to the platform as one user.
pub(crate) struct Client {
    channel: Channel,
    credentialed: Credentialed,
    trust: Arc<TrustSlot>,
    ca_file: PathBuf,
    login: Login,
    output: Output,
    profile: Option<String>,
}

impl Client {
    /// Prepares the connection; it is made when the first call needs it.
    pub(crate) fn new(settings: &Settings) -> Result<Self, Failure> {
        let ca = CaCerts::load(&settings.ca_file).map_err(|error| {
            Failure::new(
                "CLI0005",
                format!(
                    "cannot use the CA file {}: {error}",
                    settings.ca_file.display()
                ),
                "give the platform's ca.pem with --ca-file",
            )
        })?;
        let expect = Expect::Identity(ExpectedIdentity::role(ROLE_DIRECTOR));
        let trust = TrustSlot::new(&ca).map_err(|error| internal(&error))?;
        let config =
            following_client_config(&trust, expect, None).map_err(|error| internal(&error))?;
        let header = match &settings.login {
            Login::Password { username, password } => {
                format!("Basic {}", basic(username, password))
            }
            Login::Token(token) => format!("Bearer {token}"),
        };
        let mut header: MetadataValue<Ascii> = header.parse().map_err(|error| internal(&error))?;
        header.set_sensitive(true);
        Ok(Self {
            channel: channel(&directors(&settings.director), config),
            credentialed: Credentialed { header },
            trust,
            ca_file: settings.ca_file.clone(),
            login: settings.login.clone(),
            output: settings.output,
            profile: settings.profile.clone(),
        })
    }

    pub(crate) fn output(&self) -> Output {
        self.output
    }

    pub(crate) fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// Whom this client trusts now.
    pub(crate) fn ca(&self) -> CaCerts {
        self.trust.certs()
    }

    /// Trusts these from the next connection on.
    pub(crate) fn trust(&self, certs: &CaCerts) -> Result<(), Failure> {
        self.trust.replace(certs).map_err(|error| internal(&error))
    }

    pub(crate) fn now_ms(&self) -> u64 {
        u64::try_from(clock::now_ms()).unwrap_or(0)
    }

    /// The name and the password of whoever calls; a token has none.
    pub(crate) fn login(&self) -> Result<(&str, &str), Failure> {
        match &self.login {
            Login::Password { username, password } => Ok((username, password)),
            Login::Token(_) => Err(Failure::new(
                "CLI0003",
                "a token cannot change the password of its user",
                "unset WHARF_TOKEN and log in with the password",
            )),
        }
    }

    fn service(&self) -> Service {
        InterceptedService::new(self.channel.clone(), self.credentialed.clone())
    }

    pub(crate) fn platform(&self) -> PlatformClient<Service> {
        PlatformClient::new(self.service())
    }

    pub(crate) fn deployments(&self) -> DeploymentsClient<Service> {
        DeploymentsClient::new(self.service())
    }

    pub(crate) fn plans(&self) -> PlansClient<Service> {
        PlansClient::new(self.service())
    }

    pub(crate) fn templates(&self) -> TemplatesClient<Service> {
        TemplatesClient::new(self.service())
    }

    pub(crate) fn allocators(&self) -> AllocatorsClient<Service> {
        AllocatorsClient::new(self.service())
    }

    pub(crate) fn instances(&self) -> InstancesClient<Service> {
        InstancesClient::new(self.service())
    }

    pub(crate) fn placement(&self) -> PlacementClient<Service> {
        PlacementClient::new(self.service()).max_decoding_message_size(16 << 20)
    }

    pub(crate) fn directors(&self) -> DirectorsClient<Service> {
        DirectorsClient::new(self.service())
    }

    /// Lets the profile that this client was made from name these directors, so that the next command finds
    /// the platform when the ones of today are gone.
    pub(crate) fn follow_directors<'a>(&self, addresses: impl Iterator<Item = &'a str>) {
        if let Some(name) = &self.profile
            && let Err(failure) = profile::follow(name, addresses)
        {
            crate::print::remark(&format!(
                "the profile does not follow the directors: {failure}"
            ));
        }
    }

    pub(crate) fn proxies(&self) -> ProxiesClient<Service> {
        ProxiesClient::new(self.service())
    }

    pub(crate) fn containers(&self) -> ContainersClient<Service> {
        ContainersClient::new(self.service()).max_decoding_message_size(16 << 20)
    }

    pub(crate) fn users(&self) -> UsersClient<Service> {
        UsersClient::new(self.service())
    }

    pub(crate) fn tokens(&self) -> TokensClient<Service> {
        TokensClient::new(self.service())
    }

    pub(crate) fn enrollment(&self) -> EnrollmentClient<Service> {
        EnrollmentClient::new(self.service())
    }

    pub(crate) fn settings(&self) -> SettingsClient<Service> {
        SettingsClient::new(self.service())
    }

    pub(crate) fn channels(&self) -> ChannelsClient<Service> {
        ChannelsClient::new(self.service())
    }

    pub(crate) fn repositories(&self) -> RepositoriesClient<Service> {
        RepositoriesClient::new(self.service())
    }

    pub(crate) fn events(&self) -> EventsClient<Service> {
        EventsClient::new(self.service())
    }

    /// Calls a method that is known at run time only; its answers come as bytes, one a message.
    pub(crate) async fn call(
        &self,
        method: &Method,
        request: Vec<u8>,
        max_answer_bytes: usize,
    ) -> Result<tonic::Streaming<Bytes>, Failure> {
        let mut grpc = Grpc::new(self.service()).max_decoding_message_size(max_answer_bytes);
        grpc.ready()
            .await
            .map_err(|error| Failure::from(tonic::Status::unavailable(error.to_string())))?;
        let path = PathAndQuery::try_from(format!("/{}", method.name()))
            .map_err(|error| internal(&error))?;
        let request = tonic::Request::new(Bytes::from(request));
        Ok(grpc
            .server_streaming(request, path, BytesCodec)
            .await?
            .into_inner())
    }

    /// A client of a deployment's store.
    pub(crate) fn store(&self, credentials: &Credentials) -> Result<StoreClient, Failure> {
        let config = following_client_config(&self.trust, Expect::Name, None)
            .map_err(|error| internal(&error))?;
        let options = ClientOptions {
            timeout: TIMEOUT,
            ..ClientOptions::default()
        };
        Ok(StoreClient {
            http: HttpsClient::new(config, options),
            url: credentials.url.clone(),
            authorization: format!(
                "Basic {}",
                basic(&credentials.username, &credentials.password)
            ),
        })
    }
}

/// What a change that is made once carries.
pub(crate) fn mutation() -> Option<Mutation> {
    mutation_as(None)
}

/// The same as the request of that id; a new one when there is none.
pub(crate) fn mutation_as(request_id: Option<&str>) -> Option<Mutation> {
    Some(Mutation {
        request_id: request_id.map_or_else(wharf_runtime::random::new_id, ToOwned::to_owned),
        expected_version: 0,
    })
}

pub(crate) fn basic(username: &str, password: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(format!("{username}:{password}"))
}

pub(crate) fn internal(error: &dyn std::error::Error) -> Failure {
    Failure::new("CLI0002", error.to_string(), "")
}

/// The Elasticsearch API of one deployment.
pub(crate) struct StoreClient {
    http: HttpsClient,
    url: String,
    authorization: String,
}

impl StoreClient {
    /// Posts JSON and gives the JSON of a successful answer.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let request =
            Request::post(format!("{}{path}", self.url)).header("content-type", "application/json");
        self.ask(request, Bytes::from(body.to_string())).await
    }

    /// The JSON of a successful answer.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, Failure> {
        let request = Request::get(format!("{}{path}", self.url));
        self.ask(request, Bytes::new()).await
    }

    async fn ask(&self, request: http::request::Builder, body: Bytes) -> Result<Value, Failure> {
        let unanswered =
            |what: String| Failure::new("CLI0011", what, "wharf status").exit(EXIT_UNREACHABLE);
        let request = request
            .header("authorization", &self.authorization)
            .body(Full::new(body))
            .map_err(|error| internal(&error))?;
        let answer = self
            .http
            .fetch(request, MAX_ANSWER_BYTES)
            .await
            .map_err(|error| unanswered(format!("the store did not answer: {error}")))?;
        let value: Value = serde_json::from_slice(answer.body()).unwrap_or(Value::Null);
        if answer.status().is_success() {
            return Ok(value);
        }
        let reason = value["error"]["reason"]
            .as_str()
            .unwrap_or("no reason given")
            .to_owned();
        Err(unanswered(format!(
            "the store answered {}: {reason}",
            answer.status()
        )))
    }
}
