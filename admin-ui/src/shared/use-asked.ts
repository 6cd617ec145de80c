// The dialog that is open over a page, in its URL: `?do=restart`. A link opens it and a reload keeps it. Closed it is
// gone from there without a trace, so that the way back does not open it again.
import { useCallback, useEffect, useState } from 'react';
import { useLocation, useNavigate } from 'react-router';

export const ASKED = 'do';

/** The path with that dialog open. */
export function asking(path: string, what: string): string {
  return `${path}${path.includes('?') ? '&' : '?'}${new URLSearchParams({ [ASKED]: what })}`;
}

/** The search of a URL with that dialog, or none. Pure. */
export function searchWith(search: string, what: string | null): string {
  const params = new URLSearchParams(search);
  if (what === null) params.delete(ASKED);
  else params.set(ASKED, what);
  return params.size > 0 ? `?${params}` : '';
}

interface Asked {
  /** What is open. */
  asked: string | null;
  open: (what: string) => void;
  /** Whoever leads on to another page waits for it. */
  close: () => Promise<void>;
}

/**
 * What the URL asks for, once the page is `ready` to say whether it can be done. It is decided once: what comes to be
 * impossible meanwhile does not vanish from under the hands, and what cannot be done is gone from the URL.
 */
export function useAsked(ready: boolean, can: (what: string) => boolean): Asked {
  const navigate = useNavigate();
  const { search } = useLocation();
  const asked = new URLSearchParams(search).get(ASKED);
  const [decided, setDecided] = useState<{ asked: string | null; can: boolean }>({ asked: null, can: false });
  const isDecided = decided.asked === asked;
  if (ready && !isDecided) setDecided({ asked, can: asked !== null && can(asked) });
  const put = useCallback(
    async (what: string | null) => {
      await navigate({ search: searchWith(search, what) }, { replace: true });
    },
    [navigate, search],
  );
  const isVain = asked !== null && isDecided && !decided.can;
  useEffect(() => {
    if (isVain) void put(null);
  }, [isVain, put]);
  return {
    asked: isDecided && decided.can ? asked : null,
    open: (what) => void put(what),
    close: () => put(null),
  };
}
