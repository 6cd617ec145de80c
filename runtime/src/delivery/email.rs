//! One mail to a server that speaks SMTP with TLS.
//!
//! Invariants: nothing is said before TLS is up; the server's certificate is always verified; the
//! `Message-ID` is made of the message's key. Lasting refusals (5xx) are not tried again, except
//! of the login, which somebody may mend.

use std::time::Duration;

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, MessageBuilder};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::transport::smtp::{AsyncSmtpTransport, Error};
use lettre::{AsyncTransport as _, Tokio1Executor};
use rustls_pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};

use super::channel::{Email, EmailTls, wrong};
use super::secret::clean;
use super::{Attempt, ChannelError, Message};
use crate::tls::{CaCerts, certificate_pem};

/// For each command.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(15);
/// For the whole mail.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Server answers to a login that failed.
const LOGIN_CODES: [u16; 3] = [530, 534, 535];

#[derive(Debug)]
pub(super) struct Sender {
    email: Email,
    from: Mailbox,
    to: Vec<Mailbox>,
    transport: AsyncSmtpTransport<Tokio1Executor>,
}

impl Sender {
    pub(super) fn new(email: &Email) -> Result<Self, ChannelError> {
        let address = |field: &str, text: &str| {
            text.parse::<Mailbox>()
                .map_err(|error| wrong(field, format!("is no address: {error}")))
        };
        let from = address("email.from", &email.from)?;
        let to = email.to.iter().map(|text| address("email.to", text));
        let to = to.collect::<Result<Vec<_>, _>>()?;
        let mut tls = TlsParameters::builder(email.host.clone())
            .certificate_store(CertificateStore::WebpkiRoots);
        for cert in extra_roots(email)? {
            let pem = certificate_pem(&cert);
            let cert = Certificate::from_pem(pem.as_bytes());
            tls = tls.add_root_certificate(cert.map_err(|e| tls_error(&e))?);
        }
        let tls = tls.build().map_err(|e| tls_error(&e))?;
        let tls = match email.tls {
            EmailTls::Implicit => Tls::Wrapper(tls),
            EmailTls::StartTls => Tls::Required(tls),
        };
        // "Dangerous" only without the line that sets `tls`.
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&email.host)
            .port(email.port)
            .timeout(Some(COMMAND_TIMEOUT))
            .tls(tls);
        if !email.username.is_empty() {
            let password = email.password.reveal().to_owned();
            builder = builder.credentials(Credentials::new(email.username.clone(), password));
        }
        Ok(Self {
            email: email.clone(),
            from,
            to,
            transport: builder.build(),
        })
    }

    pub(super) async fn attempt(&self, message: &Message) -> Attempt {
        let mail = match self.mail(message) {
            Ok(mail) => mail,
            Err(error) => {
                let reason = format!("the mail cannot be written: {error}");
                return Attempt::Refused { reason };
            }
        };
        match tokio::time::timeout(TIMEOUT, self.transport.send(mail)).await {
            Ok(Ok(_)) => Attempt::Sent,
            Ok(Err(error)) => self.failed(&error),
            Err(_) => Attempt::Again {
                reason: format!("the mail server took longer than {TIMEOUT:?}"),
                after: None,
            },
        }
    }

    fn mail(&self, message: &Message) -> Result<lettre::Message, lettre::error::Error> {
        let id = hex::encode(&Sha256::digest(&message.key)[..16]);
        let id = format!("<{id}@{}>", self.from.email.domain());
        let mut mail = MessageBuilder::new()
            .message_id(Some(id))
            .from(self.from.clone())
            .subject(&message.subject)
            .header(ContentType::TEXT_PLAIN);
        for receiver in &self.to {
            mail = mail.to(receiver.clone());
        }
        mail.body(message.body.clone())
    }

    fn failed(&self, error: &Error) -> Attempt {
        let password = self.email.password.reveal();
        let user = &self.email.username;
        let encode = |text: &str| {
            use base64::Engine as _;
            base64::engine::general_purpose::STANDARD.encode(text)
        };
        let encoded = [encode(password), encode(&format!("\0{user}\0{password}"))];
        let secrets = encoded.iter().map(String::as_str).chain([password]);
        let host = &self.email.host;
        let reason = clean(&format!("mail server {host}: {error}"), secrets);
        let code = error.status().map(u16::from);
        if error.is_permanent() && !code.is_some_and(|code| LOGIN_CODES.contains(&code)) {
            return Attempt::Refused { reason };
        }
        Attempt::Again {
            reason,
            after: None,
        }
    }
}

fn tls_error(error: &Error) -> ChannelError {
    wrong("email.ca_pem", error.to_string())
}

fn extra_roots(email: &Email) -> Result<Vec<CertificateDer<'static>>, ChannelError> {
    if email.ca_pem.is_empty() {
        return Ok(Vec::new());
    }
    CaCerts::from_pem(&email.ca_pem)
        .map(|certs| certs.certs().to_vec())
        .map_err(|error| wrong("email.ca_pem", error.to_string()))
}
