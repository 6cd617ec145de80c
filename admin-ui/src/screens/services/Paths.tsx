// Requests of a deployment by the beginning of their path: where errors and slowness are.
import { useSearch } from '../../api/monitor';
import { useI18n } from '../../i18n/i18n';
import { Card } from '../../shared/Card';
import { valueText } from '../../shared/chart/axis';
import { DataState } from '../../shared/DataState';
import { Empty } from '../../shared/Empty';
import { ACCESS, prefixesOf, trafficBody } from './queries';
import type { OfService } from './Traffic';

export function Paths({ service, deployment, range }: OfService) {
  const { t, locale } = useI18n();
  // The same that the charts ask: one call for both.
  const query = useSearch(
    { deployment, indices: [ACCESS], body: trafficBody(service, range) },
    { keep: true },
  );
  return (
    <Card flush title={t('services.paths')}>
      <DataState query={query} lines={3}>
        {(answer) => {
          const prefixes = prefixesOf(answer);
          if (prefixes.length === 0) return <Empty title={t('data.none')} />;
          return (
            <section
              className="rows"
              // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
              tabIndex={0}
              aria-label={t('services.paths')}
            >
              <table className="grid" aria-label={t('services.paths')}>
                <thead>
                  <tr>
                    <th scope="col">{t('services.path')}</th>
                    <th scope="col" className="right">
                      {t('services.rate')}
                    </th>
                    <th scope="col" className="right">
                      {t('services.failed.line')}
                    </th>
                    <th scope="col" className="right">
                      p95
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {prefixes.map((one) => (
                    <tr key={one.prefix}>
                      <td className="mono" title={one.prefix}>
                        {one.prefix}
                      </td>
                      <td className="right tight">{valueText(one.requests, 'count', locale)}</td>
                      <td className={`right tight ${one.failed > 0 ? 'bad-text' : 'quiet'}`}>
                        {valueText(one.failed, 'count', locale)}
                      </td>
                      <td className="right tight">{valueText(one.p95Ms, 'ms', locale)}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </section>
          );
        }}
      </DataState>
    </Card>
  );
}
