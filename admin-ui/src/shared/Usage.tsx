// How full something is: a bar with the figure beside it, a mark from 80 % and from 95 % on.
import { useFormat } from '../format/use-format';

interface UsageProps {
  used: bigint | number;
  whole: bigint | number;
  /** What the figure shows beside the percentage. */
  label?: string;
  /** Of what it is. */
  of: string;
}

export function Usage({ used, whole, label, of }: UsageProps) {
  const format = useFormat();
  const part = Number(whole) > 0 ? Number(used) / Number(whole) : 0;
  const level = part >= 0.95 ? 'bad' : part >= 0.8 ? 'warn' : 'good';
  return (
    <div className="usage" title={of}>
      <span className={`bar ${level}`} aria-hidden="true">
        <span style={{ width: `${Math.min(100, part * 100)}%` }} />
      </span>
      <span className="figure">{format.percent(Number(used), Number(whole))}</span>
      {label ? <span className="quiet">{label}</span> : null}
    </div>
  );
}
