//! Talking to a director as a host that joins: it is known by the SHA-256 of the platform's CA in the
//! token, which is checked before the token or anything else is sent. Not here: what is done with the
//! answer (`install`).

use std::{net::IpAddr, path::Path, time::Duration};

use tonic::transport::Channel;
use wharf_proto::{
    join_token::JoinToken,
    v1::{EnrollRequest, EnrollResponse, InspectTokenRequest, InspectTokenResponse, LeaveRequest},
};
use wharf_runtime::{
    net::{Addresses, DialError, channel, dial_tls, split_host_port},
    platform_file::{PlatformFile, Ports},
    tls::{
        CaCerts, CertSlot, Expect, ExpectedIdentity, KeyedCert, ROLE_DIRECTOR, client_config,
        pinned_client_config,
    },
};
use wharf_services::v1::enrollment_client::EnrollmentClient;

use crate::{
    client::internal,
    failure::{EXIT_UNREACHABLE, Failure},
};

const TIMEOUT: Duration = Duration::from_secs(15);
/// No text that follows `--join` is longer.
const JOIN_BYTES: usize = 512;

/// What follows `--join`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Join {
    token: JoinToken,
    /// `HOST:PORT` of each; one that does not answer is left for the next.
    directors: Vec<String>,
}

impl Join {
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let wrong = |what: &str| {
            Failure::new(
                "CLI0034",
                what,
                "copy all that `wharf token create --roles ...` printed after `join`: TOKEN@HOST:PORT",
            )
        };
        let text = text.trim();
        if text.len() > JOIN_BYTES {
            return Err(wrong("what follows --join is too long"));
        }
        let (token, host) = text
            .split_once('@')
            .ok_or_else(|| wrong("what follows --join has no `@` with a director's address"))?;
        let token = token
            .parse::<JoinToken>()
            .map_err(|error| wrong(&error.to_string()))?;
        let directors: Vec<String> = host.split(',').map(with_port).collect();
        let good = |one: &String| {
            split_host_port(one).is_ok_and(|(host, port)| !host.is_empty() && port > 0)
        };
        if !directors.iter().all(good) {
            return Err(wrong(
                "what follows the `@` is no HOST or HOST:PORT, nor several with commas between",
            ));
        }
        Ok(Self { token, directors })
    }

    /// Whether the token is of the platform with that CA.
    pub(crate) fn is_of(&self, ca_file: &Path) -> bool {
        CaCerts::load(ca_file).is_ok_and(|ca| ca.fingerprints().contains(&self.ca_hex()))
    }

    fn ca_hex(&self) -> String {
        let bytes = self.token.ca_sha256.iter();
        bytes.map(|byte| format!("{byte:02x}")).collect()
    }
}

fn with_port(host: &str) -> String {
    let bare = host.starts_with('[') && host.ends_with(']');
    if bare || !host.contains(':') {
        format!("{host}:{}", Ports::default().admin)
    } else {
        host.to_owned()
    }
}

/// A director whose certificate was checked.
pub(crate) struct Director {
    client: EnrollmentClient<Channel>,
    join: Join,
    /// This host's address as it is seen from here.
    pub(crate) own_address: IpAddr,
}

impl Director {
    /// Connects; nothing is sent to who is not the token's platform.
    pub(crate) async fn find(join: &Join) -> Result<Self, Failure> {
        let expect = Expect::Identity(ExpectedIdentity::role(ROLE_DIRECTOR));
        let config =
            pinned_client_config(join.token.ca_sha256, expect).map_err(|error| internal(&error))?;
        let mut failed = None;
        for director in &join.directors {
            let (host, _) = split_host_port(director).map_err(|error| internal(&error))?;
            match dial_tls(director, host, config.clone(), TIMEOUT).await {
                Ok(stream) => {
                    let own = stream.get_ref().0.local_addr();
                    let own = own.map_err(|error| internal(&error))?;
                    // The one that answered first.
                    let others = join.directors.iter().filter(|other| *other != director);
                    let addresses = Addresses::new([director].into_iter().chain(others).cloned());
                    return Ok(Self {
                        client: EnrollmentClient::new(channel(&addresses, config)),
                        join: join.clone(),
                        own_address: own.ip().to_canonical(),
                    });
                }
                // Who is somebody else is told of before who is not there.
                Err(error) if failed.is_none() || matches!(error, DialError::Tls { .. }) => {
                    failed = Some((director, error));
                }
                Err(_) => {}
            }
        }
        Err(match failed {
            Some((director, error @ DialError::Tls { .. })) => Failure::new(
                "CLI0035",
                format!("{director} is not the platform that the token is of: {error}"),
                "check the address; when it is right, somebody else answers there, the token is of another platform, or it was made before the platform's authority was changed: make another. Nothing was sent",
            ),
            other => Failure::new(
                "CLI0001",
                other.map_or_else(
                    || "no director is named".to_owned(),
                    |(_, error)| error.to_string(),
                ),
                "check the address after the `@`, that the platform is up, and that no firewall is between",
            )
            .exit(EXIT_UNREACHABLE),
        })
    }

