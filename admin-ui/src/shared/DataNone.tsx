// Data of the storage in its states: it comes, there is none (why, and since when), it is not whole, it
// could not be had.
import { Alert, Button } from '@patternfly/react-core';
import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import type { JsonObject, SearchAnswer } from '../api/monitor';
import { age, clock } from '../format/format';
import { type MessageKey, useI18n } from '../i18n/i18n';
import { DataState } from './DataState';
import { Empty } from './Empty';
import { Refused } from './Refused';
import { useLastSeen } from './search/last-seen';
import { type Partial, partialOf } from './search/partial';

interface DataNoneProps {
  indices: string[];
  /** What else the documents must be, but for the time. */
  filter?: readonly JsonObject[];
  /** None: the one that the URL names. */
  deployment?: string;
  /** What there is none of. */
  title?: string;
  /** Shows the span in which there was something. */
  onShow?: (from: number, to: number) => void;
  /** How the last one is told of, with `at` and `age`. */
  lastSeen?: MessageKey;
  /** What else is to be said or done. */
  children?: ReactNode;
}

const AROUND_MS = 30 * 60_000;

/** Why a span has nothing, and when there was something. */
export function DataNone({ indices, filter, deployment, title, onShow, lastSeen, children }: DataNoneProps) {
  const { t, locale } = useI18n();
  const where = { indices, ...(filter ? { filter } : {}), ...(deployment ? { deployment } : {}) };
  const { seen, query } = useLastSeen(where, true);
  const at = seen?.at;
  const why = () => {
    if (!seen) return t('data.looking');
    if (seen.missing) return t('data.missing', { stream: indices.join(', ') });
    if (at === undefined) return t('data.never');
    return t(lastSeen ?? 'data.lastSeen', {
      at: clock(new Date(at), locale, new Date()),
      age: age(Date.now() - at, locale),
    });
  };
  return (
    <Empty title={title ?? t('data.none')}>
      {!seen && query.error ? <Refused error={query.error} retry={() => void query.refetch()} /> : why()}{' '}
      {at !== undefined && onShow ? (
        <Button
          variant="link"
          isInline
          onClick={() => onShow(at - AROUND_MS, Math.min(at + AROUND_MS, Date.now()))}
        >
          {t('data.showThen')}
        </Button>
      ) : null}{' '}
      {children}
    </Empty>
  );
}

/** What is missing of answers that are not whole. */
export function PartialData({ answers }: { answers: readonly (SearchAnswer | undefined)[] }) {
  const partial = partialOf(answers.filter((one) => one !== undefined));
  return partial ? <PartialNote partial={partial} /> : null;
}

export function PartialNote({ partial, retry }: { partial: Partial; retry?: () => void }) {
  const { t } = useI18n();
  return (
    <Alert
      variant="warning"
      isInline
      component="h2"
      className="refused"
      title={t('data.partial')}
      {...(retry
        ? {
            actionLinks: (
              <Button variant="link" isInline onClick={retry}>
                {t('refused.retry')}
              </Button>
            ),
          }
        : {})}
    >
      {partial.timedOut ? t('data.partial.late') : null}{' '}
      {partial.failed > 0 ? t('data.partial.shards', { failed: partial.failed, total: partial.total }) : null}
    </Alert>
  );
}

interface SearchStateProps extends Omit<DataNoneProps, 'children'> {
  query: UseQueryResult<SearchAnswer>;
  /** Whether there is nothing to show in the answer; else: no hit. */
  none?: (answer: SearchAnswer) => boolean;
  lines?: number;
  children: (answer: SearchAnswer) => ReactNode;
}

export function SearchState({ query, none, lines, children, ...rest }: SearchStateProps) {
  const isNone = none ?? ((answer: SearchAnswer) => answer.hits.hits.length === 0);
  return (
    <DataState query={query} {...(lines ? { lines } : {})}>
      {(answer) => (
        <>
          <PartialData answers={[answer]} />
          {isNone(answer) ? <DataNone {...rest} /> : children(answer)}
        </>
      )}
    </DataState>
  );
}
