// Words for the stable names of the contracts. The test reads the names where directors and contracts define them.
import { type MessageKey, useT } from '../../i18n/i18n';

export type StableNames = Readonly<Record<string, MessageKey>>;

/** What a host is, and what a container of the platform itself is. */
export const HOST_ROLES: StableNames = {
  allocator: 'role.allocator',
  collector: 'role.collector',
  director: 'role.director',
  proxy: 'role.proxy',
};

export const CONTAINER_ROLES: StableNames = { ...HOST_ROLES, instance: 'subject.instance' };

/** Kinds of nodes of a deployment. */
export const RESOURCES: StableNames = {
  monitoring: 'resource.monitoring',
  storage: 'resource.storage',
};

/** What becomes of a storage node whose host is lost. */
export const HOST_LOSS: StableNames = {
  empty: 'hostLoss.empty',
  restore: 'hostLoss.restore',
  wait: 'hostLoss.wait',
};

export const STRATEGIES: StableNames = {
  distribute: 'strategy.distribute',
  'distribute-anti-affinity': 'strategy.distributeApart',
  fill: 'strategy.fill',
  'fill-anti-affinity': 'strategy.fillApart',
};

/** How far the copy of an instance's data is. */
export const COPY_STAGES: StableNames = {
  catching_up: 'copy.catchingUp',
  copying: 'copy.copying',
  failed: 'plan.failed',
  ready: 'copy.ready',
  serving: 'copy.serving',
  switching: 'copy.switching',
};

export const CHANNEL_KINDS: StableNames = {
  email: 'channelKind.email',
  webhook: 'channelKind.webhook',
};

/** What changes and findings are about. Some stand alone, others before a name: `plan/1a2b`. */
export const SUBJECTS: StableNames = {
  alert: 'subject.alert',
  alerts: 'subject.alerts',
  allocator: 'subject.host',
  authority: 'subject.authority',
  channel: 'subject.channel',
  collector: 'role.collector',
  container: 'subject.container',
  deployment: 'subject.deployment',
  director: 'role.director',
  health: 'subject.health',
  host: 'subject.host',
  instance: 'subject.instance',
  lost_host: 'subject.lostHost',
  plan: 'subject.plan',
  platform: 'subject.platform',
  proxy: 'role.proxy',
  repository: 'subject.repository',
  restored: 'subject.restored',
  routes: 'subject.routes',
  secret: 'subject.secret',
  session: 'subject.session',
  setting: 'subject.setting',
  snapshots: 'subject.snapshots',
  token: 'subject.token',
  user: 'subject.user',
  vacate: 'subject.vacate',
  zone: 'subject.zone',
};

/** A name that these pages do not know is its own word. */
export function useNameWord(): (names: StableNames, name: string) => string {
  const t = useT();
  return (names, name) => {
    const key = names[name];
    return key ? t(key) : name;
  };
}
