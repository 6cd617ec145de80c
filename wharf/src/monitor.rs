//! A connection to a deployment's monitoring node: through the proxy, with the deployment's own
//! credentials and the platform's CA. Not here: what is asked of it (`commands/watch.rs`, `alert.rs`,
//! `services.rs`).

use tonic::{
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::Channel,
};
use wharf_proto::{coded, v1::Credentials, v1::GetCredentialsRequest};
use wharf_runtime::{
    net::{Addresses, channel},
    tls::{CaCerts, Expect, client_config},
};
use wharf_services::monitor::v1::{
    alerts_client::AlertsClient, services_client::ServicesClient, watches_client::WatchesClient,
};

use crate::{
    client::{Client, basic, internal},
    failure::{EXIT_UNREACHABLE, Failure},
};

/// Runs and previews carry documents of their searches.
const MAX_ANSWER_BYTES: usize = 64 << 20;

/// Says to the proxy which resource is meant, and to the node who asks.
#[derive(Clone)]
pub(crate) struct Headers {
    authorization: MetadataValue<Ascii>,
    resource: MetadataValue<Ascii>,
}

impl Interceptor for Headers {
    fn call(
        &mut self,
        mut request: tonic::Request<()>,
    ) -> Result<tonic::Request<()>, tonic::Status> {
        let headers = request.metadata_mut();
        headers.insert("authorization", self.authorization.clone());
        headers.insert("x-found-cluster", self.resource.clone());
        Ok(request)
    }
}

type Service = InterceptedService<Channel, Headers>;

/// The monitoring node of one deployment.
pub(crate) struct Monitor {
    service: Service,
    deployment: String,
}

impl Monitor {
    /// Asks the director for the deployment's credentials and prepares the connection.
    pub(crate) async fn of(client: &Client, deployment: &str) -> Result<Self, Failure> {
        let request = GetCredentialsRequest {
            deployment: deployment.to_owned(),
        };
        let credentials = client
            .deployments()
            .get_credentials(request)
            .await?
            .into_inner();
        Self::new(&client.ca(), &credentials)
    }

    fn new(ca: &CaCerts, credentials: &Credentials) -> Result<Self, Failure> {
        let (address, resource) = place(credentials).ok_or_else(|| {
            Failure::new(
                "CLI0012",
                format!("`{}` is no address of a deployment", credentials.url),
                "",
            )
        })?;
        let config = client_config(ca, Expect::Name, None).map_err(|error| internal(&error))?;
        let login = basic(&credentials.username, &credentials.password);
        let mut authorization: MetadataValue<Ascii> = format!("Basic {login}")
            .parse()
            .map_err(|error| internal(&error))?;
        authorization.set_sensitive(true);
        let headers = Headers {
            authorization,
            resource: resource.parse().map_err(|error| internal(&error))?,
        };
        Ok(Self {
            service: InterceptedService::new(channel(&Addresses::new([address]), config), headers),
            deployment: credentials.alias.clone(),
        })
    }

    pub(crate) fn watches(&self) -> WatchesClient<Service> {
        WatchesClient::new(self.service.clone()).max_decoding_message_size(MAX_ANSWER_BYTES)
    }

    pub(crate) fn alerts(&self) -> AlertsClient<Service> {
        AlertsClient::new(self.service.clone())
    }

    pub(crate) fn services(&self) -> ServicesClient<Service> {
        ServicesClient::new(self.service.clone())
    }

    /// What a status means when it came from here: one without a code of ours is of the proxy or of
    /// nobody at all.
    pub(crate) fn failed(&self, status: tonic::Status) -> Failure {
        if coded::decode(status.details()).is_some() {
            return Failure::from(status);
        }
        let deployment = &self.deployment;
        match status.code() {
            tonic::Code::Unavailable | tonic::Code::DeadlineExceeded => Failure::new(
                "CLI0012",
                format!(
                    "the monitoring node of `{deployment}` did not answer: {}",
                    status.message()
                ),
                format!("wharf deployment show {deployment}"),
            )
            .exit(EXIT_UNREACHABLE),
            // The proxy answers without gRPC when it has no such route.
            tonic::Code::Unimplemented | tonic::Code::NotFound => Failure::new(
                "CLI0012",
                format!("`{deployment}` has no monitoring node that is reached through the proxy"),
                format!("wharf deployment show {deployment}"),
            )
            .exit(EXIT_UNREACHABLE),
            _ => Failure::from(status),
        }
    }
}

/// `host:port` and the name of the resource for a deployment's credentials: the monitoring node's
/// alias is the deployment's with `-monitor`.
fn place(credentials: &Credentials) -> Option<(String, String)> {
    let resource = format!("{}-monitor", credentials.alias);
    let uri: http::Uri = credentials.url.parse().ok()?;
    let domain = uri
        .host()?
        .strip_prefix(credentials.alias.as_str())?
        .strip_prefix('.')?;
    let address = format!("{resource}.{domain}:{}", uri.port_u16().unwrap_or(443));
    Some((address, resource))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(url: &str) -> Credentials {
        Credentials {
            alias: "web".into(),
            url: url.into(),
            ..Credentials::default()
        }
    }

    #[test]
    fn the_monitoring_node_is_beside_its_storage() {
        assert_eq!(
            place(&credentials("https://web.example.org:9243")),
            Some(("web-monitor.example.org:9243".into(), "web-monitor".into()))
        );
        assert_eq!(place(&credentials("https://other.example.org:9243")), None);
        assert_eq!(place(&credentials("nonsense")), None);
    }
}
