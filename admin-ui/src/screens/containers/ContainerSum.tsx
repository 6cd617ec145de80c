// What several containers use together, in one line: only what is wrong is added to what everybody wants to know.
import { useFormat } from '../../format/use-format';
import type { ContainerUse } from '../../generated/wharf/v1/containers_pb';
import { useT } from '../../i18n/i18n';
import { Mark } from '../../shared/status/Mark';
import './containers.css';

export function ContainerSum({ sum }: { sum: ContainerUse | undefined }) {
  const t = useT();
  const format = useFormat();
  if (!sum) return null;
  return (
    <section className="container-sum" aria-label={t('containers.sum')}>
      <dl>
        <div>
          <dt>{t('containers.running')}</dt>
          <dd>
            {format.number(sum.running)} / {format.number(sum.containers)}
          </dd>
        </div>
        <div>
          <dt>{t('memory')}</dt>
          <dd>{format.bytes(sum.memoryBytes)}</dd>
        </div>
        <div>
          <dt>{t('cpu')}</dt>
          <dd>{format.number(sum.cpuPercent, 1)} %</dd>
        </div>
        <div>
          <dt>{t('instance.restarts')}</dt>
          <dd>{format.number(sum.restarts)}</dd>
        </div>
        {sum.outOfMemory > 0 ? (
          <div>
            <dt>{t('containers.ended.oom')}</dt>
            <dd>
              <Mark tone="bad" word={format.number(sum.outOfMemory)} />
            </dd>
          </div>
        ) : null}
        {sum.withoutSample > 0 ? (
          <div title={t('containers.unmeasured.about')}>
            <dt>{t('containers.unmeasured')}</dt>
            <dd>{format.number(sum.withoutSample)}</dd>
          </div>
        ) : null}
      </dl>
    </section>
  );
}
