// What runs: its traffic, its errors, its use, and where.
import { Alert } from '@patternfly/react-core';
import { useDeployment, useMonitorCall } from '../../api/monitor';
import { Services as Api } from '../../generated/wharf/monitor/v1/services_pb';
import { useT } from '../../i18n/i18n';
import { Card } from '../../shared/Card';
import { DeploymentChoice } from '../../shared/DeploymentChoice';
import { ListTable } from '../../shared/list/ListTable';
import { optionsOf, readState } from '../../shared/list/list-state';
import { PageHead } from '../../shared/PageHead';
import { TimeRangePicker } from '../../shared/time/TimeRangePicker';
import { useTimeRange } from '../../shared/time/useTimeRange';
import { useSearchParams } from '../../shared/use-search-params';
import { useServiceColumns } from './columns';
import { servicesInput, windowOf } from './summary';

export const TIMES = { from: 'now-1h', to: 'now', refresh: 30 };
const SORT = 'error_ratio desc';

/** The span of a page, for the ways to other pages. */
export function spanOf(params: URLSearchParams): string {
  const kept = new URLSearchParams();
  for (const name of ['in', 'from', 'to', 'refresh', 'compare']) {
    const value = params.get(name);
    if (value) kept.set(name, value);
  }
  return kept.toString();
}

export default function Services() {
  const t = useT();
  const [params] = useSearchParams();
  const deployment = useDeployment();
  const range = useTimeRange(TIMES);
  const windowMs = windowOf(range.span);
  const columns = useServiceColumns(windowMs, spanOf(params));
  // The same that the list asks: one call for both.
  const options = optionsOf(readState(params, '', SORT), 'name', undefined);
  const list = useMonitorCall(Api.method.listServices, servicesInput(range, options), { keep: true });
  const remarks = [...(range.span > windowMs ? [t('services.mostADay')] : []), ...(list.data?.remarks ?? [])];
  return (
    <>
      <PageHead
        title={t('nav.services')}
        actions={
          <>
            <DeploymentChoice />
            <TimeRangePicker defaults={TIMES} noCompare />
          </>
        }
      />
      {remarks.length > 0 ? (
        <Alert variant="info" isInline component="h2" title={t('services.remarks')}>
          {remarks.map((remark) => (
            <div key={remark}>{remark}</div>
          ))}
        </Alert>
      ) : null}
      <Card flush>
        <ListTable
          label={t('services.list')}
          method={Api.method.listServices}
          deployment={deployment}
          input={(asked) => servicesInput(range, asked)}
          rows={(answer) => answer.services}
          info={(answer) => answer.info}
          columns={columns}
          rowKey={(one) => `${one.kind} ${one.name}`}
          defaultSort={SORT}
          search={{ field: 'name', label: 'services.search' }}
          choices={[
            {
              field: 'kind',
              label: t('services.kind'),
              values: [
                { value: 'deployment', label: t('services.kind.deployment') },
                { value: 'application', label: t('services.kind.application') },
              ],
            },
          ]}
          empty={{ title: t('services.empty'), hint: t('services.empty.hint') }}
        />
      </Card>
    </>
  );
}
