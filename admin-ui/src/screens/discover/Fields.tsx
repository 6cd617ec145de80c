// The fields of what is searched, found by the server by how their names begin; each opens to its most
// frequent values. Only those in sight are drawn.
import { Button, SearchInput } from '@patternfly/react-core';
import MinusIcon from '@patternfly/react-icons/dist/esm/icons/minus-icon';
import PlusIcon from '@patternfly/react-icons/dist/esm/icons/plus-icon';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useDeferredValue, useRef, useState } from 'react';
import { useMonitorCall } from '../../api/monitor';
import { useFormat } from '../../format/use-format';
import { Search } from '../../generated/wharf/monitor/v1/search_pb';
import { useT } from '../../i18n/i18n';
import { DataState } from '../../shared/DataState';
import type { Span } from '../../shared/search/build';
import { TopValues } from './TopValues';
import { MOST_FIELDS, useEveryField } from './use-known-fields';
import { toggled } from './view-state';

const ROW = 28;

interface FieldsProps {
  indices: string[];
  /** There is no data stream at all, which is not the same as one that is not known yet. */
  none: boolean;
  q: string;
  span: Span;
  columns: string[];
  onColumns: (columns: string[]) => void;
  onFilter: (field: string, value: string, out: boolean) => void;
}

/** A short sign of what kind of values a field has. */
function signOf(type: string): string {
  if (/^(long|integer|short|byte|double|float|half_float|scaled_float|unsigned_long)$/.test(type)) return '#';
  if (/^date/.test(type)) return '◷';
  if (type === 'boolean') return '?';
  if (type === 'ip') return '@';
  if (/text$/.test(type)) return '¶';
  return type === 'conflict' ? '!' : 'a';
}

export function Fields(props: FieldsProps) {
  const { indices, columns, onColumns } = props;
  const t = useT();
  const format = useFormat();
  const [text, setText] = useState('');
  const [open, setOpen] = useState('');
  const box = useRef<HTMLDivElement>(null);
  const prefix = useDeferredValue(text.trim().replace(/[*,]/g, ''));
  const every = useEveryField(indices, indices.length > 0);
  // A list that is whole is sieved here, also by what stands within names; a longer one by the server.
  const whole = every.data !== undefined && every.data.total <= every.data.fields.length;
  const found = useMonitorCall(
    Search.method.listFields,
    { indices, prefix, limit: MOST_FIELDS },
    { enabled: indices.length > 0 && prefix !== '' && !whole, keep: true },
  );
  const query = prefix === '' || whole ? every : found;
  const listed = query.data?.fields ?? [];
  const fields = whole
    ? listed.filter((field) => field.name.toLowerCase().includes(prefix.toLowerCase()))
    : listed;
  const virtual = useVirtualizer({
    count: fields.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    getItemKey: (index) => fields[index]?.name ?? index,
    overscan: 12,
  });
  return (
    <section className="card fields" aria-label={t('discover.fields')}>
      <header className="card-head">
        <h2>{t('discover.fields')}</h2>
        <span className="quiet">
          {query.data ? format.number(whole ? fields.length : query.data.total) : ''}
        </span>
      </header>
      <SearchInput
        aria-label={t('discover.fields.search')}
        placeholder={t('discover.fields.search')}
        value={text}
        onChange={(_, value) => setText(value)}
        onClear={() => setText('')}
      />
      {props.none ? <p className="quiet field-note">{t('discover.fields.noneAtAll')}</p> : null}
      {props.none ? null : (
        <DataState query={query} lines={8}>
          {(data) => (
            <>
              {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
              <div className="field-list" ref={box} tabIndex={0}>
                <ul style={{ height: virtual.getTotalSize() }}>
                  {virtual.getVirtualItems().map((item) => {
                    const field = fields[item.index];
                    if (!field) return null;
                    const isColumn = columns.includes(field.name);
                    const isOpen = open === field.name;
                    const turn = isColumn ? 'discover.column.remove' : 'discover.column.add';
                    return (
                      <li
                        key={item.key}
                        data-index={item.index}
                        ref={virtual.measureElement}
                        style={{ transform: `translateY(${item.start}px)` }}
                        className={isColumn ? 'field column' : 'field'}
                      >
                        <div className="field-head">
                          <button
                            type="button"
                            aria-expanded={isOpen}
                            title={`${field.name} (${field.type})`}
                            onClick={() => setOpen(isOpen ? '' : field.name)}
                          >
                            <span className="sign" aria-hidden="true">
                              {signOf(field.type)}
                            </span>
                            <span className="field-name">
                              <bdi>{field.name}</bdi>
                            </span>
                          </button>
                          <Button
                            variant="plain"
                            size="sm"
                            icon={isColumn ? <MinusIcon /> : <PlusIcon />}
                            aria-label={t(turn, { field: field.name })}
                            title={t(turn, { field: field.name })}
                            onClick={() => onColumns(toggled(columns, field.name))}
                          />
                        </div>
                        {isOpen ? (
                          <div className="field-body">
                            <TopValues
                              field={field}
                              indices={indices}
                              q={props.q}
                              span={props.span}
                              onFilter={props.onFilter}
                            />
                          </div>
                        ) : null}
                      </li>
                    );
                  })}
                </ul>
              </div>
              {fields.length === 0 ? (
                <p className="quiet field-note">
                  {prefix ? t('discover.fields.none') : t('discover.fields.noneAtAll')}
                </p>
              ) : null}
              {data.total > data.fields.length ? (
                <p className="quiet field-note">
                  {t('discover.fields.more', {
                    shown: format.number(data.fields.length),
                    total: format.number(data.total),
                  })}
                </p>
              ) : null}
            </>
          )}
        </DataState>
      )}
    </section>
  );
}
