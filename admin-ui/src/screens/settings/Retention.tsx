// How long the data of a deployment is kept: to be read here, and set in its storage.
import { Label } from '@patternfly/react-core';
import { useDeployment } from '../../api/deployment';
import { useFormat } from '../../format/use-format';
import { type DataStream, Search } from '../../generated/wharf/monitor/v1/search_pb';
import { useT } from '../../i18n/i18n';
import { Card } from '../../shared/Card';
import { DeploymentChoice } from '../../shared/DeploymentChoice';
import { ListTable } from '../../shared/list/ListTable';
import type { Column } from '../../shared/list/Rows';
import { keptText, rolloverOf, ruleWords } from '../../shared/retention/kept';
import { Age } from '../../shared/When';

export function Retention() {
  const t = useT();
  const format = useFormat();
  const deployment = useDeployment();
  const say = {
    span: format.wholeDuration,
    bytes: format.bytes,
    documents: (count: bigint) => t('retention.documents', { count: format.number(count) }),
  };
  const columns: Column<DataStream>[] = [
    {
      id: 'name',
      head: t('discover.streams'),
      sort: 'name',
      cell: (one) => (
        <span className="line">
          <span className="mono">{one.name}</span>
          {one.isIndex ? <Label isCompact>{t('settings.retention.index')}</Label> : null}
        </span>
      ),
    },
    {
      id: 'kept',
      head: t('retention.kept'),
      sort: 'deletes_after_ms',
      cell: (one) => <strong>{keptText(one.retention, t, say.span)}</strong>,
    },
    {
      id: 'rule',
      head: t('retention.rule'),
      sort: 'rule',
      cell: (one) => t(...ruleWords(one.retention)),
    },
    {
      id: 'rollover',
      head: t('settings.retention.rollover'),
      cell: (one) =>
        rolloverOf(one.retention, say).join(t('settings.retention.or')) || <span className="quiet">–</span>,
    },
    {
      id: 'size',
      head: t('settings.retention.size'),
      sort: 'size_bytes',
      largest: true,
      right: true,
      cell: (one) => format.bytes(one.sizeBytes),
    },
    {
      id: 'since',
      head: t('settings.retention.since'),
      sort: 'since',
      right: true,
      cell: (one) => <Age at={one.retention?.since} />,
    },
  ];
  const rule = (value: string, label: string) => ({ value, label });
  return (
    <Card flush>
      <ListTable
        label={t('settings.retention.list', { deployment })}
        method={Search.method.listDataStreams}
        deployment={deployment}
        input={(options) => ({ options, withIndices: true, withRetention: true })}
        rows={(answer) => answer.dataStreams}
        info={(answer) => answer.info}
        rowKey={(one) => one.name}
        columns={columns}
        defaultSort="name"
        search={{ field: 'name', label: 'discover.streams.search' }}
        choices={[
          {
            field: 'rule',
            label: t('retention.rule'),
            values: [
              rule('policy', t('retention.rule.policy')),
              rule('lifecycle', t('retention.rule.lifecycle')),
              rule('default', t('retention.rule.default')),
              rule('none', t('retention.rule.none')),
              rule('unknown', t('retention.rule.unknown')),
            ],
          },
        ]}
        tools={
          <>
            <DeploymentChoice />
            <span className="quiet">{t('settings.retention.about')}</span>
          </>
        }
        empty={{ title: t('discover.streams.never') }}
      />
    </Card>
  );
}
