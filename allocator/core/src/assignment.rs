//! The assignment as the allocator understands it: checked against limits when it arrives, and
//! fenced by its generation.
//!
//! Invariants: an assignment that was read holds only well-formed ids, names that are safe in a
//! container name, ports that differ, and no instance that is both to be kept and to be removed; one
//! that is to be set aside is in no other list, whatever the message says, so that it is not removed. A
//! held assignment is never followed by an older one, by another one of the same generation, nor by
//! an empty one while it still holds instances (a director lists an instance under removals before
//! it forgets it; one that forgets all at once has lost its state). Not here: the secrets inside,
//! which the shell writes to files.

use std::collections::{BTreeMap, BTreeSet};

use wharf_proto::{
    ids::{InstanceId, is_id},
    v1,
};

/// Most instances and removals that one assignment may name.
pub const MAX_INSTANCES: usize = 1_000;
/// Longest name, version or hash in an assignment, in bytes.
pub const MAX_TEXT: usize = 128;
/// Largest secret file of an instance, in bytes.
pub const MAX_SECRET: usize = 1 << 20;

/// The desired set at a generation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AssignmentSpec {
    /// Grows with every change of the set.
    pub generation: u64,
    /// Instances that belong here.
    pub instances: BTreeMap<InstanceId, InstanceSpec>,
    /// Instances whose containers and data are to go.
    pub remove: BTreeSet<InstanceId>,
    /// Instances whose containers are to go and whose data stays.
    pub keep: BTreeSet<InstanceId>,
    /// Instances whose containers are to go and whose data is to be put out of the way and kept.
    pub set_aside: BTreeSet<InstanceId>,
}

impl AssignmentSpec {
    /// Whether any of its lists names the instance.
    #[must_use]
    pub fn names(&self, id: &InstanceId) -> bool {
        self.instances.contains_key(id)
            || self.remove.contains(id)
            || self.keep.contains(id)
            || self.set_aside.contains(id)
    }
}

/// What is to run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InstanceSpec {
    /// Another hash means another container.
    pub spec_hash: String,
    /// False: the container stops, the data stays.
    pub run: bool,
    /// Its data is brought here first; the container stays the same whatever becomes of that.
    pub copy: Option<CopyFrom>,
    /// It takes writes only while its lease lasts.
    pub leased: bool,
}

/// Where an instance's data is brought from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyFrom {
    /// `HOST:PORT` of the instance at its old place.
    pub address: String,
    /// Take over as soon as the copy has caught up.
    pub take_over: bool,
    /// The host that takes over.
    pub allocator_id: String,
    /// `HOST:PORT` of the instance here.
    pub own_address: String,
}

/// Why an assignment cannot be used at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AssignmentError {
    /// It is for another allocator.
    #[error("the assignment is for allocator {0}, not for this one; a director mixed them up")]
    OtherAllocator(String),
    /// An id, name, port or size is out of its bounds.
    #[error("the assignment's {field} `{value}` is not usable: {why}")]
    Field {
        /// Name of the field.
        field: &'static str,
        /// What it held, cut.
        value: String,
        /// What it should be.
        why: &'static str,
    },
    /// An instance is in two of the lists: to run, to be kept without a container, to be removed.
    #[error("instance {0} is in two lists of the same assignment")]
    Contradiction(InstanceId),
    /// More instances than an allocator takes.
    #[error("the assignment names {0} instances, more than {MAX_INSTANCES}")]
    TooMany(usize),
}

/// Why an assignment that is well formed is not followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A director that has not caught up sent it.
    #[error("generation {offered} is older than {held}, which is held")]
    Older {
        /// Generation on disk.
        held: u64,
        /// Generation that came.
        offered: u64,
    },
    /// Two directors disagree on the same generation.
    #[error("generation {0} is held with other content")]
    Conflicting(u64),
    /// It would forget every instance at once.
    #[error(
        "generation {offered} is empty while {instances} instances are held; list them for removal first"
    )]
    Empty {
        /// Generation that came.
        offered: u64,
        /// Instances held.
        instances: usize,
    },
}

/// What following an assignment means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fence {
    /// It is newer than the one held.
    Newer,
    /// It is the one held; secrets may differ and are renewed.
    Same,
}

/// Whether `offered` may replace `held`.
///
/// # Errors
/// Why not; the held one stays in force.
pub fn fence(held: Option<&AssignmentSpec>, offered: &AssignmentSpec) -> Result<Fence, Refusal> {
    let Some(held) = held else {
        return Ok(Fence::Newer);
    };
    if offered.generation < held.generation {
        return Err(Refusal::Older {
            held: held.generation,
            offered: offered.generation,
        });
    }
    if offered.generation == held.generation {
        return if offered == held {
            Ok(Fence::Same)
        } else {
            Err(Refusal::Conflicting(held.generation))
        };
    }
    let empty = offered.instances.is_empty()
        && offered.remove.is_empty()
        && offered.keep.is_empty()
        && offered.set_aside.is_empty();
    if empty && !held.instances.is_empty() {
        return Err(Refusal::Empty {
            offered: offered.generation,
            instances: held.instances.len(),
        });
    }
    Ok(Fence::Newer)
}

