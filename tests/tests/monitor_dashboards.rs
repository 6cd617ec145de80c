//! Dashboards of a monitoring node over a real storage node, and what they were before: who changed them, what is kept
//! of them, and what comes back.

// A test fails by panicking and tells what it saw.
#![allow(clippy::panic, clippy::print_stderr, clippy::unwrap_used)]

// Receivers, crashes and histories are for `monitor.rs`.
#[allow(dead_code)]
#[path = "monitor/bench.rs"]
mod bench;

use std::collections::BTreeSet;

use bench::{Bench, PASSWORD, wait_for};
use http::Method;
use serde_json::json;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Request, Status};
use wharf_monitor_core::versions::{DELETED_KEPT_MS, MAX_VERSIONS};
use wharf_proto::coded;
use wharf_proto::monitor::v1;
use wharf_proto::times::rfc3339;
use wharf_proto::v1::ListOptions;
use wharf_runtime::clock::now_ms;
use wharf_services::monitor::v1::dashboards_client::DashboardsClient;

const NAME: &str = "shop";

#[derive(Clone)]
struct Desk {
    client: DashboardsClient<tonic::transport::Channel>,
    header: MetadataValue<Ascii>,
}

fn code(status: &Status) -> String {
    coded::decode(status.details()).unwrap().code
}

impl Desk {
    fn of(bench: &Bench) -> Self {
        let (channel, header) = bench.grpc(PASSWORD);
        let client = DashboardsClient::new(channel);
        Self { client, header }
    }

    fn request<T>(&self, who: &str, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let metadata = request.metadata_mut();
        metadata.insert("authorization", self.header.clone());
        // As a director does it for whom it has let in.
        metadata.insert("x-wharf-user", who.parse().unwrap());
        request
    }

    async fn put(
        &self,
        who: &str,
        title: &str,
        expected_version: &str,
        create: bool,
    ) -> Result<v1::Dashboard, Status> {
        let message = v1::PutDashboardRequest {
            dashboard: Some(v1::Dashboard {
                name: NAME.to_owned(),
                title: title.to_owned(),
                document_json: json!({"panels": [], "note": title}).to_string(),
                changed_by: "somebody else".to_owned(),
                ..v1::Dashboard::default()
            }),
            expected_version: expected_version.to_owned(),
            create,
        };
        let mut client = self.client.clone();
        let put = client.put_dashboard(self.request(who, message)).await?;
        Ok(put.into_inner())
    }

    async fn get(&self, name: &str, version: &str) -> Result<v1::Dashboard, Status> {
        let message = v1::GetDashboardRequest {
            name: name.to_owned(),
            version: version.to_owned(),
        };
        let mut client = self.client.clone();
        let got = client.get_dashboard(self.request("ann", message)).await?;
        Ok(got.into_inner())
    }

    async fn delete(&self, who: &str, expected_version: &str) -> Result<(), Status> {
        let message = v1::DeleteDashboardRequest {
            name: NAME.to_owned(),
            expected_version: expected_version.to_owned(),
        };
        let mut client = self.client.clone();
        let deleted = client.delete_dashboard(self.request(who, message)).await;
        deleted.map(drop)
    }

    async fn versions(
        &self,
        name: &str,
        filter: &str,
    ) -> Result<Vec<v1::DashboardVersion>, Status> {
        let message = v1::ListDashboardVersionsRequest {
            name: name.to_owned(),
            options: Some(ListOptions {
                filter: filter.to_owned(),
                ..ListOptions::default()
            }),
        };
        let mut client = self.client.clone();
        let listed = client.list_dashboard_versions(self.request("ann", message));
        Ok(listed.await?.into_inner().versions)
    }

