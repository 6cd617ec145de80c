import { useFormat } from '../../format/use-format';
import type { PlanChange } from '../../generated/wharf/v1/plans_pb';
import { useT } from '../../i18n/i18n';
import { Empty } from '../Empty';
import { fieldText, valueText } from './change-text';

/** What a plan wants to be different. */
export function Changes({ changes }: { changes: readonly PlanChange[] }) {
  const t = useT();
  const format = useFormat();
  const shown = (field: string, value: string) => valueText(field, value, t, format);
  if (changes.length === 0) return <Empty title={t('plan.noChanges')} />;
  return (
    <section
      className="rows"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
      tabIndex={0}
      aria-label={t('plan.changes')}
    >
      <table className="grid" aria-label={t('plan.changes')}>
        <thead>
          <tr>
            <th scope="col">{t('plan.field')}</th>
            <th scope="col">{t('plan.before')}</th>
            <th scope="col">{t('plan.after')}</th>
          </tr>
        </thead>
        <tbody>
          {changes.map((change) => (
            <tr key={change.field}>
              <td title={change.field}>{fieldText(change.field, t)}</td>
              <td>{shown(change.field, change.before)}</td>
              <td>
                <strong>{shown(change.field, change.after)}</strong>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
