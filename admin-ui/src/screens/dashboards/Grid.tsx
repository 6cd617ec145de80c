// The grid that panels stand on. They are moved and made larger with the mouse, and with the keys: the
// handle takes arrows, with Shift they change the size.
import GripIcon from '@patternfly/react-icons/dist/esm/icons/grip-vertical-icon';
import {
  type CSSProperties,
  type KeyboardEvent,
  type ReactNode,
  type PointerEvent as ReactPointer,
  useLayoutEffect,
  useRef,
  useState,
} from 'react';
import { useT } from '../../i18n/i18n';
import { COLUMNS, type Panel } from './document';
import { put, type Step, step } from './layout';

export const ROW = 40;
export const GAP = 8;

/** Pixels that a panel of this many rows is high. */
export function heightOf(rows: number): number {
  return rows * ROW + (rows - 1) * GAP;
}

interface GridProps {
  panels: readonly Panel[];
  editing: boolean;
  titleOf: (panel: Panel) => string;
  onChange: (panels: Panel[]) => void;
  children: (panel: Panel, handle: ReactNode) => ReactNode;
}

interface Drag {
  id: string;
  resize: boolean;
  /** As all were when it began. */
  begun: Panel[];
  startX: number;
  startY: number;
  dx: number;
  dy: number;
}

const KEYS: Record<string, [plain: Step, shifted: Step]> = {
  ArrowLeft: ['left', 'narrower'],
  ArrowRight: ['right', 'wider'],
  ArrowUp: ['up', 'shorter'],
  ArrowDown: ['down', 'taller'],
};

export function Grid({ panels, editing, titleOf, onChange, children }: GridProps) {
  const t = useT();
  const box = useRef<HTMLDivElement>(null);
  const [drag, setDrag] = useState<Drag | null>(null);
  const [said, setSaid] = useState('');
  const focused = useRef<string | null>(null);

  // Whose place among its neighbours changes is taken out of the page and put in again, and would lose
  // the focus.
  useLayoutEffect(() => {
    if (focused.current === null || drag) return;
    const place = box.current?.querySelector(`[data-panel="${CSS.escape(focused.current)}"] .handle`);
    if (place instanceof HTMLElement) place.focus();
    focused.current = null;
  });

  const begin = (event: ReactPointer<HTMLElement>, id: string, resize: boolean) => {
    if (event.button !== 0) return;
    event.preventDefault();
    event.currentTarget.setPointerCapture(event.pointerId);
    event.currentTarget.focus();
    setDrag({ id, resize, begun: [...panels], startX: event.pageX, startY: event.pageY, dx: 0, dy: 0 });
  };

  const move = (event: ReactPointer<HTMLElement>) => {
    const width = box.current?.clientWidth;
    if (!drag || !width) return;
    const was = drag.begun.find((one) => one.id === drag.id)?.at;
    if (!was) return;
    const column = (width + GAP) / COLUMNS;
    const [dx, dy] = [event.pageX - drag.startX, event.pageY - drag.startY];
    const [right, down] = [Math.round(dx / column), Math.round(dy / (ROW + GAP))];
    const wanted = drag.resize
      ? { ...was, w: Math.min(was.w + right, COLUMNS - was.x), h: was.h + down }
      : { ...was, x: was.x + right, y: was.y + down };
    const next = put(drag.begun, drag.id, wanted);
    const now = next.find((one) => one.id === drag.id)?.at;
    const before = panels.find((one) => one.id === drag.id)?.at;
    if (now && JSON.stringify(now) !== JSON.stringify(before)) onChange(next);
    // What is carried stays under the pointer, its place is where it will stand.
    const at = now ?? was;
    setDrag({ ...drag, dx: dx - (at.x - was.x) * column, dy: dy - (at.y - was.y) * (ROW + GAP) });
  };

  const end = (back: boolean) => {
    if (drag && back) onChange(drag.begun);
    if (drag && !drag.resize) focused.current = drag.id;
    setDrag(null);
  };

  const key = (event: KeyboardEvent, panel: Panel) => {
    if (event.key === 'Escape' && drag) {
      event.preventDefault();
      end(true);
      return;
    }
    const steps = KEYS[event.key];
    if (!steps) return;
    event.preventDefault();
    const next = step(panels, panel.id, event.shiftKey ? steps[1] : steps[0]);
    focused.current = panel.id;
    onChange(next);
    const at = next.find((one) => one.id === panel.id)?.at ?? panel.at;
    setSaid(
      t('dashboards.placed', {
        title: titleOf(panel),
        column: at.x + 1,
        row: at.y + 1,
        width: at.w,
        height: at.h,
      }),
    );
  };

  // The order of the elements is that of reading; it stays while something is carried.
  const now = new Map(panels.map((panel) => [panel.id, panel]));
  const order = drag ? drag.begun.flatMap((panel) => now.get(panel.id) ?? []) : panels;
  return (
    <>
      <div className={editing ? 'board editing' : 'board'} ref={box}>
        {order.map((panel) => {
          const { x, y, w, h } = panel.at;
          const carried = drag?.id === panel.id;
          const style: CSSProperties = {
            gridColumn: `${x + 1} / span ${w}`,
            gridRow: `${y + 1} / span ${h}`,
            height: heightOf(h),
            ...(carried && !drag.resize ? { transform: `translate(${drag.dx}px, ${drag.dy}px)` } : {}),
          };
          const handle = editing ? (
            <button
              type="button"
              className="handle"
              aria-label={t('dashboards.move', { title: titleOf(panel) })}
              title={t('dashboards.move.hint')}
              onPointerDown={(event) => begin(event, panel.id, false)}
              onPointerMove={move}
              onPointerUp={() => end(false)}
              onPointerCancel={() => end(true)}
              onKeyDown={(event) => key(event, panel)}
            >
              <GripIcon />
            </button>
          ) : null;
          return (
            <div
              key={panel.id}
              className={carried ? 'place carried' : 'place'}
              style={style}
              data-panel={panel.id}
            >
              {children(panel, handle)}
              {editing ? (
                <div
                  className="corner"
                  aria-hidden="true"
                  onPointerDown={(event) => begin(event, panel.id, true)}
                  onPointerMove={move}
                  onPointerUp={() => end(false)}
                  onPointerCancel={() => end(true)}
                />
              ) : null}
            </div>
          );
        })}
      </div>
      <div className="sr-only" aria-live="polite">
        {said}
      </div>
    </>
  );
}
