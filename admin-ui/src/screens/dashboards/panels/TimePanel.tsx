// Lines, areas and bars over time.
import type { ReactNode } from 'react';
import { TimeChart } from '../../../shared/chart/TimeChart';
import type { RendererProps } from './renderer';

const HEAD = 34;
const LEGEND_LINE = 26;
const LEGEND = 8;
/** What fits beside each other in a panel of half the page; each entry has a sign and a figure besides. */
const LETTERS_OF_LINE = 72;
const PER_ENTRY = 14;

export function TimePanel({ panel, title, frame, range, height, actions, note, empty }: RendererProps) {
  const series = frame?.over === 'time' ? frame.series : [];
  const letters = series.reduce((sum, one) => sum + one.label.length + PER_ENTRY, 0);
  const lines = letters > LETTERS_OF_LINE ? 2 : 1;
  const none: ReactNode = empty;
  return (
    <TimeChart
      bare
      title={title}
      unit={panel.unit ?? 'count'}
      series={series}
      height={Math.max(60, height - HEAD - (series.length > 0 ? LEGEND + lines * LEGEND_LINE : 0))}
      range={{ from: range.from, to: range.to }}
      onZoom={range.zoom}
      onBack={range.back}
      stacked={panel.stacked ?? panel.kind === 'area'}
      bars={panel.kind === 'bar'}
      actions={actions}
      note={note}
      empty={none}
    />
  );
}
