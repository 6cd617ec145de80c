// Told when somebody else has changed a thing since it was read.
import { Alert, Button } from '@patternfly/react-core';
import type { ReactNode } from 'react';
import { useT } from '../../i18n/i18n';
import { isConflict, useRenew } from './api';

interface ConflictProps {
  error: unknown;
  /** Of another refusal. */
  otherwise: ReactNode;
  /** What is there now was fetched. */
  onDone: () => void;
  /** Puts one's own over what is there now. */
  onOver?: () => void;
}

export function Conflict({ error, otherwise, onDone, onOver }: ConflictProps) {
  const t = useT();
  const renew = useRenew();
  if (!isConflict(error)) return otherwise;
  return (
    <Alert
      isInline
      variant="warning"
      className="refused"
      title={t('alerts.conflict')}
      actionLinks={
        <>
          <Button
            variant="link"
            isInline
            onClick={() => {
              renew();
              onDone();
            }}
          >
            {t('alerts.conflict.reload')}
          </Button>
          {onOver ? (
            <Button variant="link" isInline onClick={onOver}>
              {t('alerts.conflict.over')}
            </Button>
          ) : null}
        </>
      }
    >
      {t('alerts.conflict.about')}
    </Alert>
  );
}
