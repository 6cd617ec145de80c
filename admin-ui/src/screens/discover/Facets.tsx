// What is worth a press: how many lines of each level, and which applications log errors. One press
// narrows the query to them.
import { useFormat } from '../../format/use-format';
import { useT } from '../../i18n/i18n';
import { bucketsOf } from '../../shared/search/build';
import { fieldIs, LEVEL_IS_ERROR } from '../../shared/search/discover-link';
import { LEVEL_ORDER, toneOf } from './document';
import { joined, topClauses, withoutClause } from './view-state';

interface FacetsProps {
  aggregations: unknown;
  q: string;
  onQuery: (q: string) => void;
}

function rank(level: string): number {
  const at = LEVEL_ORDER.indexOf(level.toLowerCase());
  return at < 0 ? LEVEL_ORDER.length : at;
}

export function Facets({ aggregations, q, onQuery }: FacetsProps) {
  const t = useT();
  const format = useFormat();
  const levels = bucketsOf(aggregations, 'levels')
    .map((bucket) => ({ level: String(bucket.key), count: bucket.doc_count }))
    .sort((a, b) => rank(a.level) - rank(b.level));
  const applications = bucketsOf(aggregations, 'errors', 'applications');
  const clauses = topClauses(q);
  const isOn = (clause: string) => clauses.includes(clause);
  if (levels.length === 0) return null;
  return (
    <div className="facets">
      <fieldset>
        <legend>{t('discover.levels')}</legend>
        {levels.map(({ level, count }) => {
          const clause = fieldIs('log.level', level);
          const on = isOn(clause);
          return (
            <button
              key={level}
              type="button"
              className="facet"
              aria-pressed={on}
              onClick={() => onQuery(on ? withoutClause(q, clause) : joined(q, clause, `NOT ${clause}`))}
            >
              <span className={`level tone-${toneOf(level) ?? 'off'}`}>{level}</span> {format.number(count)}
            </button>
          );
        })}
      </fieldset>
      {applications.length > 0 ? (
        <fieldset>
          <legend>{t('discover.errorsOf')}</legend>
          {applications.map((bucket) => {
            const clause = fieldIs('service.name', String(bucket.key));
            const on = isOn(clause) && isOn(LEVEL_IS_ERROR);
            return (
              <button
                key={bucket.key}
                type="button"
                className="facet"
                aria-pressed={on}
                title={t('discover.errorsOf.about', { application: bucket.key })}
                onClick={() =>
                  onQuery(
                    on
                      ? withoutClause(withoutClause(q, clause), LEVEL_IS_ERROR)
                      : joined(joined(q, clause, `NOT ${clause}`), LEVEL_IS_ERROR, `NOT ${LEVEL_IS_ERROR}`),
                  )
                }
              >
                {bucket.key} <span className="level tone-bad">{format.number(bucket.doc_count)}</span>
              </button>
            );
          })}
        </fieldset>
      ) : null}
    </div>
  );
}
