// Stops the vacate of a host. What has moved by then stays where it is.
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { mutation, useChange } from '../../api/call';
import { useRights } from '../../api/session';
import { Allocators, type Vacate } from '../../generated/wharf/v1/allocators_pb';
import { useT } from '../../i18n/i18n';
import { ActionButton } from '../../shared/ActionButton';
import { ApiRequest } from '../../shared/ApiRequest';
import { Confirm } from '../../shared/Confirm';

export function CancelVacate({ vacate }: { vacate: Vacate }) {
  const t = useT();
  const rights = useRights();
  const queries = useQueryClient();
  const [asking, setAsking] = useState(false);
  const wish = { vacateId: vacate.id };
  const cancel = useChange(Allocators.method.cancelVacate, () => {
    void queries.invalidateQueries({ queryKey: ['wharf.v1.Allocators'] });
    setAsking(false);
  });
  const whyNot = !rights.administers
    ? t('why.admin')
    : vacate.cancelling
      ? t('vacate.cancelling')
      : undefined;
  return (
    <>
      <ActionButton
        variant="secondary"
        size="sm"
        aria-label={`${t('vacate.cancel')}: ${vacate.host}`}
        whyNot={whyNot}
        onClick={() => setAsking(true)}
      >
        {t('vacate.cancel')}
      </ActionButton>
      {asking ? (
        <Confirm
          title={t('vacate.cancel.title', { host: vacate.host })}
          action={t('vacate.cancel')}
          danger
          busy={cancel.isPending}
          error={cancel.error}
          extra={<ApiRequest plain method={Allocators.method.cancelVacate} input={wish} />}
          onConfirm={() => cancel.mutate({ ...wish, mutation: mutation() })}
          onClose={() => setAsking(false)}
        >
          {t('vacate.cancel.about')}
        </Confirm>
      ) : null}
    </>
  );
}
