// "Show query": what a chart or a list asks the storage, as one sends it without these pages.
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
import { useCall } from '../../api/call';
import { type JsonObject, useDeployment } from '../../api/monitor';
import { Deployments } from '../../generated/wharf/v1/deployments_pb';
import { useT } from '../../i18n/i18n';
import { asConsole, asCurl } from './as-query';

interface ShowQueryProps {
  indices: readonly string[];
  body: JsonObject;
  /** None: the one that the URL names. */
  deployment?: string;
  /** What it is the query of. */
  of?: string;
  /** A word instead of a small sign. */
  word?: boolean;
}

type Form = 'console' | 'curl';

export function Query({ indices, body, deployment, close }: ShowQueryProps & { close: () => void }) {
  const t = useT();
  const inUrl = useDeployment();
  const [form, setForm] = useState<Form>('console');
  const [copied, setCopied] = useState(false);
  const where = useCall(Deployments.method.getDeployment, { deployment: deployment ?? inUrl });
  const text =
    form === 'console' ? asConsole(indices, body) : asCurl(indices, body, where.data?.endpoint || undefined);
  return (
    <Modal isOpen variant="medium" onClose={close} aria-labelledby="query-title">
      <ModalHeader title={t('query.title')} labelId="query-title" description={t('query.about')} />
      <ModalBody>
        <Tabs
          activeKey={form}
          onSelect={(_, key) => {
            setForm(key as Form);
            setCopied(false);
          }}
          aria-label={t('api.forms')}
        >
          <Tab eventKey="console" title={t('query.plain')} tabContentId="query-text" />
          <Tab eventKey="curl" title="curl" tabContentId="query-text" />
        </Tabs>
        <div className="code-block" id="query-text" role="tabpanel" aria-label={t('query.title')}>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
          <pre tabIndex={0}>{text}</pre>
          <ClipboardCopyButton
            id="query-copy"
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
  );
}

export function ShowQuery(props: ShowQueryProps) {
  const t = useT();
  const [open, setOpen] = useState(false);
  const name = props.of ? `${t('query.show')}: ${props.of}` : t('query.show');
  return (
    <>
      {props.word ? (
        <Button variant="secondary" aria-label={name} onClick={() => setOpen(true)}>
          {t('query.show')}
        </Button>
      ) : (
        <Button
          variant="plain"
          size="sm"
          icon={<CodeIcon />}
          aria-label={name}
          title={t('query.show')}
          onClick={() => setOpen(true)}
        />
      )}
      {open ? <Query {...props} close={() => setOpen(false)} /> : null}
    </>
  );
}
