//! When a platform takes a write again after its leader is gone: small writes through every director at
//! the same time, with the moments at which they were begun and accepted. Not here: who is killed.
//!
//! Invariant: a write counts from when it is begun, so that an answer that was already on its way when
//! the leader went is none.

use std::{
    net::Ipv4Addr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tonic::transport::Channel;
use wharf_proto::v1::{Mutation, SetSettingRequest};
use wharf_services::v1::settings_client::SettingsClient;

use crate::admin_login::AdminLogin;
use crate::{patience::StopWhenDropped, testbed::Desk};

/// The setting that is written, with values that change nothing that a scenario looks at.
pub const SETTING: &str = "notifications.repeat_seconds";
const VALUES: [&str; 2] = ["14400", "14401"];
/// Between two writes through one director.
const PERIOD: Duration = Duration::from_millis(10);
/// A write that is not answered by then is begun anew.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Of the admin API, as shipped.
const ADMIN_PORT: u16 = 12_443;

/// Writes that were accepted.
#[derive(Debug, Default)]
pub struct Writes {
    accepted: Mutex<Vec<(Instant, Instant)>>,
    stop: AtomicBool,
}

impl Writes {
    /// How long after this moment the first write was accepted that was begun after it.
    ///
    /// # Errors
    /// When there is none yet.
    pub fn first_since(&self, moment: Instant) -> Result<Duration, &'static str> {
        let accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        let since = accepted.iter().filter(|(begun, _)| *begun > moment);
        since
            .map(|(_, answered)| *answered - moment)
            .min()
            .ok_or("no write was accepted")
    }
}

/// Does the work while writes go to each of these hosts' directors.
///
/// # Panics
/// With the work's panic, and when the profile cannot be used.
pub fn with_writes<T>(desk: &Desk, directors: &[Ipv4Addr], work: impl FnOnce(&Writes) -> T) -> T {
    let writes = Writes::default();
    let login = AdminLogin::of(&desk.profile());
    thread::scope(|scope| {
        let (running, login) = (&writes, &login);
        let stopping = StopWhenDropped(&writes.stop);
        for director in directors {
            scope.spawn(move || desk.here(|| write(*director, login, running)));
        }
        let result = work(running);
        drop(stopping);
        result
    })
}

fn write(director: Ipv4Addr, login: &AdminLogin, writes: &Writes) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be made");
    runtime.block_on(async {
        let channel = login.channel(&[format!("{director}:{ADMIN_PORT}")]);
        let mut turn = 0;
        while !writes.stop.load(Ordering::Relaxed) {
            turn += 1;
            let begun = Instant::now();
            if set(channel.clone(), login, VALUES[turn % 2]).await {
                let mut accepted = writes
                    .accepted
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                accepted.push((begun, Instant::now()));
            }
            tokio::time::sleep(PERIOD).await;
        }
    });
}

async fn set(channel: Channel, login: &AdminLogin, value: &str) -> bool {
    let request = login.request_within(
        TIMEOUT,
        SetSettingRequest {
            mutation: Some(Mutation {
                request_id: format!("{:032x}", rand::random::<u128>()),
                expected_version: 0,
            }),
            key: SETTING.to_owned(),
            value: value.to_owned(),
        },
    );
    let mut client = SettingsClient::new(channel);
    let answer = tokio::time::timeout(TIMEOUT, client.set_setting(request)).await;
    answer.is_ok_and(|answer| answer.is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_to_what_was_begun_before_does_not_count() {
        let writes = Writes::default();
        let moment = Instant::now();
        let after = |ms| moment + Duration::from_millis(ms);
        let before = moment
            .checked_sub(Duration::from_millis(5))
            .expect("a moment");
        writes.accepted.lock().unwrap().push((before, after(1)));
        assert!(writes.first_since(moment).is_err());
        let rest = [(after(10), after(90)), (after(20), after(40))];
        writes.accepted.lock().unwrap().extend(rest);
        assert_eq!(writes.first_since(moment), Ok(Duration::from_millis(40)));
    }
}
