// Values over time: a chart with a cursor that all charts of the page share, spans that are chosen by
// drawing over them, a legend with figures, and a table in its place. With the keyboard: arrows move the
// cursor and say what is there.
import { Button } from '@patternfly/react-core';
import LineIcon from '@patternfly/react-icons/dist/esm/icons/chart-line-icon';
import TableIcon from '@patternfly/react-icons/dist/esm/icons/table-icon';
import { type KeyboardEvent, lazy, Suspense, useId, useMemo, useRef, useState } from 'react';
import { useI18n } from '../../i18n/i18n';
import { useEscape } from '../use-escape';
import { momentText, valueText } from './axis';
import { ChartTable } from './ChartTable';
import './chart.css';
import { looksOf, type SeriesLook } from './colours';
import {
  deltaOf,
  type Frame,
  frameOf,
  isEmpty,
  lastValue,
  total,
  type Values,
  valueAt,
  withHeightBefore,
} from './frame';
import { Legend } from './Legend';
import { useNearby } from './nearby';
import type { PlotControl } from './Plot';
import type { TimeChartProps } from './types';
import { useLook } from './use-look';

export type { ChartSeries, TimeChartProps, Unit } from './types';

const Plot = lazy(() => import('./Plot'));

/** More are not read out. */
const MOST_SPOKEN = 6;
const HEIGHT = 180;

/** What a colour of the page's own is now. */
function resolved(colour: string): string {
  const name = /^var\((--[\w-]+)\)$/.exec(colour)?.[1];
  return name ? getComputedStyle(document.documentElement).getPropertyValue(name).trim() : colour;
}

function stepped(key: string, at: number | null, count: number): number | undefined {
  const last = count - 1;
  const from = at ?? last;
  switch (key) {
    case 'ArrowLeft':
      return at === null ? last : Math.max(0, from - 1);
    case 'ArrowRight':
      return at === null ? 0 : Math.min(last, from + 1);
    case 'PageUp':
      return Math.max(0, from - Math.ceil(count / 10));
    case 'PageDown':
      return Math.min(last, from + Math.ceil(count / 10));
    case 'Home':
      return 0;
    case 'End':
      return last;
    default:
      return undefined;
  }
}

