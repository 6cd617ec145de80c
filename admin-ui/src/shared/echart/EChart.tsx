// A chart that is none over time (pie, treemap, gauge, heat map), drawn by ECharts. Its tooltip is drawn
// on the canvas: as markup it would need styles that the page's policy forbids. A table beside it is
// the caller's; where the keys are is told by `ChartCursor` around it.
import type { EChartsCoreOption, EChartsType } from 'echarts/core';
import { useEffect, useRef, useState } from 'react';
import { useNearby } from '../chart/nearby';
import { useHighContrast, useLook } from '../chart/use-look';
import './echart.css';
import { type Tokens, tokensNow } from './tokens';
import { type Columns, useColumnDrag } from './use-column-drag';

export interface EChartProps {
  /** Of the theme's colours, or one that needs none. */
  option: EChartsCoreOption | ((tokens: Tokens) => EChartsCoreOption);
  /** What it shows, for those who do not see it. */
  label: string;
  height: number;
  /** Told what was pressed, as the option gave it. */
  onPick?: (data: unknown) => void;
  /** Where the keys' cursor is, among the data of the series: it stands out with its tooltip. */
  at?: number | undefined;
  /** Spans of its columns are chosen by drawing over them. */
  columns?: Columns | undefined;
}

const FONT = '"Inter Variable", Inter, system-ui, "Noto Sans KR", sans-serif';

function whole(option: EChartProps['option'], label: string): EChartsCoreOption {
  const tokens = tokensNow();
  const own = typeof option === 'function' ? option(tokens) : option;
  const tooltip = (own.tooltip as object | undefined) ?? {};
  return {
    animation: false,
    backgroundColor: 'transparent',
    textStyle: { fontFamily: FONT, fontSize: 12, color: tokens.text },
    aria: { enabled: true, label: { description: label } },
    ...own,
    tooltip: {
      renderMode: 'richText',
      confine: true,
      backgroundColor: tokens.raised,
      borderColor: tokens.hairline,
      borderWidth: 1,
      padding: [6, 8],
      textStyle: { fontFamily: FONT, fontSize: 12, color: tokens.text },
      ...tooltip,
    },
  };
}

export function EChart({ option, label, height, onPick, at, columns }: EChartProps) {
  const frame = useRef<HTMLDivElement>(null);
  const box = useRef<HTMLDivElement>(null);
  const [chart, setChart] = useState<EChartsType | null>(null);
  const near = useNearby(frame);
  const look = useLook();
  const contrast = useHighContrast();
  const span = useColumnDrag(chart, frame, columns);
  const marks = columns?.marked !== undefined;

  useEffect(() => {
    if (!near || !box.current) return;
    const element = box.current;
    let gone = false;
    let made: EChartsType | undefined;
    const sizes = new ResizeObserver(() => made?.resize());
    void import('./engine').then(({ init }) => {
      if (gone) return;
      made = init(element, null, { renderer: 'canvas' });
      sizes.observe(element);
      setChart(made);
    });
    return () => {
      gone = true;
      sizes.disconnect();
      made?.dispose();
      setChart(null);
    };
  }, [near]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: another theme has other colours
  useEffect(() => {
    chart?.setOption(whole(option, label), { notMerge: true });
  }, [chart, option, label, look, contrast]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: what is drawn anew has no highlight any more
  useEffect(() => {
    if (!chart || at === undefined) return;
    const where = { seriesIndex: 0, dataIndex: at };
    chart.dispatchAction({ type: 'highlight', ...where });
    // It would lie under the span that is marked.
    if (!marks) chart.dispatchAction({ type: 'showTip', ...where });
    return () => {
      if (chart.isDisposed()) return;
      chart.dispatchAction({ type: 'downplay', ...where });
      chart.dispatchAction({ type: 'hideTip' });
    };
  }, [chart, at, marks, option, label, look, contrast]);

  useEffect(() => {
    if (!chart || !onPick) return;
    const picked = (event: { data?: unknown }) => onPick(event.data);
    chart.on('click', picked);
    return () => {
      if (!chart.isDisposed()) chart.off('click', picked);
    };
  }, [chart, onPick]);

  return (
    <div ref={frame} className="echart" role="img" aria-label={label} style={{ height }}>
      <div ref={box} className="echart-canvas" aria-hidden="true" data-drawn={chart ? '' : undefined} />
      {span ? <div className="echart-span" style={{ ...span }} /> : null}
    </div>
  );
}
