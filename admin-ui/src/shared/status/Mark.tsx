// A state is an icon, a word and a colour, never a colour alone.
import CheckCircleIcon from '@patternfly/react-icons/dist/esm/icons/check-circle-icon';
import CircleNotchIcon from '@patternfly/react-icons/dist/esm/icons/circle-notch-icon';
import ExclamationCircleIcon from '@patternfly/react-icons/dist/esm/icons/exclamation-circle-icon';
import ExclamationTriangleIcon from '@patternfly/react-icons/dist/esm/icons/exclamation-triangle-icon';
import MinusCircleIcon from '@patternfly/react-icons/dist/esm/icons/minus-circle-icon';
import OutlinedClockIcon from '@patternfly/react-icons/dist/esm/icons/outlined-clock-icon';
import type { ComponentType } from 'react';

export type Tone = 'good' | 'warn' | 'bad' | 'busy' | 'wait' | 'off';

const ICONS: Record<Tone, ComponentType> = {
  good: CheckCircleIcon,
  warn: ExclamationTriangleIcon,
  bad: ExclamationCircleIcon,
  busy: CircleNotchIcon,
  wait: OutlinedClockIcon,
  off: MinusCircleIcon,
};

export function Mark({ tone, word }: { tone: Tone; word: string }) {
  const Icon = ICONS[tone];
  return (
    <span className={`mark ${tone}`}>
      <Icon />
      {word}
    </span>
  );
}
