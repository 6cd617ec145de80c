//! Hosts join as `wharf install` makes them join: by a token, with keys of their own, knowing the director by
//! what the token says of the authority alone. Not here: their sessions (`host`, `proxy`).

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use futures::{StreamExt as _, stream};
use serde_json::json;
use tonic::{Code, transport::Channel};
use wharf_proto::{
    join_token::JoinToken,
    v1::{self, EnrollResponse},
};
use wharf_runtime::{
    net::{Addresses, channel},
    random,
    tls::{
        CaCerts, CertSlot, Expect, ExpectedIdentity, KeyedCert, ROLE_DIRECTOR, SigningRequest,
        client_config, pinned_client_config,
    },
};
use wharf_services::v1::enrollment_client::EnrollmentClient;

use super::{
    LOOK_EVERY, PATIENCE, browser::Browser, generator::HostPlan, host::Host, proxy::Proxy,
};

/// Hosts that join at a time.
const AT_ONCE: usize = 16;
/// Hosts of one token, as many as one may let in.
const USES: usize = 1_000;

/// A host that has joined, with its proxy if it has one.
pub(super) struct Joined {
    pub(super) host: Host,
    pub(super) proxy: Option<Proxy>,
}

/// Lets them all join and says how many did; the director answers people there. `begin` gets each as soon as
/// it has joined: where thousands join, one that waited for the last would be silent for so long that the
/// platform names it.
pub(super) async fn join_all(
    browser: &Browser,
    people: &str,
    authority: &CaCerts,
    plans: Vec<HostPlan>,
    mut begin: impl FnMut(Joined),
) -> usize {
    let mut groups: BTreeMap<(String, bool), Vec<HostPlan>> = BTreeMap::new();
    for plan in plans {
        let group = (plan.zone.clone(), plan.proxy);
        groups.entry(group).or_default().push(plan);
    }
    let mut begun = 0;
    for ((zone, proxy), plans) in groups {
        for some in plans.chunks(USES) {
            let secret = token(browser, &zone, proxy, some.len()).await;
            let joining = some
                .iter()
                .map(|plan| join(people, authority, &secret, plan.clone()));
            let mut joined = stream::iter(joining).buffer_unordered(AT_ONCE);
            while let Some(one) = joined.next().await {
                begin(one);
                begun += 1;
            }
        }
    }
    begun
}

async fn token(browser: &Browser, zone: &str, proxy: bool, uses: usize) -> String {
    let roles: &[&str] = if proxy {
        &["allocator", "proxy"]
    } else {
        &["allocator"]
    };
    let ask = json!({
        "mutation": { "request_id": random::new_id() },
        "roles": roles,
        "zone": zone,
        "uses": uses,
    });
    let made = browser
        .call("wharf.v1.Enrollment/CreateEnrollmentToken", &ask)
        .await;
    let made = made.expect("a token is made");
    made["secret"].as_str().expect("it has a secret").to_owned()
}

async fn join(people: &str, authority: &CaCerts, secret: &str, plan: HostPlan) -> Joined {
    let parsed: JoinToken = secret.parse().expect("a token");
    let expect = Expect::Identity(ExpectedIdentity::role(ROLE_DIRECTOR));
    let pinned = pinned_client_config(parsed.ca_sha256, expect).expect("a TLS configuration");
    let channel = channel(&Addresses::new([people]), pinned);
    let keys = |role: &str| SigningRequest::create(role).expect("keys can be made");
    let (allocator, proxy) = (keys("allocator"), plan.proxy.then(|| keys("proxy")));
    let request = v1::EnrollRequest {
        mutation: Some(v1::Mutation {
            request_id: random::new_id(),
            expected_version: 0,
        }),
        token: secret.to_owned(),
        host: plan.name.clone(),
        advertised_address: plan.address.clone(),
        allocator_csr_pem: allocator.csr_pem().to_owned(),
        proxy_csr_pem: proxy
            .as_ref()
            .map(|keys| keys.csr_pem().to_owned())
            .unwrap_or_default(),
        ..Default::default()
    };
    let enrolled = enroll(channel, request).await;
    let config = |keys: SigningRequest, certificate: &str| {
        let own: KeyedCert = keys
            .complete(certificate)
            .expect("the certificate is of these keys");
        let expect = Expect::Identity(ExpectedIdentity::role(ROLE_DIRECTOR));
        client_config(authority, expect, Some(CertSlot::new(&own))).expect("a TLS configuration")
    };
    let proxy = proxy.map(|keys| {
        let config = config(keys, &enrolled.proxy_certificate_pem);
        Proxy::new(&plan, enrolled.proxy_id.clone(), config)
    });
    let own = config(allocator, &enrolled.allocator_certificate_pem);
    Joined {
        host: Host::new(plan, enrolled.allocator_id, Arc::clone(&own)),
        proxy,
    }
}

/// The same request again gets the same answer: on busy cores a connection may come too late.
async fn enroll(channel: Channel, request: v1::EnrollRequest) -> EnrollResponse {
    let began = Instant::now();
    let mut client = EnrollmentClient::new(channel);
    loop {
        match client.enroll(request.clone()).await {
            Ok(enrolled) => return enrolled.into_inner(),
            Err(status) => assert!(
                status.code() == Code::Unavailable && began.elapsed() < PATIENCE,
                "{} cannot join: {status}",
                request.host
            ),
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
