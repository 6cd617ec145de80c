// A moment: by the clock or as an age, always with the date in UTC on hover.
import { type Timestamp, timestampDate } from '@bufbuild/protobuf/wkt';
import { useEffect, useState } from 'react';
import { useFormat } from '../format/use-format';

/** The time, renewed as long as something counts by it. */
export function useNow(everyMs: number): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (everyMs <= 0) return;
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}

export function Clock({ at }: { at: Timestamp | undefined }) {
  const format = useFormat();
  if (!at) return <span className="quiet">–</span>;
  const iso = timestampDate(at).toISOString();
  return (
    <time dateTime={iso} title={iso}>
      {format.clock(at)}
    </time>
  );
}

export function Age({ at }: { at: Timestamp | undefined }) {
  const format = useFormat();
  const now = useNow(10_000);
  if (!at) return <span className="quiet">–</span>;
  const iso = timestampDate(at).toISOString();
  return (
    <time dateTime={iso} title={iso}>
      {format.age(now - timestampDate(at).getTime())}
    </time>
  );
}

/** From one moment to another, or until now while the other is not there. */
export function Lasted({ from, to }: { from: Timestamp | undefined; to: Timestamp | undefined }) {
  const format = useFormat();
  const now = useNow(to || !from ? 0 : 1_000);
  if (!from) return <span className="quiet">–</span>;
  const end = to ? timestampDate(to).getTime() : now;
  return <span>{format.duration(end - timestampDate(from).getTime())}</span>;
}
