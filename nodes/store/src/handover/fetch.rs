//! Asks the place that has the data, and brings its files here.
//!
//! Invariants: whom it asks is the very same instance, by its certificate; no answer is larger than it may be; a file counts
//! only when it is durable and its checksum right; one that is not right is removed and fetched anew. Not here: what is
//! missing (core `handover::files`), in which order steps are taken.

use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use serde::Serialize;
use serde::de::DeserializeOwned;
use wharf_runtime::net::{ClientOptions, FetchError, HttpsClient};
use wharf_runtime::tls::{Expect, ExpectedIdentity, TlsError, following_client_config};
use wharf_store_core::handover::files::{
    self, BadListing, CHUNK_BYTES, File, MAX_LISTING_BYTES, Need,
};
use wharf_store_core::handover::target::Told;

use super::arrive;
use super::place::{Own, Place};
use super::serve::{Held, Listing, PREFIX, Piece, Released, TakenOver};

/// The first listing hashes everything that is there.
const LONGEST: Duration = Duration::from_secs(1800);
/// Any other answer.
const ANSWER: Duration = Duration::from_secs(90);

/// Why a step of a copy did not succeed.
#[derive(Debug, thiserror::Error)]
pub(super) enum CopyError {
    /// The other place was not reached, or broke off.
    #[error("the old place cannot be asked: {0}")]
    Unreachable(#[from] FetchError),
    /// It did not answer in time.
    #[error("the old place did not answer {0} within {1:?}")]
    Late(&'static str, Duration),
    /// It refused.
    #[error("the old place answered {0} to {1}: {2}")]
    Refused(StatusCode, &'static str, String),
    /// Its answer is none.
    #[error("the answer to {0} cannot be understood: {1}")]
    Answer(&'static str, String),
    /// Its listing is none.
    #[error(transparent)]
    Listing(#[from] BadListing),
    /// This place's disk.
    #[error("cannot write the copy: {0}; check the data directory's free space")]
    Io(#[from] io::Error),
    /// This place's certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A file arrived damaged.
    #[error("STO0007: the checksum of `{0}` is wrong; it is fetched again")]
    Checksum(String),
    /// Files changed meanwhile.
    #[error("`{0}` changed while it was copied")]
    Changed(String),
    /// What was copied cannot be opened.
    #[error("what was copied cannot be opened: {0}")]
    Open(String),
}

/// What a pass brought.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Brought {
    pub(super) bytes: u64,
    /// Nothing changed or arrived damaged meanwhile.
    pub(super) complete: bool,
}

/// The way to the other place.
pub(super) struct Source {
    client: HttpsClient,
    address: String,
    own_address: String,
}

impl Source {
    pub(super) fn new(own: &Own, address: String, own_address: String) -> Result<Self, TlsError> {
        let expect = Expect::Identity(ExpectedIdentity::exactly(&own.identity));
        let tls = following_client_config(&own.trust, expect, Some(Arc::clone(&own.slot)))?;
        let options = ClientOptions {
            timeout: LONGEST,
            ..ClientOptions::default()
        };
        Ok(Self {
            client: HttpsClient::new(tls, options),
            address,
            own_address,
        })
    }

    async fn ask<B: Serialize>(
        &self,
        what: &'static str,
        body: Option<&B>,
        limit: usize,
        within: Duration,
    ) -> Result<Bytes, CopyError> {
        let answer = |e: &dyn std::fmt::Display| CopyError::Answer(what, e.to_string());
        let method = if body.is_some() {
            Method::POST
        } else {
            Method::GET
        };
        let body = match body {
            Some(body) => serde_json::to_vec(body).map_err(|e| answer(&e))?,
            None => Vec::new(),
        };
        let request = Request::builder()
            .method(method)
            .uri(format!("https://{}{PREFIX}{what}", self.address))
            .body(Full::new(Bytes::from(body)))
            .map_err(|e| answer(&e))?;
        let fetched = tokio::time::timeout(within, self.client.fetch(request, limit))
            .await
            .map_err(|_| CopyError::Late(what, within))??;
        let status = fetched.status();
        if status.is_success() {
            return Ok(fetched.into_body());
        }
        let text = String::from_utf8_lossy(fetched.body())
            .chars()
            .take(300)
            .collect();
        Err(CopyError::Refused(status, what, text))
    }

    async fn told<B: Serialize, T: DeserializeOwned>(
        &self,
        what: &'static str,
        body: Option<&B>,
        within: Duration,
    ) -> Result<T, CopyError> {
        let bytes = self.ask(what, body, MAX_LISTING_BYTES, within).await?;
        serde_json::from_slice(&bytes).map_err(|e| CopyError::Answer(what, e.to_string()))
    }

    /// What there is now.
    pub(super) async fn list(&self) -> Result<Vec<File>, CopyError> {
        let listing: Listing = self.told("files", None::<&()>, LONGEST).await?;
        Ok(listing.files)
    }

    /// Has files kept still and fresh rows sealed.
    pub(super) async fn quiet(&self) -> Result<(), CopyError> {
        self.ask("quiet", Some(&()), MAX_LISTING_BYTES, ANSWER)
            .await?;
        Ok(())
    }

    /// Has writes held.
    pub(super) async fn hold(&self) -> Result<(String, Vec<File>), CopyError> {
        let held: Held = self.told("hold", Some(&()), ANSWER).await?;
        Ok((held.attempt, held.files))
    }

    /// Gives an attempt up, so that clients need not wait for its end.
    pub(super) async fn release(&self, attempt: &str) {
        let body = Released {
            attempt: attempt.to_owned(),
        };
        let within = Duration::from_secs(5);
        if let Err(error) = self
            .ask("release", Some(&body), MAX_LISTING_BYTES, within)
            .await
        {
            tracing::debug!(%error, "the old place goes on by itself in a while");
        }
    }

    /// Says that everything is here.
    pub(super) async fn hand_over(&self, attempt: &str) -> (Told, Option<CopyError>) {
        let body = TakenOver {
            attempt: attempt.to_owned(),
            address: self.own_address.clone(),
        };
        let within = Duration::from_secs(10);
        match self
            .ask("handed_over", Some(&body), MAX_LISTING_BYTES, within)
            .await
        {
            Ok(_) => (Told::GivenUp, None),
            Err(error @ CopyError::Refused(StatusCode::CONFLICT, ..)) => {
                (Told::Conflict, Some(error))
            }
            Err(error) => (Told::Unknown, Some(error)),
        }
    }

    /// Makes what is here what is listed.
    pub(super) async fn bring(
        &self,
        place: &Arc<Place>,
        listed: Vec<File>,
    ) -> Result<Brought, CopyError> {
        let here = arrive::inventory(place).await?;
        let plan = files::plan(&listed, &here)?;
        let total: u64 = listed.iter().map(|file| file.bytes).sum();
        let missing = plan.bytes();
        place.tell(|report| {
            report.bytes_total = total;
            report.bytes_done = total.saturating_sub(missing);
        });
        let mut folders = BTreeSet::new();
        for path in &plan.remove {
            folders.extend(arrive::parents(path));
            arrive::remove(&place.data_dir.join(path))?;
        }
        let mut problem = None;
        for need in &plan.needs {
            folders.extend(arrive::parents(&need.file.path));
            match self.bring_one(place, need).await {
                Ok(()) => {}
                Err(error @ (CopyError::Changed(_) | CopyError::Checksum(_))) => {
                    tracing::info!(%error, "a file is fetched again");
                    problem = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        for folder in folders {
            crate::files::sync_dir(&place.data_dir.join(folder))?;
        }
        let reason = problem.as_ref().map(ToString::to_string);
        place.tell(|report| report.reason = reason.unwrap_or_default());
        // A file may have been right when it was fetched and is not what is listed.
        let complete = problem.is_none() && {
            let left = files::plan(&listed, &arrive::inventory(place).await?)?;
            left.needs.is_empty() && left.remove.is_empty()
        };
        Ok(Brought {
            bytes: missing,
            complete,
        })
    }

    async fn bring_one(&self, place: &Arc<Place>, need: &Need) -> Result<(), CopyError> {
        let mut file = arrive::open(place, need)?;
        let mut at = need.from;
        while at < need.file.bytes {
            let piece = Piece {
                path: need.file.path.clone(),
                from: at,
                to: need.file.bytes,
            };
            let limit = usize::try_from(CHUNK_BYTES).unwrap_or(usize::MAX);
            let bytes = match self.ask("piece", Some(&piece), limit, ANSWER).await {
                Ok(bytes) if !bytes.is_empty() => bytes,
                Ok(_) | Err(CopyError::Refused(StatusCode::NOT_FOUND, ..)) => {
                    return Err(CopyError::Changed(need.file.path.clone()));
                }
                Err(error) => return Err(error),
            };
            file.write_all(&bytes)?;
            at += bytes.len() as u64;
            place.tell(|report| report.bytes_done += bytes.len() as u64);
        }
        if arrive::arrived(place, need, file).await? {
            return Ok(());
        }
        Err(match need.kind {
            files::Kind::Replaced => CopyError::Changed(need.file.path.clone()),
            files::Kind::Sealed | files::Kind::Grows => CopyError::Checksum(need.file.path.clone()),
        })
    }
}
