// What each line is, with its value at the cursor or the last one, and how much it has changed.
import { useState } from 'react';
import { useI18n } from '../../i18n/i18n';
import { deltaText, valueText } from './axis';
import type { SeriesLook } from './colours';
import type { Unit } from './types';

export interface LegendItem {
  id: string;
  label: string;
  look: SeriesLook;
  value: number | null;
  delta: number | null;
}

interface LegendProps {
  title: string;
  items: readonly LegendItem[];
  unit: Unit;
  /** Which value is shown. */
  what: string;
  only: string | undefined;
  onOnly: (id: string | undefined) => void;
}

const FIRST_SHOWN = 12;

function Swatch({ look }: { look: SeriesLook }) {
  return (
    <svg width="18" height="8" aria-hidden="true" className="swatch">
      <line
        x1="1"
        y1="4"
        x2="17"
        y2="4"
        stroke={look.colour}
        strokeWidth="3"
        strokeDasharray={look.dash.join(' ')}
      />
    </svg>
  );
}

export function Legend({ title, items, unit, what, only, onOnly }: LegendProps) {
  const { t, locale } = useI18n();
  const [whole, setWhole] = useState(false);
  const shown = whole ? items : items.slice(0, FIRST_SHOWN);
  return (
    <ul className="chart-legend" aria-label={t('chart.seriesOf', { title })}>
      {shown.map((one) => (
        <li key={one.id} className={only !== undefined && only !== one.id ? 'off' : undefined}>
          <button
            type="button"
            aria-pressed={only === one.id}
            title={only === one.id ? t('chart.hide') : t('chart.only', { name: one.label })}
            onClick={() => onOnly(only === one.id ? undefined : one.id)}
          >
            <Swatch look={one.look} />
            <span className="legend-label">{one.label}</span>
            <strong title={what}>{valueText(one.value, unit, locale)}</strong>
            {one.delta !== null ? <span className="quiet">{deltaText(one.delta, locale)}</span> : null}
          </button>
        </li>
      ))}
      {items.length > shown.length ? (
        <li>
          <button type="button" onClick={() => setWhole(true)}>
            {t('chart.more', { count: items.length - shown.length })}
          </button>
        </li>
      ) : null}
    </ul>
  );
}
