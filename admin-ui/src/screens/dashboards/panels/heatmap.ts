// A heat map: moments by rows, its cells as ECharts draws them and as the keys go through them. Pure.
//
// What was before is told of a cell and in the table, and not drawn: colours of differences would hide the
// values themselves, and two maps in a panel would each have half of the room.
import type { EChartsCoreOption } from 'echarts/core';
import type { Datum } from '../../../shared/echart/cursor';
import type { Tokens } from '../../../shared/echart/tokens';
import { beforeOf, type Series } from '../frame';
import type { Words } from './options';

export interface HeatCell {
  column: number;
  row: number;
  value: number;
  /** Of the span that is compared with; nothing: it is not, or had no such row. */
  before: number | null | undefined;
}

export interface Heat {
  times: number[];
  /** Of the rows. */
  names: string[];
  cells: HeatCell[];
}

/** Pixels above the first row. */
export const TOP = 4;

// Viridis: even to the eye, and told apart without any colour.
const VIRIDIS = ['#440154', '#414487', '#2a788e', '#22a884', '#7ad151', '#fde725'];

export function heatOf(series: readonly Series[], bucketMs: number): Heat {
  const times = [...new Set(series.flatMap((one) => one.points.map(([ms]) => ms)))].sort((a, b) => a - b);
  const columns = new Map(times.map((ms, at) => [ms, at]));
  const cells: HeatCell[] = [];
  for (const [row, one] of series.entries()) {
    const before = beforeOf(one, bucketMs);
    for (const [ms, value] of one.points) {
      const column = columns.get(ms);
      if (value === null || column === undefined) continue;
      cells.push({ column, row, value, before: before ? (before.get(ms) ?? null) : undefined });
    }
  }
  return { times, names: series.map((one) => one.label), cells };
}

function parts({ times, names }: Heat, cell: HeatCell, words: Words) {
  return {
    name: names[cell.row] ?? '',
    time: words.time(times[cell.column] ?? 0),
    value: words.value(cell.value),
    before: cell.before === undefined ? [] : [words.before(cell.value, cell.before)],
  };
}

export function heatData(heat: Heat, words: Words): Datum[] {
  return heat.cells.map((cell, index) => ({
    key: `${heat.times[cell.column]} ${heat.names[cell.row]}`,
    told: () => {
      const { name, time, value, before } = parts(heat, cell, words);
      return [name, time, value, ...before].filter(Boolean).join(', ');
    },
    index,
    cell: { column: cell.column, row: cell.row },
  }));
}

/** Columns → the span that they are of; the last one whole. */
export function spanOf({ times }: Heat, bucketMs: number, from: number, to: number): [number, number] {
  const [first = 0, last = first] = [times[from], times[to]];
  return [first, last + bucketMs];
}

export function heatmapOption(heat: Heat, words: Words) {
  const { times, names, cells } = heat;
  let least = Number.POSITIVE_INFINITY;
  let most = Number.NEGATIVE_INFINITY;
  for (const { value } of cells) {
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  return (tokens: Tokens): EChartsCoreOption => ({
    tooltip: {
      formatter: ({ dataIndex }: { dataIndex: number }) => {
        const cell = cells[dataIndex];
        if (!cell) return '';
        const { name, time, value, before } = parts(heat, cell, words);
        return [name, `${time} · ${value}`, ...before].filter(Boolean).join('\n');
      },
    },
    grid: { left: 8, right: 12, top: TOP, bottom: 44, containLabel: true },
    xAxis: {
      type: 'category',
      data: times.map(words.time),
      axisLabel: { color: tokens.quiet, hideOverlap: true },
      axisLine: { show: false },
      axisTick: { show: false },
    },
    yAxis: {
      type: 'category',
      inverse: true,
      data: names,
      axisLabel: { color: tokens.quiet, width: 130, overflow: 'truncate' },
      axisLine: { show: false },
      axisTick: { show: false },
      splitLine: { show: true, lineStyle: { color: tokens.surface, width: 1 } },
      // Above the cells.
      z: 3,
    },
    visualMap: {
      min: Number.isFinite(least) ? Math.min(least, 0) : 0,
      max: Number.isFinite(most) && most > least ? most : (Number.isFinite(most) ? most : 0) + 1,
      orient: 'horizontal',
      left: 'center',
      bottom: 0,
      itemHeight: 120,
      itemWidth: 10,
      text: [
        words.value(Number.isFinite(most) ? most : null),
        words.value(Number.isFinite(least) ? Math.min(least, 0) : null),
      ],
      textStyle: { color: tokens.quiet },
      inRange: { color: VIRIDIS },
    },
    series: [
      {
        type: 'heatmap',
        data: cells.map(({ column, row, value }) => [column, row, value]),
        progressive: 0,
        // Lines between cells of two pixels would be half of what is seen of their colours.
        itemStyle: { borderWidth: 0 },
        // A lighter colour would be another value.
        emphasis: { itemStyle: { color: 'inherit', borderColor: tokens.text, borderWidth: 2 } },
      },
    ],
  });
}
