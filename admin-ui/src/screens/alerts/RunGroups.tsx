// What a run found of each group: those that fire first.
import type { WatchRun } from '../../generated/wharf/monitor/v1/watches_pb';
import { useI18n } from '../../i18n/i18n';
import { Empty } from '../../shared/Empty';
import { type Measured, valueText } from './figures';
import { GroupMark } from './marks';
import { groupText } from './spans';

const MOST = 20;

export function RunGroups({ run, measured }: { run: WatchRun; measured: Measured }) {
  const { t, locale } = useI18n();
  if (run.groups.length === 0) return <Empty title={t('alerts.groups.none')} />;
  return (
    <div className="rows">
      <table className="grid" aria-label={t('alerts.groups')}>
        <thead>
          <tr>
            <th scope="col">{t('alerts.group')}</th>
            <th scope="col">{t('state')}</th>
            <th scope="col" className="right">
              {t('alerts.value')}
            </th>
          </tr>
        </thead>
        <tbody>
          {run.groups.slice(0, MOST).map((one) => (
            <tr key={groupText(one.group)}>
              <td title={groupText(one.group)}>{groupText(one.group) || t('alerts.group.all')}</td>
              <td className="tight">
                <GroupMark state={one.state} />
              </td>
              <td className="right tight" title={one.evidenceJson}>
                {valueText(one.value, measured, locale) || '–'}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {run.groupCount > MOST ? (
        <p className="quiet note">
          {t('alerts.groups.more', { shown: Math.min(MOST, run.groups.length), total: run.groupCount })}
        </p>
      ) : null}
    </div>
  );
}
