// "Show API request": what a table or a form asks the director, for those who script it.
import type { DescMessage, DescMethodUnary, MessageInitShape } from '@bufbuild/protobuf';
import {
  Button,
  ClipboardCopyButton,
  Modal,
  ModalBody,
  ModalHeader,
  Tab,
  Tabs,
} from '@patternfly/react-core';
import CodeIcon from '@patternfly/react-icons/dist/esm/icons/code-icon';
import { useState } from 'react';
import { asRequest } from '../api/as-request';
import { useT } from '../i18n/i18n';

interface ApiRequestProps<I extends DescMessage, O extends DescMessage> {
  method: DescMethodUnary<I, O>;
  input: MessageInitShape<I>;
  /** Small, for the head of a table. */
  plain?: boolean;
  /** Whose monitoring node answers it. */
  deployment?: string;
}

type Form = 'cli' | 'grpcurl' | 'curl';

export function ApiRequest<I extends DescMessage, O extends DescMessage>({
  method,
  input,
  plain,
  deployment,
}: ApiRequestProps<I, O>) {
  const t = useT();
  const [open, setOpen] = useState(false);
  const [form, setForm] = useState<Form>(deployment ? 'grpcurl' : 'cli');
  const [copied, setCopied] = useState(false);
  const text = open ? (asRequest(method, input, window.location.host, deployment)[form] ?? '') : '';
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
        <Modal isOpen variant="medium" onClose={() => setOpen(false)} aria-labelledby="api-request-title">
          <ModalHeader title={t('api.title')} labelId="api-request-title" description={t('api.about')} />
          <ModalBody>
            <Tabs
              activeKey={form}
              onSelect={(_, key) => {
                setForm(key as Form);
                setCopied(false);
              }}
              aria-label={t('api.forms')}
            >
              {deployment ? null : (
                <Tab eventKey="cli" title={t('api.cli')} tabContentId="api-request-text" />
              )}
              <Tab eventKey="grpcurl" title="grpcurl" tabContentId="api-request-text" />
              <Tab eventKey="curl" title="curl" tabContentId="api-request-text" />
            </Tabs>
            <div className="code-block" id="api-request-text" role="tabpanel" aria-label={t('api.title')}>
              {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
              <pre tabIndex={0}>{text}</pre>
              <ClipboardCopyButton
                id="api-request-copy"
                aria-label={t('copy')}
                onClick={() => {
                  void navigator.clipboard.writeText(text).then(() => setCopied(true));
                }}
                exitDelay={600}
                variant="plain"
              >
                {copied ? t('copied') : t('copy')}
              </ClipboardCopyButton>
            </div>
          </ModalBody>
        </Modal>
      ) : null}
    </>
  );
}
