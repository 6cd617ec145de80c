// What a container is and how it is now, from the directors: there while the storage is away.
import { SYSTEM, useSearch } from '../../api/monitor';
import { clock } from '../../format/format';
import { useFormat } from '../../format/use-format';
import type { Container } from '../../generated/wharf/v1/containers_pb';
import { useI18n, useT } from '../../i18n/i18n';
import { Card } from '../../shared/Card';
import { Facts } from '../../shared/Facts';
import { plain } from '../../shared/logs/lines';
import { DeploymentLink, HostLink } from '../../shared/names/links';
import { CONTAINER_ROLES, useNameWord } from '../../shared/names/stable-names';
import { Refused } from '../../shared/Refused';
import { Mark } from '../../shared/status/Mark';
import type { TimeRange } from '../../shared/time/useTimeRange';
import { Usage } from '../../shared/Usage';
import { Age, Clock } from '../../shared/When';
import {
  EVENTS,
  endsBody,
  endsOf,
  engineEvents,
  LINES,
  lastEndBody,
  lastLinesBody,
  ofContainer,
} from './queries';

const LAST_LINES = 12;

interface ContainerFactsProps {
  container: Container;
  range: TimeRange;
}

/** How often it ended in the span that the page shows. */
function Ends({ container, range }: ContainerFactsProps) {
  const t = useT();
  const ends = useSearch(
    { deployment: SYSTEM, indices: [EVENTS], body: endsBody(container.host, container.name, range) },
    { keep: true },
  );
  if (!ends.data) return <span className="quiet">–</span>;
  const { died, oom } = endsOf(ends.data);
  if (oom > 0) return <Mark tone="bad" word={t('container.ends.oom', { died, oom })} />;
  if (died > 0) return <Mark tone="warn" word={t('container.ends.died', { died })} />;
  return <>{t('container.ends.none')}</>;
}

export function ContainerFacts({ container, range }: ContainerFactsProps) {
  const t = useT();
  const format = useFormat();
  const word = useNameWord();
  const { sample } = container;
  const rate = (value: number) => `${format.bytes(value)}/s`;
  return (
    <Facts
      facts={[
        [
          t('memory'),
          sample ? (
            <Usage
              key="memory"
              used={sample.memoryBytes}
              whole={sample.memoryLimitBytes}
              of={t('memory')}
              label={`${format.bytes(sample.memoryBytes)} / ${format.bytes(sample.memoryLimitBytes)}`}
            />
          ) : (
            '–'
          ),
        ],
        [t('cpu'), sample ? t('container.cpu.of', { percent: format.number(sample.cpuPercent, 1) }) : '–'],
        [
          t('container.throttled'),
          sample ? t('container.throttled.of', { percent: format.number(sample.throttledPercent, 1) }) : '–',
        ],
        [t('processes'), sample ? format.number(sample.processes) : '–'],
        [
          t('container.network'),
          sample
            ? t('container.inOut', {
                in: rate(sample.networkInBytesPerSecond),
                out: rate(sample.networkOutBytesPerSecond),
              })
            : '–',
        ],
        [
          t('disk'),
          sample
            ? t('container.readWrite', {
                read: rate(sample.blockReadBytesPerSecond),
                written: rate(sample.blockWriteBytesPerSecond),
              })
            : '–',
        ],
        [t('application'), [container.application, container.service].filter(Boolean).join(' / ') || '–'],
        [
          t('deployment'),
          <DeploymentLink key="deployment" id={container.deploymentId} name={container.deploymentName} />,
        ],
        [t('host'), <HostLink key="host" host={container.host} />],
        [t('zone'), container.zone],
        [
          t('container.image'),
          <span className="mono" key="image">
            {container.image}
          </span>,
        ],
        [
          t('container.started'),
          <span key="started">
            <Clock at={container.startedAt} />{' '}
            <span className="quiet">
              <Age at={container.startedAt} />
            </span>
          </span>,
        ],
        [t('created'), <Clock key="created" at={container.createdAt} />],
        [t('container.restarts'), format.number(container.restarts)],
        [t('container.ends'), <Ends key="ends" container={container} range={range} />],
        ...(container.role
          ? [[t('container.role'), word(CONTAINER_ROLES, container.role)] as [string, string]]
          : []),
        [
          t('id'),
          <span className="mono" key="id" title={container.id}>
            {container.id.slice(0, 12)}
          </span>,
        ],
      ]}
    />
  );
}

/** How it ended last in the span that the page shows, and what it had said until then. */
export function ContainerEnd({ container, range }: ContainerFactsProps) {
  const { t, locale } = useI18n();
  const { host, name } = container;
  const ends = useSearch(
    { deployment: SYSTEM, indices: [EVENTS], body: lastEndBody(host, name, range) },
    { keep: true },
  );
  const end = ends.data ? engineEvents(ends.data)[0] : undefined;
  const failed = end !== undefined && (end.exitCode !== '0' || container.outOfMemory);
  const lines = useSearch(
    {
      deployment: SYSTEM,
      indices: LINES,
      body: lastLinesBody(ofContainer(host, name), end?.at ?? 0, LAST_LINES),
    },
    { enabled: failed, keep: true },
  );
  if (!failed) return null;
  const said = lines.data?.hits.hits.map((hit) => plain(String(hit._source.message ?? ''))).reverse() ?? [];
  const killed = container.outOfMemory ? t('instance.exit.oom') : t('instance.exit', { code: end.exitCode });
  return (
    <Card
      title={
        <span className="line">
          {t('container.end')} <Mark tone="bad" word={killed} />
          <time
            className="quiet"
            dateTime={new Date(end.at).toISOString()}
            title={new Date(end.at).toISOString()}
          >
            {clock(new Date(end.at), locale, new Date())}
          </time>
        </span>
      }
    >
      {lines.error ? <Refused error={lines.error} title={t('logs.failed')} /> : null}
      {said.length > 0 ? (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        <pre className="log flat" tabIndex={0}>
          {said.join('\n')}
        </pre>
      ) : lines.data ? (
        <span className="quiet">{t('logs.empty')}</span>
      ) : null}
    </Card>
  );
}