/// Reads an assignment from a director, checking every bound.
///
/// # Errors
/// Names the field that is out of bounds.
pub fn read(
    assignment: &v1::Assignment,
    allocator_id: &str,
) -> Result<AssignmentSpec, AssignmentError> {
    if assignment.allocator_id != allocator_id {
        return Err(AssignmentError::OtherAllocator(cut(
            &assignment.allocator_id
        )));
    }
    let named = assignment.instances.len()
        + assignment.remove_instance_ids.len()
        + assignment.keep_instance_ids.len()
        + assignment.set_aside_instance_ids.len();
    if named > MAX_INSTANCES {
        return Err(AssignmentError::TooMany(named));
    }
    let mut spec = AssignmentSpec {
        generation: assignment.generation,
        ..Default::default()
    };
    let mut ports = BTreeSet::new();
    for instance in &assignment.instances {
        let id = read_id("instance_id", &instance.instance_id)?;
        check_instance(instance)?;
        if !ports.insert(instance.port) {
            return Err(field(
                "port",
                &instance.port.to_string(),
                "two instances have it",
            ));
        }
        let read = InstanceSpec {
            spec_hash: instance.spec_hash.clone(),
            run: instance.run,
            copy: instance.copy_from.as_ref().map(read_copy).transpose()?,
            leased: instance.leased,
        };
        if spec.instances.insert(id, read).is_some() {
            return Err(field(
                "instance_id",
                &instance.instance_id,
                "it is listed twice",
            ));
        }
    }
    for id in &assignment.set_aside_instance_ids {
        let id = read_id("set_aside_instance_ids", id)?;
        if spec.instances.contains_key(&id) {
            return Err(AssignmentError::Contradiction(id));
        }
        spec.set_aside.insert(id);
    }
    for id in &assignment.remove_instance_ids {
        let id = read_id("remove_instance_ids", id)?;
        if spec.set_aside.contains(&id) {
            continue;
        }
        if spec.instances.contains_key(&id) {
            return Err(AssignmentError::Contradiction(id));
        }
        spec.remove.insert(id);
    }
    for id in &assignment.keep_instance_ids {
        let id = read_id("keep_instance_ids", id)?;
        if spec.set_aside.contains(&id) {
            continue;
        }
        if spec.instances.contains_key(&id) || spec.remove.contains(&id) {
            return Err(AssignmentError::Contradiction(id));
        }
        spec.keep.insert(id);
    }
    Ok(spec)
}

fn read_copy(from: &v1::CopySource) -> Result<CopyFrom, AssignmentError> {
    if !is_address(&from.address) {
        let rule = "give HOST:PORT of the instance at its old place";
        return Err(field("copy_from.address", &from.address, rule));
    }
    if !is_address(&from.own_address) {
        let rule = "give HOST:PORT of the instance at its new place";
        return Err(field("copy_from.own_address", &from.own_address, rule));
    }
    if !is_id(&from.allocator_id) {
        let rule = "give 32 characters of 0-9 and a-f";
        return Err(field("copy_from.allocator_id", &from.allocator_id, rule));
    }
    Ok(CopyFrom {
        address: from.address.clone(),
        take_over: from.take_over,
        allocator_id: from.allocator_id.clone(),
        own_address: from.own_address.clone(),
    })
}

