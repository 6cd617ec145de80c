// Which data streams are searched: all, all of a kind, or some by name.
import { Button, TextInput } from '@patternfly/react-core';
import { useDeferredValue, useState } from 'react';
import { useMonitorCall } from '../../api/monitor';
import { useFormat } from '../../format/use-format';
import { Search } from '../../generated/wharf/monitor/v1/search_pb';
import { useT } from '../../i18n/i18n';
import { DataState } from '../../shared/DataState';
import { shortWords } from '../../shared/retention/kept';
import { Age } from '../../shared/When';
import { Dropped } from './Dropped';
import { everything, MOST_INDICES } from './view-state';

interface StreamsProps {
  /** None: all. */
  chosen: string[];
  /** Every name there is, for the kinds. */
  names: string[];
  onChoose: (indices: string[]) => void;
}

function Choices({ chosen, names, onChoose, close }: StreamsProps & { close: () => void }) {
  const t = useT();
  const format = useFormat();
  const [text, setText] = useState('');
  const wanted = useDeferredValue(text.trim().replaceAll('"', ''));
  const streams = useMonitorCall(
    Search.method.listDataStreams,
    {
      options: { pageSize: 100, orderBy: 'name', ...(wanted ? { filter: `name~"${wanted}"` } : {}) },
      withIndices: true,
      withRetention: true,
    },
    { keep: true },
  );
  const full = chosen.length >= MOST_INDICES;
  const toggle = (name: string) =>
    onChoose(chosen.includes(name) ? chosen.filter((one) => one !== name) : [...chosen, name]);
  const only = (indices: string[]) => {
    onChoose(indices);
    close();
  };
  return (
    <>
      <div className="stream-kinds">
        <Button variant="secondary" size="sm" onClick={() => only([])}>
          {t('discover.streams.all')}
        </Button>
        {everything(names).map((pattern) => (
          <Button key={pattern} variant="secondary" size="sm" onClick={() => only([pattern])}>
            {pattern}
          </Button>
        ))}
      </div>
      <TextInput
        autoFocus
        aria-label={t('discover.streams.search')}
        placeholder={t('discover.streams.search')}
        value={text}
        onChange={(_, value) => setText(value)}
      />
      <DataState query={streams} lines={4}>
        {(data) => (
          <>
            <ul className="stream-list">
              {data.dataStreams.map((one) => {
                const on = chosen.includes(one.name);
                const kept = shortWords(one.retention, format.wholeDuration);
                return (
                  <li key={one.name}>
                    <label
                      title={full && !on ? t('discover.streams.most', { most: MOST_INDICES }) : undefined}
                    >
                      <input
                        type="checkbox"
                        checked={on}
                        disabled={full && !on}
                        onChange={() => toggle(one.name)}
                      />
                      <span className="stream-name">{one.name}</span>
                      <span className="quiet">
                        {t('discover.streams.documents', { count: format.number(one.documents) })}
                        {kept ? ` · ${t(...kept)}` : null}
                      </span>
                      <span className="quiet stream-age">{one.lastAt ? <Age at={one.lastAt} /> : '–'}</span>
                    </label>
                  </li>
                );
              })}
            </ul>
            {data.dataStreams.length === 0 ? <p className="quiet">{t('discover.streams.none')}</p> : null}
            {Number(data.info?.total ?? 0) > data.dataStreams.length ? (
              <p className="quiet">
                {t('discover.streams.more', {
                  shown: data.dataStreams.length,
                  total: format.number(data.info?.total ?? 0),
                })}
              </p>
            ) : null}
          </>
        )}
      </DataState>
    </>
  );
}

export function Streams(props: StreamsProps) {
  const t = useT();
  const { chosen } = props;
  const [first] = chosen;
  const label =
    first === undefined
      ? t('discover.streams.all')
      : chosen.length === 1
        ? first
        : t('discover.streams.some', { first, more: chosen.length - 1 });
  return (
    <Dropped
      className="streams"
      name={t('discover.streams')}
      label={
        <>
          <span className="sr-only">{t('discover.streams')}: </span>
          {label}
        </>
      }
    >
      {(close) => <Choices {...props} close={close} />}
    </Dropped>
  );
}
