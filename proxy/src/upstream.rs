//! Connections to instances: TLS whose certificate must name the very instance, kept open between
//! requests. HTTP/1.1 connections carry one request at a time; gRPC shares one HTTP/2 connection
//! per instance. Not here: which instance, and whether to try again.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::{
    Request, Response,
    body::Incoming,
    client::conn::{TrySendError, http1, http2},
};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ClientConfig;
use wharf_proxy_core::{Target, retry::Progress};
use wharf_runtime::{
    net::{BoxError, DialError, dial_tls, split_host_port},
    task::{self, NamedExecutor},
    tls::{
        CertSlot, Expect, ExpectedIdentity, ROLE_INSTANCE, TlsError, TrustSlot,
        following_client_config,
    },
};

/// Time to connect, and again to agree on TLS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Idle connections kept per instance.
const MAX_IDLE: usize = 32;
/// Shorter than what instances keep idle connections for.
const IDLE_FOR: Duration = Duration::from_secs(30);

/// A body on its way.
pub(crate) type Body = UnsyncBoxBody<Bytes, BoxError>;

/// Why an instance gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpstreamError {
    /// Not reached, or not who it should be.
    #[error("{0}")]
    Dial(#[from] DialError),
    /// TLS settings could not be made.
    #[error("{0}")]
    Tls(#[from] TlsError),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Http(#[from] hyper::Error),
}

/// A request that failed: how far it came, and itself when it is still whole.
#[derive(Debug)]
pub(crate) struct Failed {
    /// Why.
    pub error: UpstreamError,
    /// How far the request got.
    pub progress: Progress,
    /// The request, when no byte of its body was taken.
    pub request: Option<Request<Body>>,
}

struct Idle {
    sender: http1::SendRequest<Body>,
    since: Instant,
}

#[derive(Default)]
struct Instance {
    config: Option<Arc<ClientConfig>>,
    /// Where the connections below lead: an instance that moved keeps its id.
    address: String,
    idle: Vec<Idle>,
    grpc: Option<http2::SendRequest<Body>>,
}

impl Instance {
    /// Lets go of connections that lead elsewhere.
    fn at(&mut self, address: &str) -> &mut Self {
        if self.address != address {
            address.clone_into(&mut self.address);
            self.idle.clear();
            self.grpc = None;
        }
        self
    }
}

/// Connections to every instance.
pub(crate) struct Upstream {
    trust: Arc<TrustSlot>,
    own: Arc<CertSlot>,
    platform_id: String,
    instances: Mutex<HashMap<String, Instance>>,
}

impl std::fmt::Debug for Upstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upstream")
            .field("platform_id", &self.platform_id)
            .finish_non_exhaustive()
    }
}

impl Upstream {
    /// No connections yet. `own` is shown to instances.
    #[must_use]
    pub(crate) fn new(trust: Arc<TrustSlot>, own: Arc<CertSlot>, platform_id: String) -> Self {
        Self {
            trust,
            own,
            platform_id,
            instances: Mutex::default(),
        }
    }

    /// Sends a request over a kept connection, or a fresh one.
    ///
    /// # Errors
    /// With the request, when it can be sent elsewhere.
    pub(crate) async fn send(
        self: &Arc<Self>,
        target: &Target,
        request: Request<Body>,
        fresh: bool,
    ) -> Result<Response<Incoming>, Box<Failed>> {
        let kept = if fresh { None } else { self.take_idle(target) };
        let mut sender = match kept {
            Some(sender) => sender,
            None => match self.open(target).await {
                Ok(sender) => sender,
                Err(error) => {
                    return Err(Box::new(Failed {
                        error,
                        progress: Progress::NotSent,
                        request: Some(request),
                    }));
                }
            },
        };
        match sender.try_send_request(request).await {
            Ok(response) => {
                self.keep(target, sender);
                Ok(response)
            }
            Err(error) => Err(Box::new(failed(error))),
        }
    }

