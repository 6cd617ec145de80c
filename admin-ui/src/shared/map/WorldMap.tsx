// A map of the earth, or of what is around some places, with what the caller draws at places of it.
// Fetched when the first map is shown: the shapes of countries are large.
import { type ReactNode, useEffect, useMemo, useRef, useState } from 'react';
import { apart } from './apart';
import './map.css';
import { BORDERS, LAND } from './shapes';
import { type Spot, viewOf } from './view';

export interface Mark extends Spot {
  id: string;
  /** Pixels that it needs around itself. */
  radius: number;
}

interface WorldMapProps {
  /** What its marks are, for those who do not see them. */
  label: string;
  marks: readonly Mark[];
  /** Pixels; nothing: what its box leaves it. */
  height?: number;
  /** Shows what is around its marks instead of the whole earth. */
  near: boolean;
  draw: (id: string) => ReactNode;
  /** Told which place was pressed. */
  onSpot?: (spot: Spot) => void;
}

/** As far from its place a mark is joined to it by a line. */
const FAR = 3;

function useSize() {
  const box = useRef<HTMLDivElement>(null);
  const [size, setSize] = useState({ width: 0, height: 0 });
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const sizes = new ResizeObserver(() =>
      setSize({ width: element.clientWidth, height: element.clientHeight }),
    );
    sizes.observe(element);
    return () => sizes.disconnect();
  }, []);
  return { box, ...size };
}

export default function WorldMap(props: WorldMapProps) {
  const { label, marks, near, draw, onSpot } = props;
  const { box, width, height } = useSize();
  const view = useMemo(() => viewOf(width, height, near ? marks : undefined), [width, height, near, marks]);
  const shapes = useMemo(
    () => ({ sea: view.path({ type: 'Sphere' }), land: view.path(LAND), borders: view.path(BORDERS) }),
    [view],
  );
  const placed = useMemo(() => {
    const places = marks.map(({ id, radius, ...spot }) => {
      const [x, y] = view.at(spot);
      return { id, radius, x, y };
    });
    return apart(places, { width, height }).map((one, at) => ({ ...one, from: places[at] ?? one }));
  }, [marks, view, width, height]);
  return (
    <div
      className={props.height === undefined ? 'world filling' : 'world'}
      ref={box}
      style={props.height === undefined ? undefined : { height: props.height }}
    >
      {width > 0 && height > 0 ? (
        <>
          <svg
            className={onSpot ? 'pressable' : undefined}
            width={width}
            height={height}
            aria-hidden="true"
            data-drawn=""
            onClick={(event) => {
              const edge = event.currentTarget.getBoundingClientRect();
              const spot = view.spotAt(event.clientX - edge.left, event.clientY - edge.top);
              if (spot) onSpot?.(spot);
            }}
          >
            <path className="sea" d={shapes.sea} />
            <path className="land" d={shapes.land} />
            <path className="borders" d={shapes.borders} />
            {placed
              .filter((one) => Math.hypot(one.x - one.from.x, one.y - one.from.y) > FAR)
              .map(({ id, x, y, from }) => (
                <g key={id} className="leader">
                  <line x1={from.x} y1={from.y} x2={x} y2={y} />
                  <circle cx={from.x} cy={from.y} r={2.5} />
                </g>
              ))}
          </svg>
          <ul className="world-marks" aria-label={label}>
            {placed.map(({ id, x, y }) => (
              <li key={id} style={{ left: x, top: y }}>
                {draw(id)}
              </li>
            ))}
          </ul>
        </>
      ) : null}
    </div>
  );
}
