//! Applying commands about directors. Describing is level-triggered: facts that the record has
//! change nothing. What is refused here was admitted by Raft all the same when it came with a change
//! of the membership; the leader then takes the member without a record out again.

use wharf_proto::ids::is_id;

use crate::{
    apply::{allocator::NAME_BYTES, engineless},
    command::{AdmitDirector, DescribeDirector, RemoveDirector},
    outcome::Outcome,
    refusal::{Refusal, RefusalKind, codes},
    state::{
        DIRECTOR_TOKENS_LEVEL, DIRECTORS_KEPT, DIRECTORS_LEVEL, DirectorFacts, DirectorRecord,
        HostRole, State,
    },
};

fn refuse(field: &str, message: impl Into<String>, hint: &str) -> Refusal {
    Refusal::new(RefusalKind::InvalidArgument, codes::DIRECTOR, message)
        .field(field)
        .hint(hint)
}

fn text(field: &str, value: &str) -> Result<(), Refusal> {
    let good = (1..=NAME_BYTES).contains(&value.len())
        && value.bytes().all(|byte| byte.is_ascii_graphic());
    if good {
        return Ok(());
    }
    Err(refuse(
        field,
        format!("the director's {field} is empty, too long or not ASCII"),
        "mend platform.json on its host",
    ))
}

/// Checks what a director says of itself.
///
/// # Errors
/// What is wrong, with its field.
pub fn check_facts(facts: &DirectorFacts) -> Result<(), Refusal> {
    text("host", &facts.host)?;
    text("zone", &facts.zone)?;
    text("internal_address", &facts.internal_address)?;
    text("admin_address", &facts.admin_address)?;
    text("version", &facts.build)
}

/// Checks whether a director may become a member; `Ok` with its record when the same empty disk was
/// admitted before.
///
/// # Errors
/// When it was removed, runs an older version than the platform, or there are too many.
pub fn check_admission<'a>(
    state: &'a State,
    director_id: &str,
    join_id: &str,
    facts: &DirectorFacts,
) -> Result<Option<&'a DirectorRecord>, Refusal> {
    check_facts(facts)?;
    if !is_id(join_id) {
        return Err(refuse(
            "join_id",
            "the join id is not 32 lower-case hex characters",
            "make 16 random bytes for each empty disk",
        ));
    }
    if state.feature_level < DIRECTORS_LEVEL || facts.feature_level < state.feature_level {
        return Err(Refusal::new(
            RefusalKind::FailedPrecondition,
            codes::FEATURE_LEVEL,
            format!(
                "the platform's feature level is {}, the director supports {}",
                state.feature_level, facts.feature_level
            ),
        )
        .field("feature_level")
        .hint("run the same version on every director"));
    }
    if state.removed_directors.contains(director_id) {
        return Err(Refusal::new(
            RefusalKind::FailedPrecondition,
            codes::DIRECTOR_REMOVED,
            format!("the director {director_id} was removed from the platform"),
        )
        .hint("install it anew with a token: it gets another id"));
    }
    let known = state.directors.get(director_id);
    if known.is_none() && state.directors.len() >= DIRECTORS_KEPT {
        return Err(Refusal::new(
            RefusalKind::ResourceExhausted,
            codes::DIRECTOR,
            format!("there are {DIRECTORS_KEPT} directors already"),
        )
        .hint("remove one first"));
    }
    Ok(known.filter(|known| known.join_id == join_id))
}

pub(super) fn admit(state: &mut State, body: &AdmitDirector) -> Result<Outcome, Refusal> {
    let id = &body.director_id;
    if check_admission(state, id.as_str(), &body.join_id, &body.facts)?.is_some() {
        return Ok(Outcome::Unchanged);
    }
    let known = state.directors.get(id);
    let next = known.map_or(0, |known| known.incarnation.saturating_add(1));
    let taken = state
        .directors
        .values()
        .any(|other| other.member == body.member);
    if taken || body.member == 0 || body.incarnation < next {
        return Err(refuse(
            "member_id",
            format!("the member id {} was given before", body.member),
            "install the director anew with a token",
        ));
    }
    let record = DirectorRecord {
        id: id.clone(),
        member: body.member,
        incarnation: body.incarnation,
        join_id: body.join_id.clone(),
        facts: body.facts.clone(),
        created_ms: known.map_or(state.now_ms, |known| known.created_ms),
        changed_ms: state.now_ms,
        version: known.map_or(0, |known| known.version).saturating_add(1),
    };
    state.directors.insert(id.clone(), record);
    Ok(Outcome::Done)
}

pub(super) fn describe(state: &mut State, body: &DescribeDirector) -> Result<Outcome, Refusal> {
    check_facts(&body.facts)?;
    let id = &body.director_id;
    let now_ms = state.now_ms;
    let full = state.directors.len() >= DIRECTORS_KEPT;
    match state.directors.get_mut(id) {
        Some(record) if record.member != body.member => Err(refuse(
            "member_id",
            format!(
                "the director {id} is member {}, not {}",
                record.member, body.member
            ),
            "restart it with the data directory that it has now",
        )),
        Some(record) if record.facts == body.facts => Ok(Outcome::Unchanged),
        Some(record) => {
            record.facts = body.facts.clone();
            record.changed_ms = now_ms;
            record.version = record.version.saturating_add(1);
            Ok(Outcome::Done)
        }
        // The one that began the platform was never admitted.
        None if full || state.removed_directors.contains(id) => {
            Err(Refusal::not_found("director", id))
        }
        None => {
            let record = DirectorRecord {
                id: id.clone(),
                member: body.member,
                incarnation: 0,
                join_id: String::new(),
                facts: body.facts.clone(),
                created_ms: now_ms,
                changed_ms: now_ms,
                version: 1,
            };
            state.directors.insert(id.clone(), record);
            Ok(Outcome::Done)
        }
    }
}

