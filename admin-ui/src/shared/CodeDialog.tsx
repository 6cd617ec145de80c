// The same thing written in several ways, each to be copied: a request, a query.
import { ClipboardCopyButton, Modal, ModalBody, ModalHeader, Tab, Tabs } from '@patternfly/react-core';
import { type ReactNode, useEffect, useRef, useState } from 'react';
import { useT } from '../i18n/i18n';

export interface CodeForm {
  id: string;
  label: string;
  text: string;
}

interface CodeDialogProps {
  title: string;
  about: string;
  /** The first is shown first. */
  forms: readonly CodeForm[];
  /** Above the forms: of what they are. */
  tools?: ReactNode;
  onClose: () => void;
}

export function CodeDialog({ title, about, forms, tools, onClose }: CodeDialogProps) {
  const t = useT();
  const [chosen, setChosen] = useState(forms[0]?.id ?? '');
  const [copied, setCopied] = useState(false);
  const close = useRef(onClose);
  close.current = onClose;
  // Every dialog listens to the key by itself: it would close the form below this one, too.
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.key !== 'Escape') return;
      event.stopImmediatePropagation();
      close.current();
    };
    window.addEventListener('keydown', press, true);
    return () => window.removeEventListener('keydown', press, true);
  }, []);
  // Of something else there may be no such form.
  const form = forms.find((one) => one.id === chosen) ?? forms[0];
  const text = form?.text ?? '';
  return (
    <Modal isOpen variant="medium" onClose={onClose} aria-labelledby="code-title">
      <ModalHeader title={title} labelId="code-title" description={about} />
      <ModalBody className="stack">
        {tools}
        <Tabs
          activeKey={form?.id ?? ''}
          onSelect={(_, key) => {
            setChosen(String(key));
            setCopied(false);
          }}
          aria-label={t('api.forms')}
        >
          {forms.map((one) => (
            <Tab key={one.id} eventKey={one.id} title={one.label} tabContentId="code-text" />
          ))}
        </Tabs>
        <div className="code-block" id="code-text" role="tabpanel" aria-label={title}>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
          <pre tabIndex={0}>{text}</pre>
          <ClipboardCopyButton
            id="code-copy"
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
