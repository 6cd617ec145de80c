// A frame → what ECharts draws of it. Pure: colours and words of values are arguments.
import type { EChartsCoreOption } from 'echarts/core';
import type { Datum } from '../../../shared/echart/cursor';
import type { Tokens } from '../../../shared/echart/tokens';
import type { Limits, Panel } from '../document';
import type { Cell, Row } from '../frame';

export interface Words {
  value: (value: number | null) => string;
  time: (ms: number) => string;
  /** A part of one. */
  share: (part: number) => string;
  /** What it was before, and by how much it has changed. */
  before: (value: number | null, before: number | null) => string;
}

export type ColourOf = (id: string) => string;

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

/** What stands out where the pointer or the keys' cursor is. */
function standsOut(tokens: Tokens) {
  return { itemStyle: { borderColor: tokens.text, borderWidth: 2 } };
}

interface Sizes {
  contentSize: [number, number];
  viewSize: [number, number];
}

/** Beside the pie: on it the tooltip would cover the piece that it is of. */
function besidePie(_: unknown, __: unknown, ___: unknown, ____: unknown, { contentSize, viewSize }: Sizes) {
  const [width, height] = viewSize;
  return [Math.min((width + height) / 2, width - contentSize[0]), (height - contentSize[1]) / 2];
}

/** The rows that have a piece of the pie. */
export function piecesOf(rows: readonly Row[]): { row: Row; value: number; share: number }[] {
  const pieces = rows.flatMap((row) => {
    const value = numberOf(row.values[0]);
    return value === null || value <= 0 ? [] : [{ row, value }];
  });
  const sum = pieces.reduce((all, { value }) => all + value, 0);
  return pieces.map((piece) => ({ ...piece, share: piece.value / sum }));
}

export function pieData(rows: readonly Row[], words: Words): Datum[] {
  return piecesOf(rows).map(({ row, value, share }, index) => ({
    key: row.id,
    told: () => `${row.label}: ${words.value(value)}, ${words.share(share)}`,
    index,
  }));
}

export function pieOption(rows: readonly Row[], colours: ColourOf, words: Words) {
  const pieces = piecesOf(rows);
  return (tokens: Tokens): EChartsCoreOption => ({
    tooltip: {
      trigger: 'item',
      position: besidePie,
      formatter: ({ dataIndex }: { dataIndex: number }) => {
        const piece = pieces[dataIndex];
        return piece ? `${piece.row.label}\n${words.value(piece.value)} · ${words.share(piece.share)}` : '';
      },
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
        emphasis: standsOut(tokens),
        data: pieces.map(({ row, value }) => ({
          name: row.label,
          value,
          itemStyle: { color: colours(row.id) },
        })),
      },
    ],
  });
}

export interface Leaf {
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

/** Its leaves. ECharts counts all nodes, each before its children, and above all of them a root of its own. */
export function treeData(tree: readonly Leaf[], words: Words): Datum[] {
  const data: Datum[] = [];
  let index = 0;
  const visit = (leaf: Leaf, path: readonly string[]) => {
    index += 1;
    const names = [...path, leaf.name];
    if (leaf.children) for (const child of leaf.children) visit(child, names);
    else {
      const told = () => `${names.join(' · ')}: ${words.value(leaf.value)}`;
      data.push({ key: JSON.stringify(names), told, index });
    }
  };
  for (const root of tree) visit(root, []);
  return data;
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

export function treemapOption(data: readonly Leaf[], words: Words) {
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
        itemStyle: { borderColor: tokens.surface, borderWidth: 2, gapWidth: 0 },
        emphasis: standsOut(tokens),
        label: {
          show: true,
          color: '#fff',
          textBorderColor: 'rgba(0,0,0,.75)',
          textBorderWidth: 2,
          lineHeight: 15,
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
