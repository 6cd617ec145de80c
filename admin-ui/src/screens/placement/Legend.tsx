// What the steps of the colour mean.
import { useT } from '../../i18n/i18n';
import { tintOf } from '../../shared/chart/tints';
import { useLook } from '../../shared/chart/use-look';
import { type Metric, STEPS } from './model';

export function Legend({ metric }: { metric: Metric }) {
  const t = useT();
  const look = useLook();
  const unit = metric === 'restarts' ? '' : ' %';
  const steps = STEPS[metric];
  const words = [
    t('placement.step.below', { most: `${steps[0]}${unit}` }),
    ...steps.map((least, at) => {
      const next = steps[at + 1];
      return next === undefined
        ? t('placement.step.from', { least: `${least}${unit}` })
        : `${least}–${next}${unit}`;
    }),
  ];
  return (
    <ul className="placement-legend" aria-label={t('placement.legend')}>
      {words.map((word, step) => (
        <li key={word}>
          <span className="swatch" style={{ background: tintOf(step, look).fill }} />
          {word}
        </li>
      ))}
      <li>
        <span className="swatch hatched" />
        {t('placement.other')}
      </li>
    </ul>
  );
}
