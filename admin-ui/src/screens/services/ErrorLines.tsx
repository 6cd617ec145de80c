// The last lines of a service that tell of errors, and the way to all of them.
import { Link } from 'react-router';
import { useSearch } from '../../api/monitor';
import { useFormat } from '../../format/use-format';
import { useI18n } from '../../i18n/i18n';
import { Card } from '../../shared/Card';
import { momentText } from '../../shared/chart/axis';
import { PartialData } from '../../shared/DataNone';
import { DataState } from '../../shared/DataState';
import { Empty } from '../../shared/Empty';
import { ContainerLink, HostLink } from '../../shared/names/links';
import { ShowQuery } from '../../shared/query/ShowQuery';
import { allOf, discoverLink, LEVEL_IS_ERROR } from '../../shared/search/discover-link';
import { errorLines, errorLinesBody, LINES, ofService, totalOf, wordsOf } from './queries';
import './services.css';
import type { OfService } from './Traffic';

export function ErrorLines({ service, kind, deployment, range }: OfService) {
  const { t, locale } = useI18n();
  const format = useFormat();
  const indices = [LINES];
  const body = errorLinesBody(ofService(service, kind), range);
  const query = useSearch({ deployment, indices, body }, { keep: true });
  const title = t('services.errorLines.last');
  const whole = discoverLink({
    deployment,
    indices,
    q: allOf(wordsOf(service, kind), LEVEL_IS_ERROR),
    ...range.raw,
    columns: ['host.name', 'container.name', 'log.level', 'message'],
  });
  return (
    <Card
      flush
      title={title}
      actions={
        <>
          {query.data ? (
            <span className="quiet">
              {t('services.inSpan', { count: format.number(totalOf(query.data)) })}
            </span>
          ) : null}
          <Link to={whole}>{t('services.allErrors')}</Link>
          <ShowQuery deployment={deployment} indices={indices} body={body} of={title} />
        </>
      }
    >
      <DataState query={query} lines={4}>
        {(answer) => {
          const rows = errorLines(answer);
          if (rows.length === 0) return <Empty title={t('services.errorLines.none')} />;
          return (
            <>
              <PartialData answers={[answer]} />
              <section
                className="rows"
                // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
                tabIndex={0}
                aria-label={title}
              >
                <table className="grid error-lines" aria-label={title}>
                  <thead>
                    <tr>
                      <th scope="col">{t('services.when')}</th>
                      <th scope="col">{t('services.level')}</th>
                      <th scope="col">{t('container')}</th>
                      <th scope="col">{t('host')}</th>
                      <th scope="col">{t('services.message')}</th>
                    </tr>
                  </thead>
                  <tbody>
                    {rows.map((one) => (
                      <tr key={one.id}>
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
                      </tr>
                    ))}
                  </tbody>
                </table>
              </section>
            </>
          );
        }}
      </DataState>
    </Card>
  );
}
