// What Docker's events of containers are called. Their own words are shown beside, for whoever looks for them elsewhere.
import type { MessageKey } from '../../i18n/i18n';

export const ACTIONS: Readonly<Record<string, MessageKey>> = {
  attach: 'engine.attach',
  commit: 'engine.commit',
  copy: 'engine.copy',
  create: 'engine.create',
  destroy: 'engine.destroy',
  detach: 'engine.detach',
  die: 'engine.die',
  exec_create: 'engine.exec_create',
  exec_detach: 'engine.exec_detach',
  exec_die: 'engine.exec_die',
  exec_start: 'engine.exec_start',
  export: 'engine.export',
  'health_status: healthy': 'engine.healthy',
  'health_status: unhealthy': 'engine.unhealthy',
  kill: 'engine.kill',
  oom: 'engine.oom',
  pause: 'engine.pause',
  rename: 'engine.rename',
  resize: 'engine.resize',
  restart: 'engine.restart',
  start: 'engine.start',
  stop: 'engine.stop',
  top: 'engine.top',
  unpause: 'engine.unpause',
  update: 'engine.update',
};

/** `exec_start: sh -c …` is a word and what was run; one that these pages do not know is its own word. */
export function actionText(action: string, t: (key: MessageKey) => string): string {
  const whole = ACTIONS[action];
  if (whole) return t(whole);
  const at = action.indexOf(': ');
  const begin = at > 0 ? ACTIONS[action.slice(0, at)] : undefined;
  return begin ? `${t(begin)}${action.slice(at)}` : action;
}
