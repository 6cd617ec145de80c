//! What is seen of an instance that comes to lie elsewhere, and what follows from it. A stage begins
//! when what it needs was seen, not because the one before was ordered. Before the new place is told
//! to take over everything can be taken back and the old place has not noticed; afterwards there is
//! no way but forward. Not here: the stages themselves (`apply/relocation`).

use super::{
    restoring,
    step::{Look, Seen, describe, host_name, see_gone, see_healthy, see_start},
};
use crate::{
    command::InstanceChange,
    failure::{LEASE_MARGIN_MS, LEASE_MS},
    health::Graces,
    observe::{CopyObservation, CopyStage, Health, InstanceState},
    refusal::codes,
    size::mebibytes,
    state::{
        Claim, ClaimStage, InstanceBerth, InstanceRecord, MoveWish, PlanKind, PlanRecord, StepKind,
        StepRecord, StepStatus, Want,
    },
};

/// How long the old place sends requests on after every proxy knows of the new one.
pub const FORWARD_MS: u64 = 5_000;

/// What a plan wishes for an instance.
fn wish<'a>(plan: &'a PlanRecord, instance: &InstanceRecord) -> Option<&'a MoveWish> {
    plan.wanted
        .as_ref()?
        .moves
        .iter()
        .find(|wish| wish.instance_id == instance.id)
}

/// Whether the step begins by what is seen (`see`), not by what is changed with its beginning.
pub(super) fn begins_by_sight(
    plan: &PlanRecord,
    instance: &InstanceRecord,
    kind: StepKind,
) -> bool {
    plan.kind == PlanKind::Move
        && match kind {
            StepKind::Copy | StepKind::TakeOver | StepKind::Remove => true,
            StepKind::Start => is_lost(plan, instance),
            _ => false,
        }
}

/// Whether the host of an instance is not waited for.
pub(super) fn is_lost(plan: &PlanRecord, instance: &InstanceRecord) -> bool {
    plan.kind == PlanKind::Move && wish(plan, instance).is_some_and(|wish| wish.lost)
}

/// The instance as it is at its claimed place.
fn there(instance: &InstanceRecord, claim: &Claim) -> InstanceRecord {
    InstanceRecord {
        berth: claim.berth.clone(),
        size: claim.size,
        spec_hash: claim.spec_hash.clone(),
        claim: None,
        ..instance.clone()
    }
}

/// What is seen of a step of a move; none when it is like that of any plan.
pub(super) fn see(
    look: &Look<'_>,
    plan: &PlanRecord,
    step: &StepRecord,
    instance: &InstanceRecord,
    berth: &InstanceBerth,
) -> Option<Seen> {
    if plan.kind != PlanKind::Move {
        return None;
    }
    let claimed = instance
        .claim
        .as_ref()
        .and_then(|claim| Some((claim, claim.berth.as_ref()?)));
    let Some((claim, place)) = claimed else {
        return matches!(
            step.kind,
            StepKind::Copy | StepKind::TakeOver | StepKind::Remove
        )
        .then(|| Seen::Done("nothing is left to do".to_owned()));
    };
    let one = Relocation {
        look,
        plan,
        instance,
        berth,
        claim,
        place,
    };
    match step.kind {
        StepKind::Copy => Some(one.see_copy()),
        StepKind::TakeOver => Some(one.see_take_over()),
        StepKind::Remove => Some(one.see_left()),
        StepKind::Start if is_lost(plan, instance) => Some(one.see_substitute()),
        StepKind::Healthy if claim.stage == ClaimStage::Replacing => Some(one.see_succeeded(step)),
        _ => None,
    }
}

