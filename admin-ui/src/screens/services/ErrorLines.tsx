// The last lines of a service that tell of errors, each with the way to what was written around it, and the way to all
// of them.
import { Link } from 'react-router';
import { useI18n } from '../../i18n/i18n';
import { momentText } from '../../shared/chart/axis';
import { ContainerLink, HostLink } from '../../shared/names/links';
import { allOf, discoverLink, fieldIs, LEVEL_IS_ERROR } from '../../shared/search/discover-link';
import { LastRows } from './LastRows';
import { aroundOf, type ErrorLine, errorLines, errorLinesBody, LINES, ofService, wordsOf } from './queries';
import './services.css';
import type { OfService } from './Traffic';

export function ErrorLines({ service, kind, deployment, range }: OfService) {
  const { t, locale } = useI18n();
  const indices = [LINES];
  const body = errorLinesBody(ofService(service, kind), range);
  const title = t('services.errorLines.last');
  const whole = discoverLink({
    deployment,
    indices,
    q: allOf(wordsOf(service, kind), LEVEL_IS_ERROR),
    ...range.raw,
    columns: ['host.name', 'container.name', 'log.level', 'message'],
  });
  const around = (one: ErrorLine) =>
    discoverLink({
      deployment,
      indices,
      q: allOf(fieldIs('host.name', one.host), fieldIs('container.name', one.container)),
      ...aroundOf(one.at),
      columns: ['log.level', 'message'],
    });
  return (
    <LastRows
      title={title}
      deployment={deployment}
      indices={indices}
      body={body}
      whole={{ to: whole, label: t('services.allErrors') }}
      none={t('services.errorLines.none')}
      rows={errorLines}
      className="error-lines"
      head={
        <>
          <th scope="col">{t('services.when')}</th>
          <th scope="col">{t('services.level')}</th>
          <th scope="col">{t('container')}</th>
          <th scope="col">{t('host')}</th>
          <th scope="col">{t('services.message')}</th>
          <th scope="col">
            <span className="sr-only">{t('services.around')}</span>
          </th>
        </>
      }
      row={(one) => (
        <>
          <td className="tight">{momentText(one.at, locale, Date.now())}</td>
          <td className="tight bad-text">{one.level}</td>
          <td>
            <ContainerLink host={one.host} name={one.container} />
          </td>
          <td className="tight">
            <HostLink host={one.host} />
          </td>
          <td className="mono message" title={one.message}>
            {one.message}
          </td>
          <td className="tight">
            <Link to={around(one)}>{t('services.around')}</Link>
          </td>
        </>
      )}
    />
  );
}
