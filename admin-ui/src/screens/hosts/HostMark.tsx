import type { Allocator } from '../../generated/wharf/v1/allocators_pb';
import { useT } from '../../i18n/i18n';
import { Mark } from '../../shared/status/Mark';

/** The worst that is to be said of a host. */
export function HostMark({ host }: { host: Allocator }) {
  const t = useT();
  if (!host.connected) return <Mark tone="bad" word={t('host.silent')} />;
  const problem = host.problems[0];
  if (problem) return <Mark tone="warn" word={problem.code} />;
  if (host.vacateId) return <Mark tone="busy" word={t('host.vacating')} />;
  if (host.maintenance) return <Mark tone="off" word={t('host.maintenance')} />;
  return <Mark tone="good" word={t('host.connected')} />;
}
