// Whether lines are shown as they come, how many come in a second, and what could not be shown.
import { Button } from '@patternfly/react-core';
import PauseIcon from '@patternfly/react-icons/dist/esm/icons/pause-icon';
import PlayIcon from '@patternfly/react-icons/dist/esm/icons/play-icon';
import { useFormat } from '../../format/use-format';
import { useT } from '../../i18n/i18n';
import { ActionButton } from '../../shared/ActionButton';
import { isNewest, NEWEST, type Order } from './order';
import type { Followed } from './use-documents';

interface FollowBarProps {
  follow: boolean;
  paused: boolean;
  tail: Followed;
  order: Order;
  onTurn: () => void;
  onOrder: (order: Order) => void;
}

export function FollowBar({ follow, paused, tail, order, onTurn, onOrder }: FollowBarProps) {
  const t = useT();
  const format = useFormat();
  const word = paused
    ? t('discover.follow.paused')
    : tail.rate === undefined
      ? t('discover.follow.waiting')
      : t('discover.follow.rate', { rate: format.number(tail.rate, tail.rate < 10 ? 1 : 0) });
  return (
    <div className="follow">
      <ActionButton
        variant={follow ? 'primary' : 'secondary'}
        icon={follow ? <PauseIcon /> : <PlayIcon />}
        aria-pressed={follow}
        whyNot={isNewest(order) ? undefined : t('discover.follow.sorted')}
        onClick={onTurn}
      >
        {t('discover.follow')}
      </ActionButton>
      {isNewest(order) ? null : (
        <Button variant="link" size="sm" isInline onClick={() => onOrder(NEWEST)}>
          {t('discover.sort.newest')}
        </Button>
      )}
      {follow ? (
        <span className="rate" title={t('discover.follow.about')}>
          {word}
          {tail.skipped > 0 ? (
            <span className="level tone-warn">
              {' '}
              {t('discover.follow.skipped', { count: format.number(tail.skipped) })}
            </span>
          ) : null}
        </span>
      ) : null}
    </div>
  );
}
