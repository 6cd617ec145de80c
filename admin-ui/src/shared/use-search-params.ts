// The query of the URL. The router's own hook hands the query that was last drawn to who changes it: of two changes
// that soon follow each other the second would take back the first.
import { useCallback } from 'react';
import {
  type NavigateOptions,
  type URLSearchParamsInit,
  useSearchParams as useDrawnSearchParams,
} from 'react-router';

type Next = URLSearchParamsInit | ((now: URLSearchParams) => URLSearchParamsInit);

/** The query as it is drawn, and what changes it: a function is given the one that the URL has now. */
export function useSearchParams(): [URLSearchParams, (next: Next, options?: NavigateOptions) => void] {
  const [params, setParams] = useDrawnSearchParams();
  const change = useCallback(
    (next: Next, options?: NavigateOptions) => {
      const now = () => new URLSearchParams(window.location.search);
      setParams(typeof next === 'function' ? next(now()) : next, options);
    },
    [setParams],
  );
  return [params, change];
}
