// One chart on a canvas. A chunk of its own: pages without charts do not fetch it. Not here: what
// stands around it (`TimeChart`), and what its figures are (`frame`).
import { useEffect, useMemo, useRef } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { useI18n } from '../../i18n/i18n';
import { momentTexts, stepsOf, valueText } from './axis';
import { faint, PREVIOUS, type SeriesLook } from './colours';
import { type Frame, lonely, stackedValues, type Values } from './frame';
import type { Unit } from './types';
import { useHighContrast, useLook } from './use-look';

/** What the page around it may tell a chart. */
export interface PlotControl {
  /** Puts the cursor on a moment; nothing: away. */
  cursorTo: (index: number | null) => void;
  /** Marks a span. */
  select: (from: number, to: number) => void;
}

export interface PlotProps {
  frame: Frame;
  /** Of each line. */
  looks: readonly SeriesLook[];
  unit: Unit;
  height: number;
  range: { from: number; to: number } | undefined;
  stacked: boolean;
  bars: boolean;
  onCursor: (index: number | null) => void;
  onZoom: ((from: number, to: number) => void) | undefined;
  onBack: (() => void) | undefined;
  control: { current: PlotControl | null };
}

/** Shorter drags are slips. */
const SHORTEST_DRAG_PX = 6;
const AXIS_PX = 62;

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const STEPS = [
  ...[1, 2, 5, 10, 15, 30].map((n) => n * 1_000),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * MINUTE),
  ...[1, 2, 3, 6, 12].map((n) => n * HOUR),
  ...[1, 2, 3, 7, 14, 28].map((n) => n * DAY),
];

function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function dataOf(frame: Frame, stacked: boolean, bars: boolean): uPlot.AlignedData {
  const now = frame.lines.filter((line) => !line.previous).map((line) => line.values);
  const before = frame.lines.filter((line) => line.previous).map((line) => line.values);
  const high = stacked ? stackedValues(now) : now;
  return [frame.times, ...(bars ? [...(stacked ? high.reverse() : high), ...before] : [...before, ...high])];
}

/** The lines in the order in which they are drawn: bars would cover the earlier span. */
function inOrder(
  { lines }: Frame,
  looks: readonly SeriesLook[],
  stacked: boolean,
  bars: boolean,
): { kinds: string; looks: SeriesLook[] } {
  const all = lines.map(({ previous }, at) => ({ kind: previous ? 'p' : 'n', look: looks[at] }));
  const now = all.filter((one) => one.kind === 'n');
  const before = all.filter((one) => one.kind === 'p');
  // Stacked bars cover those below them: the highest is drawn first.
  const ordered = bars ? [...(stacked ? now.reverse() : now), ...before] : [...before, ...now];
  return {
    kinds: ordered.map((one) => one.kind).join(''),
    looks: ordered.flatMap(({ look }) => look ?? []),
  };
}

