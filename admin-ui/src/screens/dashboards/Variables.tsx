// The drop-downs of a dashboard: a field's values, the chosen one in the URL.
import { FormSelect, FormSelectOption } from '@patternfly/react-core';
import { useMemo } from 'react';
import { useSearch } from '../../api/monitor';
import { useI18n } from '../../i18n/i18n';
import { Refused } from '../../shared/Refused';
import { all, bucketsOf, rangeOf, termFilter, terms } from '../../shared/search/build';
import type { TimeRange } from '../../shared/time/useTimeRange';
import { useSearchParams } from '../../shared/use-search-params';
import { titleIn, type Variable } from './document';
import type { Chosen } from './query';

const MOST = 500;

function paramOf(name: string): string {
  return `v.${name}`;
}

export function useChosen(variables: readonly Variable[]): Chosen[] {
  const [params] = useSearchParams();
  const text = params.toString();
  return useMemo(() => {
    const now = new URLSearchParams(text);
    return variables.map(({ name, field }) => ({ name, field, value: now.get(paramOf(name)) ?? '' }));
  }, [variables, text]);
}

interface ChoiceProps {
  variable: Variable;
  /** Those before it: they narrow what there is to choose. */
  before: readonly Chosen[];
  value: string;
  deployment: string;
  range: TimeRange;
}

function Choice({ variable, before, value, deployment, range }: ChoiceProps) {
  const { t, language } = useI18n();
  const [, setParams] = useSearchParams();
  const { from, to } = range;
  const answer = useSearch(
    {
      deployment,
      indices: variable.index,
      body: {
        size: 0,
        track_total_hits: false,
        query: all([
          rangeOf({ from, to }),
          ...before.filter((one) => one.value !== '').map((one) => termFilter(one.field, one.value)),
        ]),
        aggs: { values: terms(variable.field, MOST, {}, { _key: 'asc' }) },
      },
    },
    { keep: true },
  );
  const values = bucketsOf(answer.data?.aggregations, 'values').map(
    (bucket) => bucket.key_as_string ?? String(bucket.key),
  );
  if (value !== '' && !values.includes(value)) values.unshift(value);
  const title = titleIn(variable, language);
  return (
    <>
      <FormSelect
        aria-label={title}
        value={value}
        className="variable"
        validated={answer.error ? 'error' : 'default'}
        onChange={(_, next) =>
          setParams((now) => {
            const params = new URLSearchParams(now);
            if (next) params.set(paramOf(variable.name), next);
            else params.delete(paramOf(variable.name));
            return params;
          })
        }
      >
        <FormSelectOption value="" label={`${title}: ${t('list.all')}`} />
        {values.map((one) => (
          <FormSelectOption key={one} value={one} label={`${title}: ${one}`} />
        ))}
      </FormSelect>
      {answer.error ? (
        <Refused error={answer.error} title={title} retry={() => void answer.refetch()} />
      ) : null}
    </>
  );
}

interface VariablesProps {
  variables: readonly Variable[];
  chosen: readonly Chosen[];
  deployment: string;
  range: TimeRange;
}

export function Variables({ variables, chosen, deployment, range }: VariablesProps) {
  if (variables.length === 0) return null;
  return (
    <div className="variables">
      {variables.map((variable, at) => (
        <Choice
          key={variable.name}
          variable={variable}
          before={chosen.slice(0, at)}
          value={chosen[at]?.value ?? ''}
          deployment={deployment}
          range={range}
        />
      ))}
    </div>
  );
}