    async fn deleted(&self) -> Vec<v1::Dashboard> {
        let message = v1::ListDashboardsRequest {
            deleted: true,
            ..v1::ListDashboardsRequest::default()
        };
        let mut client = self.client.clone();
        let listed = client.list_dashboards(self.request("ann", message)).await;
        listed.unwrap().into_inner().dashboards
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dashboard_has_versions_with_who_and_when_and_any_of_them_comes_back() {
    let bench = Bench::start().await;
    let desk = Desk::of(&bench);
    let first = desk.put("ann", "One", "", true).await.unwrap();
    assert_eq!(first.changed_by, "ann", "not who the message says");
    assert_eq!(desk.versions(NAME, "").await.unwrap().len(), 1);
    let second = desk.put("bob", "Two", &first.version, false).await.unwrap();
    let stale = desk.put("cid", "No", &first.version, false).await;
    assert_eq!(code(&stale.unwrap_err()), "MON0008");
    let twice = desk.put("cid", "No", "", true).await.unwrap_err();
    assert_eq!(code(&twice), "MON0008");

    let listed = desk.versions(NAME, "").await.unwrap();
    let told: Vec<_> = listed
        .iter()
        .map(|row| {
            (
                row.version.as_str(),
                row.changed_by.as_str(),
                row.title.as_str(),
                row.is_present,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (second.version.as_str(), "bob", "Two", true),
            (first.version.as_str(), "ann", "One", false),
        ]
    );
    assert!(listed[1].replaced_at.is_some() && listed[0].replaced_at.is_none());
    assert_eq!(
        desk.versions(NAME, "changed_by=ann").await.unwrap().len(),
        1
    );
    let former = desk.get(NAME, &first.version).await.unwrap();
    assert_eq!(
        (former.title.as_str(), former.changed_by.as_str()),
        ("One", "ann")
    );
    assert_eq!(former.document_json, first.document_json);
    assert_eq!(former.changed_at, first.changed_at);
    assert_eq!(desk.get(NAME, &second.version).await.unwrap().title, "Two");
    let none = desk.get(NAME, "999999.1").await.unwrap_err();
    assert_eq!(code(&none), "MON0007");
    let wrong = desk.get(NAME, "first").await.unwrap_err();
    assert_eq!(coded::decode(wrong.details()).unwrap().field, "version");

    // What is shipped has a version, too.
    let shipped = desk.versions("host", "").await.unwrap();
    assert_eq!(shipped.len(), 1, "{shipped:?}");
    assert_eq!(
        (shipped[0].version.as_str(), shipped[0].origin()),
        ("shipped", v1::Origin::Shipped)
    );
    assert!(shipped[0].is_present);
    let host = desk.get("host", "shipped").await.unwrap();
    assert_eq!(host.title, desk.get("host", "").await.unwrap().title);
    let own = json!({"title": "Ours", "document": "{}"}).to_string();
    bench
        .storage(
            Method::PUT,
            "/.wharf-dashboards/_doc/host?refresh=true",
            &own,
        )
        .await;
    let rows = desk.versions("host", "").await.unwrap();
    let told: Vec<_> = rows
        .iter()
        .map(|row| (row.origin(), row.is_present))
        .collect();
    assert_eq!(
        told,
        [(v1::Origin::Overridden, true), (v1::Origin::Shipped, false)]
    );

    // Deleted, it is as it was until it is put again.
    let stale = desk.delete("dan", &first.version).await.unwrap_err();
    assert_eq!(code(&stale), "MON0008");
    assert!(desk.deleted().await.is_empty());
    desk.delete("dan", &second.version).await.unwrap();
    assert_eq!(code(&desk.get(NAME, "").await.unwrap_err()), "MON0007");
    let gone = desk.deleted().await;
    assert_eq!(gone.len(), 1, "{gone:?}");
    assert_eq!(
        (gone[0].title.as_str(), gone[0].deleted_by.as_str()),
        ("Two", "dan")
    );
    assert!(gone[0].deleted_at.is_some() && gone[0].document_json.is_empty());
    let rows = desk.versions(NAME, "").await.unwrap();
    assert_eq!(rows.len(), 2);
    assert!(rows[0].is_deleted && rows[0].deleted_by == "dan" && !rows[0].is_present);
    let last = desk.get(NAME, &gone[0].version).await.unwrap();
    assert_eq!(last.document_json, second.document_json);
    let back = desk.put("eve", &last.title, "", true).await.unwrap();
    assert!(desk.deleted().await.is_empty());
    let rows = desk.versions(NAME, "").await.unwrap();
    assert_eq!(
        (rows.len(), rows[0].version.as_str()),
        (3, back.version.as_str())
    );
    let unknown = desk.versions("nothing", "").await.unwrap_err();
    assert_eq!(code(&unknown), "MON0007");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_writes_at_once_loses_nothing_and_the_oldest_versions_go() {
    let bench = Bench::start().await;
    let desk = Desk::of(&bench);
    let writers: Vec<_> = (0..6)
        .map(|writer| {
            let desk = desk.clone();
            wharf_runtime::task::spawn(format!("writer {writer}"), async move {
                let mut written = Vec::new();
                for n in 0..3 {
                    // Whoever comes too late too often is told so, and has written nothing.
                    match desk.put("ann", &format!("{writer} {n}"), "", false).await {
                        Ok(put) => written.push(put.version),
                        Err(status) => assert_eq!(code(&status), "MON0008"),
                    }
                }
                written
            })
        })
        .collect();
    let mut written = BTreeSet::new();
    for writer in writers {
        written.extend(writer.await.unwrap());
    }
    let listed = desk.versions(NAME, "").await.unwrap();
    let kept: BTreeSet<String> = listed.iter().map(|row| row.version.clone()).collect();
    assert_eq!(kept.len(), listed.len(), "none is there twice");
    assert_eq!(kept, written, "each that was written is there");
    assert_eq!(listed.iter().filter(|row| row.is_present).count(), 1);

    let mut last = String::new();
    for n in 0..MAX_VERSIONS + 3 {
        last = desk
            .put("ann", &n.to_string(), "", false)
            .await
            .unwrap()
            .version;
    }
    let listed = desk.versions(NAME, "").await.unwrap();
    assert_eq!(listed.len(), MAX_VERSIONS + 1);
    assert_eq!(
        (listed[0].version.as_str(), listed[0].is_present),
        (last.as_str(), true)
    );
    assert_eq!(listed[MAX_VERSIONS].title, "2", "the oldest ones went");
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_of_a_dashboard_that_was_deleted_long_ago_are_gone_after_a_start() {
    let mut bench = Bench::start().await;
    let desk = Desk::of(&bench);
    desk.put("ann", "One", "", true).await.unwrap();
    let before = now_ms().unsigned_abs() - DELETED_KEPT_MS;
    for (name, kept_ms, who) in [
        ("old", before - 60_000, Some("dan")),
        ("fresh", before + 3_600_000, Some("dan")),
        // Nobody deleted it, and its document is not there: whoever lost the index gets it back.
        ("lost", before - 180_000, None),
        (NAME, before - 120_000, Some("dan")),
    ] {
        let kept = json!({
            "name": name, "version": "900.1", "title": name, "kept_at": rfc3339(kept_ms),
            "changed_at": rfc3339(kept_ms), "deleted_by": who, "document": "{}",
        });
        let path = format!("/.wharf-dashboard-versions/_doc/{name}:900.1?refresh=true");
        bench.storage(Method::PUT, &path, &kept.to_string()).await;
    }
    let names = |rows: Vec<v1::Dashboard>| -> Vec<String> {
        rows.into_iter().map(|row| row.name).collect()
    };
    assert_eq!(
        names(desk.deleted().await),
        ["fresh", "lost"],
        "what is over is not offered"
    );
    bench.kill_monitor();
    bench.start_monitor();
    bench.wait_loaded().await;
    let desk = Desk::of(&bench);
    wait_for("old versions are gone", async || {
        match desk.versions("old", "").await {
            Err(status) if code(&status) == "MON0007" => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    assert_eq!(desk.versions("fresh", "").await.unwrap().len(), 1);
    assert_eq!(desk.versions("lost", "").await.unwrap().len(), 1);
    let kept = desk.versions(NAME, "").await.unwrap();
    assert_eq!(
        kept.len(),
        2,
        "those of a dashboard that is there stay: {kept:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_was_kept_stays_when_the_index_of_dashboards_is_made_anew() {
    let mut bench = Bench::start().await;
    let desk = Desk::of(&bench);
    let put = async |title: &str| desk.put("ann", title, "", false).await.unwrap();
    let first = put("One").await;
    put("Two").await;
    bench
        .storage(Method::DELETE, "/.wharf-dashboards", "")
        .await;
    bench.kill_monitor();
    bench.start_monitor();
    bench.wait_loaded().await;
    let desk = Desk::of(&bench);
    let put = async |title: &str| desk.put("ann", title, "", false).await.unwrap();
    let anew = put("Three").await;
    assert_eq!(anew.version, first.version, "it counts anew");
    assert_eq!(desk.get(NAME, &anew.version).await.unwrap().title, "Three");
    put("Four").await;
    let listed = desk.versions(NAME, "").await.unwrap();
    let titles: Vec<&str> = listed.iter().map(|row| row.title.as_str()).collect();
    assert_eq!(titles, ["Four", "Three", "One"]);
    for row in &listed {
        let got = desk.get(NAME, &row.version).await.unwrap();
        assert_eq!(got.title, row.title, "{row:?}");
    }
}