export function TimeChart(props: TimeChartProps) {
  const { t, locale } = useI18n();
  const look = useLook();
  const id = useId();
  const control = useRef<PlotControl | null>(null);
  const box = useRef<HTMLElement>(null);
  const nearby = useNearby(box);
  const [asTable, setAsTable] = useState(false);
  const [cursor, setCursor] = useState<number | null>(null);
  const [anchor, setAnchor] = useState<number | null>(null);
  const [spoken, setSpoken] = useState('');
  const [ownOnly, setOwnOnly] = useState<string>();
  const [only, setOnly] = props.alone ? [props.alone.id, props.alone.onChoose] : [ownOnly, setOwnOnly];
  const { title, unit, series, height = HEIGHT, stacked = false, bars = false } = props;

  const chosen = useMemo(() => {
    const one = series.filter((each) => each.id === only);
    return one.length > 0 ? one : series;
  }, [series, only]);
  const frame: Frame = useMemo(() => frameOf(chosen), [chosen]);
  const drawn: Frame = useMemo(() => (stacked ? withHeightBefore(frame) : frame), [frame, stacked]);
  const whole: Frame = useMemo(() => (chosen === series ? frame : frameOf(series)), [chosen, series, frame]);
  const looks = useMemo(() => {
    const bound = looksOf(
      series.filter((one) => !one.colour).map((one) => one.id),
      look,
    );
    return new Map(
      series.map((one) => [
        one.id,
        one.colour
          ? { slot: -1, colour: resolved(one.colour), dash: [] }
          : (bound.get(one.id) ?? { slot: 0, colour: '', dash: [] }),
      ]),
    );
  }, [series, look]);
  const lookOf = (index: number): SeriesLook =>
    looks.get(chosen[index]?.id ?? '') ?? { slot: 0, colour: '', dash: [] };

  const empty = isEmpty(series);
  const time = cursor === null ? undefined : frame.times[cursor];
  const items = series.map((one, index) => {
    const now = whole.lines.find((line) => line.index === index && !line.previous);
    const before = whole.lines.find((line) => line.index === index && line.previous);
    const at = time === undefined ? -1 : whole.times.indexOf(time);
    const read = (values: (typeof whole.lines)[number]['values'] | undefined) => {
      if (!values) return null;
      if (at >= 0) return valueAt(values, at);
      return bars ? total(values) : lastValue(values);
    };
    const value = read(now?.values);
    return {
      id: one.id,
      label: one.label,
      look: looks.get(one.id) ?? { slot: 0, colour: '', dash: [] },
      value,
      delta: before ? deltaOf(value, read(before.values)) : null,
    };
  });

  const say = (at: number) => {
    const moment = frame.times[at];
    if (moment === undefined) return setSpoken('');
    const text = (values: Values) => valueText(valueAt(values, at), unit, locale);
    const values = frame.lines
      .filter((line) => !line.previous)
      .slice(0, MOST_SPOKEN)
      .map((line) => {
        const before = frame.lines.find((one) => one.previous && one.index === line.index);
        const earlier = before ? ` (${t('chart.previous')} ${text(before.values)})` : '';
        return `${chosen[line.index]?.label}: ${text(line.values)}${earlier}`;
      });
    setSpoken([momentText(moment, locale, Date.now()), ...values].join(', '));
  };

  const plot = useRef<HTMLDivElement>(null);
  useEscape(plot, cursor !== null, () => {
    setAnchor(null);
    setCursor(null);
    setSpoken('');
    control.current?.cursorTo(null);
    control.current?.select(0, 0);
  });
  const onKey = (event: KeyboardEvent) => {
    const count = frame.times.length;
    if (event.key === 'Enter' && anchor !== null && cursor !== null && anchor !== cursor && props.onZoom) {
      const [from, to] = [frame.times[Math.min(anchor, cursor)], frame.times[Math.max(anchor, cursor)]];
      setAnchor(null);
      if (from !== undefined && to !== undefined) props.onZoom(from, to);
      return;
    }
    const next = stepped(event.key, cursor, count);
    if (next === undefined || count === 0) return;
    event.preventDefault();
    const begun = event.shiftKey ? (anchor ?? cursor ?? next) : null;
    setAnchor(begun);
    setCursor(next);
    control.current?.cursorTo(next);
    const [from, to] = [frame.times[begun ?? -1], frame.times[next]];
    if (from !== undefined && to !== undefined) {
      control.current?.select(Math.min(from, to), Math.max(from, to));
    } else control.current?.select(0, 0);
    say(next);
  };

  // In a card of its own it is a part of the page, else of that card.
  const Heading = props.bare ? 'h3' : 'h2';
  const head = (
    <header className="chart-head">
      <Heading id={id}>{title}</Heading>
      {props.note && time === undefined ? (
        <span className="quiet" title={typeof props.note === 'string' ? props.note : undefined}>
          {props.note}
        </span>
      ) : null}
      <span className="spacer" />
      {time !== undefined ? (
        <span className="quiet chart-time">{momentText(time, locale, Date.now())}</span>
      ) : null}
      {props.actions}
      <Button
        variant="plain"
        size="sm"
        icon={asTable ? <LineIcon /> : <TableIcon />}
        aria-label={`${asTable ? t('chart.asChart') : t('chart.asTable')}: ${title}`}
        title={asTable ? t('chart.asChart') : t('chart.asTable')}
        onClick={() => setAsTable(!asTable)}
      />
    </header>
  );

  return (
    <figure className={props.bare ? 'chart' : 'card chart'} aria-labelledby={id} ref={box}>
      {head}
      {empty ? (
        <div className="chart-empty" style={{ height }}>
          {props.empty ?? <span className="quiet">{t('chart.none')}</span>}
        </div>
      ) : asTable ? (
        <ChartTable title={title} frame={whole} series={series} unit={unit} height={height} />
      ) : (
        // biome-ignore lint/a11y/useSemanticElements: a group of controls of a form is something else
        <div
          ref={plot}
          role="group"
          className="chart-plot"
          style={{ minHeight: height }}
          aria-label={`${title}. ${t('chart.cursor')}`}
          // biome-ignore lint/a11y/noNoninteractiveTabindex: the keys move the cursor
          tabIndex={0}
          onKeyDown={onKey}
          onBlur={() => {
            setAnchor(null);
            setCursor(null);
            control.current?.cursorTo(null);
          }}
        >
          {nearby ? (
            <Suspense fallback={null}>
              <Plot
                frame={drawn}
                looks={drawn.lines.map((line) => lookOf(line.index))}
                unit={unit}
                height={height}
                range={props.range}
                stacked={stacked}
                bars={bars}
                onCursor={setCursor}
                onZoom={props.onZoom}
                onBack={props.onBack}
                control={control}
              />
            </Suspense>
          ) : null}
          <div className="sr-only" aria-live="polite">
            {spoken}
          </div>
        </div>
      )}
      {empty ? null : (
        <Legend
          title={title}
          items={items}
          unit={unit}
          what={time !== undefined ? '' : bars ? t('chart.total') : t('chart.last')}
          only={only}
          onOnly={setOnly}
        />
      )}
    </figure>
  );
}
