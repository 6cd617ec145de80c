//! Calls and connections of roles that were refused: a certificate of another platform or of none that
//! is trusted, a role that the certificate does not carry, a session that a newer one replaced. They
//! are gathered until the leader tells the audit log. Invariants: bounded in number and in bytes,
//! whoever tries; what comes often is summed up. Not here: the refusals themselves (`auth`,
//! `sessions`, the handshake).

use std::net::IpAddr;

use tonic::Status;
use wharf_director_core::refusal::cut;
use wharf_proto::coded;
use wharf_runtime::tls::Identity;

use crate::{
    codes,
    refused_logins::{Refusals, RefusedLogins},
};

/// Bytes kept of what was refused.
const TEXT_BYTES: usize = 200;

/// See the module. Gathers as [`RefusedLogins`] does, by what was refused instead of by user.
#[derive(Debug, Default)]
pub struct RefusedCalls(RefusedLogins);

impl RefusedCalls {
    /// A role's call or session was refused.
    pub fn note(&self, identity: &Identity, status: &Status, address: IpAddr) {
        let code =
            coded::decode(status.details()).map_or(codes::FORBIDDEN.to_owned(), |info| info.code);
        let text = format!(
            "{code}: {}/{}: {}",
            identity.role,
            identity.id,
            status.message()
        );
        self.0.note(Some(cut(&text, TEXT_BYTES)), address);
    }

    /// A handshake was refused: there is no identity that could be believed.
    pub fn note_handshake(&self, reason: &str, address: IpAddr) {
        let text = format!("{}: {reason}", codes::HANDSHAKE);
        self.0.note(Some(cut(&text, TEXT_BYTES)), address);
    }

    /// What is to be told now.
    pub fn due(&self, now_ms: u64) -> Vec<Refusals> {
        self.0.due(now_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_refused_handshakes_costs_few_lines_and_loses_no_count() {
        let refused = RefusedCalls::default();
        for number in 0..5_000_u32 {
            let address = IpAddr::V4(std::net::Ipv4Addr::from(number));
            refused.note_handshake(&"x".repeat(10_000), address);
        }
        let first = refused.due(1_000_000);
        assert!(first.len() <= 20, "{} lines at once", first.len());
        let longest = first.iter().filter_map(|line| line.username.as_deref());
        assert!(
            longest.clone().all(|text| text.len() <= TEXT_BYTES),
            "too long"
        );
        assert!(longest.clone().all(|text| text.starts_with("DIR0076: x")));
        let (mut told, mut now_ms) = (first.iter().map(|line| line.count).sum::<u64>(), 1_000_000);
        while told < 5_000 {
            now_ms += 60_000;
            let due = refused.due(now_ms);
            assert!(due.len() <= 1, "one line in a minute, not {}", due.len());
            assert!(
                !due.is_empty(),
                "{told} of 5000 were told and no more follow"
            );
            told += due.iter().map(|line| line.count).sum::<u64>();
        }
    }
}
