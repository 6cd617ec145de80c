// A frame → what ECharts draws of it. Pure: colours and words of values are arguments.
import type { EChartsCoreOption } from 'echarts/core';
import type { Tokens } from '../../../shared/echart/tokens';
import type { Limits, Panel } from '../document';
import type { Cell, Row, Series } from '../frame';

export interface Words {
  value: (value: number | null) => string;
  time: (ms: number) => string;
}

export type ColourOf = (id: string) => string;

// Viridis: even to the eye, and told apart without any colour.
const VIRIDIS = ['#440154', '#414487', '#2a788e', '#22a884', '#7ad151', '#fde725'];

export function numberOf(value: Cell | undefined): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

export type Level = 'good' | 'warn' | 'bad';

/** How bad a value is; nothing without limits. A `bad` below `warn` is of what should be much. */
export function levelOf(value: number | null, limits: Limits | undefined): Level | undefined {
  if (value === null || !limits || (limits.warn === undefined && limits.bad === undefined)) return undefined;
  const falls = limits.warn !== undefined && limits.bad !== undefined && limits.bad < limits.warn;
  const past = (limit: number | undefined) =>
    limit !== undefined && (falls ? value <= limit : value >= limit);
  if (past(limits.bad)) return 'bad';
  return past(limits.warn) ? 'warn' : 'good';
}

export function pieOption(rows: readonly Row[], colours: ColourOf, words: Words) {
  return (tokens: Tokens): EChartsCoreOption => ({
    tooltip: {
      trigger: 'item',
      formatter: (one: { name: string; value: number; percent: number }) =>
        `${one.name}\n${words.value(one.value)} · ${one.percent} %`,
    },
    series: [
      {
        type: 'pie',
        radius: ['54%', '90%'],
        center: ['50%', '50%'],
        avoidLabelOverlap: true,
        itemStyle: { borderColor: tokens.surface, borderWidth: 2 },
        label: { show: false },
        labelLine: { show: false },
        data: rows.flatMap((row) => {
          const value = numberOf(row.values[0]);
          return value === null || value <= 0
            ? []
            : [{ name: row.label, value, itemStyle: { color: colours(row.id) } }];
        }),
      },
    ],
  });
}

interface Leaf {
  name: string;
  value: number;
  itemStyle?: { color: string };
  children?: Leaf[];
}

/** One level per field of the split; within a single root, colours tell the leaves apart. */
export function treeOf(rows: readonly Row[], colours: ColourOf): Leaf[] {
  const roots = new Map<string, Leaf>();
  for (const row of rows) {
    const value = numberOf(row.values[0]);
    if (value === null || value <= 0) continue;
    const [first = row.label, second] = row.keys;
    const itemStyle = { color: colours(first) };
    if (second === undefined) {
      roots.set(first, { name: first, value, itemStyle });
      continue;
    }
    const root = roots.get(first) ?? { name: first, value: 0, itemStyle, children: [] };
    root.value += value;
    root.children?.push({ name: second, value, itemStyle });
    roots.set(first, root);
  }
  const tree = [...roots.values()];
  const [only] = tree;
  if (tree.length === 1 && only?.children) {
    for (const leaf of only.children) leaf.itemStyle = { color: colours(leaf.name) };
  }
  return tree;
}

/** Where six colours do not reach: the same ones, nearer to the surface each time round. */
export function shaded(colour: string, round: number, look: 'light' | 'dark'): string {
  if (round === 0) return colour;
  const towards = look === 'light' ? 255 : 20;
  const part = Math.min(0.7, 0.3 * round);
  const mixed = [1, 3, 5].map((at) => {
    const value = Number.parseInt(colour.slice(at, at + 2), 16);
    const shade = Math.round(value + (towards - value) * part);
    return shade.toString(16).padStart(2, '0');
  });
  return `#${mixed.join('')}`;
}

