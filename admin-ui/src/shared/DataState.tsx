// The four states of fetched data: it comes, it could not be had, there is some but it could not be
// renewed, it is there. What to show when there is none of it is the caller's.
import { Skeleton } from '@patternfly/react-core';
import type { UseQueryResult } from '@tanstack/react-query';
import { type ReactNode, useRef } from 'react';
import { clock } from '../format/format';
import { useI18n } from '../i18n/i18n';
import { Refused } from './Refused';

interface DataStateProps<T> {
  query: UseQueryResult<T>;
  lines?: number;
  /** What is said when it could not be had. */
  failed?: string;
  children: (data: T) => ReactNode;
}

const WIDTHS = ['92%', '78%', '85%', '64%'];

export function Loading({ lines = 4 }: { lines?: number }) {
  const { t } = useI18n();
  return (
    <div className="loading" aria-busy="true" role="status">
      {Array.from({ length: lines }, (_, line) => (
        // The lines are all alike: their place is their name.
        // biome-ignore lint/suspicious/noArrayIndexKey: see above
        <Skeleton key={line} width={WIDTHS[line % WIDTHS.length]} screenreaderText={t('state.loading')} />
      ))}
    </div>
  );
}

export function DataState<T>({ query, lines, failed, children }: DataStateProps<T>) {
  const { t, locale } = useI18n();
  const retry = () => void query.refetch();
  const last = useRef<unknown>(null);
  if (query.error) last.current = query.error;
  if (query.data === undefined) {
    // While it is asked again the refusal stays, with whoever reads it or is about to press its button.
    const error = query.error ?? (query.errorUpdateCount > 0 ? last.current : null);
    if (error) {
      return (
        <Refused error={error} title={failed ?? t('state.failed')} retry={retry} busy={query.isFetching} />
      );
    }
    return <Loading lines={lines ?? 4} />;
  }
  return (
    <>
      {query.error ? (
        <Refused
          error={query.error}
          title={t('state.stale', { at: clock(new Date(query.dataUpdatedAt), locale, new Date()) })}
          retry={retry}
          busy={query.isFetching}
        />
      ) : null}
      {children(query.data)}
    </>
  );
}
