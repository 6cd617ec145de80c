//! Former versions of dashboards: what is kept of one, in which order they stand, which of them go.
//!
//! Invariants: a version has the same id however often it is kept, and another one than any other version, also when the
//! index of dashboards was made anew and counts anew; of a dashboard the [`MAX_VERSIONS`] newest stay, and what goes is
//! older than whatever stays; those of a deleted one stay [`DELETED_KEPT_MS`] after its deletion, and only a deletion
//! that was noted is one. Not here: reading and writing them.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde_json::{Value, json};
use wharf_proto::monitor::v1::{Dashboard, DashboardVersion, Origin};
use wharf_proto::times::{millis, rfc3339, timestamp};

use crate::object::{time_of, to_dashboard};
use crate::version::{Version, VersionError};

/// Former versions of a dashboard that are kept.
pub const MAX_VERSIONS: usize = 50;
/// How long the versions of a deleted dashboard are kept.
pub const DELETED_KEPT_MS: u64 = 30 * 24 * 3_600_000;
/// The version of what the platform brings.
pub const SHIPPED: &str = "shipped";

/// The id of the document that keeps a version of a dashboard, which was this. No name has a colon.
#[must_use]
pub fn id_of(name: &str, version: Version, document: &Value) -> String {
    let token = Token {
        version,
        written_ms: time_of(document, "changed_at").as_ref().map(millis),
    };
    format!("{name}:{token}")
}

/// What names a version of a dashboard in lists and requests: `5.1`, or `5.1.1700000000000` with the time of its writing
/// where several have the same version because the index of dashboards was made anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// Where it stood in its index.
    pub version: Version,
    /// When it was written, where that is told.
    pub written_ms: Option<u64>,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.version)?;
        self.written_ms.map_or(Ok(()), |ms| write!(f, ".{ms}"))
    }
}

impl FromStr for Token {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let alone = |version| Self {
            version,
            written_ms: None,
        };
        text.parse().map(alone).or_else(|error| {
            let (version, ms) = text.rsplit_once('.').ok_or_else(|| error.clone())?;
            let written_ms = ms.parse::<u64>().ok();
            let written_ms = written_ms.filter(|read| read.to_string() == ms);
            Ok(Self {
                version: version.parse().map_err(|_| error.clone())?,
                written_ms: Some(written_ms.ok_or(error)?),
            })
        })
    }
}

