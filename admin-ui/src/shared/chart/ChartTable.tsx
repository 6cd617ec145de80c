// The figures of a chart for those who do not see it, or want to copy them.
import { useI18n } from '../../i18n/i18n';
import { momentText, valueText } from './axis';
import type { Frame } from './frame';
import type { ChartSeries, Unit } from './types';

interface ChartTableProps {
  title: string;
  frame: Frame;
  series: readonly ChartSeries[];
  unit: Unit;
  height: number;
}

/** The newest of them; a table of more helps nobody. */
const MOST_ROWS = 500;

export function ChartTable({ title, frame, series, unit, height }: ChartTableProps) {
  const { t, locale } = useI18n();
  const now = Date.now();
  const rows = frame.times
    .map((at, index) => ({ at, index }))
    .filter(({ index }) => frame.lines.some((line) => line.values[index] !== undefined))
    .slice(-MOST_ROWS)
    .reverse();
  return (
    <section
      className="rows chart-table"
      style={{ height }}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
      tabIndex={0}
      aria-label={title}
    >
      <table className="grid" aria-label={title}>
        <thead>
          <tr>
            <th scope="col">{t('chart.time')}</th>
            {frame.lines.map((line) => (
              <th key={`${line.previous} ${series[line.index]?.id}`} scope="col" className="right">
                {series[line.index]?.label}
                {line.previous ? ` (${t('chart.previous')})` : ''}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ at, index }) => (
            <tr key={at}>
              <td className="tight">{momentText(at, locale, now)}</td>
              {frame.lines.map((line) => (
                <td key={`${line.previous} ${series[line.index]?.id}`} className="right">
                  {valueText(line.values[index] ?? null, unit, locale)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
