// The most frequent values of one field among what matches, to filter by; of figures also their range.
import { Button } from '@patternfly/react-core';
import MinusIcon from '@patternfly/react-icons/dist/esm/icons/search-minus-icon';
import PlusIcon from '@patternfly/react-icons/dist/esm/icons/search-plus-icon';
import { type Json, useSearch } from '../../api/monitor';
import { useFormat } from '../../format/use-format';
import type { Field } from '../../generated/wharf/monitor/v1/search_pb';
import { useT } from '../../i18n/i18n';
import { DataState } from '../../shared/DataState';
import { bucketsOf, countOf, inside, type Span } from '../../shared/search/build';
import { clipped } from './document';
import { isNumber, topValuesBody } from './requests';

interface TopValuesProps {
  field: Field;
  indices: string[];
  q: string;
  span: Span;
  onFilter: (field: string, value: string, out: boolean) => void;
}

const IN_A_ROW = 80;

export function TopValues({ field, indices, q, span, onFilter }: TopValuesProps) {
  const t = useT();
  const format = useFormat();
  const can = field.aggregatable && field.type !== 'conflict';
  const body = topValuesBody(q, span, field.name, field.type);
  const answer = useSearch({ indices, body }, { enabled: can, keep: true });
  if (!can) {
    return (
      <p className="quiet">
        {field.type === 'conflict'
          ? t('discover.field.conflict', { types: field.types.join(', ') })
          : t('discover.field.text')}
      </p>
    );
  }
  return (
    <DataState query={answer} lines={3}>
      {(data) => {
        const buckets = bucketsOf(data.aggregations, 'top');
        const total = data.hits.total?.value ?? 0;
        const having = countOf(data.aggregations, 'having');
        const stat = (name: string) => {
          const value: Json | undefined = inside(data.aggregations, 'stats', name);
          return typeof value === 'number' ? format.number(value, 3) : '–';
        };
        if (having === 0) return <p className="quiet">{t('discover.field.nowhere')}</p>;
        return (
          <>
            <p className="quiet">
              {t('discover.field.in', {
                having: format.number(having),
                total: format.number(total),
                share: format.percent(having, total),
              })}
            </p>
            {isNumber(field.type) ? (
              <p className="quiet">
                {t('discover.field.figures', { min: stat('min'), avg: stat('avg'), max: stat('max') })}
              </p>
            ) : null}
            <ul className="top-values">
              {buckets.map((bucket) => {
                const value = bucket.key_as_string ?? String(bucket.key);
                const what = { field: field.name, value: clipped(value, IN_A_ROW).text };
                return (
                  <li key={bucket.key}>
                    <span className="top-value" title={clipped(value).text}>
                      {value === '' ? t('discover.field.blank') : clipped(value, IN_A_ROW).text}
                    </span>
                    <span className="figure" title={format.number(bucket.doc_count)}>
                      {format.percent(bucket.doc_count, having)}
                    </span>
                    <Button
                      variant="plain"
                      size="sm"
                      icon={<PlusIcon />}
                      aria-label={t('discover.filter.for', what)}
                      title={t('discover.filter.for', what)}
                      onClick={() => onFilter(field.name, value, false)}
                    />
                    <Button
                      variant="plain"
                      size="sm"
                      icon={<MinusIcon />}
                      aria-label={t('discover.filter.out', what)}
                      title={t('discover.filter.out', what)}
                      onClick={() => onFilter(field.name, value, true)}
                    />
                    <span className="share" aria-hidden="true">
                      <span style={{ width: `${(100 * bucket.doc_count) / having}%` }} />
                    </span>
                  </li>
                );
              })}
            </ul>
          </>
        );
      }}
    </DataState>
  );
}