fn check_instance(instance: &v1::AssignedInstance) -> Result<(), AssignmentError> {
    for (name, id) in [
        ("deployment_id", &instance.deployment_id),
        ("resource_id", &instance.resource_id),
    ] {
        if !is_id(id) {
            return Err(field(name, id, "give 32 characters of 0-9 and a-f"));
        }
    }
    if !is_name(&instance.instance_name) {
        return Err(field("instance_name", &instance.instance_name, NAME_RULE));
    }
    if !instance.alias.is_empty() && !is_name(&instance.alias) {
        return Err(field("alias", &instance.alias, NAME_RULE));
    }
    for (name, text) in [
        ("deployment_name", &instance.deployment_name),
        ("resource_kind", &instance.resource_kind),
        ("engine", &instance.engine),
        ("engine_version", &instance.engine_version),
        ("spec_hash", &instance.spec_hash),
    ] {
        if text.len() > MAX_TEXT {
            return Err(field(name, text, "at most 128 bytes"));
        }
        if text.chars().any(char::is_control) {
            return Err(field(name, text, "no control characters"));
        }
    }
    if instance.spec_hash.is_empty() {
        return Err(field("spec_hash", "", "it must not be empty"));
    }
    if !is_folder(&instance.repository_path) {
        let rule = "give an absolute path without `.` and `..`, or nothing";
        return Err(field("repository_path", &instance.repository_path, rule));
    }
    if instance.port == 0 || instance.port > u32::from(u16::MAX) {
        return Err(field("port", &instance.port.to_string(), "1 to 65535"));
    }
    if let Some(secrets) = &instance.secrets {
        for (name, text) in [
            ("secrets.identity_pem", &secrets.identity_pem),
            ("secrets.ca_pem", &secrets.ca_pem),
            ("secrets.users_json", &secrets.users_json),
            ("secrets.storage_json", &secrets.storage_json),
            ("secrets.channels_json", &secrets.channels_json),
            ("secrets.repository_json", &secrets.repository_json),
        ] {
            if text.len() > MAX_SECRET {
                return Err(field(name, "", "at most 1 MiB"));
            }
        }
    }
    Ok(())
}

const NAME_RULE: &str = "1 to 63 characters of a-z, 0-9 and -, a letter or digit first";

/// Nothing, or an absolute path below `/`.
fn is_folder(path: &str) -> bool {
    let mut parts = path.split('/');
    path.is_empty()
        || (path.len() <= 1_024
            && !path.chars().any(char::is_control)
            && parts.next() == Some("")
            && parts.all(|part| !matches!(part, "" | "." | "..")))
}

/// `HOST:PORT`, an IPv6 address in brackets.
fn is_address(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else {
        return false;
    };
    // Of digits alone: a sign would be read as part of a number too.
    let port = port.bytes().all(|byte| byte.is_ascii_digit())
        && port.parse::<u16>().is_ok_and(|port| port > 0);
    let bracketed = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let host = match bracketed {
        Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            (1..=253).contains(&host.len())
                && host
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
        }
    };
    host && port
}

