// Rows with figures; the first figure also as a bar, so that rows are compared at a glance.

import { SYSTEM } from '../../../api/monitor';
import { type MessageKey, useI18n } from '../../../i18n/i18n';
import { type Column, Rows } from '../../../shared/list/Rows';
import { ContainerLink, HostLink } from '../../../shared/names/links';
import { beforeOf, type Frame, labelOf, type Row, tableOf } from '../frame';
import { useLevelMark } from './FigurePanel';
import { levelOf, numberOf } from './options';
import type { RendererProps } from './renderer';
import { useWords, wordsOf } from './value';

/** What is known by a name of its own. */
const FIELD_WORDS: Record<string, MessageKey | undefined> = {
  'host.name': 'host',
  'container.name': 'container',
  'service.name': 'application',
  'wharf.deployment.name': 'deployment',
  'wharf.instance.name': 'instance',
};

export function TablePanel({ panel, title, frame, deployment }: RendererProps) {
  const { t, locale } = useI18n();
  const mark = useLevelMark();
  const unit = panel.unit ?? 'count';
  if (frame?.over === 'time') return <TimeTable {...{ panel, title, frame }} />;
  const rows = frame?.rows ?? [];
  const splits = panel.split ?? [];
  const most = Math.max(...rows.map((row) => numberOf(row.values[0]) ?? 0), 0);
  const cell = (field: string, at: number, row: Row) => {
    const key = row.keys[at] ?? '';
    if (deployment !== SYSTEM) return key;
    if (field === 'host.name') return <HostLink host={key} />;
    const host = row.keys[splits.indexOf('host.name')];
    if (field === 'container.name' && host) return <ContainerLink host={host} name={key} />;
    return <span title={key}>{key}</span>;
  };
  const columns: Column<Row>[] = splits.map((field, at) => ({
    id: field,
    head: FIELD_WORDS[field] ? t(FIELD_WORDS[field]) : field,
    cell: (row) => cell(field, at, row),
  }));
  for (const [at, metric] of (panel.metrics ?? []).entries()) {
    columns.push({
      id: `m${at}`,
      head: labelOf(metric),
      right: at > 0,
      cell: (row) => {
        const value = row.values[at] ?? null;
        const number = numberOf(value);
        const text = typeof value === 'string' ? value : wordsOf(number, metric.unit ?? unit, locale);
        if (at > 0) return text;
        const level = levelOf(number, panel.limits);
        return (
          <div className="usage">
            {most > 0 && number !== null ? (
              <span className={`bar ${level ?? ''}`} aria-hidden="true">
                <span style={{ width: `${Math.max(0, (number / most) * 100)}%` }} />
              </span>
            ) : null}
            <span className="figure">{text}</span>
            {mark(level)}
          </div>
        );
      },
    });
  }
  // The panel itself is called by its title already.
  const label = t('dashboards.table', { title });
  return <Rows label={label} columns={columns} rows={rows} rowKey={(row) => row.id} />;
}

function TimeTable({
  panel,
  title,
  frame,
}: Pick<RendererProps, 'panel' | 'title'> & { frame: Extract<Frame, { over: 'time' }> }) {
  const { t } = useI18n();
  const words = useWords(panel.unit);
  const { heads, rows } = tableOf(panel, frame);
  const earlier = frame.series.map((one) => beforeOf(one, frame.bucketMs));
  const msOf = (row: (typeof rows)[number]) => Date.parse(String(row[0]));
  const columns: Column<(typeof rows)[number]>[] = heads.map((head, at) => ({
    id: `${at}`,
    head: at === 0 ? t('chart.time') : head,
    right: at > 0,
    tight: at === 0,
    cell: (row) => {
      if (at === 0) return words.time(msOf(row));
      const value = numberOf(row[at] ?? null);
      const before = earlier[at - 1];
      return (
        <>
          {words.value(value)}
          {before ? <div className="quiet">{words.before(value, before.get(msOf(row)) ?? null)}</div> : null}
        </>
      );
    },
  }));
  return (
    <Rows
      label={t('dashboards.table', { title })}
      columns={columns}
      rows={rows}
      rowKey={(row) => String(row[0])}
    />
  );
}