/// Whether nothing but waiting is left for a step, however long it takes: what it waits for is the
/// only place with the data, or there is no way back.
pub(super) fn is_patient(look: &Look<'_>, plan: &PlanRecord, step: &StepRecord) -> bool {
    let instance = step
        .instance_id
        .as_ref()
        .filter(|_| plan.kind == PlanKind::Move)
        .and_then(|id| look.state.instances.get(id));
    let Some((instance, claim)) = instance.and_then(|one| Some((one, one.claim.as_ref()?))) else {
        return false;
    };
    let source_away = instance
        .berth
        .as_ref()
        .is_some_and(|berth| !look.observed.connected(&berth.allocator_id));
    match claim.stage {
        ClaimStage::TakingOver | ClaimStage::Retiring => true,
        ClaimStage::Copying => source_away,
        // What is begun at all waits for its source too.
        ClaimStage::Held => matches!(step.kind, StepKind::Copy) && source_away,
        ClaimStage::Replacing | ClaimStage::Leaving => false,
    }
}

/// Whether an instance of a plan may serve from its new place already: the plan goes on with it,
/// whatever becomes of the others.
pub(super) fn goes_forward(look: &Look<'_>, plan: &PlanRecord) -> bool {
    let moves = plan.wanted.as_ref().map(|wanted| wanted.moves.as_slice());
    plan.kind == PlanKind::Move
        && moves
            .unwrap_or_default()
            .iter()
            .filter_map(|wish| look.state.instances.get(&wish.instance_id))
            .filter_map(|instance| instance.claim.as_ref())
            .any(|claim| claim.stage.past_return())
}

/// Since when the hosts of a move are there: what they were not there for cannot be blamed on a step.
pub(super) fn there_since_ms(look: &Look<'_>, step: &StepRecord) -> u64 {
    let instance = step
        .instance_id
        .as_ref()
        .and_then(|id| look.state.instances.get(id));
    let claimed = instance
        .and_then(|one| one.claim.as_ref())
        .and_then(|claim| claim.berth.as_ref());
    instance
        .and_then(|one| one.berth.as_ref())
        .into_iter()
        .chain(claimed)
        .filter_map(|berth| look.observed.allocators.get(&berth.allocator_id))
        .map(|seen| seen.since_ms)
        .max()
        .unwrap_or(0)
}

/// Bytes of an instance's data that have come to its claimed place, from a host or a repository.
pub(super) fn bytes_done(look: &Look<'_>, step: &StepRecord) -> u64 {
    let instance = step
        .instance_id
        .as_ref()
        .and_then(|id| look.state.instances.get(id));
    instance
        .and_then(|one| Some((one, one.claim.as_ref()?.berth.as_ref()?)))
        .and_then(|(one, place)| look.observed.instance(&place.allocator_id, &one.id))
        .map_or(0, |seen| {
            let copied = seen.copy.as_ref().map(|copy| copy.bytes_done);
            let restored = seen.restore.as_ref().map(|restore| restore.bytes_done);
            copied.or(restored).unwrap_or(0)
        })
}

/// The host that removes what it has of an instance, when it is silent for longer than it may be: it
/// is told when it comes back, and nobody waits for it.
pub(super) fn leaves_out_of_reach(look: &Look<'_>, instance: &InstanceRecord) -> bool {
    let place = instance
        .claim
        .as_ref()
        .filter(|claim| claim.stage == ClaimStage::Leaving)
        .and_then(|claim| claim.berth.as_ref());
    place.is_some_and(|place| {
        let silence = look
            .observed
            .allocator_silence_ms(&place.allocator_id, look.now_ms);
        silence.is_some_and(|silent| silent > Graces::of(look.state).allocator_ms)
    })
}

/// Why a plan that replaces what was lost is to be taken back: the original is there again before its
/// replacement is ready.
pub(super) fn original_is_back(look: &Look<'_>, plan: &PlanRecord) -> Option<String> {
    if plan.kind != PlanKind::Move || plan.undo_from.is_some() {
        return None;
    }
    let moves = &plan.wanted.as_ref()?.moves;
    moves.iter().filter(|wish| wish.lost).find_map(|wish| {
        let instance = look.state.instances.get(&wish.instance_id)?;
        let claim = instance.claim.as_ref()?;
        let berth = instance.berth.as_ref()?;
        if !matches!(claim.stage, ClaimStage::Held | ClaimStage::Replacing)
            || !look.observed.connected(&berth.allocator_id)
        {
            return None;
        }
        let seen = look.observed.instance(&berth.allocator_id, &instance.id)?;
        let stateless = look.state.is_stateless(instance);
        let well = seen.state == InstanceState::Running && seen.health == Health::Healthy;
        // Data is worth more than a start that is empty, well or not.
        (well || (!stateless && seen.data_present)).then(|| {
            format!(
                "{} is back with {}, whose replacement is not ready: it stays there",
                host_name(look, berth),
                instance.name
            )
        })
    })
}

