// Pie, treemap, heat map, gauge: those that ECharts draws.
import { useMemo } from 'react';
import { clock } from '../../../format/format';
import { useI18n } from '../../../i18n/i18n';
import { valueText } from '../../../shared/chart/axis';
import { looksOf } from '../../../shared/chart/colours';
import { useLook } from '../../../shared/chart/use-look';
import { EChart } from '../../../shared/echart/EChart';
import type { Row } from '../frame';
import { useLevelMark } from './FigurePanel';
import {
  gaugeOption,
  heatmapOption,
  levelOf,
  numberOf,
  pieOption,
  shaded,
  treemapOption,
  type Words,
} from './options';
import type { RendererProps } from './renderer';

const HEAD = 36;
const NAME = 22;
export const MOST_GAUGES = 6;
/** From the seventh on `looksOf` gives dashes, which areas do not have. */
const COLOURS = 6;
const PIE = 150;

function useWords(unit: RendererProps['panel']['unit']): Words {
  const { locale } = useI18n();
  return useMemo(
    () => ({
      value: (value) => valueText(value, unit ?? 'count', locale),
      time: (ms) => clock(new Date(ms), locale, new Date()),
    }),
    [unit, locale],
  );
}

function Gauge({
  panel,
  title,
  row,
  height,
}: Pick<RendererProps, 'panel' | 'title' | 'height'> & { row: Row }) {
  const words = useWords(panel.unit);
  const mark = useLevelMark();
  const option = useMemo(() => gaugeOption(panel, row, words), [panel, row, words]);
  const value = numberOf(row.values[0]);
  return (
    <div className="gauge">
      <EChart option={option} label={`${title}: ${row.label} ${words.value(value)}`} height={height} />
      <div className="gauge-name">
        {row.keys.length > 0 ? <span>{row.label}</span> : null} {mark(levelOf(value, panel.limits))}
      </div>
    </div>
  );
}

export function EPanel({ panel, title, frame, height }: RendererProps) {
  const look = useLook();
  const words = useWords(panel.unit);
  const colours = useMemo(() => {
    const rows = frame?.over === 'rows' ? frame.rows : [];
    const looks = looksOf(
      rows.flatMap((row) => (panel.kind === 'treemap' ? row.keys : [row.id])),
      look,
    );
    return (id: string) => {
      const { colour = '#888888', slot = 0 } = looks.get(id) ?? {};
      return shaded(colour, Math.floor(slot / COLOURS), look);
    };
  }, [frame, panel.kind, look]);
  const option = useMemo(() => {
    if (!frame) return undefined;
    if (frame.over === 'time') return heatmapOption(frame.series, words);
    return panel.kind === 'treemap'
      ? treemapOption(frame.rows, colours, words)
      : pieOption(frame.rows, colours, words);
  }, [frame, panel.kind, words, colours]);
  const inner = height - HEAD;
  if (!frame || !option) return null;
  if (panel.kind === 'gauge' && frame.over === 'rows') {
    return (
      <div className="gauges">
        {frame.rows.slice(0, MOST_GAUGES).map((row) => (
          <Gauge key={row.id} panel={panel} title={title} row={row} height={inner - NAME} />
        ))}
      </div>
    );
  }
  if (panel.kind === 'pie' && frame.over === 'rows') {
    const label = `${title}: ${frame.rows.map((row) => `${row.label} ${words.value(numberOf(row.values[0]))}`).join(', ')}`;
    return (
      <div className="pie">
        <EChart option={option} label={label} height={Math.min(inner, PIE)} />
        <ul className="pie-legend">
          {frame.rows.map((row) => (
            <li key={row.id} title={row.label}>
              <svg width="10" height="10" aria-hidden="true">
                <rect width="10" height="10" rx="2" fill={colours(row.id)} />
              </svg>
              <span>{row.label}</span>
              <strong>{words.value(numberOf(row.values[0]))}</strong>
            </li>
          ))}
        </ul>
      </div>
    );
  }
  const parts =
    frame.over === 'rows'
      ? frame.rows.map((row) => `${row.label} ${words.value(numberOf(row.values[0]))}`)
      : frame.series.map((one) => one.label);
  return <EChart option={option} label={`${title}: ${parts.slice(0, 10).join(', ')}`} height={inner} />;
}
