// What is wrong with a deployment: problems, each failing instance with why, how it ended last, and what
// it said before and since.
import { SYSTEM, useSearch } from '../../api/monitor';
import { useRights } from '../../api/session';
import { clock } from '../../format/format';
import type { Deployment, Instance } from '../../generated/wharf/v1/deployments_pb';
import { useI18n } from '../../i18n/i18n';
import { Card } from '../../shared/Card';
import { English } from '../../shared/English';
import { Refused } from '../../shared/Refused';
import { Mark } from '../../shared/status/Mark';
import { Clock, useNow } from '../../shared/When';
import { InstanceButton } from './InstanceButton';
import { type ErrorLine, LINES, lastErrorsBody, lastErrorsOf } from './queries';

const LINES_EACH = 8;

function Failing({ instance, errors }: { instance: Instance; errors: readonly ErrorLine[] }) {
  const { t, locale } = useI18n();
  const { lastExit } = instance;
  const now = new Date();
  return (
    <div className="stack">
      <div className="line">
        <InstanceButton id={instance.id} name={instance.name} />
        {lastExit ? (
          <span className="quiet">
            {lastExit.outOfMemory ? t('instance.exit.oom') : t('instance.exit', { code: lastExit.exitCode })}{' '}
            · <Clock at={lastExit.at} />
          </span>
        ) : null}
      </div>
      {instance.reason ? (
        <English className="bad-text told" title={instance.reason}>
          {instance.reason}
        </English>
      ) : null}
      {lastExit && lastExit.logTail.length > 0 ? (
        <div>
          <h3>{t('instance.said')}</h3>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
          <pre className="log flat" tabIndex={0}>
            {lastExit.logTail.join('\n')}
          </pre>
        </div>
      ) : null}
      {errors.length > 0 ? (
        <div>
          <h3>{t('instance.errors')}</h3>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
          <pre className="log flat" tabIndex={0}>
            {errors.map((one) => `${clock(new Date(one.at), locale, now)} ${one.message}`).join('\n')}
          </pre>
        </div>
      ) : null}
    </div>
  );
}

export function Trouble({ deployment }: { deployment: Deployment }) {
  const { t } = useI18n();
  const { seesPlatform } = useRights();
  const now = useNow(60_000);
  const instances = deployment.resources.flatMap((resource) => resource.instances);
  const failing = instances.filter((one) => one.reason !== '' || one.lastExit);
  const errors = useSearch(
    {
      deployment: SYSTEM,
      indices: LINES,
      body: lastErrorsBody(
        failing.map((one) => one.id),
        LINES_EACH,
        now,
      ),
    },
    { enabled: seesPlatform && failing.length > 0, every: 15_000, keep: true },
  );
  if (deployment.problems.length === 0 && failing.length === 0) return null;
  const lines = lastErrorsOf(errors.data);
  // What an instance says of itself below is said once.
  const others = deployment.problems.filter(
    (problem) => !failing.some((one) => one.reason !== '' && problem === `${one.name}: ${one.reason}`),
  );
  return (
    <Card title={t('deployment.trouble')}>
      <div className="stack">
        {others.map((problem) => (
          <div key={problem} className="told" lang="en" title={problem}>
            <Mark tone="warn" word={problem} />
          </div>
        ))}
        {errors.error ? <Refused error={errors.error} retry={() => void errors.refetch()} /> : null}
        {failing.map((one) => (
          <Failing key={one.id} instance={one} errors={lines.get(one.id) ?? []} />
        ))}
      </div>
    </Card>
  );
}
