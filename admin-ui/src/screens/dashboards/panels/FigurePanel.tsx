// Big numbers: each with its course over the span, and how it has changed.
import { useI18n } from '../../../i18n/i18n';
import { deltaText } from '../../../shared/chart/axis';
import { deltaOf } from '../../../shared/chart/frame';
import type { Point } from '../../../shared/search/build';
import { Mark } from '../../../shared/status/Mark';
import type { Metric, Panel } from '../document';
import { type Cell, labelOf, type Row } from '../frame';
import { type Level, levelOf, numberOf } from './options';
import type { RendererProps } from './renderer';
import { wordsOf } from './value';

const WIDE = 100;
const HIGH = 28;

/** The course as a path in a box of its own; nothing for fewer than two values. */
export function sparkOf(points: readonly Point[]): string | undefined {
  const known = points.flatMap(([ms, value]) => (value === null ? [] : [[ms, value] as const]));
  const [first] = known;
  const last = known.at(-1);
  if (!first || !last || known.length < 2) return undefined;
  const values = known.map(([, value]) => value);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const high = most - least || 1;
  return known
    .map(([ms, value], at) => {
      const x = ((ms - first[0]) / (last[0] - first[0])) * WIDE;
      const y = most === least ? HIGH / 2 : 1 + (1 - (value - least) / high) * (HIGH - 2);
      return `${at === 0 ? 'M' : 'L'}${x.toFixed(1)} ${y.toFixed(1)}`;
    })
    .join('');
}

export function useLevelMark(): (level: Level | undefined) => React.ReactNode {
  const { t } = useI18n();
  return (level) => {
    if (level === 'bad') return <Mark tone="bad" word={t('dashboards.level.bad')} />;
    if (level === 'warn') return <Mark tone="warn" word={t('dashboards.level.warn')} />;
    return null;
  };
}

function Figure({ panel, row, metric, at }: { panel: Panel; row: Row; metric: Metric; at: number }) {
  const { locale } = useI18n();
  const mark = useLevelMark();
  const value: Cell = row.values[at] ?? null;
  const before = row.previous?.[at];
  const delta = deltaOf(numberOf(value), numberOf(before));
  const unit = metric.unit ?? panel.unit ?? 'count';
  const text = typeof value === 'string' ? value : wordsOf(value, unit, locale);
  const spark = sparkOf(row.trend?.[at] ?? []);
  const many = (panel.metrics?.length ?? 0) > 1;
  const name = [row.keys.join(' · '), many || metric.label ? labelOf(metric) : '']
    .filter(Boolean)
    .join(' · ');
  return (
    <div className="figure-one">
      {name ? <div className="quiet">{name}</div> : null}
      <div className="figure-value">
        <strong>{text}</strong>
        {mark(levelOf(numberOf(value), panel.limits))}
      </div>
      {delta !== null ? (
        <div className="quiet">
          {deltaText(delta, locale)} ({wordsOf(numberOf(before), unit, locale)})
        </div>
      ) : null}
      {spark ? (
        <svg className="spark" viewBox={`0 0 ${WIDE} ${HIGH}`} preserveAspectRatio="none" aria-hidden="true">
          <path d={spark} />
        </svg>
      ) : null}
    </div>
  );
}

export function FigurePanel({ panel, frame }: RendererProps) {
  const rows = frame?.over === 'rows' ? frame.rows : [];
  return (
    <div className="figures">
      {rows.flatMap((row) =>
        (panel.metrics ?? []).map((metric, at) => (
          <Figure key={`${row.id} ${labelOf(metric)}`} panel={panel} row={row} metric={metric} at={at} />
        )),
      )}
    </div>
  );
}
