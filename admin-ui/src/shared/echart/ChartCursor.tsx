// The keyboard's cursor of charts that ECharts draws: keys go from one datum to the next, and what is there
// is said. Who draws it is told where the cursor is; charts of columns let a span of them be marked.
import { type KeyboardEvent, type ReactNode, useRef, useState } from 'react';
import { useT } from '../../i18n/i18n';
import { useEscape } from '../use-escape';
import { type Datum, stepped } from './cursor';

export interface CursorAt {
  datum: Datum | undefined;
  /** Columns, the earlier one first. */
  marked: readonly [number, number] | undefined;
}

interface ChartCursorProps {
  /** What the chart shows, in short. */
  title: string;
  data: readonly Datum[];
  /** Where another key leads to than in a list or a table; as `stepped`. */
  step?: typeof stepped;
  /** In place of the words on which keys there are. */
  keys?: string;
  /** Enter. */
  onPick?: (datum: Datum) => void;
  /** Enter where a span of columns was marked. */
  onSpan?: ((from: number, to: number) => void) | undefined;
  className?: string;
  children: (at: CursorAt) => ReactNode;
}

export function ChartCursor(props: ChartCursorProps) {
  const t = useT();
  const { title, data, step = stepped, onPick, onSpan } = props;
  const [key, setKey] = useState<string>();
  const [anchor, setAnchor] = useState<number>();
  // Said when a key was pressed, not each time that the chart is renewed.
  const [spoken, setSpoken] = useState('');
  const at = data.findIndex((one) => one.key === key);
  const datum = data[at];
  const column = datum?.cell?.column;
  const marked: CursorAt['marked'] =
    anchor === undefined || column === undefined
      ? undefined
      : [Math.min(anchor, column), Math.max(anchor, column)];

  const leave = () => {
    setKey(undefined);
    setAnchor(undefined);
    setSpoken('');
  };
  const box = useRef<HTMLDivElement>(null);
  useEscape(box, step('Escape', data, at) === null, leave);
  const press = (event: KeyboardEvent) => {
    if (event.key === 'Enter' && datum) {
      if (marked && onSpan) {
        onSpan(...marked);
        leave();
      } else onPick?.(datum);
      return;
    }
    const to = step(event.key, data, at);
    if (to === undefined || to === null) return;
    event.preventDefault();
    const next = data[to];
    setKey(next?.key);
    setAnchor(event.shiftKey && onSpan ? (anchor ?? column ?? next?.cell?.column) : undefined);
    setSpoken(next?.told() ?? '');
  };

  const keys = props.keys ?? (data[0]?.cell ? t('chart.keys.cells') : t('chart.keys.data'));
  return (
    // biome-ignore lint/a11y/useSemanticElements: a group of controls of a form is something else
    <div
      ref={box}
      role="group"
      className={props.className ? `chart-keys ${props.className}` : 'chart-keys'}
      aria-label={`${title}. ${keys}`}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: the keys move the cursor
      tabIndex={0}
      onKeyDown={press}
      onBlur={leave}
    >
      {props.children({ datum, marked })}
      <div className="sr-only" aria-live="polite">
        {spoken}
      </div>
    </div>
  );
}
