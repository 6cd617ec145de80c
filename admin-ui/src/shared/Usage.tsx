// How full something is: a bar with the figure beside it, a mark from 80 % and from 95 % on. What share something has
// of a whole is no trouble however large it is, and has no mark.
import { useFormat } from '../format/use-format';

interface UsageProps {
  used: bigint | number;
  whole: bigint | number;
  /** What the figure shows beside the percentage. */
  label?: string;
  /** Of what it is. */
  of: string;
}

interface ShareProps {
  part: bigint | number;
  whole: bigint | number;
  /** The figure beside the bar. */
  label: string;
  /** Of what it is a share. */
  of: string;
}

function partOf(part: bigint | number, whole: bigint | number): number {
  return Number(whole) > 0 ? Number(part) / Number(whole) : 0;
}

function Bar({ part, level }: { part: number; level: 'good' | 'warn' | 'bad' }) {
  return (
    <span className={`bar ${level}`} aria-hidden="true">
      <span style={{ width: `${Math.min(100, part * 100)}%` }} />
    </span>
  );
}

export function Usage({ used, whole, label, of }: UsageProps) {
  const format = useFormat();
  const part = partOf(used, whole);
  return (
    <div className="usage" title={of}>
      <Bar part={part} level={part >= 0.95 ? 'bad' : part >= 0.8 ? 'warn' : 'good'} />
      <span className="figure">{format.percent(Number(used), Number(whole))}</span>
      {label ? <span className="quiet">{label}</span> : null}
    </div>
  );
}

export function Share({ part, whole, label, of }: ShareProps) {
  const format = useFormat();
  return (
    <div className="usage" title={`${of}: ${format.percent(Number(part), Number(whole))}`}>
      <Bar part={partOf(part, whole)} level="good" />
      <span>{label}</span>
    </div>
  );
}
