// Pie, treemap, heat map, gauge: those that ECharts draws, each with the keys' cursor.
import { useMemo } from 'react';
import { useT } from '../../../i18n/i18n';
import { looksOf } from '../../../shared/chart/colours';
import { useLook } from '../../../shared/chart/use-look';
import { ChartCursor } from '../../../shared/echart/ChartCursor';
import type { Datum } from '../../../shared/echart/cursor';
import { EChart } from '../../../shared/echart/EChart';
import type { Row, Series } from '../frame';
import { useLevelMark } from './FigurePanel';
import { heatData, heatmapOption, heatOf, spanOf, TOP } from './heatmap';
import {
  gaugeOption,
  levelOf,
  numberOf,
  pieData,
  pieOption,
  shaded,
  treeData,
  treemapOption,
  treeOf,
} from './options';
import type { RendererProps } from './renderer';
import { useWords } from './value';

const HEAD = 36;
const NAME = 22;
export const MOST_GAUGES = 6;
/** From the seventh on `looksOf` gives dashes, which areas do not have. */
const COLOURS = 6;
const PIE = 150;
/** More are not named; the keys go to all of them. */
const MOST_NAMED = 10;

type Of = Pick<RendererProps, 'panel' | 'title'> & { height: number };
type OfRows = Of & { rows: readonly Row[] };

function Gauge({ panel, title, row, height, chosen }: Of & { row: Row; chosen: boolean }) {
  const words = useWords(panel.unit);
  const mark = useLevelMark();
  const option = useMemo(() => gaugeOption(panel, row, words), [panel, row, words]);
  const value = numberOf(row.values[0]);
  return (
    <div className={chosen ? 'gauge chosen' : 'gauge'}>
      <EChart option={option} label={`${title}: ${row.label} ${words.value(value)}`} height={height} />
      <div className="gauge-name">
        {row.keys.length > 0 ? <span>{row.label}</span> : null} {mark(levelOf(value, panel.limits))}
      </div>
    </div>
  );
}

/** Each gauge is a chart with one value: the keys go from gauge to gauge, which stands out as a whole. */
function Gauges({ panel, title, rows, height }: OfRows) {
  const words = useWords(panel.unit);
  const t = useT();
  const shown = rows.slice(0, MOST_GAUGES);
  const data = shown.map((row, index): Datum => {
    const value = numberOf(row.values[0]);
    const level = levelOf(value, panel.limits);
    const bad = level === 'bad' ? t('dashboards.level.bad') : '';
    const warn = level === 'warn' ? t('dashboards.level.warn') : '';
    const told = () => [`${row.label}: ${words.value(value)}`, bad || warn].filter(Boolean).join(', ');
    return { key: row.id, told, index };
  });
  return (
    <ChartCursor className="gauges" title={title} data={data}>
      {({ datum }) =>
        shown.map((row) => (
          <Gauge
            key={row.id}
            panel={panel}
            title={title}
            row={row}
            height={height - NAME}
            chosen={datum?.key === row.id}
          />
        ))
      }
    </ChartCursor>
  );
}

/** By the colours that the same things have on other charts. */
function useColours(ids: string): (id: string) => string {
  const look = useLook();
  return useMemo(() => {
    const looks = looksOf(JSON.parse(ids) as string[], look);
    return (id: string) => {
      const { colour = '#888888', slot = 0 } = looks.get(id) ?? {};
      return shaded(colour, Math.floor(slot / COLOURS), look);
    };
  }, [ids, look]);
}

function named(rows: readonly Row[], value: (value: number | null) => string): string {
  const names = rows.map((row) => `${row.label} ${value(numberOf(row.values[0]))}`);
  return names.slice(0, MOST_NAMED).join(', ');
}

function Pie({ panel, title, rows, height }: OfRows) {
  const words = useWords(panel.unit);
  const colours = useColours(JSON.stringify(rows.map((row) => row.id)));
  const option = useMemo(() => pieOption(rows, colours, words), [rows, colours, words]);
  const data = useMemo(() => pieData(rows, words), [rows, words]);
  return (
    <div className="pie">
      <ChartCursor title={title} data={data}>
        {({ datum }) => (
          <EChart
            option={option}
            label={`${title}: ${named(rows, words.value)}`}
            height={Math.min(height, PIE)}
            at={datum?.index}
          />
        )}
      </ChartCursor>
      <ul className="pie-legend">
        {rows.map((row) => (
          <li key={row.id} title={row.label}>
            <svg width="10" height="10" aria-hidden="true">
              <rect width="10" height="10" rx="2" fill={colours(row.id)} />
            </svg>
            <span>{row.label}</span>
            <strong>{words.value(numberOf(row.values[0]))}</strong>
          </li>
        ))}
      </ul>
    </div>
  );
}

function Treemap({ panel, title, rows, height }: OfRows) {
  const words = useWords(panel.unit);
  const colours = useColours(JSON.stringify(rows.flatMap((row) => row.keys)));
  const tree = useMemo(() => treeOf(rows, colours), [rows, colours]);
  const option = useMemo(() => treemapOption(tree, words), [tree, words]);
  const data = useMemo(() => treeData(tree, words), [tree, words]);
  return (
    <ChartCursor title={title} data={data}>
      {({ datum }) => (
        <EChart
          option={option}
          label={`${title}: ${named(rows, words.value)}`}
          height={height}
          at={datum?.index}
        />
      )}
    </ChartCursor>
  );
}

interface HeatMapProps extends Of, Pick<RendererProps, 'range'> {
  series: readonly Series[];
  bucketMs: number;
}

function HeatMap({ panel, title, series, bucketMs, range, height }: HeatMapProps) {
  const words = useWords(panel.unit);
  const heat = useMemo(() => heatOf(series, bucketMs), [series, bucketMs]);
  const option = useMemo(() => heatmapOption(heat, words), [heat, words]);
  const data = useMemo(() => heatData(heat, words), [heat, words]);
  const zoom = (from: number, to: number) => range.zoom(...spanOf(heat, bucketMs, from, to));
  return (
    <ChartCursor title={title} data={data} onSpan={zoom}>
      {({ datum, marked }) => (
        <EChart
          option={option}
          label={`${title}: ${heat.names.slice(0, MOST_NAMED).join(', ')}`}
          height={height}
          at={datum?.index}
          columns={{
            count: heat.times.length,
            rows: heat.names.length,
            top: TOP,
            marked,
            onSpan: zoom,
            onBack: range.back,
          }}
        />
      )}
    </ChartCursor>
  );
}

export function EPanel({ panel, title, frame, range, height }: RendererProps) {
  if (!frame) return null;
  const shown = { panel, title, height: height - HEAD };
  if (frame.over === 'time') {
    return <HeatMap {...shown} series={frame.series} bucketMs={frame.bucketMs} range={range} />;
  }
  if (panel.kind === 'gauge') return <Gauges {...shown} rows={frame.rows} />;
  return panel.kind === 'treemap' ? (
    <Treemap {...shown} rows={frame.rows} />
  ) : (
    <Pie {...shown} rows={frame.rows} />
  );
}
