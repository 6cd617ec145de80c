// What the states of processes are called that collectors write; the test reads them there.
import type { MessageKey } from '../../i18n/i18n';

export const PROCESS_STATES: Readonly<Record<string, MessageKey>> = {
  dead: 'process.state.dead',
  idle: 'process.state.idle',
  parked: 'process.state.parked',
  running: 'process.state.running',
  sleeping: 'process.state.sleeping',
  stopped: 'process.state.stopped',
  unknown: 'process.state.unknown',
  wake: 'process.state.wake',
  wakekill: 'process.state.wakekill',
  zombie: 'process.state.zombie',
};
