// One alert: what is wrong, since when, what was said, who handles it, and the way to the lines behind.
import { FormSelect, FormSelectOption, TextInput } from '@patternfly/react-core';
import { type ReactNode, useState } from 'react';
import { Link } from 'react-router';
import { useMonitorCall } from '../../api/monitor';
import { useRights } from '../../api/session';
import { type Alert, AlertState, Alerts } from '../../generated/wharf/monitor/v1/alerts_pb';
import { Watches } from '../../generated/wharf/monitor/v1/watches_pb';
import { type MessageKey, useI18n, useT } from '../../i18n/i18n';
import { ActionButton } from '../../shared/ActionButton';
import { ApiRequest, ApiRequests, shownCall } from '../../shared/ApiRequest';
import { DataState } from '../../shared/DataState';
import { Facts } from '../../shared/Facts';
import { Flyout } from '../../shared/Flyout';
import { Refused } from '../../shared/Refused';
import { Age, Clock, useNow } from '../../shared/When';
import { AlertTimeline } from './AlertTimeline';
import { useHandle } from './api';
import { discoverPath, documentsBehind, linesBehind } from './evidence';
import { type Measured, measuredBy, thresholdText, valueText } from './figures';
import { AlertMark, isSilenced, SeverityMark } from './marks';
import { watchPath } from './paths';

const HOUR = 3_600_000;
const MINUTE = 60_000;

const SILENCES: { hours: number; label: MessageKey }[] = [
  { hours: 1, label: 'alerts.silence.1h' },
  { hours: 8, label: 'alerts.silence.8h' },
  { hours: 24, label: 'alerts.silence.24h' },
  { hours: 168, label: 'alerts.silence.7d' },
  { hours: 720, label: 'alerts.silence.30d' },
];

function Handle({ alert, deployment, now }: { alert: Alert; deployment: string; now: number }) {
  const t = useT();
  const rights = useRights();
  const [comment, setComment] = useState('');
  const [hours, setHours] = useState('1');
  const clear = () => setComment('');
  const acknowledge = useHandle(Alerts.method.acknowledgeAlert, clear);
  const silence = useHandle(Alerts.method.silenceAlert, clear);
  const unsilence = useHandle(Alerts.method.unsilenceAlert);
  const mayNot = rights.manages ? undefined : t('why.manager');
  const acknowledged = { id: alert.id, comment };
  const silenced = { id: alert.id, comment, durationMs: BigInt(Number(hours) * HOUR) };
  const ended = { id: alert.id };
  const isSilent = isSilenced(alert, now);
  const error = acknowledge.error ?? silence.error ?? unsilence.error;
  return (
    <section className="stack" aria-label={t('alerts.handle')}>
      <h3>{t('alerts.handle')}</h3>
      <TextInput
        id="alert-comment"
        aria-label={t('alerts.comment')}
        placeholder={t('alerts.comment.hint')}
        maxLength={1_000}
        value={comment}
        onChange={(_, value) => setComment(value)}
      />
      <div className="line">
        <ActionButton
          isLoading={acknowledge.isPending}
          whyNot={
            mayNot ??
            (alert.state === AlertState.FIRING
              ? undefined
              : alert.state === AlertState.ACKNOWLEDGED
                ? t('alerts.why.acknowledged')
                : t('alerts.why.recovered'))
          }
          onClick={() => acknowledge.mutate(acknowledged)}
        >
          {t('alerts.acknowledge')}
        </ActionButton>
        <span className="silence">
          <ActionButton
            variant="secondary"
            isLoading={silence.isPending}
            whyNot={mayNot}
            onClick={() => silence.mutate(silenced)}
          >
            {t('alerts.silence')}
          </ActionButton>
          <FormSelect
            aria-label={t('alerts.silence.for')}
            value={hours}
            onChange={(_, value) => setHours(value)}
          >
            {SILENCES.map((one) => (
              <FormSelectOption key={one.hours} value={String(one.hours)} label={t(one.label)} />
            ))}
          </FormSelect>
        </span>
        {isSilent ? (
          <ActionButton
            variant="secondary"
            isLoading={unsilence.isPending}
            whyNot={mayNot}
            onClick={() => unsilence.mutate(ended)}
          >
            {t('alerts.unsilence')}
          </ActionButton>
        ) : null}
        <ApiRequests
          plain
          of={t('alerts.handle')}
          calls={[
            shownCall(t('alerts.acknowledge'), {
              method: Alerts.method.acknowledgeAlert,
              input: acknowledged,
              deployment,
            }),
            shownCall(t('alerts.silence'), {
              method: Alerts.method.silenceAlert,
              input: silenced,
              deployment,
            }),
            ...(isSilent
              ? [
                  shownCall(t('alerts.unsilence'), {
                    method: Alerts.method.unsilenceAlert,
                    input: ended,
                    deployment,
                  }),
                ]
              : []),
          ]}
        />
      </div>
      <p className="quiet">{t('alerts.handle.about')}</p>
      {error ? <Refused error={error} /> : null}
    </section>
  );
}

