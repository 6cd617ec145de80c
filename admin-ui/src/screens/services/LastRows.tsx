// The last documents of a search as a table, with how many there are and the way to all of them. Not here: what is
// asked and what a row says (`ErrorLines`, `FailedRequests`).
import type { ReactNode } from 'react';
import { Link } from 'react-router';
import { type SearchAnswer, useSearch } from '../../api/monitor';
import { useFormat } from '../../format/use-format';
import { useI18n } from '../../i18n/i18n';
import { Card } from '../../shared/Card';
import { PartialData } from '../../shared/DataNone';
import { DataState } from '../../shared/DataState';
import { Empty } from '../../shared/Empty';
import { ShowQuery } from '../../shared/query/ShowQuery';
import { totalOf } from './queries';

interface LastRowsProps<Row> {
  title: string;
  deployment: string;
  indices: string[];
  body: Parameters<typeof useSearch>[0]['body'];
  /** To all of them, and what that is called. */
  whole: { to: string; label: string };
  none: string;
  rows: (answer: SearchAnswer) => Row[];
  head: ReactNode;
  row: (row: Row) => ReactNode;
  className?: string;
}

export function LastRows<Row extends { id: string }>(props: LastRowsProps<Row>) {
  const { t } = useI18n();
  const format = useFormat();
  const { title, deployment, indices, body, whole } = props;
  const query = useSearch({ deployment, indices, body }, { keep: true });
  return (
    <Card
      flush
      title={title}
      actions={
        <>
          {query.data ? (
            <span className="quiet">
              {t('services.inSpan', { count: format.number(totalOf(query.data)) })}
            </span>
          ) : null}
          <Link to={whole.to}>{whole.label}</Link>
          <ShowQuery deployment={deployment} indices={indices} body={body} of={title} />
        </>
      }
    >
      <DataState query={query} lines={4}>
        {(answer) => {
          const rows = props.rows(answer);
          if (rows.length === 0) return <Empty title={props.none} />;
          return (
            <>
              <PartialData answers={[answer]} />
              <section
                className="rows"
                // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
                tabIndex={0}
                aria-label={title}
              >
                <table className={`grid ${props.className ?? ''}`.trim()} aria-label={title}>
                  <thead>
                    <tr>{props.head}</tr>
                  </thead>
                  <tbody>
                    {rows.map((one) => (
                      <tr key={one.id}>{props.row(one)}</tr>
                    ))}
                  </tbody>
                </table>
              </section>
            </>
          );
        }}
      </DataState>
    </Card>
  );
}
