// What others wrote of what runs, with the licence of each and where its sources are. An address is text: whoever reads
// this may have no way to it.
import { ToggleGroup, ToggleGroupItem } from '@patternfly/react-core';
import { useDeferredValue, useMemo } from 'react';
import { useFormat } from '../../format/use-format';
import licences from '../../generated/licences.json';
import { type MessageKey, useT } from '../../i18n/i18n';
import { Empty } from '../../shared/Empty';
import { ListSearch } from '../../shared/list/ListSearch';
import { type Column, Rows } from '../../shared/list/Rows';
import { useSearchParams } from '../../shared/use-search-params';
import crates from './crates.json';
import { found, PLACES, type Place, type PlacedPart, placed } from './licences';

const PARTS = placed({ binary: crates, pages: licences });
const WORDS: Record<Place, MessageKey> = { binary: 'about.place.binary', pages: 'about.place.pages' };

export default function Licences() {
  const t = useT();
  const format = useFormat();
  const [params, setParams] = useSearchParams();
  const text = params.get('q') ?? '';
  const place = PLACES.find((one) => one === params.get('in'));
  const wanted = useDeferredValue(text);
  const shown = useMemo(() => found(PARTS, wanted, place), [wanted, place]);
  const put = (name: string, value: string) =>
    setParams(
      (old) => {
        const next = new URLSearchParams(old);
        if (value) next.set(name, value);
        else next.delete(name);
        return next;
      },
      { replace: true },
    );
  const columns = useMemo<Column<PlacedPart>[]>(
    () => [
      { id: 'name', head: t('about.package'), cell: (one) => one.name },
      { id: 'version', head: t('version'), cell: (one) => one.version },
      { id: 'licence', head: t('about.licence'), cell: (one) => one.licence },
      { id: 'place', head: t('about.place'), cell: (one) => t(WORDS[one.place]) },
      {
        id: 'repository',
        head: t('about.repository'),
        cell: (one) => <span className="mono">{one.repository || '–'}</span>,
      },
    ],
    [t],
  );
  return (
    <div className="list">
      <div className="list-tools">
        <ListSearch label={t('about.licences.search')} value={text} onChange={(next) => put('q', next)} />
        <ToggleGroup aria-label={t('about.place')} isCompact>
          <ToggleGroupItem
            text={t('about.place.both')}
            buttonId="in-both"
            isSelected={!place}
            onChange={() => put('in', '')}
          />
          {PLACES.map((one) => (
            <ToggleGroupItem
              key={one}
              text={t(WORDS[one])}
              buttonId={`in-${one}`}
              isSelected={place === one}
              onChange={() => put('in', one)}
            />
          ))}
        </ToggleGroup>
        <span className="spacer" />
        <span className="quiet" role="status">
          {t('list.total', { total: format.number(shown.length) })}
        </span>
      </div>
      {shown.length === 0 ? (
        <Empty title={t('list.none')} />
      ) : (
        <Rows
          label={t('about.licences')}
          columns={columns}
          rows={shown}
          rowKey={(one) => `${one.place} ${one.name} ${one.version}`}
        />
      )}
    </div>
  );
}
