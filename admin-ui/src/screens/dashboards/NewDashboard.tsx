// A new dashboard: empty, from a file, or a copy of another one.
import {
  Button,
  FormGroup,
  Modal,
  ModalBody,
  ModalFooter,
  ModalHeader,
  TextArea,
  TextInput,
} from '@patternfly/react-core';
import { useState } from 'react';
import { useNavigate } from 'react-router';
import { SYSTEM } from '../../api/monitor';
import { Dashboards } from '../../generated/wharf/monitor/v1/dashboards_pb';
import { type MessageKey, useT } from '../../i18n/i18n';
import { ActionButton } from '../../shared/ActionButton';
import { ApiRequest } from '../../shared/ApiRequest';
import { Refused } from '../../shared/Refused';
import { asPut, usePutDashboard } from './changes';
import { emptyDocument, type Fault, NAME, nameOf, readDocument, writeDocument } from './document';
import type { Content } from './draft';

const FAULTS: Record<Fault['fault'], MessageKey> = {
  type: 'dashboards.fault.type',
  missing: 'dashboards.fault.missing',
  choice: 'dashboards.fault.choice',
  range: 'dashboards.fault.range',
  twice: 'dashboards.fault.twice',
  schema: 'dashboards.fault.schema',
  json: 'dashboards.fault.json',
};
const MOST_SHOWN = 5;

export function Faults({ faults }: { faults: readonly Fault[] }) {
  const t = useT();
  return (
    <ul className="faults" role="alert">
      {faults.slice(0, MOST_SHOWN).map((one) => (
        <li key={`${one.path} ${one.fault} ${one.takes}`}>
          {one.path ? <code>{one.path}</code> : null} {t(FAULTS[one.fault], { takes: one.takes })}
        </li>
      ))}
    </ul>
  );
}

export function dashboardPath(name: string, deployment: string, more: Record<string, string> = {}): string {
  return withDeployment(`/dashboards/${encodeURIComponent(name)}`, deployment, more);
}

function withDeployment(path: string, deployment: string, more: Record<string, string>): string {
  const params = new URLSearchParams({ ...(deployment === SYSTEM ? {} : { in: deployment }), ...more });
  return `${path}${params.size > 0 ? `?${params}` : ''}`;
}

/** The list of dashboards. */
export function dashboardsPath(deployment: string, more: Record<string, string> = {}): string {
  return withDeployment('/dashboards', deployment, more);
}

/** What a dashboard was before; `version` is looked at. */
export function versionsPath(name: string, deployment: string, version = ''): string {
  const path = `/dashboards/${encodeURIComponent(name)}/versions`;
  return withDeployment(path, deployment, version ? { version } : {});
}

interface NewDashboardProps {
  deployment: string;
  /** What it is a copy of. */
  from?: Content;
  /** From the text of a file. */
  file?: boolean;
  onClose: () => void;
  /** Told before the page goes to what was made. */
  onMade?: () => void;
}

export function NewDashboard({ deployment, from, file, onClose, onMade }: NewDashboardProps) {
  const t = useT();
  const navigate = useNavigate();
  const [title, setTitle] = useState(from ? t('dashboards.copyOf', { title: from.title }) : '');
  const [name, setName] = useState<string>();
  const [text, setText] = useState('');
  const put = usePutDashboard(deployment, (saved) => {
    onMade?.();
    onClose();
    void navigate(dashboardPath(saved.name, deployment, from || file ? {} : { edit: '1' }));
  });
  const own = name ?? nameOf(title);
  const read = readDocument(file ? text : writeDocument(from?.document ?? emptyDocument()));
  const { document } = read;
  const wish = () => {
    if (!document) return undefined;
    const description = from?.description ?? (file ? textOf(text, 'description') : '');
    return asPut(own, { title: title.trim(), description, document }, '', true);
  };
  const request = wish();
  const whyNot = () => {
    if (file && (text.trim() === '' || !document)) return t('dashboards.why.file');
    if (!document) return t('dashboards.unreadable');
    if (!title.trim()) return t('dashboards.why.title');
    if (!NAME.test(own)) return t('dashboards.why.name');
    return undefined;
  };
  const take = (content: string, called: string) => {
    setText(content);
    if (!title) setTitle(textOf(content, 'title') || called.replace(/\.json$/i, ''));
  };
  return (
    <Modal isOpen variant="small" onClose={onClose} aria-labelledby="new-dashboard">
      <ModalHeader
        title={from ? t('dashboards.copy') : file ? t('dashboards.import') : t('dashboards.new')}
        labelId="new-dashboard"
      />
      <ModalBody>
        <form
          id="new-dashboard-form"
          className="stack"
          onSubmit={(event) => {
            event.preventDefault();
            if (request && !whyNot()) put.mutate(request);
          }}
        >
          {file ? (
            <FormGroup label={t('dashboards.file')} fieldId="dashboard-text">
              <input
                type="file"
                accept=".json,application/json"
                aria-label={t('dashboards.file.choose')}
                onChange={(event) => {
                  const [chosen] = event.target.files ?? [];
                  if (chosen) void chosen.text().then((content) => take(content, chosen.name));
                }}
              />
              <TextArea
                id="dashboard-text"
                className="mono"
                rows={8}
                spellCheck={false}
                value={text}
                onChange={(_, content) => take(content, '')}
              />
              {text.trim() !== '' && !document ? <Faults faults={read.faults} /> : null}
            </FormGroup>
          ) : null}
          {file || document ? null : <Faults faults={read.faults} />}
          <FormGroup label={t('dashboards.title')} fieldId="dashboard-title">
            <TextInput id="dashboard-title" value={title} onChange={(_, next) => setTitle(next)} />
          </FormGroup>
          <FormGroup label={t('dashboards.name')} fieldId="dashboard-name">
            <TextInput
              id="dashboard-name"
              value={own}
              spellCheck={false}
              onChange={(_, next) => setName(next)}
            />
          </FormGroup>
          {put.error ? <Refused error={put.error} /> : null}
        </form>
      </ModalBody>
      <ModalFooter>
        <ActionButton
          type="submit"
          form="new-dashboard-form"
          variant="primary"
          isLoading={put.isPending}
          whyNot={whyNot()}
        >
          {t('create')}
        </ActionButton>
        <Button variant="link" onClick={onClose}>
          {t('close')}
        </Button>
        {request ? (
          <ApiRequest plain method={Dashboards.method.putDashboard} input={request} deployment={deployment} />
        ) : null}
      </ModalFooter>
    </Modal>
  );
}

/** A field of an exported dashboard that is no part of the document. */
function textOf(content: string, field: 'title' | 'description'): string {
  try {
    const value = (JSON.parse(content) as Record<string, unknown>)[field];
    return typeof value === 'string' ? value : '';
  } catch {
    return '';
  }
}
