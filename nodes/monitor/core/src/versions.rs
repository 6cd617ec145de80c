//! Former versions of dashboards: what is kept of one, in which order they stand, which of them go.
//!
//! Invariants: a version has the same id however often it is kept; of a dashboard the [`MAX_VERSIONS`] newest stay, and
//! what goes is older than whatever stays; those of a deleted one stay [`DELETED_KEPT_MS`] after the last of them was
//! kept. Not here: reading and writing them.

use serde_json::{Value, json};
use wharf_proto::monitor::v1::{Dashboard, DashboardVersion, Origin};
use wharf_proto::times::{millis, rfc3339, timestamp};

use crate::object::{time_of, to_dashboard};
use crate::version::Version;

/// Former versions of a dashboard that are kept.
pub const MAX_VERSIONS: usize = 50;
/// How long the versions of a deleted dashboard are kept.
pub const DELETED_KEPT_MS: u64 = 30 * 24 * 3_600_000;
/// The version of what the platform brings.
pub const SHIPPED: &str = "shipped";

/// The id of the document that keeps a version. No name has a colon.
#[must_use]
pub fn id_of(name: &str, version: Version) -> String {
    format!("{name}:{version}")
}

/// The document that keeps a version: the dashboard's own, and what is told of it as a version.
#[must_use]
pub fn to_keep(name: &str, version: Version, document: &Value, at_ms: u64) -> Value {
    let mut kept = match document {
        Value::Object(map) => Value::Object(map.clone()),
        _ => json!({}),
    };
    // Whoever writes into the storage may have written it.
    if let Some(map) = kept.as_object_mut() {
        map.remove("deleted_by");
    }
    kept["name"] = json!(name);
    kept["version"] = json!(version.to_string());
    kept["kept_at"] = json!(rfc3339(at_ms));
    kept
}

/// The same document, which says that the dashboard was deleted when it was this.
#[must_use]
pub fn deleted_by(mut kept: Value, who: &str) -> Value {
    kept["deleted_by"] = json!(who);
    kept
}

/// A version that is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// Which one.
    pub version: Version,
    /// When it was kept: it was replaced or deleted then.
    pub kept_ms: u64,
    /// Who deleted the dashboard when it was this.
    pub deleted_by: Option<String>,
    /// What it was.
    pub dashboard: Dashboard,
}

impl Kept {
    /// The version that a document keeps; none when it keeps none.
    #[must_use]
    pub fn read(document: &Value) -> Option<Self> {
        let text = |field: &str| document.get(field).and_then(Value::as_str);
        let (name, version) = (text("name")?, text("version")?.parse::<Version>().ok()?);
        let origin = match crate::shipped_dashboards::is_shipped(name) {
            true => Origin::Overridden,
            false => Origin::Own,
        };
        let kept_ms = time_of(document, "kept_at").as_ref().map_or(0, millis);
        let deleted_by = text("deleted_by").map(str::to_owned);
        Some(Self {
            version,
            kept_ms,
            dashboard: Dashboard {
                version: version.to_string(),
                origin: origin.into(),
                deleted_at: deleted_by.as_ref().map(|_| timestamp(kept_ms)),
                deleted_by: deleted_by.clone().unwrap_or_default(),
                ..to_dashboard(name, document)
            },
            deleted_by,
        })
    }

    /// When it was written. Where nobody told, as when somebody wrote into the storage, it is taken to be when it was kept.
    fn written_ms(&self) -> u64 {
        let told = self.dashboard.changed_at.as_ref();
        told.map_or(self.kept_ms, millis)
    }

    /// Where it stands among the versions of its dashboard. The time is first: an index that was made anew counts anew.
    fn place(&self) -> (u64, u64, u64) {
        let Version {
            seq_no,
            primary_term,
        } = self.version;
        (self.written_ms(), primary_term, seq_no)
    }
}

