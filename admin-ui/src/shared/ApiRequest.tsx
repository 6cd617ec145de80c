// "Show API request": what a table or a form asks its server, for those who script it.
import type { DescMessage, DescMethodUnary, MessageInitShape } from '@bufbuild/protobuf';
import { Button } from '@patternfly/react-core';
import CodeIcon from '@patternfly/react-icons/dist/esm/icons/code-icon';
import { useState } from 'react';
import { asRequest } from '../api/as-request';
import { DEPLOYMENT } from '../api/serves';
import { useT } from '../i18n/i18n';
import { CodeDialog } from './CodeDialog';

interface ApiRequestProps<I extends DescMessage, O extends DescMessage> {
  method: DescMethodUnary<I, O>;
  input: MessageInitShape<I>;
  /** Small, for the head of a table. */
  plain?: boolean;
  /** Whose monitoring node answers it. */
  deployment?: string;
}

export function ApiRequest<I extends DescMessage, O extends DescMessage>({
  method,
  input,
  plain,
  deployment,
}: ApiRequestProps<I, O>) {
  const t = useT();
  const [open, setOpen] = useState(false);
  const forms = () => {
    const { host } = window.location;
    const { cli, grpcurl, curl } = asRequest(method, input, host, deployment, DEPLOYMENT !== undefined);
    return [
      ...(cli === undefined ? [] : [{ id: 'cli', label: t('api.cli'), text: cli }]),
      { id: 'grpcurl', label: 'grpcurl', text: grpcurl },
      { id: 'curl', label: 'curl', text: curl },
    ];
  };
  return (
    <>
      {plain ? (
        <Button
          variant="plain"
          size="sm"
          icon={<CodeIcon />}
          aria-label={t('api.show')}
          title={t('api.show')}
          onClick={() => setOpen(true)}
        />
      ) : (
        <Button variant="secondary" onClick={() => setOpen(true)}>
          {t('api.show')}
        </Button>
      )}
      {open ? (
        <CodeDialog
          title={t('api.title')}
          about={DEPLOYMENT === undefined ? t('api.about') : t('api.about.deployment')}
          forms={forms()}
          onClose={() => setOpen(false)}
        />
      ) : null}
    </>
  );
}
