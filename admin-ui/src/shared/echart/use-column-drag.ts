// Drawing over the columns of a chart with the pointer, as over charts along time: the span that is drawn is
// told when the pointer is lifted.
import type { EChartsType } from 'echarts/core';
import { type RefObject, useEffect, useRef, useState } from 'react';

export interface Columns {
  count: number;
  rows: number;
  /** Where the first row begins, in pixels. */
  top: number;
  /** What the keys have marked. */
  marked: readonly [number, number] | undefined;
  /** Told the first and the last column of what was drawn over. */
  onSpan: (from: number, to: number) => void;
  /** A double click. */
  onBack: () => void;
}

export interface SpanBox {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** Shorter drags are slips. */
const SHORTEST_DRAG_PX = 6;

/** The whole columns from the one to the other; a chart with one column has no spans. */
function boxOf(chart: EChartsType, { count, rows, top }: Columns, [from, to]: readonly [number, number]) {
  const x = (column: number) => Number(chart.convertToPixel({ xAxisIndex: 0 }, column));
  const y = (row: number) => Number(chart.convertToPixel({ yAxisIndex: 0 }, row));
  const width = (x(count - 1) - x(0)) / (count - 1);
  const half = y(0) - top;
  const box: SpanBox = {
    left: x(from) - width / 2,
    top,
    width: (to - from + 1) * width,
    height: y(rows - 1) + half - top,
  };
  return Object.values(box).every(Number.isFinite) ? box : undefined;
}

/** Where the span is that is drawn or marked now. */
export function useColumnDrag(
  chart: EChartsType | null,
  frame: RefObject<HTMLElement | null>,
  columns: Columns | undefined,
): SpanBox | undefined {
  const [drawn, setDrawn] = useState<readonly [number, number]>();
  const live = useRef(columns);
  live.current = columns;
  const on = columns !== undefined && columns.count > 1;

  useEffect(() => {
    const element = frame.current;
    if (!chart || !element || !on) return;
    let begun: number | undefined;
    let span: readonly [number, number] | undefined;
    const within = (event: MouseEvent) => {
      const box = element.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top] as const;
    };
    const columnAt = (x: number) => {
      const at = Math.round(Number(chart.convertFromPixel({ xAxisIndex: 0 }, x)));
      return Math.min(Math.max(at, 0), (live.current?.count ?? 1) - 1);
    };
    const drop = () => {
      begun = undefined;
      span = undefined;
      setDrawn(undefined);
    };
    const press = (event: PointerEvent) => {
      const [x, y] = within(event);
      // Touch scrolls the page.
      const draws = event.button === 0 && event.pointerType !== 'touch';
      begun = draws && chart.containPixel({ gridIndex: 0 }, [x, y]) ? x : undefined;
    };
    const move = (event: PointerEvent) => {
      if (begun === undefined) return;
      // It was lifted elsewhere: what is not captured yet does not hear of it.
      if (event.buttons === 0) return drop();
      const [x] = within(event);
      if (!span && Math.abs(x - begun) < SHORTEST_DRAG_PX) return;
      if (!span) {
        element.setPointerCapture(event.pointerId);
        chart.dispatchAction({ type: 'hideTip' });
      }
      const [one, other] = [columnAt(begun), columnAt(x)];
      span = [Math.min(one, other), Math.max(one, other)];
      setDrawn(span);
    };
    const lift = () => {
      const done = span;
      drop();
      if (done) live.current?.onSpan(...done);
    };
    const back = (event: MouseEvent) => {
      const [x, y] = within(event);
      if (chart.containPixel({ gridIndex: 0 }, [x, y])) live.current?.onBack();
    };
    element.addEventListener('pointerdown', press);
    element.addEventListener('pointermove', move);
    element.addEventListener('pointerup', lift);
    element.addEventListener('pointercancel', drop);
    element.addEventListener('dblclick', back);
    return () => {
      element.removeEventListener('pointerdown', press);
      element.removeEventListener('pointermove', move);
      element.removeEventListener('pointerup', lift);
      element.removeEventListener('pointercancel', drop);
      element.removeEventListener('dblclick', back);
    };
  }, [chart, frame, on]);

  const shown = drawn ?? columns?.marked;
  return chart && columns && on && shown ? boxOf(chart, columns, shown) : undefined;
}