/// The versions of one dashboard that go because newer ones are enough.
#[must_use]
pub fn surplus(kept: &[Kept]) -> Vec<Version> {
    let mut sorted: Vec<&Kept> = kept.iter().collect();
    sorted.sort_by_key(|one| std::cmp::Reverse(one.place()));
    sorted.dedup_by_key(|one| one.version);
    let surplus = sorted.iter().skip(MAX_VERSIONS);
    surplus.map(|one| one.version).collect()
}

/// Whether the versions of a dashboard go that is not there any more, the last of which was kept then.
#[must_use]
pub const fn is_over(last_kept_ms: u64, now_ms: u64) -> bool {
    now_ms.saturating_sub(last_kept_ms) > DELETED_KEPT_MS
}

/// All versions of one dashboard, newest first: the one in force, those that are kept, the shipped one.
#[must_use]
pub fn rows(
    present: Option<&Dashboard>,
    kept: Vec<Kept>,
    shipped: Option<&Dashboard>,
) -> Vec<DashboardVersion> {
    let told = |of: &Dashboard| DashboardVersion {
        version: of.version.clone(),
        title: of.title.clone(),
        description: of.description.clone(),
        origin: of.origin,
        changed_at: of.changed_at,
        changed_by: of.changed_by.clone(),
        ..DashboardVersion::default()
    };
    let mut rows: Vec<DashboardVersion> = Vec::new();
    rows.extend(present.map(|present| DashboardVersion {
        is_present: true,
        ..told(present)
    }));
    let mut kept = kept;
    kept.sort_by_key(|one| std::cmp::Reverse(one.place()));
    // What was kept and then not replaced after all is the one in force still.
    kept.retain(|one| present.is_none_or(|present| one.dashboard.version != present.version));
    rows.extend(kept.iter().map(|one| DashboardVersion {
        replaced_at: Some(timestamp(one.kept_ms)),
        is_deleted: one.deleted_by.is_some(),
        deleted_by: one.deleted_by.clone().unwrap_or_default(),
        ..told(&one.dashboard)
    }));
    rows.extend(shipped.map(|shipped| DashboardVersion {
        version: SHIPPED.to_owned(),
        is_present: present.is_none(),
        ..told(shipped)
    }));
    rows
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::object::of_dashboard;

    const AT_MS: u64 = 1_700_000_000_000;

    fn version(seq_no: u64) -> Version {
        Version {
            seq_no,
            primary_term: 1,
        }
    }

    fn document(title: &str, at_ms: u64) -> Value {
        let given = Dashboard {
            name: "hosts".to_owned(),
            title: title.to_owned(),
            changed_by: "ann".to_owned(),
            document_json: "{\"panels\":[]}".to_owned(),
            ..Dashboard::default()
        };
        of_dashboard(&given, at_ms).unwrap()
    }

    fn kept(seq_no: u64, at_ms: u64) -> Kept {
        let document = to_keep(
            "hosts",
            version(seq_no),
            &document("Hosts", at_ms),
            at_ms + 9,
        );
        Kept::read(&document).unwrap()
    }

    #[test]
    fn a_version_reads_back_as_what_the_dashboard_was() {
        let document = to_keep(
            "hosts",
            version(5),
            &document("Hosts", AT_MS),
            AT_MS + 1_000,
        );
        let read = Kept::read(&document).unwrap();
        assert_eq!(id_of("hosts", read.version), "hosts:5.1");
        assert_eq!((read.kept_ms, &read.deleted_by), (AT_MS + 1_000, &None));
        let was = &read.dashboard;
        assert_eq!(
            (was.title.as_str(), was.changed_by.as_str()),
            ("Hosts", "ann")
        );
        assert_eq!(was.document_json, "{\"panels\":[]}");
        assert_eq!((was.version.as_str(), was.origin()), ("5.1", Origin::Own));
        assert_eq!(was.changed_at, Some(timestamp(AT_MS)));
        assert_eq!(was.deleted_at, None);

        let gone = Kept::read(&deleted_by(document, "bob")).unwrap();
        assert_eq!(gone.dashboard.deleted_by, "bob");
        assert_eq!(gone.dashboard.deleted_at, Some(timestamp(AT_MS + 1_000)));
        // By hand, with anything in it.
        let odd = to_keep("host", version(1), &json!({"deleted_by": "me"}), 7);
        assert_eq!(Kept::read(&odd).unwrap().deleted_by, None);
        let odd = Kept::read(&to_keep("host", version(1), &json!([1]), 7)).unwrap();
        assert_eq!(
            (odd.written_ms(), odd.dashboard.origin()),
            (7, Origin::Overridden)
        );
        assert_eq!(Kept::read(&json!({"name": "x", "version": "new"})), None);
        assert_eq!(Kept::read(&json!({"version": "1.1"})), None);
    }

    #[test]
    fn the_one_in_force_is_first_and_the_shipped_one_last() {
        let present = Dashboard {
            changed_at: Some(timestamp(AT_MS + 30)),
            ..kept(7, AT_MS + 30).dashboard
        };
        let shipped = Dashboard {
            name: "hosts".to_owned(),
            origin: Origin::Shipped.into(),
            ..Dashboard::default()
        };
        // 7 was kept, and what was to replace it was not written.
        let former = vec![kept(3, AT_MS), kept(7, AT_MS + 30), kept(5, AT_MS + 10)];
        let told = |rows: &[DashboardVersion]| -> Vec<(String, bool)> {
            let row = |row: &DashboardVersion| (row.version.clone(), row.is_present);
            rows.iter().map(row).collect()
        };
        let all = rows(Some(&present), former.clone(), Some(&shipped));
        let want = [
            ("7.1", true),
            ("5.1", false),
            ("3.1", false),
            ("shipped", false),
        ];
        assert_eq!(
            told(&all),
            want.map(|(version, is)| (version.to_owned(), is))
        );
        assert_eq!(
            (all[0].replaced_at, all[1].replaced_at),
            (None, Some(timestamp(AT_MS + 19)))
        );

        let deleted = rows(None, former, None);
        assert_eq!(deleted.len(), 3);
        assert!(deleted.iter().all(|row| !row.is_present));
        let alone = rows(None, Vec::new(), Some(&shipped));
        assert_eq!(told(&alone), [("shipped".to_owned(), true)]);
    }

    #[test]
    fn versions_of_a_deleted_dashboard_stay_thirty_days() {
        assert!(!is_over(AT_MS, AT_MS + DELETED_KEPT_MS));
        assert!(is_over(AT_MS, AT_MS + DELETED_KEPT_MS + 1));
        assert!(!is_over(AT_MS, 0), "a clock that was set back ends nothing");
    }

    proptest! {
        #[test]
        fn what_goes_is_older_than_whatever_stays(
            written in proptest::collection::btree_map(0_u64..10_000, 0_u64..40, 0..140),
            turn in any::<prop::sample::Index>(),
        ) {
            let mut all: Vec<Kept> = written.iter().map(|(seq_no, at)| kept(*seq_no, AT_MS + at)).collect();
            let gone: BTreeSet<Version> = surplus(&all).into_iter().collect();
            prop_assert_eq!(gone.len(), all.len().saturating_sub(MAX_VERSIONS));
            let (out, stay): (Vec<&Kept>, Vec<&Kept>) = all.iter().partition(|one| gone.contains(&one.version));
            let oldest = stay.iter().map(|one| one.place()).min();
            prop_assert!(out.iter().all(|one| Some(one.place()) < oldest));
            // Once is enough, and whatever order they come in.
            let left: Vec<Kept> = stay.into_iter().cloned().collect();
            prop_assert!(surplus(&left).is_empty());
            if !all.is_empty() {
                let at = turn.index(all.len());
                all.rotate_left(at);
                prop_assert_eq!(surplus(&all).into_iter().collect::<BTreeSet<_>>(), gone);
            }
        }

        #[test]
        fn any_document_is_a_version_or_none(text in "[\\[\\]{}\":,a-z_0-9]{0,60}", name in ".{0,12}", more in "[0-9.]{0,6}") {
            let _ = Kept::read(&serde_json::from_str(&text).unwrap_or(Value::Null));
            let _ = Kept::read(&json!({"name": name, "version": more, "kept_at": text}));
        }
    }
}
