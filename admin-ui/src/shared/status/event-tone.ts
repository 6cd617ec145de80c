// How what happened is marked. Pure.
import type { Tone } from './Mark';

export function toneOf(kind: string, result: string): Tone {
  if (result !== 'done' && result !== '') return 'bad';
  if (/lost|failed|vanished|out_of_memory/.test(kind)) return 'bad';
  if (/restarted|replaced|stopped|paused/.test(kind)) return 'warn';
  if (/appeared|connected|started|resumed|ended/.test(kind)) return 'good';
  return 'off';
}
