// What a link asks to be begun on the page that it leads to: `?do=restart`. It is gone from the URL then,
// so that neither a reload nor the way back begins it again.
import { useEffect, useRef } from 'react';
import { useSearchParams } from 'react-router';

export const ASKED = 'do';

/** Begins it when the page is ready to say whether it can be done. */
export function useAsked(ready: boolean, begin: (what: string) => void): void {
  const [params, setParams] = useSearchParams();
  const asked = params.get(ASKED);
  const newest = useRef(begin);
  newest.current = begin;
  useEffect(() => {
    if (!ready || asked === null) return;
    newest.current(asked);
    setParams(
      (old) => {
        const next = new URLSearchParams(old);
        next.delete(ASKED);
        return next;
      },
      { replace: true },
    );
  }, [ready, asked, setParams]);
}
