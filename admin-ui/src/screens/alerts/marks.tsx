// The words and tones of the states of alerts, runs and messages.

import { timestampMs } from '@bufbuild/protobuf/wkt';
import { type Alert, AlertState } from '../../generated/wharf/monitor/v1/alerts_pb';
import {
  Comparison,
  DeliveryState,
  GroupState,
  Missing,
  Origin,
  RunCause,
  RunOutcome,
  Severity,
} from '../../generated/wharf/monitor/v1/watches_pb';
import { type MessageKey, useT } from '../../i18n/i18n';
import { Mark, type Tone } from '../../shared/status/Mark';

type Words = readonly [Tone, MessageKey];

export const SEVERITIES: Record<Severity, Words> = {
  [Severity.UNSPECIFIED]: ['warn', 'alerts.severity.warning'],
  [Severity.INFO]: ['wait', 'alerts.severity.info'],
  [Severity.WARNING]: ['warn', 'alerts.severity.warning'],
  [Severity.CRITICAL]: ['bad', 'alerts.severity.critical'],
};

const STATES: Record<AlertState, Words> = {
  [AlertState.UNSPECIFIED]: ['off', 'health.unknown'],
  [AlertState.FIRING]: ['bad', 'alerts.state.firing'],
  [AlertState.ACKNOWLEDGED]: ['warn', 'alerts.state.acknowledged'],
  [AlertState.RECOVERED]: ['good', 'alerts.state.recovered'],
};

const OUTCOMES: Record<RunOutcome, Words> = {
  [RunOutcome.UNSPECIFIED]: ['wait', 'alerts.outcome.none'],
  [RunOutcome.OK]: ['good', 'alerts.outcome.ok'],
  [RunOutcome.FIRING]: ['bad', 'alerts.outcome.firing'],
  [RunOutcome.ERROR]: ['warn', 'alerts.outcome.error'],
};

const GROUPS: Record<GroupState, Words> = {
  [GroupState.UNSPECIFIED]: ['off', 'health.unknown'],
  [GroupState.OK]: ['good', 'alerts.outcome.ok'],
  [GroupState.FIRING]: ['bad', 'alerts.outcome.firing'],
  [GroupState.UNKNOWN]: ['off', 'alerts.group.unknown'],
};

const DELIVERIES: Record<DeliveryState, Words> = {
  [DeliveryState.UNSPECIFIED]: ['off', 'health.unknown'],
  [DeliveryState.SENT]: ['good', 'alerts.delivery.sent'],
  [DeliveryState.WAITING]: ['wait', 'alerts.delivery.waiting'],
  [DeliveryState.FAILED]: ['bad', 'alerts.delivery.failed'],
  [DeliveryState.HELD]: ['off', 'alerts.delivery.held'],
  [DeliveryState.WOULD_SEND]: ['wait', 'alerts.delivery.would'],
};

export const CAUSES: Record<RunCause, MessageKey> = {
  [RunCause.UNSPECIFIED]: 'health.unknown',
  [RunCause.SCHEDULE]: 'alerts.cause.schedule',
  [RunCause.CATCH_UP]: 'alerts.cause.catchUp',
  [RunCause.MANUAL]: 'alerts.cause.manual',
  [RunCause.TEST]: 'alerts.cause.test',
};

export const ORIGINS: Record<Origin, MessageKey> = {
  [Origin.UNSPECIFIED]: 'health.unknown',
  [Origin.SHIPPED]: 'alerts.origin.shipped',
  [Origin.OVERRIDDEN]: 'alerts.origin.overridden',
  [Origin.OWN]: 'alerts.origin.own',
};

export const SIGNS: Record<Comparison, string> = {
  [Comparison.UNSPECIFIED]: '',
  [Comparison.GT]: '>',
  [Comparison.GTE]: '≥',
  [Comparison.LT]: '<',
  [Comparison.LTE]: '≤',
  [Comparison.EQ]: '=',
  [Comparison.NE]: '≠',
};

export const MISSINGS: Record<Exclude<Missing, Missing.UNSPECIFIED>, MessageKey> = {
  [Missing.ERROR]: 'alerts.missing.error',
  [Missing.OK]: 'alerts.missing.ok',
  [Missing.FIRE]: 'alerts.missing.fire',
};

function Worded({ words }: { words: Words }) {
  const t = useT();
  return <Mark tone={words[0]} word={t(words[1])} />;
}

export function SeverityMark({ severity }: { severity: Severity }) {
  return <Worded words={SEVERITIES[severity]} />;
}
export function OutcomeMark({ outcome }: { outcome: RunOutcome }) {
  return <Worded words={OUTCOMES[outcome]} />;
}
export function GroupMark({ state }: { state: GroupState }) {
  return <Worded words={GROUPS[state]} />;
}
export function DeliveryMark({ state }: { state: DeliveryState }) {
  return <Worded words={DELIVERIES[state]} />;
}

export function isSilenced(alert: Pick<Alert, 'silencedUntil'>, now: number): boolean {
  return alert.silencedUntil !== undefined && timestampMs(alert.silencedUntil) > now;
}

export function AlertMark({ alert, now }: { alert: Alert; now: number }) {
  const t = useT();
  const [tone, word] = STATES[alert.state];
  return (
    <span className="alert-mark">
      <Mark tone={tone} word={t(word)} />
      {isSilenced(alert, now) ? <Mark tone="off" word={t('alerts.silenced')} /> : null}
    </span>
  );
}