function Known({ alert, now, measured }: { alert: Alert; now: number; measured: Measured }) {
  const { t, locale } = useI18n();
  const handled: [string, ReactNode][] = [];
  if (isSilenced(alert, now)) {
    handled.push([t('alerts.silencedUntil'), <Clock key="until" at={alert.silencedUntil} />]);
  }
  if (alert.handledBy) handled.push([t('alerts.handledBy'), alert.handledBy]);
  if (alert.comment) handled.push([t('alerts.comment'), alert.comment]);
  return (
    <Facts
      facts={[
        [t('state'), <AlertMark key="state" alert={alert} now={now} />],
        [t('alerts.severity'), <SeverityMark key="severity" severity={alert.severity} />],
        [t('alerts.value'), <strong key="value">{valueText(alert.value, measured, locale) || '–'}</strong>],
        [t('alerts.threshold'), thresholdText(alert.threshold, measured, locale) || '–'],
        ...alert.group.map((part): [string, string] => [
          t('alerts.group.part', { name: part.name }),
          part.value,
        ]),
        [
          t('alerts.since'),
          <span key="since">
            <Clock at={alert.since} /> (<Age at={alert.since} />)
          </span>,
        ],
        [t('alerts.lastFiring'), <Clock key="last" at={alert.lastFiringAt} />],
        [t('alerts.messages'), alert.messages],
        [t('alerts.lastMessage'), <Clock key="message" at={alert.lastMessageAt} />],
        ...handled,
      ]}
    />
  );
}

interface AlertFlyoutProps {
  id: string;
  deployment: string;
  onClose: () => void;
}

export function AlertFlyout({ id, deployment, onClose }: AlertFlyoutProps) {
  const t = useT();
  const now = useNow(MINUTE);
  const input = { id };
  const query = useMonitorCall(Alerts.method.getAlert, input, { deployment, every: 10_000 });
  const alert = query.data;
  const watch = useMonitorCall(
    Watches.method.getWatch,
    { name: alert?.watch ?? '' },
    { deployment, enabled: alert !== undefined },
  );
  const spec = watch.data?.spec;
  const lines = spec && alert ? linesBehind(spec, alert, now) : undefined;
  const documents = spec && alert ? documentsBehind(spec, alert, now) : undefined;
  const differs = lines && documents && lines.indices.join() !== documents.indices.join();
  return (
    <Flyout
      title={alert?.summary || t('alerts.one')}
      label={t('alerts.one')}
      onClose={onClose}
      actions={
        <>
          {lines ? (
            <Link className="pf-v6-c-button pf-m-primary" to={discoverPath(deployment, lines)}>
              {t('alerts.lines')}
            </Link>
          ) : null}
          {differs && documents ? (
            <Link className="pf-v6-c-button pf-m-secondary" to={discoverPath(deployment, documents)}>
              {t('alerts.documents')}
            </Link>
          ) : null}
          {alert ? (
            <Link to={watchPath(alert.watch, deployment)}>{t('alerts.watch.of', { name: alert.watch })}</Link>
          ) : null}
          <span className="spacer" />
          <ApiRequest plain method={Alerts.method.getAlert} input={input} deployment={deployment} />
        </>
      }
    >
      <DataState query={query} lines={8}>
        {(one) => (
          <>
            <Known alert={one} now={now} measured={measuredBy(spec)} />
            {documents && !documents.whole ? <p className="quiet">{t('alerts.lines.partly')}</p> : null}
            <Handle alert={one} deployment={deployment} now={now} />
            <AlertTimeline
              alert={one}
              deployment={deployment}
              windowMs={Number(spec?.search?.windowMs ?? 0n)}
              measured={measuredBy(spec)}
            />
          </>
        )}
      </DataState>
    </Flyout>
  );
}
