// What is listed, as a file of comma-separated values: so many rows at most, and it says so.
import { Button } from '@patternfly/react-core';
import { useRef, useState } from 'react';
import { useFormat } from '../../format/use-format';
import { useT } from '../../i18n/i18n';
import { saveCsv } from '../../shared/files/save';
import { Refused } from '../../shared/Refused';
import { headOf, MOST_ROWS, rowsOf } from './csv';
import { Dropped } from './Dropped';
import type { Hit } from './document';
import { afterOf } from './requests';
import { fetchPage, type Listing } from './use-documents';

const ROWS_AT_ONCE = 1_000;

interface ExportProps {
  listing: Listing;
  total: number | undefined;
}

export function Export({ listing, total }: ExportProps) {
  const t = useT();
  const format = useFormat();
  const [written, setWritten] = useState<number>();
  const [error, setError] = useState<unknown>(null);
  const running = useRef<AbortController>(null);
  const stop = () => {
    running.current?.abort();
    running.current = null;
    setWritten(undefined);
  };
  const start = async (close: () => void) => {
    const ends = new AbortController();
    running.current = ends;
    setError(null);
    setWritten(0);
    const parts = [headOf(listing.columns)];
    const sameMoment: Hit[] = [];
    try {
      for (let rows = 0; rows < MOST_ROWS; ) {
        const size = Math.min(ROWS_AT_ONCE, MOST_ROWS - rows);
        const page = await fetchPage(listing, afterOf(sameMoment, listing.order), size, ends.signal);
        parts.push(rowsOf(page.hits, listing.columns));
        rows += page.hits.length;
        sameMoment.push(...page.hits);
        setWritten(rows);
        if (!page.more) break;
      }
      const day = new Date(listing.span.to).toISOString().slice(0, 19).replaceAll(':', '');
      saveCsv(`${listing.indices[0]?.replaceAll('*', '') || 'documents'}-${day}.csv`, parts);
      close();
    } catch (failure) {
      if (!ends.signal.aborted) setError(failure);
    }
    if (running.current === ends) stop();
  };
  return (
    <Dropped align="right" name={t('discover.csv')} label="CSV">
      {(close) => (
        <div className="stack">
          <p>
            {total !== undefined && total > MOST_ROWS
              ? t('discover.csv.part', { most: format.number(MOST_ROWS), total: format.number(total) })
              : t('discover.csv.all', { most: format.number(MOST_ROWS) })}
          </p>
          {error ? <Refused error={error} /> : null}
          <div className="line">
            {written === undefined ? (
              <Button variant="primary" size="sm" onClick={() => void start(close)}>
                {t('discover.csv.do')}
              </Button>
            ) : (
              <>
                <span role="status">{t('discover.csv.written', { count: format.number(written) })}</span>
                <Button variant="link" size="sm" isInline onClick={stop}>
                  {t('discover.csv.stop')}
                </Button>
              </>
            )}
          </div>
        </div>
      )}
    </Dropped>
  );
}
