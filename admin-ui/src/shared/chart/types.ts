import type { ReactNode } from 'react';
import type { Point } from '../search/build';

export type Unit = 'bytes' | 'bytes/s' | 'percent' | 'count' | 'per second' | 'ms';

export interface ChartSeries {
  /** What it is of: its colour is bound to it. */
  id: string;
  label: string;
  points: Point[];
  /** A CSS value, for what has a colour of its own (levels); else by `id`. */
  colour?: string;
  /** Of the span that it is compared with, moved over this one. */
  previous?: Point[];
}

export interface TimeChartProps {
  title: string;
  /** `percent` is of 100. */
  unit: Unit;
  series: ChartSeries[];
  height?: number;
  /** Milliseconds; told when a span was drawn over. */
  onZoom?: (from: number, to: number) => void;
  /** A double click. */
  onBack?: () => void;
  stacked?: boolean;
  bars?: boolean;
  /** Shown in place of the chart when no series has a value. */
  empty?: ReactNode;
  note?: ReactNode;
  /** The whole span, so that charts of one page have the same axis. */
  range?: { from: number; to: number };
  /** Within a card of its own already: no frame. */
  bare?: boolean;
  /** Beside the title. */
  actions?: ReactNode;
  /** Where the page has a say in which series is shown alone: its id, and what is told of a press. */
  alone?: { id: string | undefined; onChoose: (id: string | undefined) => void };
}