/// The version among those that are kept of one dashboard that is meant: the newest one where several may be.
#[must_use]
pub fn named(kept: Vec<Kept>, token: Token) -> Option<Kept> {
    let is_meant = |one: &Kept| {
        let at = token.written_ms.is_none_or(|ms| ms == one.written_ms());
        at && one.version == token.version
    };
    kept.into_iter()
        .filter(is_meant)
        .max_by_key(|one| one.place())
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
    /// The id of the document that keeps it.
    pub id: String,
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
    /// The version that a document of this id keeps; none when it keeps none.
    #[must_use]
    pub fn read(id: &str, document: &Value) -> Option<Self> {
        let text = |field: &str| document.get(field).and_then(Value::as_str);
        let (name, version) = (text("name")?, text("version")?.parse::<Version>().ok()?);
        let origin = match crate::shipped_dashboards::is_shipped(name) {
            true => Origin::Overridden,
            false => Origin::Own,
        };
        let kept_ms = time_of(document, "kept_at").as_ref().map_or(0, millis);
        let deleted_by = text("deleted_by").map(str::to_owned);
        Some(Self {
            id: id.to_owned(),
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

/// The ids of those versions of one dashboard that go because newer ones are enough.
#[must_use]
pub fn surplus(kept: &[Kept]) -> Vec<String> {
    let mut sorted: Vec<&Kept> = kept.iter().collect();
    sorted.sort_by_key(|one| std::cmp::Reverse(one.place()));
    let surplus = sorted.iter().skip(MAX_VERSIONS);
    surplus.map(|one| one.id.clone()).collect()
}

/// Whether the versions of a dashboard go, this being the one that was kept last: it was deleted then, and long ago.
#[must_use]
pub const fn is_over(last: &Kept, now_ms: u64) -> bool {
    last.deleted_by.is_some() && now_ms.saturating_sub(last.kept_ms) > DELETED_KEPT_MS
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
    kept.retain(|one| {
        let is_present = |present: &Dashboard| {
            let at = present.changed_at.as_ref().map(millis);
            one.dashboard.version == present.version && at.is_none_or(|at| at == one.written_ms())
        };
        !present.is_some_and(is_present)
    });
    kept.dedup_by_key(|one| one.place());
    let mut told_already: BTreeSet<String> = rows.iter().map(|row| row.version.clone()).collect();
    rows.extend(kept.iter().map(|one| DashboardVersion {
        replaced_at: Some(timestamp(one.kept_ms)),
        is_deleted: one.deleted_by.is_some(),
        deleted_by: one.deleted_by.clone().unwrap_or_default(),
        version: match told_already.insert(one.dashboard.version.clone()) {
            true => one.dashboard.version.clone(),
            false => {
                let (version, written_ms) = (one.version, Some(one.written_ms()));
                let token = Token {
                    version,
                    written_ms,
                };
                token.to_string()
            }
        },
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
        Kept::read(&id_of("hosts", version(seq_no), &document), &document).unwrap()
    }

    #[test]
    fn a_version_reads_back_as_what_the_dashboard_was() {
        let document = to_keep(
            "hosts",
            version(5),
            &document("Hosts", AT_MS),
            AT_MS + 1_000,
        );
        let id = id_of("hosts", version(5), &document);
        assert_eq!(id, format!("hosts:5.1.{AT_MS}"));
        let read = Kept::read(&id, &document).unwrap();
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

        let gone = Kept::read(&id, &deleted_by(document, "bob")).unwrap();
        assert_eq!(gone.dashboard.deleted_by, "bob");
        assert_eq!(gone.dashboard.deleted_at, Some(timestamp(AT_MS + 1_000)));
        // By hand, with anything in it.
        let odd = to_keep("host", version(1), &json!({"deleted_by": "me"}), 7);
        assert_eq!(id_of("host", version(1), &odd), "host:1.1");
        assert_eq!(Kept::read("x", &odd).unwrap().deleted_by, None);
        let odd = Kept::read("x", &to_keep("host", version(1), &json!([1]), 7)).unwrap();
        assert_eq!(
            (odd.written_ms(), odd.dashboard.origin()),
            (7, Origin::Overridden)
        );
        assert_eq!(
            Kept::read("x", &json!({"name": "x", "version": "new"})),
            None
        );
        assert_eq!(Kept::read("x", &json!({"version": "1.1"})), None);
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
    fn versions_of_an_index_that_was_made_anew_are_told_apart() {
        // Before and after, both counted to 5.
        let (before, after) = (kept(5, AT_MS), kept(5, AT_MS + 1_000));
        assert_ne!(before.id, after.id);
        let present = Dashboard {
            changed_at: Some(timestamp(AT_MS + 2_000)),
            ..kept(5, AT_MS + 2_000).dashboard
        };
        let all = vec![before.clone(), after.clone()];
        for present in [None, Some(&present)] {
            let rows = rows(present, all.clone(), None);
            assert_eq!(rows.len(), 2 + usize::from(present.is_some()));
            let tokens: BTreeSet<&str> = rows.iter().map(|row| row.version.as_str()).collect();
            assert_eq!(tokens.len(), rows.len(), "{tokens:?}");
            for row in rows.iter().filter(|row| !row.is_present) {
                let found = named(all.clone(), row.version.parse().unwrap()).unwrap();
                assert_eq!(found.dashboard.changed_at, row.changed_at);
            }
        }
        assert_eq!(named(all.clone(), "5.1".parse().unwrap()), Some(after));
        let old = format!("5.1.{AT_MS}").parse().unwrap();
        assert_eq!(named(all.clone(), old), Some(before));
        assert_eq!(named(all, "5.1.7".parse().unwrap()), None);
    }

    #[test]
    fn versions_of_a_deleted_dashboard_stay_thirty_days_and_those_of_others_for_ever() {
        let last = |deleted: bool| Kept {
            kept_ms: AT_MS,
            deleted_by: deleted.then(|| "dan".to_owned()),
            ..kept(1, AT_MS)
        };
        assert!(!is_over(&last(true), AT_MS + DELETED_KEPT_MS));
        assert!(is_over(&last(true), AT_MS + DELETED_KEPT_MS + 1));
        assert!(
            !is_over(&last(true), 0),
            "a clock that was set back ends nothing"
        );
        assert!(
            !is_over(&last(false), u64::MAX),
            "nobody deleted it: its index may be lost"
        );
    }

    proptest! {
        #[test]
        fn what_goes_is_older_than_whatever_stays(
            written in proptest::collection::btree_map(0_u64..10_000, 0_u64..40, 0..140),
            turn in any::<prop::sample::Index>(),
        ) {
            let mut all: Vec<Kept> = written.iter().map(|(seq_no, at)| kept(*seq_no, AT_MS + at)).collect();
            let gone: BTreeSet<String> = surplus(&all).into_iter().collect();
            prop_assert_eq!(gone.len(), all.len().saturating_sub(MAX_VERSIONS));
            let (out, stay): (Vec<&Kept>, Vec<&Kept>) = all.iter().partition(|one| gone.contains(&one.id));
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
            let _ = Kept::read(&name, &serde_json::from_str(&text).unwrap_or(Value::Null));
            let _ = Kept::read(&name, &json!({"name": name, "version": more, "kept_at": text}));
        }

        #[test]
        fn a_token_reads_back_as_itself(text in "[0-9]{1,3}\\.[0-9]{1,2}(\\.[0-9+]{0,4}){0,2}", seq in any::<u64>(), ms in any::<Option<u64>>()) {
            let token = Token { version: version(seq), written_ms: ms };
            prop_assert_eq!(token.to_string().parse(), Ok(token));
            if let Ok(token) = text.parse::<Token>() {
                prop_assert_eq!(token.to_string(), text);
            }
        }
    }
}