    /// Sends a request over the instance's HTTP/2 connection.
    ///
    /// # Errors
    /// With the request, when it can be sent elsewhere.
    pub(crate) async fn send_grpc(
        &self,
        target: &Target,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, Box<Failed>> {
        let shared = {
            let mut instances = self.lock();
            instances
                .get_mut(&target.instance_id)
                .and_then(|instance| instance.at(&target.address).grpc.clone())
                .filter(|sender| !sender.is_closed())
        };
        let mut sender = match shared {
            Some(sender) => sender,
            None => match self.open_grpc(target).await {
                Ok(sender) => sender,
                Err(error) => {
                    return Err(Box::new(Failed {
                        error,
                        progress: Progress::NotSent,
                        request: Some(request),
                    }));
                }
            },
        };
        sender
            .try_send_request(request)
            .await
            .map_err(|error| Box::new(failed(error)))
    }

    /// Sends a request that wants to change the protocol, over a connection of its own.
    ///
    /// # Errors
    /// When the instance does not answer.
    pub(crate) async fn send_upgrade(
        &self,
        target: &Target,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, Box<Failed>> {
        match self.open(target).await {
            Ok(mut sender) => sender
                .try_send_request(request)
                .await
                .map_err(|error| Box::new(failed(error))),
            Err(error) => Err(Box::new(Failed {
                error,
                progress: Progress::NotSent,
                request: Some(request),
            })),
        }
    }

    /// Forgets instances that are in no route any more.
    pub(crate) fn keep_instances(&self, known: impl Fn(&str) -> bool) {
        self.lock().retain(|id, _| known(id));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Instance>> {
        self.instances
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn take_idle(&self, target: &Target) -> Option<http1::SendRequest<Body>> {
        let mut instances = self.lock();
        let instance = instances.get_mut(&target.instance_id)?;
        let idle = &mut instance.at(&target.address).idle;
        while let Some(kept) = idle.pop() {
            if kept.sender.is_ready() && kept.since.elapsed() < IDLE_FOR {
                return Some(kept.sender);
            }
        }
        None
    }

    /// Puts a connection back once it can carry the next request.
    fn keep(self: &Arc<Self>, target: &Target, mut sender: http1::SendRequest<Body>) {
        let upstream = Arc::clone(self);
        let target = target.clone();
        task::spawn("upstream-keep", async move {
            // Ready when the answer's body has been read to its end; closed when it was not.
            if sender.ready().await.is_err() {
                return;
            }
            let mut instances = upstream.lock();
            let known = instances.get_mut(&target.instance_id);
            // It may have moved while the answer was read.
            if let Some(instance) = known.filter(|one| one.address == target.address) {
                instance.idle.retain(|kept| kept.since.elapsed() < IDLE_FOR);
                if instance.idle.len() < MAX_IDLE {
                    instance.idle.push(Idle {
                        sender,
                        since: Instant::now(),
                    });
                }
            }
        });
    }

    fn config(&self, target: &Target) -> Result<Arc<ClientConfig>, TlsError> {
        let mut instances = self.lock();
        let instance = instances.entry(target.instance_id.clone()).or_default();
        instance.at(&target.address);
        if let Some(config) = &instance.config {
            return Ok(Arc::clone(config));
        }
        let expected = ExpectedIdentity::role(ROLE_INSTANCE)
            .on_platform(&self.platform_id)
            .with_id(&target.instance_id);
        let config = following_client_config(
            &self.trust,
            Expect::Identity(expected),
            Some(Arc::clone(&self.own)),
        )?;
        instance.config = Some(Arc::clone(&config));
        Ok(config)
    }

    async fn open(&self, target: &Target) -> Result<http1::SendRequest<Body>, UpstreamError> {
        let config = only(&self.config(target)?, b"http/1.1");
        let (host, _) = split_host_port(&target.address)?;
        let stream = dial_tls(&target.address, host, config, CONNECT_TIMEOUT).await?;
        let (sender, connection) = http1::Builder::new()
            .handshake(TokioIo::new(stream))
            .await?;
        task::spawn("upstream", async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%error, "a connection to an instance ended");
            }
        });
        Ok(sender)
    }

    async fn open_grpc(&self, target: &Target) -> Result<http2::SendRequest<Body>, UpstreamError> {
        let config = only(&self.config(target)?, b"h2");
        let (host, _) = split_host_port(&target.address)?;
        let stream = dial_tls(&target.address, host, config, CONNECT_TIMEOUT).await?;
        let (sender, connection) = http2::Builder::new(NamedExecutor::new("upstream-h2"))
            .timer(TokioTimer::new())
            .keep_alive_interval(Duration::from_secs(20))
            .handshake(TokioIo::new(stream))
            .await?;
        task::spawn("upstream-h2", async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "an HTTP/2 connection to an instance ended");
            }
        });
        if let Some(instance) = self.lock().get_mut(&target.instance_id) {
            instance.at(&target.address).grpc = Some(sender.clone());
        }
        Ok(sender)
    }
}

/// The same settings, offering one protocol only.
fn only(config: &Arc<ClientConfig>, protocol: &[u8]) -> Arc<ClientConfig> {
    let mut config = ClientConfig::clone(config);
    config.alpn_protocols = vec![protocol.to_vec()];
    Arc::new(config)
}

fn failed(mut error: TrySendError<Request<Body>>) -> Failed {
    let request = error.take_message();
    let progress = if request.is_some() {
        Progress::NotSent
    } else {
        Progress::Sent
    };
    Failed {
        error: error.into_error().into(),
        progress,
        request,
    }
}

#[cfg(test)]
mod tests;
