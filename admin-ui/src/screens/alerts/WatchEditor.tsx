// A watch made or changed by a form or as a document, tried out on what is there and on the past. Not
// here: fetching it.
import { TextArea, ToggleGroup, ToggleGroupItem } from '@patternfly/react-core';
import { useState } from 'react';
import { useNavigate } from 'react-router';
import { useRights } from '../../api/session';
import { type Watch, Watches } from '../../generated/wharf/monitor/v1/watches_pb';
import { useT } from '../../i18n/i18n';
import { ActionButton } from '../../shared/ActionButton';
import { ApiRequest } from '../../shared/ApiRequest';
import { Card } from '../../shared/Card';
import { Refused } from '../../shared/Refused';
import { useHandle } from './api';
import './alerts.css';
import { Conflict } from './Conflict';
import { documentOf } from './document';
import { measuredBy } from './figures';
import { asDocument, namedForm, type WatchGiven } from './given';
import { alertsPath } from './paths';
import { Trial } from './Trial';
import { WatchFields } from './WatchFields';
import { type Faults, faultsOf, formOf, NEW_FORM, specOf, type WatchForm } from './watch-form';

type Mode = 'form' | 'text';

interface EditorProps {
  /** None: a new one. */
  watch?: Watch;
  deployment: string;
  /** What is there now is to be fetched and shown; none: there is nothing yet. */
  onReload?: () => void;
}

function firstFault(faults: Faults) {
  return Object.values(faults)[0];
}

export function WatchEditor({ watch, deployment, onReload }: EditorProps) {
  const t = useT();
  const rights = useRights();
  const navigate = useNavigate();
  const [form, setForm] = useState<WatchForm>(() => (watch?.spec ? formOf(watch.spec) : NEW_FORM));
  const [changed, setChanged] = useState(false);
  const [text, setText] = useState(() => watch?.document ?? '');
  const [written, setWritten] = useState(false);
  const [tried, setTried] = useState(false);
  // A document that is no watch can only be put right as text.
  const [mode, setMode] = useState<Mode>(watch && !watch.spec ? 'text' : 'form');
  const put = useHandle(Watches.method.putWatch, () => {
    void navigate(alertsPath(deployment, { tab: 'watches' }));
  });

  const faults = faultsOf(form);
  const fault = mode === 'form' ? firstFault(faults) : undefined;
  const trialFault = mode === 'form' ? firstFault(faultsOf(namedForm({ ...form, name: '' }))) : undefined;
  // Of the form it is made only when it is looked at: a form with faults has no document.
  const isMade = mode === 'text' && !written && (changed || watch === undefined);
  const shownText = isMade ? documentOf(specOf(form)) : text;
  const given: WatchGiven =
    mode === 'form' ? { case: 'spec', value: specOf(form) } : { case: 'document', value: shownText };
  const trial: WatchGiven = mode === 'form' ? { case: 'spec', value: specOf(namedForm(form)) } : given;
  const request = {
    watch: given,
    expectedVersion: watch?.version ?? '',
    create: watch === undefined,
  };
  const save = (over: boolean) => {
    setTried(true);
    if (!fault) put.mutate(over ? { ...request, expectedVersion: '', create: false } : request);
  };
  return (
    <div className="columns watch-editor">
      <div className="seven">
        <Card
          title={t('alerts.form.title')}
          actions={
            <ToggleGroup aria-label={t('alerts.form.as')} isCompact>
              <ToggleGroupItem
                buttonId="as-form"
                text={t('alerts.form.form')}
                isSelected={mode === 'form'}
                isDisabled={written || (watch !== undefined && !watch.spec)}
                onChange={() => setMode('form')}
              />
              <ToggleGroupItem
                buttonId="as-text"
                text={t('alerts.form.text')}
                isSelected={mode === 'text'}
                isDisabled={trialFault !== undefined}
                onChange={() => setMode('text')}
              />
            </ToggleGroup>
          }
        >
          <form
            className="pf-v6-c-form"
            onSubmit={(event) => {
              event.preventDefault();
              if (rights.manages) save(false);
            }}
          >
            {mode === 'form' ? (
              <WatchFields
                form={form}
                faults={tried || watch ? faults : {}}
                deployment={deployment}
                named={watch !== undefined}
                onChange={(change) => {
                  setForm((old) => ({ ...old, ...change }));
                  setChanged(true);
                }}
              />
            ) : (
              <>
                <p className="quiet">
                  {written ? t('alerts.form.text.written') : t('alerts.form.text.about')}
                </p>
                <TextArea
                  id="watch-document"
                  aria-label={t('alerts.form.text')}
                  className="mono watch-document"
                  rows={34}
                  resizeOrientation="vertical"
                  spellCheck={false}
                  value={shownText}
                  onChange={(_, value) => {
                    setText(value);
                    setWritten(true);
                  }}
                />
              </>
            )}
            {put.error && watch && onReload ? (
              <Conflict
                error={put.error}
                otherwise={<Refused error={put.error} />}
                onDone={onReload}
                onOver={() => save(true)}
              />
            ) : put.error ? (
              <Refused error={put.error} />
            ) : null}
            <div className="actions">
              <ActionButton
                type="submit"
                isLoading={put.isPending}
                whyNot={!rights.manages ? t('why.manager') : tried && fault ? t(fault) : undefined}
              >
                {watch ? t('save') : t('alerts.watch.create')}
              </ActionButton>
              {written ? (
                <ActionButton
                  variant="secondary"
                  onClick={() => {
                    setText(watch?.document ?? '');
                    setWritten(false);
                  }}
                >
                  {t('alerts.form.text.undo')}
                </ActionButton>
              ) : null}
              <ApiRequest
                method={Watches.method.putWatch}
                input={request}
                deployment={deployment}
                command={{ ...request, watch: asDocument(given) }}
              />
            </div>
          </form>
        </Card>
      </div>
      <div className="five">
        <Trial
          given={trial}
          document={asDocument(trial)}
          measured={measuredBy(mode === 'form' ? specOf(form) : watch?.spec)}
          fault={trialFault ? t(trialFault) : undefined}
          deployment={deployment}
        />
      </div>
    </div>
  );
}
