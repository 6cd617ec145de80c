//! What the instances of this host tell of themselves, passed on by the allocator's loopback listener: a
//! Prometheus server cannot read the sockets that they tell it on.
//!
//! Invariants: only `/instances/<id>/health` and `/instances/<id>/metrics` of a directory that is there,
//! whatever the path says; an answer is bounded in bytes and time. Not here: the sockets (`wharf_runtime`).

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use http::StatusCode;
use wharf_proto::ids::InstanceId;
use wharf_runtime::{
    health_server::{Page, Pages},
    metrics_socket::{Silence, read},
};

use crate::secrets;

/// Longest page that is passed on.
const MAX_PAGE: usize = 256 << 10;
/// How long an instance may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// The pages of the instances below a data directory.
pub(crate) fn pages(data_dir: &Path) -> Pages {
    let data_dir = data_dir.to_path_buf();
    Arc::new(move |path| {
        let asked = asked(&data_dir, path);
        Box::pin(async move {
            let (dir, page) = asked?;
            match read(&dir, page, MAX_PAGE, DEADLINE).await {
                Ok((status, text)) => Some(Page { status, text }),
                Err(Silence::Missing) => None,
                Err(silence) => Some(Page {
                    status: StatusCode::SERVICE_UNAVAILABLE,
                    text: format!("the instance is silent: {silence}\n").into(),
                }),
            }
        })
    })
}

/// The data directory and the page that a path names.
fn asked(data_dir: &Path, path: &str) -> Option<(PathBuf, &'static str)> {
    let (id, page) = path.strip_prefix("/instances/")?.split_once('/')?;
    let id: InstanceId = id.parse().ok()?;
    let page = match page {
        "health" => "/health",
        "metrics" => "/metrics",
        _ => return None,
    };
    Some((secrets::directory(data_dir, id.as_str()).join("data"), page))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use wharf_runtime::{
        health_server::{Health, HealthServer},
        metrics::Metrics,
        metrics_socket::{listen, serve},
        task::{Shutdown, spawn},
    };

    #[tokio::test]
    async fn an_instances_pages_are_passed_on_and_a_silent_one_is_said_to_be() {
        let data = tempfile::tempdir().unwrap();
        let id = "1".repeat(32);
        let dir = secrets::directory(data.path(), &id).join("data");
        std::fs::create_dir_all(&dir).unwrap();
        let pages = pages(data.path());
        let path = format!("/instances/{id}/metrics");
        assert_eq!(pages(&path).await, None, "it has not started");
        let server = HealthServer::new(Metrics::new(), || Health {
            healthy: true,
            details: serde_json::Value::Null,
        });
        let stop = Shutdown::new();
        let served = spawn(
            "metrics",
            serve(listen(&dir).unwrap(), server, stop.clone()),
        );
        let page = pages(&path).await.unwrap();
        assert_eq!(page.status, StatusCode::OK);
        assert!(page.text.ends_with(b"wharf_healthy 1\n"), "{page:?}");
        stop.trigger();
        served.await.unwrap();
        let page = pages(&path).await.unwrap();
        assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE, "{page:?}");
    }

    proptest! {
        #[test]
        fn no_path_leads_out_of_the_instances(path in "/(instances/)?([.a-f0-9/]{0,40}|1{32})/(metrics|health|..|)") {
            if let Some((dir, page)) = asked(Path::new("/data"), &path) {
                let id = path.split('/').nth(2).unwrap();
                prop_assert_eq!(dir, PathBuf::from(format!("/data/instances/{id}/data")));
                prop_assert!(id.len() == 32 && !id.contains('.'));
                prop_assert!(path.ends_with(page));
            }
        }
    }
}
