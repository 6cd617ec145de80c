//! Renews the allocator's certificate before it expires.
//!
//! Invariants: the new key never leaves the host; key and certificate are replaced as one file; open
//! connections go on, new ones show the new certificate. Not here: who may be signed (the director).

use std::{path::PathBuf, sync::Arc, time::Duration};

use tonic::transport::Channel;
use wharf_proto::v1;
use wharf_runtime::{
    clock, random,
    task::Shutdown,
    tls::{CertSlot, KeyedCert, SigningRequest},
};
use wharf_services::v1::enrollment_client::EnrollmentClient;

use crate::host_state_task::Findings;

const EVERY: Duration = Duration::from_secs(3600);
const RETRY: Duration = Duration::from_secs(60);
const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) struct RenewalTask {
    pub(crate) path: PathBuf,
    pub(crate) allocator_id: String,
    pub(crate) slot: Arc<CertSlot>,
    pub(crate) channel: Channel,
    pub(crate) findings: Arc<Findings>,
}

impl RenewalTask {
    pub(crate) async fn run(self, shutdown: Shutdown) {
        loop {
            let wait = match self.check().await {
                Ok(()) => {
                    self.findings.renewal.send_replace(None);
                    EVERY
                }
                Err(why) => {
                    tracing::warn!(why, "ALL0041: the certificate could not be renewed");
                    self.findings.renewal.send_replace(Some(why));
                    RETRY
                }
            };
            let wait = random::jitter(wait, 20);
            if shutdown.run_until(tokio::time::sleep(wait)).await.is_none() {
                return;
            }
        }
    }

    async fn check(&self) -> Result<(), String> {
        let held = KeyedCert::load(&self.path).map_err(|error| error.to_string())?;
        if held.is_some_and(|held| !held.needs_renewal(clock::now_ms())) {
            return Ok(());
        }
        let request =
            SigningRequest::create(&self.allocator_id).map_err(|error| error.to_string())?;
        let mut client = EnrollmentClient::new(self.channel.clone());
        let ask = client.renew(v1::RenewRequest {
            csr_pem: request.csr_pem().to_owned(),
        });
        let answer = tokio::time::timeout(DEADLINE, ask)
            .await
            .map_err(|_| "no director answers".to_owned())?
            .map_err(|status| status.message().to_owned())?
            .into_inner();
        let cert = request
            .complete(&answer.certificate_pem)
            .map_err(|error| error.to_string())?;
        // Whoever signed must have meant this allocator.
        if cert.identity().map(|identity| identity.id) != Some(self.allocator_id.clone()) {
            return Err("the director signed another identity".to_owned());
        }
        cert.store(&self.path).map_err(|error| error.to_string())?;
        self.slot.replace(&cert);
        tracing::info!("the allocator's certificate was renewed");
        Ok(())
    }
}
