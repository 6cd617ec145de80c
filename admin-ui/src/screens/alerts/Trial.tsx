// A watch tried out before it is kept: what it says now, and when it would have fired.
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { FormSelect, FormSelectOption } from '@patternfly/react-core';
import { useState } from 'react';
import { useMonitorChange } from '../../api/monitor';
import { useRights } from '../../api/session';
import { useFormat } from '../../format/use-format';
import {
  type PreviewWatchResponse,
  Watches,
  type WatchRun,
} from '../../generated/wharf/monitor/v1/watches_pb';
import { type MessageKey, useT } from '../../i18n/i18n';
import { ActionButton } from '../../shared/ActionButton';
import { ApiRequest } from '../../shared/ApiRequest';
import { Card } from '../../shared/Card';
import { Refused } from '../../shared/Refused';
import { Messages } from './AlertTimeline';
import type { Measured } from './figures';
import type { WatchGiven } from './given';
import { OutcomeMark } from './marks';
import { PreviewLanes } from './PreviewLanes';
import { RunGroups } from './RunGroups';

const HOUR = 3_600_000;
const SPANS: { hours: number; label: MessageKey }[] = [
  { hours: 1, label: 'alerts.preview.1h' },
  { hours: 6, label: 'alerts.preview.6h' },
  { hours: 24, label: 'alerts.preview.24h' },
  { hours: 168, label: 'alerts.preview.7d' },
];

interface TrialProps {
  given: WatchGiven;
  /** The same, as the command line takes it. */
  document: WatchGiven;
  measured: Measured;
  /** Why it cannot be asked yet. */
  fault: string | undefined;
  deployment: string;
}

function Tested({ run, measured }: { run: WatchRun; measured: Measured }) {
  const t = useT();
  const format = useFormat();
  return (
    <div className="stack" data-testid="tested">
      <div className="line">
        <OutcomeMark outcome={run.outcome} />
        <span className="quiet">
          {t('alerts.test.found', {
            hits: format.number(run.hits),
            groups: format.number(run.groupCount),
            duration: format.duration(Number(run.durationMs)),
          })}
        </span>
      </div>
      {run.error ? (
        <p className="bad-text" lang="en">
          {run.error}
        </p>
      ) : null}
      <RunGroups run={run} measured={measured} />
      <h3>{t('alerts.test.messages')}</h3>
      <Messages
        label={t('alerts.test.messages')}
        none={t('alerts.test.silent')}
        told={run.deliveries.map((delivery) => ({ run: delivery.alertId, delivery, times: 1 }))}
      />
    </div>
  );
}

interface Asked {
  from: number;
  to: number;
  answer: PreviewWatchResponse;
}

function Preview({ given, document, measured, fault, deployment }: TrialProps) {
  const t = useT();
  const rights = useRights();
  const [hours, setHours] = useState('24');
  const [asked, setAsked] = useState<Asked | null>(null);
  const preview = useMonitorChange(Watches.method.previewWatch, { deployment });
  const untilNow = () => {
    const to = Date.now();
    return { from: to - Number(hours) * HOUR, to };
  };
  const wish = (watch: WatchGiven, { from, to }: { from: number; to: number }) => ({
    watch: { watch },
    from: timestampFromMs(from),
    to: timestampFromMs(to),
  });
  const ask = () => {
    const span = untilNow();
    preview.mutate(wish(given, span), { onSuccess: (answer) => setAsked({ ...span, answer }) });
  };
  return (
    <Card
      title={t('alerts.preview')}
      actions={
        <>
          <FormSelect aria-label={t('span')} value={hours} onChange={(_, value) => setHours(value)}>
            {SPANS.map((one) => (
              <FormSelectOption key={one.hours} value={String(one.hours)} label={t(one.label)} />
            ))}
          </FormSelect>
          <ApiRequest
            plain
            of={t('alerts.preview')}
            method={Watches.method.previewWatch}
            input={wish(given, untilNow())}
            deployment={deployment}
            command={wish(document, untilNow())}
          />
          <ActionButton
            variant="secondary"
            size="sm"
            isLoading={preview.isPending}
            whyNot={rights.manages ? fault : t('why.manager')}
            onClick={ask}
          >
            {t('alerts.preview.go')}
          </ActionButton>
        </>
      }
    >
      {preview.error ? <Refused error={preview.error} retry={ask} /> : null}
      {asked ? (
        <PreviewLanes {...asked} measured={measured} />
      ) : preview.error ? null : (
        <p className="quiet">{preview.isPending ? t('alerts.preview.runs') : t('alerts.preview.about')}</p>
      )}
    </Card>
  );
}

export function Trial(props: TrialProps) {
  const t = useT();
  const rights = useRights();
  const test = useMonitorChange(Watches.method.testWatch, { deployment: props.deployment });
  const request = { watch: { watch: props.given } };
  return (
    <div className="stack trial">
      <Preview {...props} />
      <Card
        title={t('alerts.test')}
        actions={
          <>
            <ApiRequest
              plain
              of={t('alerts.test')}
              method={Watches.method.testWatch}
              input={request}
              deployment={props.deployment}
              command={{ watch: { watch: props.document } }}
            />
            <ActionButton
              variant="secondary"
              size="sm"
              isLoading={test.isPending}
              whyNot={rights.manages ? props.fault : t('why.manager')}
              onClick={() => test.mutate(request)}
            >
              {t('alerts.test.go')}
            </ActionButton>
          </>
        }
      >
        {test.error ? <Refused error={test.error} /> : null}
        {test.data ? (
          <Tested run={test.data} measured={props.measured} />
        ) : test.error ? null : (
          <p className="quiet">{t('alerts.test.about')}</p>
        )}
      </Card>
    </div>
  );
}