/// How far a copy is, in words.
#[must_use]
pub fn progress(copy: &CopyObservation) -> String {
    let mut text = format!(
        "{} of {} are there, {}",
        mebibytes(copy.bytes_done),
        mebibytes(copy.bytes_total),
        match copy.stage {
            CopyStage::Unknown => "nothing is said of its stage",
            stage => stage.as_str(),
        }
    );
    if !copy.reason.is_empty() {
        text.push_str(": ");
        text.push_str(&copy.reason);
    }
    text
}

struct Relocation<'a> {
    look: &'a Look<'a>,
    plan: &'a PlanRecord,
    instance: &'a InstanceRecord,
    /// Where it lies.
    berth: &'a InstanceBerth,
    claim: &'a Claim,
    /// The claimed place.
    place: &'a InstanceBerth,
}

impl Relocation<'_> {
    fn id(&self) -> wharf_proto::ids::InstanceId {
        self.instance.id.clone()
    }

    fn from(&self) -> &str {
        host_name(self.look, self.berth)
    }

    fn to(&self) -> &str {
        host_name(self.look, self.place)
    }

    fn change(&self, change: InstanceChange, line: String) -> Seen {
        Seen::Change(vec![change], line)
    }

    /// What stands in the way at the old place, whose data is there and nowhere else.
    fn source_lacks(&self) -> Option<Seen> {
        let (name, from) = (&self.instance.name, self.from());
        if !self.look.observed.connected(&self.berth.allocator_id) {
            return Some(Seen::Waits(format!(
                "{from}, which is not connected; {name}'s data is there and nowhere else"
            )));
        }
        let seen = self
            .look
            .observed
            .instance(&self.berth.allocator_id, &self.instance.id);
        match seen {
            Some(seen) if seen.state == InstanceState::Running => None,
            Some(seen) => Some(Seen::Waits(format!(
                "{name} to run on {from}: {}",
                describe(seen)
            ))),
            None => Some(Seen::Waits(format!(
                "the allocator on {from} to report {name}"
            ))),
        }
    }

    /// What stands in the way at the new place before it has taken over: it fails the plan when it is
    /// silent for longer than it may be.
    fn target_lacks(&self) -> Option<Seen> {
        let to = self.to();
        let observed = self.look.observed;
        let silent_ms =
            observed.allocator_silence_ms(&self.place.allocator_id, self.look.now_ms)?;
        if silent_ms > Graces::of(self.look.state).allocator_ms {
            let seconds = silent_ms / 1000;
            return Some(Seen::Failed(
                codes::PLAN_COPY,
                format!(
                    "{to}, where {} was to go, has been silent for {seconds} s; it stays where it is",
                    self.instance.name
                ),
            ));
        }
        Some(Seen::Waits(format!(
            "the allocator on {to}, which is not connected"
        )))
    }

    /// Whether the new place still has what it was told to remove once.
    fn remains(&self) -> Option<Seen> {
        let to = self.to();
        let seen = self.look.observed.allocators.get(&self.place.allocator_id);
        let assigned = self
            .look
            .state
            .assignments
            .get(&self.place.allocator_id)
            .map_or(0, |assigned| assigned.generation);
        let Some(seen) = seen.filter(|seen| seen.reported && seen.reported_generation >= assigned)
        else {
            return Some(Seen::Waits(format!(
                "the allocator on {to} to take its assignment"
            )));
        };
        let left = seen.instances.get(&self.instance.id);
        left.is_some_and(|left| left.data_present || !left.container_id.is_empty())
            .then(|| {
                Seen::Waits(format!(
                    "{to} to remove what it had of {} before",
                    self.instance.name
                ))
            })
    }

    fn see_copy(&self) -> Seen {
        if let Some(lacks) = self.target_lacks() {
            return lacks;
        }
        match self.claim.stage {
            ClaimStage::Held => {
                if let Some(lacks) = self.source_lacks().or_else(|| self.remains()) {
                    return lacks;
                }
                return self.change(
                    InstanceChange::Copy {
                        instance_id: self.id(),
                    },
                    format!(
                        "told {} to bring the data over from {}",
                        self.to(),
                        self.from()
                    ),
                );
            }
            ClaimStage::Copying => {}
            _ => return Seen::Done("the copy is over".to_owned()),
        }
        let target = there(self.instance, self.claim);
        match see_start(self.look, &target, self.place) {
            Seen::Done(_) => {}
            other => return other,
        }
        let seen = self
            .look
            .observed
            .instance(&self.place.allocator_id, &self.instance.id);
        match seen.and_then(|seen| seen.copy.as_ref()) {
            Some(copy) if copy.stage == CopyStage::Failed => Seen::Failed(
                codes::PLAN_COPY,
                format!("{} cannot copy: {}", self.to(), progress(copy)),
            ),
            Some(copy) if matches!(copy.stage, CopyStage::Ready | CopyStage::Serving) => {
                Seen::Done(format!("{}: {}", self.to(), progress(copy)))
            }
            copy => self.source_lacks().unwrap_or_else(|| {
                Seen::Waits(match copy {
                    Some(copy) => format!("the copy on {}: {}", self.to(), progress(copy)),
                    None => format!("the copy on {} to begin", self.to()),
                })
            }),
        }
    }

    fn see_take_over(&self) -> Seen {
        let to = self.to();
        let seen = self
            .look
            .observed
            .instance(&self.place.allocator_id, &self.instance.id);
        let copy = seen.and_then(|seen| seen.copy.as_ref());
        match self.claim.stage {
            ClaimStage::Held | ClaimStage::Copying => {
                if let Some(lacks) = self.target_lacks().or_else(|| self.source_lacks()) {
                    return lacks;
                }
                return match copy {
                    Some(copy) if copy.stage == CopyStage::Ready => self.change(
                        InstanceChange::TakeOver {
                            instance_id: self.id(),
                        },
                        format!("told {to} to take over"),
                    ),
                    Some(copy) if copy.stage == CopyStage::Failed => Seen::Failed(
                        codes::PLAN_COPY,
                        format!("{to} cannot copy: {}", progress(copy)),
                    ),
                    Some(copy) => Seen::Waits(format!("the copy on {to}: {}", progress(copy))),
                    None => Seen::Waits(format!("the copy on {to} to be told of")),
                };
            }
            ClaimStage::TakingOver => {}
            ClaimStage::Replacing | ClaimStage::Retiring | ClaimStage::Leaving => {
                return Seen::Done(format!("it lies on {}", self.from()));
            }
        }
        if !self.look.observed.connected(&self.place.allocator_id) {
            return Seen::Waits(format!(
                "{to}, which is not connected; it may have taken over already. When it is lost for good: `wharf allocator remove {to} --lost`"
            ));
        }
        let Some(copy) = copy else {
            return Seen::Waits(format!("{to} to tell how far the switch is"));
        };
        let well = seen.is_some_and(|seen| {
            seen.state == InstanceState::Running && seen.health == Health::Healthy
        });
        if copy.stage == CopyStage::Serving && well {
            return self.change(
                InstanceChange::Arrive {
                    instance_id: self.id(),
                    restored: None,
                },
                format!(
                    "{to} serves, {} has given up; writes were held back for {} ms",
                    self.from(),
                    copy.pause_ms
                ),
            );
        }
        if copy.stage != CopyStage::Serving
            && let Some(lacks) = self.source_lacks()
        {
            return lacks;
        }
        Seen::Waits(format!("{to} to take over: {}", progress(copy)))
    }

    /// The place that is to be left: the old one after the exchange, the new one when what was begun is
    /// taken back.
    fn see_left(&self) -> Seen {
        let leaving = self.to();
        match self.claim.stage {
            ClaimStage::Held => return Seen::Done("nothing was begun there".to_owned()),
            ClaimStage::Copying | ClaimStage::Replacing => {
                return self.change(
                    InstanceChange::Vacate {
                        instance_id: self.id(),
                    },
                    format!("told {leaving} to remove what was brought there"),
                );
            }
            ClaimStage::TakingOver => {
                return Seen::Waits(format!("{leaving} to take over"));
            }
            ClaimStage::Retiring => return self.see_retired(),
            ClaimStage::Leaving => {}
        }
        let gone = InstanceRecord {
            want: Want::Remove,
            ..there(self.instance, self.claim)
        };
        see_gone(self.look, &gone, self.place, StepKind::Remove)
    }

    /// The old place leaves when every proxy has sent its requests elsewhere for a while and the new
    /// place is seen to serve.
    fn see_retired(&self) -> Seen {
        let (name, here) = (&self.instance.name, self.from());
        let seen = self
            .look
            .observed
            .instance(&self.berth.allocator_id, &self.instance.id);
        let serves = self.look.observed.connected(&self.berth.allocator_id)
            && seen.is_some_and(|seen| {
                seen.state == InstanceState::Running && seen.health == Health::Healthy
            });
        if !serves {
            return Seen::Waits(format!(
                "{name} to be seen well on {here}; until then {} keeps what it has",
                self.to()
            ));
        }
        let routed_ms = self
            .plan
            .steps
            .iter()
            .filter(|step| {
                step.kind == StepKind::Route
                    && step.status == StepStatus::Done
                    && step.instance_id.as_ref() == Some(&self.instance.id)
            })
            .map(|step| step.ended_ms)
            .max()
            .unwrap_or(0);
        if self.look.now_ms.saturating_sub(routed_ms) < FORWARD_MS {
            return Seen::Waits(format!(
                "requests under way, which {} sends on to {here}",
                self.to()
            ));
        }
        self.change(
            InstanceChange::Vacate {
                instance_id: self.id(),
            },
            format!("told {} to remove container and data", self.to()),
        )
    }

    fn see_substitute(&self) -> Seen {
        match self.claim.stage {
            ClaimStage::Held => {}
            ClaimStage::Replacing => {
                let target = there(self.instance, self.claim);
                return see_start(self.look, &target, self.place);
            }
            _ => return Seen::Done("it was replaced".to_owned()),
        }
        if !self.look.observed.connected(&self.place.allocator_id) {
            return Seen::Waits(format!(
                "the allocator on {}, which is not connected",
                self.to()
            ));
        }
        self.remains().unwrap_or_else(|| {
            self.change(
                InstanceChange::Substitute {
                    instance_id: self.id(),
                },
                format!(
                    "told {} to run it; {} is not waited for",
                    self.to(),
                    self.from()
                ),
            )
        })
    }

    /// The replacement is well. It takes writes once it has arrived, so a lease that the old place got last
    /// must have run out: none is given since the replacement was begun, none to who is silent.
    fn see_succeeded(&self, step: &StepRecord) -> Seen {
        let target = there(self.instance, self.claim);
        let waited_ms = self.look.now_ms.saturating_sub(step.started_ms);
        let silent_ms = self
            .look
            .observed
            .allocator_silence_ms(&self.berth.allocator_id, self.look.now_ms)
            .unwrap_or(0);
        let stateless = self.look.state.is_stateless(self.instance);
        if !stateless && waited_ms.max(silent_ms) < LEASE_MS + LEASE_MARGIN_MS {
            return Seen::Waits(format!(
                "the last lease of {} on {} to run out",
                self.instance.name,
                self.from()
            ));
        }
        let (instance, claim, place) = (self.instance, self.claim, self.place);
        if let Some(waits) = restoring::waits(self.look, instance, claim, place, self.to()) {
            return Seen::Waits(waits);
        }
        match see_healthy(self.look, &target, self.place) {
            Seen::Done(_) => self.change(
                InstanceChange::Arrive {
                    instance_id: self.id(),
                    restored: restoring::restored(self.look, instance, claim, place),
                },
                format!("{} is well on {}", self.instance.name, self.to()),
            ),
            other => other,
        }
    }
}
