// Address, user and password of a deployment. Each look at them is written down by the director.
import { Button, Modal, ModalBody, ModalHeader } from '@patternfly/react-core';
import { useState } from 'react';
import { useChange } from '../../api/call';
import { useRights } from '../../api/session';
import { type Deployment, Deployments } from '../../generated/wharf/v1/deployments_pb';
import { useT } from '../../i18n/i18n';
import { ActionButton } from '../../shared/ActionButton';
import { Facts } from '../../shared/Facts';
import { Refused } from '../../shared/Refused';

export function Credentials({ deployment }: { deployment: Deployment }) {
  const t = useT();
  const rights = useRights();
  const [open, setOpen] = useState(false);
  const get = useChange(Deployments.method.getCredentials, () => setOpen(true));
  const shown = get.data;
  return (
    <>
      <ActionButton
        variant="link"
        size="sm"
        isLoading={get.isPending}
        whyNot={rights.administers ? undefined : t('why.admin')}
        onClick={() => get.mutate({ deployment: deployment.id })}
      >
        {t('credentials.show')}
      </ActionButton>
      {get.error ? <Refused error={get.error} /> : null}
      {open && shown ? (
        <Modal
          isOpen
          variant="small"
          aria-labelledby="credentials-title"
          onClose={() => {
            setOpen(false);
            get.reset();
          }}
        >
          <ModalHeader
            title={t('credentials.title', { name: deployment.name })}
            labelId="credentials-title"
            description={t('credentials.about')}
          />
          <ModalBody className="stack">
            <Facts
              facts={[
                [
                  t('credentials.url'),
                  <span className="mono" key="url">
                    {shown.url}
                  </span>,
                ],
                [
                  t('login.user'),
                  <span className="mono" key="user">
                    {shown.username}
                  </span>,
                ],
                [
                  t('login.password'),
                  <span className="mono" key="password">
                    {shown.password}
                  </span>,
                ],
              ]}
            />
            <Button variant="secondary" onClick={() => void navigator.clipboard.writeText(shown.password)}>
              {t('credentials.copy')}
            </Button>
          </ModalBody>
        </Modal>
      ) : null}
    </>
  );
}
