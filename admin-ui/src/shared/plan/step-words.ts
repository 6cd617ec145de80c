// What the steps of plans are called. The keys are the stable names that directors give them, which the test reads
// where they are defined.
import { type MessageKey, useT } from '../../i18n/i18n';

export const STEPS: Readonly<Record<string, MessageKey>> = {
  accept: 'planStep.accept',
  copy: 'planStep.copy',
  forget: 'planStep.forget',
  healthy: 'planStep.healthy',
  place: 'planStep.place',
  release: 'planStep.release',
  remove: 'planStep.remove',
  retire: 'planStep.retire',
  route: 'planStep.route',
  start: 'planStep.start',
  stop: 'planStep.stop',
  switch: 'planStep.switch',
  take_over: 'planStep.take_over',
  unplace: 'planStep.unplace',
  unroute: 'planStep.unroute',
};

/** One that these pages do not know keeps its own name. */
export function useStepWord(): (stepId: string) => string {
  const t = useT();
  return (stepId) => {
    const key = STEPS[stepId];
    return key ? t(key) : stepId;
  };
}