    /// What the token lets this host become.
    pub(crate) async fn inspect(&self) -> Result<InspectTokenResponse, Failure> {
        let mut request = tonic::Request::new(InspectTokenRequest {
            token: self.join.token.to_text(),
        });
        request.set_timeout(TIMEOUT);
        Ok(self
            .client
            .clone()
            .inspect_token(request)
            .await?
            .into_inner())
    }

    /// Joins. Tried again with the same request when the answer is lost: the token is used once.
    pub(crate) async fn enroll(&self, request: EnrollRequest) -> Result<EnrollResponse, Failure> {
        let message = EnrollRequest {
            token: self.join.token.to_text(),
            ..request
        };
        let mut left = 3;
        loop {
            let mut request = tonic::Request::new(message.clone());
            request.set_timeout(TIMEOUT);
            left -= 1;
            match self.client.clone().enroll(request).await {
                Ok(answer) => return self.checked(answer.into_inner()),
                Err(status) if left > 0 && status.code() == tonic::Code::Unavailable => {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                Err(status) => return Err(status.into()),
            }
        }
    }

    /// The CA that the answer brings must be the token's.
    fn checked(&self, answer: EnrollResponse) -> Result<EnrollResponse, Failure> {
        let ca = CaCerts::from_pem(&answer.ca_pem).map_err(|error| internal(&error))?;
        // During a change of the authority there are two; this director proved to be of the token's.
        if ca.fingerprints().contains(&self.join.ca_hex()) {
            return Ok(answer);
        }
        Err(Failure::new(
            "CLI0035",
            "the director answered with another CA than the token names",
            "do not use this platform; tell its admin",
        ))
    }
}

/// Tells a director that this host leaves, as its allocator; its own director leaves the group before, when
/// that is asked for.
pub(crate) async fn leave(
    platform: &PlatformFile,
    ca_pem: &str,
    allocator: &KeyedCert,
    remove_director: bool,
) -> Result<(), Failure> {
    let ca = CaCerts::from_pem(ca_pem).map_err(|error| internal(&error))?;
    let expect = ExpectedIdentity::role(ROLE_DIRECTOR).on_platform(platform.platform_id.clone());
    let own = Some(CertSlot::new(allocator));
    let config =
        client_config(&ca, Expect::Identity(expect), own).map_err(|error| internal(&error))?;
    let channel = channel(&Addresses::new(platform.directors.clone()), config);
    let mut request = tonic::Request::new(LeaveRequest { remove_director });
    request.set_timeout(TIMEOUT);
    EnrollmentClient::new(channel).leave(request).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn token() -> String {
        format!(
            "wj_{}_{}_{}",
            "a".repeat(32),
            "b".repeat(64),
            "c".repeat(64)
        )
    }

    #[test]
    fn the_port_is_the_admin_apis_unless_one_is_given() {
        for (host, director) in [
            ("10.0.0.5", "10.0.0.5:12443"),
            ("a.example:22443", "a.example:22443"),
            ("[fd00::1]", "[fd00::1]:12443"),
            ("[fd00::1]:1", "[fd00::1]:1"),
        ] {
            let join = Join::parse(&format!("{}@{host}\n", token())).unwrap();
            assert_eq!(join.directors, [director]);
        }
    }

    #[test]
    fn several_directors_are_dialed_in_turn() {
        let join = Join::parse(&format!("{}@10.0.0.5:1,[fd00::2]:3", token())).unwrap();
        assert_eq!(join.directors, ["10.0.0.5:1", "[fd00::2]:3"]);
        assert!(Join::parse(&format!("{}@10.0.0.5:1,", token())).is_err());
    }

    #[test]
    fn what_is_no_join_is_refused_without_telling_the_secret() {
        for text in [
            String::new(),
            token(),
            "x@10.0.0.5".to_owned(),
            format!("{}@", token()),
            format!("{}@h:x", token()),
            format!("{}@h:0", token()),
        ] {
            let failure = Join::parse(&text).unwrap_err();
            assert_eq!(failure.code, "CLI0034", "`{text}`");
            assert!(!failure.to_string().contains("bbbb"), "{failure}");
        }
        let join = Join::parse(&format!("{}@h", token())).unwrap();
        assert!(!format!("{join:?}").contains("bbbb"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,600}") {
            let _ = Join::parse(&text);
            let _ = Join::parse(&format!("{}@{text}", token()));
        }
    }
}
