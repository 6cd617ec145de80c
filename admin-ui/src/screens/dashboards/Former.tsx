// A former version of a dashboard: what has changed since, how it was drawn, and the way back to it.
import { Tab, TabContent, Tabs } from '@patternfly/react-core';
import { useMemo, useState } from 'react';
import { useNavigate } from 'react-router';
import { useRights } from '../../api/session';
import { type Dashboard, Dashboards as Service } from '../../generated/wharf/monitor/v1/dashboards_pb';
import { Origin } from '../../generated/wharf/monitor/v1/watches_pb';
import { useI18n, useT } from '../../i18n/i18n';
import { ActionButton } from '../../shared/ActionButton';
import { ApiRequest } from '../../shared/ApiRequest';
import { Confirm } from '../../shared/Confirm';
import { Empty } from '../../shared/Empty';
import { TimeRangePicker } from '../../shared/time/TimeRangePicker';
import { useTimeRange } from '../../shared/time/useTimeRange';
import { useSearchParams } from '../../shared/use-search-params';
import { Clock } from '../../shared/When';
import { Differences } from './Conflict';
import { asPutBack, useDeleteDashboard, usePutDashboard } from './changes';
import { folded, type Part, parts } from './compare';
import { readDocument, titleIn } from './document';
import type { Content } from './draft';
import { Grid, heightOf } from './Grid';
import { dashboardPath, Faults } from './NewDashboard';
import { DIFFERENCE_WORDS } from './names';
import { PanelBox } from './PanelBox';
import { titled } from './query';
import { useChosen, Variables } from './Variables';

const SIGNS = { both: ' ', before: '−', after: '+' } as const;

function PartView({ part }: { part: Part }) {
  const t = useT();
  const name = part.panel ?? t('dashboards.diff.itself');
  return (
    <details open={part.what === 'changed'} className="part">
      <summary>
        <strong>{t(DIFFERENCE_WORDS[part.what])}</strong>: {name}
      </summary>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <section tabIndex={0} aria-label={t('dashboards.versions.lines', { name })}>
        <pre>
          {folded(part.lines).map((line, at) => (
            // Lines may be alike: their place is their name.
            // biome-ignore lint/suspicious/noArrayIndexKey: see above
            <span key={at} className={'in' in line ? `diff-line in-${line.in}` : 'diff-line left-out'}>
              {'in' in line
                ? `${SIGNS[line.in]} ${line.text}`
                : `⋯ ${t('dashboards.versions.leftOut', { count: line.leftOut })}`}
              {'\n'}
            </span>
          ))}
        </pre>
      </section>
    </details>
  );
}

function Changes({ former, present }: { former: Content; present: Content }) {
  const t = useT();
  const found = useMemo(() => parts(former, present), [former, present]);
  if (found.length === 0) return <p className="quiet versions-note">{t('dashboards.diff.none')}</p>;
  return (
    <div className="parts">
      <p className="quiet">{t('dashboards.versions.signs')}</p>
      {found.map((part) => (
        <PartView key={part.id} part={part} />
      ))}
    </div>
  );
}

function Drawn({ content, deployment }: { content: Content; deployment: string }) {
  const { t, language } = useI18n();
  const { document } = content;
  const defaults = { refresh: 0, ...(document.time ?? {}) };
  const range = useTimeRange(defaults);
  const chosen = useChosen(document.variables);
  const where = useMemo(() => ({ deployment, range, chosen }), [deployment, range, chosen]);
  if (document.panels.length === 0) return <Empty title={t('dashboards.empty')} />;
  const titleOf = (panel: (typeof document.panels)[number]) =>
    titled(titleIn(panel, language), chosen, t('list.all'));
  return (
    <div className="stack drawn">
      <div className="line">
        <TimeRangePicker defaults={defaults} />
        <Variables variables={document.variables} chosen={chosen} deployment={deployment} range={range} />
      </div>
      <Grid panels={document.panels} editing={false} titleOf={titleOf} onChange={() => {}}>
        {(panel) => (
          <PanelBox panel={panel} title={titleOf(panel)} where={where} height={heightOf(panel.at.h)} />
        )}
      </Grid>
    </div>
  );
}

