// Somebody else has saved meanwhile: both are seen, and the reader decides.
import { Button, Modal, ModalBody, ModalFooter, ModalHeader } from '@patternfly/react-core';
import type { Dashboard } from '../../generated/wharf/monitor/v1/dashboards_pb';
import { useT } from '../../i18n/i18n';
import { Clock } from '../../shared/When';
import { readDocument, writeDocument } from './document';
import { type Content, type Difference, differences } from './draft';
import { DIFFERENCE_WORDS } from './names';

export function Differences({ of }: { of: readonly Difference[] }) {
  const t = useT();
  if (of.length === 0) return <p className="quiet">{t('dashboards.diff.none')}</p>;
  return (
    <ul className="differences">
      {of.map((one) => (
        <li key={`${one.what} ${one.panel}`}>
          <strong>{t(DIFFERENCE_WORDS[one.what])}</strong>: {one.panel ?? t('dashboards.diff.itself')}
        </li>
      ))}
    </ul>
  );
}

function Text({ title, content }: { title: React.ReactNode; content: Content }) {
  const { document, ...words } = content;
  return (
    <section>
      <h2>{title}</h2>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <pre tabIndex={0}>
        {JSON.stringify({ title: words.title, description: words.description }, null, 2)}
        {'\n'}
        {writeDocument(document, 2)}
      </pre>
    </section>
  );
}

interface ConflictProps {
  draft: Content;
  saved: Dashboard;
  busy: boolean;
  onOver: () => void;
  onTake: () => void;
  onCopy: () => void;
  onClose: () => void;
}

export function Conflict({ draft, saved, busy, onOver, onTake, onCopy, onClose }: ConflictProps) {
  const t = useT();
  const { document } = readDocument(saved.documentJson);
  const theirs: Content | undefined = document && {
    title: saved.title,
    description: saved.description,
    document,
  };
  return (
    <Modal isOpen variant="large" onClose={onClose} aria-labelledby="conflict">
      <ModalHeader
        title={t('dashboards.conflict')}
        labelId="conflict"
        titleIconVariant="warning"
        description={t('dashboards.conflict.about')}
      />
      <ModalBody className="stack">
        {theirs ? (
          <>
            <h2>{t('dashboards.conflict.mine')}</h2>
            <Differences of={differences(theirs, draft)} />
            <div className="both">
              <Text
                title={
                  <>
                    {t('dashboards.conflict.saved')} (<Clock at={saved.changedAt} />)
                  </>
                }
                content={theirs}
              />
              <Text title={t('dashboards.conflict.draft')} content={draft} />
            </div>
          </>
        ) : null}
      </ModalBody>
      <ModalFooter>
        <Button variant="primary" onClick={onCopy}>
          {t('dashboards.conflict.copy')}
        </Button>
        <Button variant="secondary" isLoading={busy} onClick={onOver}>
          {t('dashboards.conflict.over')}
        </Button>
        <Button variant="secondary" onClick={onTake}>
          {t('dashboards.conflict.take')}
        </Button>
        <Button variant="link" onClick={onClose}>
          {t('close')}
        </Button>
      </ModalFooter>
    </Modal>
  );
}
