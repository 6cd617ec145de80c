// The last requests that were answered with an error, each with the way to what was logged around it.
import { Link } from 'react-router';
import { useI18n } from '../../i18n/i18n';
import { momentText, valueText } from '../../shared/chart/axis';
import { allOf, discoverLink, fieldIs } from '../../shared/search/discover-link';
import { LastRows } from './LastRows';
import { ACCESS, aroundOf, FAILED_WORDS, failedBody, failedRequests, LINES, wordsOf } from './queries';
import type { OfService } from './Traffic';

export function FailedRequests({ service, kind, deployment, range }: OfService) {
  const { t, locale } = useI18n();
  const indices = [ACCESS];
  const body = failedBody(service, range);
  const title = t('services.failed.last');
  const whole = discoverLink({
    deployment,
    indices,
    q: allOf(fieldIs('wharf.deployment.name', service), FAILED_WORDS),
    ...range.raw,
    columns: ['http.response.status_code', 'http.request.method', 'url.path', 'event.duration', 'error.code'],
  });
  const around = (at: number) =>
    discoverLink({
      deployment,
      indices: [LINES],
      q: wordsOf(service, kind),
      ...aroundOf(at),
      columns: ['host.name', 'container.name', 'log.level', 'message'],
    });
  return (
    <LastRows
      title={title}
      deployment={deployment}
      indices={indices}
      body={body}
      whole={{ to: whole, label: t('services.allFailed') }}
      none={t('services.failed.none')}
      rows={failedRequests}
      head={
        <>
          <th scope="col">{t('services.when')}</th>
          <th scope="col">{t('services.status')}</th>
          <th scope="col">{t('services.path')}</th>
          <th scope="col">{t('services.instance')}</th>
          <th scope="col">{t('services.code')}</th>
          <th scope="col" className="right">
            {t('services.took')}
          </th>
          <th scope="col">
            <span className="sr-only">{t('services.around')}</span>
          </th>
        </>
      }
      row={(one) => (
        <>
          <td className="tight">{momentText(one.at, locale, Date.now())}</td>
          <td className="tight bad-text">{one.status}</td>
          <td className="mono" title={one.path}>
            {one.method} {one.path}
          </td>
          <td className="mono tight">{one.instanceId.slice(0, 8) || '–'}</td>
          <td className="tight">{one.code || <span className="quiet">–</span>}</td>
          <td className="right tight">{valueText(one.tookMs, 'ms', locale)}</td>
          <td className="tight">
            <Link to={around(one.at)}>{t('services.around')}</Link>
          </td>
        </>
      )}
    />
  );
}