fn is_name(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && !text.starts_with('-')
        && text
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

fn read_id(name: &'static str, text: &str) -> Result<InstanceId, AssignmentError> {
    text.parse()
        .map_err(|_| field(name, text, "give 32 characters of 0-9 and a-f"))
}

fn field(field: &'static str, value: &str, why: &'static str) -> AssignmentError {
    AssignmentError::Field {
        field,
        value: cut(value),
        why,
    }
}

fn cut(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(byte: u8) -> InstanceId {
        InstanceId::from_bytes([byte; 16])
    }

    fn spec(generation: u64, instances: &[u8], remove: &[u8]) -> AssignmentSpec {
        AssignmentSpec {
            generation,
            instances: instances
                .iter()
                .map(|byte| {
                    (
                        id(*byte),
                        InstanceSpec {
                            spec_hash: "a".into(),
                            run: true,
                            ..InstanceSpec::default()
                        },
                    )
                })
                .collect(),
            remove: remove.iter().map(|byte| id(*byte)).collect(),
            ..AssignmentSpec::default()
        }
    }

    fn assigned(byte: u8, port: u32) -> v1::AssignedInstance {
        v1::AssignedInstance {
            instance_id: id(byte).to_string(),
            instance_name: "storage-0".into(),
            deployment_id: "d".repeat(32),
            resource_id: "e".repeat(32),
            spec_hash: "h1".into(),
            port,
            run: true,
            alias: "system".into(),
            ..Default::default()
        }
    }

    fn message(instances: Vec<v1::AssignedInstance>) -> v1::Assignment {
        v1::Assignment {
            allocator_id: "a".repeat(32),
            generation: 3,
            instances,
            remove_instance_ids: vec![],
            keep_instance_ids: vec![],
            set_aside_instance_ids: vec![],
        }
    }

    #[test]
    fn an_older_generation_is_refused() {
        let refused = fence(Some(&spec(5, &[1], &[])), &spec(4, &[1], &[]));
        assert_eq!(
            refused,
            Err(Refusal::Older {
                held: 5,
                offered: 4
            })
        );
    }

    #[test]
    fn an_unasked_empty_assignment_is_refused_while_instances_are_held() {
        let held = spec(5, &[1, 2], &[]);
        assert_eq!(
            fence(Some(&held), &spec(6, &[], &[])),
            Err(Refusal::Empty {
                offered: 6,
                instances: 2
            })
        );
        assert_eq!(fence(Some(&held), &spec(6, &[], &[1, 2])), Ok(Fence::Newer));
        assert_eq!(
            fence(Some(&spec(6, &[], &[1, 2])), &spec(7, &[], &[])),
            Ok(Fence::Newer)
        );
        assert_eq!(fence(None, &spec(1, &[], &[])), Ok(Fence::Newer));
    }

    #[test]
    fn the_same_generation_is_followed_only_with_the_same_content() {
        let held = spec(5, &[1], &[]);
        assert_eq!(fence(Some(&held), &held.clone()), Ok(Fence::Same));
        assert_eq!(
            fence(Some(&held), &spec(5, &[2], &[])),
            Err(Refusal::Conflicting(5))
        );
    }

    #[test]
    fn a_well_formed_message_is_read() {
        let read = read(
            &message(vec![assigned(1, 18000), assigned(2, 18001)]),
            &"a".repeat(32),
        );
        assert_eq!(read.unwrap().instances.len(), 2);
    }

    #[test]
    fn what_is_out_of_bounds_is_named() {
        let own = "a".repeat(32);
        let mut bad = assigned(1, 18000);
        bad.instance_name = "../etc".into();
        let error = read(&message(vec![bad]), &own).unwrap_err();
        assert!(error.to_string().contains("instance_name"), "{error}");
        let error = read(&message(vec![assigned(1, 18000), assigned(2, 18000)]), &own).unwrap_err();
        assert!(error.to_string().contains("port"), "{error}");
        let mut both = message(vec![assigned(1, 18000)]);
        both.remove_instance_ids = vec![id(1).to_string()];
        assert_eq!(
            read(&both, &own),
            Err(AssignmentError::Contradiction(id(1)))
        );
        assert!(matches!(
            read(&message(vec![]), "b"),
            Err(AssignmentError::OtherAllocator(_))
        ));
    }

    #[test]
    fn what_is_to_be_set_aside_is_in_no_other_list() {
        let own = "a".repeat(32);
        let mut twice = message(vec![assigned(1, 18000)]);
        twice.set_aside_instance_ids = vec![id(2).to_string(), id(3).to_string()];
        twice.remove_instance_ids = vec![id(2).to_string(), id(4).to_string()];
        twice.keep_instance_ids = vec![id(3).to_string()];
        let spec = read(&twice, &own).unwrap();
        assert_eq!(spec.set_aside, BTreeSet::from([id(2), id(3)]));
        assert_eq!((spec.remove, spec.keep), ([id(4)].into(), [].into()));
        twice.set_aside_instance_ids = vec![id(1).to_string()];
        assert_eq!(
            read(&twice, &own),
            Err(AssignmentError::Contradiction(id(1)))
        );
    }

    #[test]
    fn another_source_of_a_copy_is_another_assignment_and_one_that_cannot_be_dialed_is_refused() {
        let own = "a".repeat(32);
        let with = |address: &str, take_over| {
            let mut one = assigned(1, 18000);
            one.copy_from = Some(v1::CopySource {
                address: address.into(),
                take_over,
                allocator_id: "b".repeat(32),
                own_address: "10.0.0.2:18000".into(),
            });
            read(&message(vec![one]), &own)
        };
        let waits = with("10.0.0.1:18000", false).unwrap();
        let takes = with("10.0.0.1:18000", true).unwrap();
        assert_eq!(fence(Some(&waits), &takes), Err(Refusal::Conflicting(3)));
        assert!(with("[fd00::1]:18000", false).is_ok());
        for bad in [
            "",
            "h1",
            ":1",
            "h1:0",
            "h1:+1",
            "h1:99999",
            "h 1:1",
            "fd00::1:1",
            "[h1]:1",
        ] {
            let error = with(bad, false).unwrap_err().to_string();
            assert!(error.contains("copy_from.address"), "{bad}: {error}");
        }
    }

    proptest! {
        #[test]
        fn an_address_that_is_taken_has_a_host_and_a_port(text in "[\\[\\]a-z0-9.:+ -]{0,24}") {
            if is_address(&text) {
                let (host, port) = text.rsplit_once(':').unwrap();
                prop_assert!(!host.is_empty() && !text.contains(' '));
                prop_assert!(port.parse::<u16>().unwrap() > 0);
            }
        }

        #[test]
        fn any_message_is_read_or_refused(
            ids in proptest::collection::vec("[0-9a-g]{0,33}", 0..4),
            name in ".{0,70}", port in any::<u32>(), hash in ".{0,140}",
        ) {
            let mut instances = vec![];
            for text in &ids {
                let mut one = assigned(0, port);
                one.instance_id.clone_from(text);
                one.instance_name.clone_from(&name);
                one.spec_hash.clone_from(&hash);
                instances.push(one);
            }
            if let Ok(spec) = read(&message(instances), &"a".repeat(32)) {
                prop_assert!(spec.instances.len() <= 1, "two instances with one port");
            }
        }
    }
}