export default function Plot(props: PlotProps) {
  const { locale } = useI18n();
  const look = useLook();
  const contrast = useHighContrast();
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  // What the chart reads while it draws or is pressed: it is not made anew for those.
  const live = useRef(props);
  live.current = props;
  const { frame, unit, height, stacked, bars, control } = props;
  const zooms = props.onZoom !== undefined;
  const ordered = inOrder(frame, props.looks, stacked, bars);
  const { kinds } = ordered;
  const looks = JSON.stringify(ordered.looks);
  const data = useMemo(() => dataOf(frame, stacked, bars), [frame, stacked, bars]);
  const newest = useRef(data);
  newest.current = data;

  // biome-ignore lint/correctness/useExhaustiveDependencies: in high contrast the tokens have other values
  useEffect(() => {
    const host = box.current;
    if (!host) return;
    const colours = JSON.parse(looks) as SeriesLook[];
    const quiet = token('--text-quiet');
    const hairline = token('--hairline');
    const font = `11px ${getComputedStyle(document.body).fontFamily}`;
    const now = [...kinds].filter((kind) => kind === 'n').length;
    const first = kinds.indexOf('n') + 1;
    const single = now === 1;

    const series: uPlot.Series[] = [...kinds].map((kind, at) => {
      const mine = colours[at];
      // On bars of any colour a line is seen that is of the text's.
      const before = bars ? token('--text') : PREVIOUS[look];
      const colour = kind === 'p' ? before : (mine?.colour ?? quiet);
      const barred = bars && kind === 'n';
      return {
        stroke: colour,
        width: kind === 'p' ? (bars ? 1.75 : 1.25) : barred ? 0 : 1.6,
        dash: kind === 'p' ? [5, 4] : barred ? [] : [...(mine?.dash ?? [])],
        ...(barred
          ? {
              fill: stacked && !single ? colour : faint(colour, 75),
              paths: uPlot.paths.bars?.({ size: [0.86, 60], align: 1 }),
            }
          : {}),
        ...(kind === 'n' && !barred && (single || (stacked && at + 1 === first))
          ? { fill: faint(colour, stacked ? 45 : 12) }
          : {}),
        points: {
          show: !barred,
          size: 5,
          width: 0,
          fill: colour,
          filter: (self: uPlot, index: number) => lonely((self.data[index] ?? []) as Values),
        },
      };
    });
    const bands: uPlot.Band[] =
      stacked && !bars
        ? Array.from({ length: Math.max(0, now - 1) }, (_, at) => ({
            series: [first + at + 1, first + at] as uPlot.Band.Bounds,
            fill: faint(colours[first + at]?.colour ?? quiet, 45),
          }))
        : [];

    const made = new uPlot(
      {
        width: Math.max(host.clientWidth, 120),
        height,
        ms: 1,
        // Room for half of a moment, which may stand at the very end.
        padding: [8, 20, 0, 0],
        legend: { show: false },
        series: [{}, ...series],
        bands,
        scales: {
          x: {
            time: true,
            range: (_, min, max) => {
              const whole = live.current.range;
              return whole ? [whole.from, whole.to] : [min, max];
            },
          },
          y: {
            range: (_, min, max) => {
              const low = Math.min(0, min ?? 0);
              return [low, (max ?? 0) <= 0 ? (low < 0 ? 0 : 1) : (max ?? 0) * 1.08];
            },
          },
        },
        axes: [
          {
            stroke: quiet,
            font,
            // The second line is of days.
            size: (_: uPlot, texts: string[] | null) => (texts?.some((one) => one?.includes('\n')) ? 36 : 24),
            gap: 3,
            space: 70,
            incrs: STEPS,
            grid: { stroke: hairline, width: 1 },
            ticks: { stroke: hairline, width: 1, size: 4 },
            values: (_, splits, __, ___, step) => momentTexts(splits, step, locale),
          },
          {
            stroke: quiet,
            font,
            size: AXIS_PX,
            gap: 4,
            space: 28,
            incrs: stepsOf(unit),
            grid: { stroke: hairline, width: 1 },
            ticks: { show: false },
            values: (_, splits) => splits.map((value) => valueText(value, unit, locale)),
          },
        ],
        cursor: {
          y: false,
          points: { size: 7, width: 1.5 },
          drag: { x: zooms, y: false, setScale: false },
          sync: {
            key: 'page',
            setSeries: false,
            scales: ['x', null],
            // What is drawn over and double clicks are of one chart alone.
            filters: { pub: (type) => type === 'mousemove' || type === 'mouseleave' },
          },
          bind: {
            dblclick: () => () => {
              live.current.onBack?.();
              return null;
            },
          },
        },
        hooks: {
          setCursor: [(self) => live.current.onCursor(self.cursor.idx ?? null)],
          setSelect: [
            (self) => {
              const { left, width } = self.select;
              if (width < SHORTEST_DRAG_PX) return;
              const from = self.posToVal(left, 'x');
              const to = self.posToVal(left + width, 'x');
              self.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
              live.current.onZoom?.(Math.round(from), Math.round(to));
            },
          ],
        },
      },
      newest.current,
      host,
    );
    plot.current = made;
    control.current = {
      cursorTo: (index) => {
        const at = index === null ? undefined : made.data[0][index];
        // A bucket may begin before the span does. The page knows where the cursor is.
        const left = at === undefined ? -10 : Math.max(0, made.valToPos(at, 'x'));
        // The other charts are told, as of a pointer's: the third argument is not in the library's types.
        const move: (to: { left: number; top: number }, fire: boolean, tell: boolean) => void =
          made.setCursor;
        move({ left, top: at === undefined ? -10 : made.over.clientHeight / 2 }, false, true);
      },
      select: (from, to) => {
        if (from === to) return made.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        const left = made.valToPos(from, 'x');
        const width = made.valToPos(to, 'x') - left;
        made.setSelect({ left, top: 0, width, height: made.over.clientHeight }, false);
      },
    };
    const resized = new ResizeObserver(() => {
      const width = host.clientWidth;
      if (width > 0 && width !== made.width) made.setSize({ width, height });
    });
    resized.observe(host);
    return () => {
      resized.disconnect();
      plot.current = null;
      control.current = null;
      made.destroy();
    };
  }, [look, contrast, looks, kinds, unit, height, stacked, bars, zooms, locale, control]);

  const whole = props.range ? `${props.range.from} ${props.range.to}` : '';
  // biome-ignore lint/correctness/useExhaustiveDependencies: another span moves the axis over the same data
  useEffect(() => plot.current?.setData(data), [data, whole]);

  return <div className="plot" ref={box} style={{ height }} aria-hidden="true" />;
}