pub(super) fn remove(state: &mut State, body: &RemoveDirector) -> Result<Outcome, Refusal> {
    if state.directors.remove(&body.director_id).is_none() {
        return Err(Refusal::not_found("director", &body.director_id));
    }
    state.removed_directors.insert(body.director_id.clone());
    take_role(state, body);
    Ok(Outcome::Done)
}

/// Its host keeps its other roles; one that had no other is only watched from now on.
fn take_role(state: &mut State, body: &RemoveDirector) {
    let now_ms = state.now_ms;
    let id = &body.director_id;
    let mut hosts = state.hosts.values_mut();
    if let Some(host) = hosts.find(|host| host.director_id.as_ref() == Some(id)) {
        host.roles.remove(&HostRole::Director);
        if host.without_engine {
            engineless::director_removed(host, now_ms);
        } else if host.roles.is_empty() {
            host.roles.insert(HostRole::Collector);
        }
        host.roles_changed_ms = now_ms.max(host.roles_changed_ms.saturating_add(1));
    } else if state.feature_level >= DIRECTOR_TOKENS_LEVEL
        && let Some(platform) = &mut state.platform
        && platform.first_director == *id
    {
        // Members of an older version would not write this down.
        platform.first_director_removed_ms = now_ms.max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        apply::apply,
        command::{Body, Command},
        state::FEATURE_LEVEL,
    };
    use wharf_proto::ids::DirectorId;

    fn facts(host: &str) -> DirectorFacts {
        DirectorFacts {
            authority: None,
            host: host.into(),
            zone: "z1".into(),
            internal_address: format!("{host}:12190"),
            admin_address: format!("{host}:12443"),
            build: "1".into(),
            feature_level: FEATURE_LEVEL,
        }
    }

    fn id(number: u8) -> DirectorId {
        DirectorId::from_bytes([number; 16])
    }

    fn admit(number: u8, member: u64, incarnation: u8, join: u8) -> Body {
        Body::AdmitDirector(AdmitDirector {
            director_id: id(number),
            member,
            incarnation,
            join_id: id(join).to_string(),
            facts: facts("h2"),
        })
    }

    fn run(state: &mut State, body: Body) -> Outcome {
        apply(state, &Command::new(5, "system", None, body))
    }

    fn state() -> State {
        let mut state = State {
            feature_level: FEATURE_LEVEL,
            ..State::default()
        };
        let first = Body::DescribeDirector(DescribeDirector {
            director_id: id(1),
            member: 10,
            facts: facts("h1"),
        });
        assert_eq!(run(&mut state, first.clone()), Outcome::Done);
        assert_eq!(run(&mut state, first), Outcome::Unchanged);
        state
    }

    fn code(outcome: Outcome) -> String {
        match outcome {
            Outcome::Refused(refusal) => refusal.code,
            other => panic!("not refused: {other:?}"),
        }
    }

    #[test]
    fn the_same_empty_disk_is_admitted_once_and_another_gets_another_member() {
        let mut state = state();
        assert_eq!(run(&mut state, admit(2, 20, 0, 7)), Outcome::Done);
        assert_eq!(run(&mut state, admit(2, 21, 1, 7)), Outcome::Unchanged);
        assert_eq!(state.directors[&id(2)].member, 20);
        // A disk that was lost: the old number is never given again.
        assert_eq!(code(run(&mut state, admit(2, 20, 1, 8))), codes::DIRECTOR);
        assert_eq!(code(run(&mut state, admit(2, 21, 0, 8))), codes::DIRECTOR);
        assert_eq!(run(&mut state, admit(2, 21, 1, 8)), Outcome::Done);
        let record = &state.directors[&id(2)];
        assert_eq!(
            (record.member, record.incarnation, record.version),
            (21, 1, 2)
        );
    }

    #[test]
    fn who_was_removed_does_not_come_back() {
        let mut state = state();
        run(&mut state, admit(2, 20, 0, 7));
        let remove = Body::RemoveDirector(RemoveDirector { director_id: id(2) });
        assert_eq!(run(&mut state, remove.clone()), Outcome::Done);
        assert_eq!(code(run(&mut state, remove)), codes::NOT_FOUND);
        let refused = run(&mut state, admit(2, 21, 1, 8));
        assert_eq!(code(refused), codes::DIRECTOR_REMOVED);
    }

    #[test]
    fn an_older_director_is_not_admitted() {
        let mut state = state();
        let mut body = facts("h3");
        body.feature_level = FEATURE_LEVEL - 1;
        let refused = check_admission(&state, id(3).as_str(), id(9).as_str(), &body);
        assert_eq!(refused.unwrap_err().code, codes::FEATURE_LEVEL);
        state.feature_level = DIRECTORS_LEVEL - 1;
        let refused = run(&mut state, admit(3, 30, 0, 9));
        assert_eq!(code(refused), codes::FEATURE_LEVEL);
    }

    #[test]
    fn what_a_director_says_of_itself_is_checked_field_by_field() {
        type Spoil = fn(&mut DirectorFacts);
        let cases: [(&str, Spoil); 3] = [
            ("host", |facts| facts.host.clear()),
            ("zone", |facts| facts.zone = "a b".into()),
            ("internal_address", |facts| {
                facts.internal_address = "x".repeat(NAME_BYTES + 1);
            }),
        ];
        for (field, spoil) in cases {
            let mut facts = facts("h");
            spoil(&mut facts);
            assert_eq!(check_facts(&facts).unwrap_err().field, field);
        }
    }
}
