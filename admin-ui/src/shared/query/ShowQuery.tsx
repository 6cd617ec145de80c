// "Show query": what a chart or a list asks the storage, as one sends it without these pages.
import { Button } from '@patternfly/react-core';
import CodeIcon from '@patternfly/react-icons/dist/esm/icons/code-icon';
import { useState } from 'react';
import { type JsonObject, useDeployment } from '../../api/monitor';
import { useStorageUrl } from '../../api/storage-url';
import { useT } from '../../i18n/i18n';
import { CodeDialog } from '../CodeDialog';
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

export function Query({ indices, body, deployment, close }: ShowQueryProps & { close: () => void }) {
  const t = useT();
  const inUrl = useDeployment();
  const url = useStorageUrl(deployment ?? inUrl);
  return (
    <CodeDialog
      title={t('query.title')}
      about={t('query.about')}
      forms={[
        { id: 'console', label: t('query.plain'), text: asConsole(indices, body) },
        { id: 'curl', label: 'curl', text: asCurl(indices, body, url) },
      ]}
      onClose={close}
    />
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