export function treemapOption(rows: readonly Row[], colours: ColourOf, words: Words) {
  const data = treeOf(rows, colours);
  const nested = data.some((one) => one.children);
  return (tokens: Tokens): EChartsCoreOption => ({
    tooltip: {
      formatter: (one: { name: string; value: number; treePathInfo?: { name: string }[] }) => {
        const path = (one.treePathInfo ?? []).slice(1).map((part) => part.name);
        return `${path.join(' · ') || one.name}\n${words.value(one.value)}`;
      },
    },
    series: [
      {
        type: 'treemap',
        data,
        left: 8,
        right: 8,
        top: 0,
        bottom: 8,
        roam: false,
        nodeClick: false,
        breadcrumb: { show: false },
        itemStyle: { borderColor: tokens.surface, borderWidth: 1, gapWidth: 1 },
        label: {
          show: true,
          color: '#fff',
          textBorderColor: 'rgba(0,0,0,.75)',
          textBorderWidth: 2,
          overflow: 'truncate',
          formatter: (one: { name: string; value: number }) => `${one.name}\n${words.value(one.value)}`,
        },
        ...(nested
          ? {
              upperLabel: {
                show: true,
                height: 20,
                color: tokens.text,
                textBorderWidth: 0,
                overflow: 'truncate',
                formatter: '{b}',
              },
              levels: [
                {
                  itemStyle: { borderColor: tokens.surface, borderWidth: 0, gapWidth: 4 },
                  upperLabel: { show: false },
                },
                { itemStyle: { borderColor: tokens.hairline, borderWidth: 2, gapWidth: 1 } },
              ],
            }
          : {}),
      },
    ],
  });
}

export function gaugeOption(panel: Panel, row: Row, words: Words) {
  const value = numberOf(row.values[0]);
  const most = panel.max ?? (panel.unit === 'percent' ? 100 : niceAbove(value ?? 1));
  const level = levelOf(value, panel.limits);
  return (tokens: Tokens): EChartsCoreOption => ({
    series: [
      {
        type: 'gauge',
        startAngle: 205,
        endAngle: -25,
        min: 0,
        max: most,
        radius: '96%',
        center: ['50%', '62%'],
        progress: { show: true, width: 12, itemStyle: { color: level ? tokens[level] : tokens.bar } },
        axisLine: { lineStyle: { width: 12, color: [[1, tokens.track]] } },
        pointer: { show: false },
        axisTick: { show: false },
        splitLine: { show: false },
        axisLabel: { show: false },
        title: { show: false },
        detail: {
          offsetCenter: [0, '-4%'],
          fontSize: 20,
          fontWeight: 600,
          color: tokens.text,
          formatter: () => words.value(value),
        },
        data: [{ value: Math.min(value ?? 0, most), name: row.label }],
      },
    ],
  });
}

/** 1, 2 or 5 times a power of ten, not below. */
export function niceAbove(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const digit = [1, 2, 5, 10].find((one) => one * power >= value) ?? 10;
  return digit * power;
}

export function heatmapOption(series: readonly Series[], words: Words) {
  const times = [...new Set(series.flatMap((one) => one.points.map(([ms]) => ms)))].sort((a, b) => a - b);
  const column = new Map(times.map((ms, at) => [ms, at]));
  const cells: [number, number, number][] = [];
  let least = Number.POSITIVE_INFINITY;
  let most = Number.NEGATIVE_INFINITY;
  for (const [row, one] of series.entries()) {
    for (const [ms, value] of one.points) {
      const at = column.get(ms);
      if (value === null || at === undefined) continue;
      cells.push([at, row, value]);
      least = Math.min(least, value);
      most = Math.max(most, value);
    }
  }
  return (tokens: Tokens): EChartsCoreOption => ({
    tooltip: {
      formatter: ({ value: [at, row, value] }: { value: [number, number, number] }) =>
        `${series[row]?.label ?? ''}\n${words.time(times[at] ?? 0)} · ${words.value(value)}`,
    },
    grid: { left: 8, right: 12, top: 4, bottom: 44, containLabel: true },
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
      data: series.map((one) => one.label),
      axisLabel: { color: tokens.quiet, width: 130, overflow: 'truncate' },
      axisLine: { show: false },
      axisTick: { show: false },
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
        data: cells,
        progressive: 0,
        itemStyle: { borderColor: tokens.surface, borderWidth: 0.5 },
      },
    ],
  });
}
