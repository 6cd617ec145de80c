// What a dashboard is besides its panels: title, description, span of time, variables.
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
import CloseIcon from '@patternfly/react-icons/dist/esm/icons/times-icon';
import { useState } from 'react';
import { useDeployment } from '../../api/monitor';
import { useT } from '../../i18n/i18n';
import { ActionButton } from '../../shared/ActionButton';
import { instantOf } from '../../shared/time/range';
import type { Variable } from './document';
import type { Content } from './draft';
import { FieldInput, StreamsInput } from './FieldInput';

const NAME = /^[a-z][a-z0-9_]{0,31}$/;
const MOST_VARIABLES = 8;
/** Seconds of a day. */
const MOST_REFRESH = 86_400;

/** `host.name` → `host`. */
export function variableNameOf(field: string): string {
  const parts = field.split('.').filter((part) => part !== 'name');
  const name = (parts.at(-1) ?? '').toLowerCase().replace(/[^a-z0-9_]/g, '_');
  return NAME.test(name) ? name : 'value';
}

interface DocumentDialogProps {
  content: Content;
  onTake: (content: Content) => void;
  onClose: () => void;
}

export function DocumentDialog({ content, onTake, onClose }: DocumentDialogProps) {
  const t = useT();
  const deployment = useDeployment();
  const [title, setTitle] = useState(content.title);
  const [description, setDescription] = useState(content.description);
  const [from, setFrom] = useState(content.document.time?.from ?? '');
  const [refresh, setRefresh] = useState(String(content.document.refresh ?? ''));
  const [variables, setVariables] = useState(content.document.variables);
  const set = (at: number, change: Partial<Variable>) =>
    setVariables(variables.map((one, place) => (place === at ? { ...one, ...change } : one)));
  const names = variables.map((one) => one.name);
  const whyNot = () => {
    if (!title.trim()) return t('dashboards.why.title');
    if (from && instantOf(from, Date.now()) === undefined) return t('dashboards.why.time');
    if (refresh && (!/^\d{1,5}$/.test(refresh) || Number(refresh) > MOST_REFRESH))
      return t('dashboards.why.refresh');
    if (variables.some((one) => !one.field || one.index.length === 0)) return t('dashboards.why.variable');
    if (new Set(names).size !== names.length) return t('dashboards.why.twice');
    if (names.some((name) => !NAME.test(name))) return t('dashboards.why.variable');
    return undefined;
  };
  const take = () => {
    const { time: _, refresh: __, ...rest } = content.document;
    onTake({
      title: title.trim(),
      description: description.trim(),
      document: {
        ...rest,
        variables,
        ...(from ? { time: { from, to: content.document.time?.to ?? 'now' } } : {}),
        ...(refresh ? { refresh: Number(refresh) } : {}),
      },
    });
  };
  return (
    <Modal isOpen variant="medium" onClose={onClose} aria-labelledby="dashboard-settings">
      <ModalHeader title={t('dashboards.settings')} labelId="dashboard-settings" />
      <ModalBody>
        <form
          className="stack"
          id="dashboard-settings-form"
          onSubmit={(event) => {
            event.preventDefault();
            if (!whyNot()) take();
          }}
        >
          <FormGroup label={t('dashboards.title')} fieldId="settings-title">
            <TextInput id="settings-title" value={title} onChange={(_, next) => setTitle(next)} />
          </FormGroup>
          <FormGroup label={t('dashboards.description')} fieldId="settings-description">
            <TextArea
              id="settings-description"
              rows={2}
              value={description}
              onChange={(_, next) => setDescription(next)}
            />
          </FormGroup>
          <div className="pair">
            <FormGroup label={t('dashboards.time')} fieldId="settings-from">
              <TextInput
                id="settings-from"
                placeholder="now-1h"
                value={from}
                onChange={(_, next) => setFrom(next.trim())}
              />
            </FormGroup>
            <FormGroup label={t('dashboards.refresh')} fieldId="settings-refresh">
              <TextInput
                id="settings-refresh"
                inputMode="numeric"
                placeholder="30"
                value={refresh}
                onChange={(_, next) => setRefresh(next.trim())}
              />
            </FormGroup>
          </div>
          <FormGroup label={t('dashboards.variables')} role="group">
            {variables.map((one, at) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: its name is what is edited
              <div className="metric-row" key={at}>
                <TextInput
                  aria-label={t('dashboards.variable.title')}
                  placeholder={t('dashboards.variable.title')}
                  value={one.title}
                  onChange={(_, next) => set(at, { title: next })}
                />
                <StreamsInput
                  id={`variable-stream-${at}`}
                  label={t('dashboards.stream')}
                  value={one.index}
                  deployment={deployment}
                  onChange={(index) => set(at, { index })}
                />
                <FieldInput
                  id={`variable-field-${at}`}
                  label={t('dashboards.field')}
                  placeholder="host.name"
                  value={one.field}
                  indices={one.index}
                  deployment={deployment}
                  aggregatable
                  onChange={(field) => {
                    const name = variableNameOf(field);
                    set(at, { field, name, ...(one.title && one.title !== one.name ? {} : { title: name }) });
                  }}
                />
                <Button
                  variant="plain"
                  size="sm"
                  icon={<CloseIcon />}
                  aria-label={t('dashboards.variable.remove')}
                  onClick={() => setVariables(variables.filter((_, place) => place !== at))}
                />
              </div>
            ))}
            {variables.length < MOST_VARIABLES ? (
              <Button
                variant="link"
                size="sm"
                isInline
                onClick={() =>
                  setVariables([...variables, { name: '', title: '', index: ['metrics-*'], field: '' }])
                }
              >
                {t('dashboards.variable.add')}
              </Button>
            ) : null}
          </FormGroup>
        </form>
      </ModalBody>
      <ModalFooter>
        <ActionButton type="submit" form="dashboard-settings-form" variant="primary" whyNot={whyNot()}>
          {t('dashboards.apply')}
        </ActionButton>
        <Button variant="link" onClick={onClose}>
          {t('close')}
        </Button>
      </ModalFooter>
    </Modal>
  );
}