function contentOf(of: Dashboard | undefined) {
  if (!of) return { faults: [] };
  const { document, faults } = readDocument(of.documentJson);
  if (!document) return { faults };
  return { content: { title: of.title, description: of.description, document }, faults };
}

interface FormerProps {
  name: string;
  deployment: string;
  former: Dashboard;
  /** None: the dashboard was deleted. */
  present: Dashboard | undefined;
  onConflict: () => void;
}

export function Former({ name, deployment, former, present, onConflict }: FormerProps) {
  const t = useT();
  const navigate = useNavigate();
  const rights = useRights();
  const [params, setParams] = useSearchParams();
  const [asked, setAsked] = useState(false);
  const { content, faults } = useMemo(() => contentOf(former), [former]);
  const now = useMemo(() => contentOf(present).content, [present]);
  const back = () => void navigate(dashboardPath(name, deployment));
  const put = usePutDashboard(deployment, back);
  const remove = useDeleteDashboard(deployment, back);
  const isShipped = former.origin === Origin.SHIPPED;
  const whyNot = !rights.manages
    ? t('why.manager')
    : present?.origin === Origin.SHIPPED
      ? t('dashboards.why.shipped')
      : undefined;
  // What the platform brings is in force again as soon as nothing stands in for it.
  const removal = { name, expectedVersion: present?.version ?? '' };
  const wish = asPutBack(name, former, present?.version ?? '', !present);
  const tabs = [
    ...(content && now ? [{ key: 'changes', label: t('dashboards.versions.changes') }] : []),
    { key: 'drawn', label: t('dashboards.versions.drawn') },
  ];
  const tab = tabs.find((one) => one.key === params.get('tab'))?.key ?? tabs[0]?.key ?? 'drawn';
  return (
    <section className="card former" aria-label={t('dashboards.versions.one')}>
      <header className="card-head">
        <h2>
          {isShipped ? (
            t('dashboards.origin.shipped')
          ) : (
            <>
              <Clock at={former.changedAt} />
              {former.changedBy ? ` · ${former.changedBy}` : null}
            </>
          )}
        </h2>
        <div className="actions">
          <ActionButton variant="primary" whyNot={whyNot} onClick={() => setAsked(true)}>
            {t('dashboards.versions.restore')}
          </ActionButton>
        </div>
      </header>
      <Tabs
        activeKey={tab}
        aria-label={t('dashboards.versions.one')}
        onSelect={(_, key) =>
          setParams(
            (before) => {
              const next = new URLSearchParams(before);
              next.set('tab', String(key));
              return next;
            },
            { replace: true },
          )
        }
      >
        {tabs.map((one) => (
          <Tab key={one.key} eventKey={one.key} title={one.label} tabContentId={`version-${one.key}`} />
        ))}
      </Tabs>
      <TabContent
        id={`version-${tab}`}
        aria-label={tabs.find((one) => one.key === tab)?.label}
        eventKey={tab}
        activeKey={tab}
        key={tab}
      >
        {!content ? (
          <Empty title={t('dashboards.unreadable')}>
            <Faults faults={faults} />
          </Empty>
        ) : tab === 'changes' && now ? (
          <Changes former={content} present={now} />
        ) : (
          <Drawn content={content} deployment={deployment} />
        )}
      </TabContent>
      {asked ? (
        <Confirm
          title={t('dashboards.versions.restore')}
          action={t('dashboards.versions.restore')}
          busy={put.isPending || remove.isPending}
          error={put.error ?? remove.error}
          extra={
            isShipped ? (
              <ApiRequest
                plain
                method={Service.method.deleteDashboard}
                input={removal}
                deployment={deployment}
              />
            ) : (
              <ApiRequest plain method={Service.method.putDashboard} input={wish} deployment={deployment} />
            )
          }
          onConfirm={() => (isShipped ? remove.mutate(removal) : put.mutate(wish))}
          onClose={() => {
            setAsked(false);
            if (put.error || remove.error) onConflict();
            put.reset();
            remove.reset();
          }}
        >
          <p>{t(present ? 'dashboards.versions.restore.about' : 'dashboards.versions.restore.deleted')}</p>
          {content && now ? <Differences of={parts(now, content)} /> : null}
        </Confirm>
      ) : null}
    </section>
  );
}
