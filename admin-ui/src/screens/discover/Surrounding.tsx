// The lines that the same container or file wrote before and after one line.
import { Button } from '@patternfly/react-core';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'react-router';
import { type JsonObject, monitorKey, search } from '../../api/monitor';
import { useFormat } from '../../format/use-format';
import { Search } from '../../generated/wharf/monitor/v1/search_pb';
import { useT } from '../../i18n/i18n';
import { DataState } from '../../shared/DataState';
import { fieldOf } from '../../shared/search/build';
import { allOf, discoverLink, fieldIs } from '../../shared/search/discover-link';
import { Level, useStamp } from './Documents';
import { atOf, cellText, type Hit, keyOfHit, levelOf, shown } from './document';
import { around } from './lines';
import { besideOf, surroundingBody } from './requests';

const STEP = 20;
const MOST = 500;
const BESIDE_MS = 60_000;

interface SurroundingProps {
  deployment: string;
  indices: string[];
  hit: Hit;
}

/** The whole of what it wrote around then, as a list of its own. */
function listOf({ deployment, indices, hit }: SurroundingProps): string {
  const named = (field: string) => {
    const value = shown(fieldOf(hit._source, field));
    return value ? fieldIs(field, value) : '';
  };
  const container = named('container.id');
  return discoverLink({
    deployment,
    indices,
    q: container || allOf(named('host.name'), named('log.file.path')),
    from: new Date(atOf(hit) - BESIDE_MS).toISOString(),
    to: new Date(atOf(hit) + BESIDE_MS).toISOString(),
  });
}

export function Surrounding(props: SurroundingProps) {
  const { deployment, indices, hit } = props;
  const t = useT();
  const format = useFormat();
  const stamp = useStamp();
  const [before, setBefore] = useState(STEP);
  const [after, setAfter] = useState(STEP);
  const beside: JsonObject[] | undefined = besideOf(hit._source);
  const at = atOf(hit);
  const lines = useQuery({
    queryKey: [
      ...monitorKey(Search.method.search, deployment, { indices, beside, at, before, after }),
      'around',
    ],
    queryFn: async ({ signal }) => {
      const ask = async (direction: 'before' | 'after', size: number) => {
        // The line itself is on both sides.
        const body = surroundingBody(beside ?? [], at, direction, size + 1);
        return (await search(deployment, { indices, body }, signal)).hits.hits;
      };
      const [earlier, later] = await Promise.all([ask('before', before), ask('after', after)]);
      return { earlier, later };
    },
    enabled: beside !== undefined,
    placeholderData: keepPreviousData,
  });
  if (!beside) return <p className="quiet">{t('discover.around.none')}</p>;
  const more = (direction: 'before' | 'after', size: number, set: (size: number) => void, whole: boolean) =>
    whole ? (
      <p className="quiet">{t(direction === 'before' ? 'discover.around.begin' : 'discover.around.end')}</p>
    ) : (
      <Button
        variant="link"
        size="sm"
        isAriaDisabled={size >= MOST}
        onClick={() => set(Math.min(MOST, size + 2 * STEP))}
      >
        {t(direction === 'before' ? 'discover.around.earlier' : 'discover.around.later')}
      </Button>
    );
  return (
    <DataState query={lines} lines={10}>
      {({ earlier, later }) => {
        const all = around(earlier, hit, later);
        return (
          <>
            <p className="line">
              <span className="quiet">
                {t('discover.around.of', {
                  count: format.number(all.length),
                  name:
                    shown(fieldOf(hit._source, 'container.name')) ||
                    shown(fieldOf(hit._source, 'log.file.path')),
                })}
              </span>
              <Link to={listOf(props)}>{t('discover.around.list')}</Link>
            </p>
            {more('before', before, setBefore, earlier.length <= before)}
            <ol className="around">
              {all.map((line) => (
                <li
                  key={keyOfHit(line)}
                  className={line._id === hit._id ? 'here' : ''}
                  aria-current={line._id === hit._id ? 'true' : undefined}
                >
                  <time dateTime={new Date(atOf(line)).toISOString()}>{stamp(atOf(line))}</time>
                  <Level level={levelOf(line._source)} />
                  <span className="around-message">{cellText(line._source, 'message')}</span>
                </li>
              ))}
            </ol>
            {more('after', after, setAfter, later.length <= after)}
          </>
        );
      }}
    </DataState>
  );
}
