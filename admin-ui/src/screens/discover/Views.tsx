// Saved views: Logs first, then those that people have kept with the deployment. Saving tells when
// somebody else has changed the same one.
import {
  Button,
  FormGroup,
  Modal,
  ModalBody,
  ModalFooter,
  ModalHeader,
  TextInput,
} from '@patternfly/react-core';
import TrashIcon from '@patternfly/react-icons/dist/esm/icons/trash-icon';
import { useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { refusalOf } from '../../api/errors';
import { monitorCall, useDeployment, useMonitorCall, useMonitorChange } from '../../api/monitor';
import { useRights } from '../../api/session';
import { type SavedView, SavedViews } from '../../generated/wharf/monitor/v1/views_pb';
import { useT } from '../../i18n/i18n';
import { ActionButton } from '../../shared/ActionButton';
import { ApiRequest, ApiRequestButton, ApiRequestDialog, shownCall } from '../../shared/ApiRequest';
import { Confirm } from '../../shared/Confirm';
import { DataState } from '../../shared/DataState';
import { Refused } from '../../shared/Refused';
import { LOGS } from '../../shared/search/discover-link';
import { Dropped } from './Dropped';
import { fromDocument, nameFor, type SavedState, sameSaved, toDocument } from './view-state';

const PAGE = 'discover';
const MOST = 200;
/** The code of an object that was changed meanwhile. */
const CONFLICT = 'MON0008';

interface ViewsProps {
  /** The name of the one that is open. */
  open: string;
  now: SavedState;
  onOpen: (state: SavedState, name: string) => void;
}

const LOGS_VIEW: SavedState = { indices: [...LOGS], q: '', columns: [], from: '', to: '' };

function SaveAs({
  taken,
  now,
  onSaved,
  onClose,
}: {
  taken: string[];
  now: SavedState;
  onSaved: (view: SavedView) => void;
  onClose: () => void;
}) {
  const t = useT();
  const deployment = useDeployment();
  const [title, setTitle] = useState('');
  const [random] = useState(() => crypto.randomUUID().slice(0, 6));
  const put = useMonitorChange(SavedViews.method.putSavedView, { done: onSaved });
  const name = nameFor(title, taken, random);
  const wish = {
    view: { name, title: title.trim(), page: PAGE, documentJson: toDocument(now) },
    create: true,
  };
  const save = (event: FormEvent) => {
    event.preventDefault();
    if (title.trim()) put.mutate(wish);
  };
  return (
    <Modal isOpen variant="small" onClose={onClose} aria-labelledby="save-view-title">
      <ModalHeader title={t('discover.views.saveAs')} labelId="save-view-title" />
      <ModalBody>
        <form id="save-view" className="stack" onSubmit={save}>
          <FormGroup label={t('discover.views.title')} fieldId="view-title">
            <TextInput
              id="view-title"
              autoFocus
              maxLength={100}
              value={title}
              onChange={(_, value) => setTitle(value)}
            />
          </FormGroup>
          <p className="quiet">{t('discover.views.kept')}</p>
          {put.error ? <Refused error={put.error} /> : null}
        </form>
      </ModalBody>
      <ModalFooter>
        <ActionButton
          type="submit"
          form="save-view"
          variant="primary"
          isLoading={put.isPending}
          whyNot={title.trim() ? undefined : t('discover.views.titleFirst')}
        >
          {t('discover.views.save')}
        </ActionButton>
        <Button variant="link" onClick={onClose}>
          {t('close')}
        </Button>
        <ApiRequest plain method={SavedViews.method.putSavedView} input={wish} deployment={deployment} />
      </ModalFooter>
    </Modal>
  );
}

function Conflict({
  name,
  onTheirs,
  onMine,
  onClose,
}: {
  name: string;
  onTheirs: () => void;
  onMine: () => void;
  onClose: () => void;
}) {
  const t = useT();
  return (
    <Modal isOpen variant="small" onClose={onClose} aria-labelledby="view-conflict-title">
      <ModalHeader
        title={t('discover.views.conflict')}
        labelId="view-conflict-title"
        titleIconVariant="warning"
      />
      <ModalBody>{t('discover.views.conflict.about', { name })}</ModalBody>
      <ModalFooter>
        <Button variant="primary" onClick={onTheirs}>
          {t('discover.views.theirs')}
        </Button>
        <Button variant="secondary" onClick={onMine}>
          {t('discover.views.mine')}
        </Button>
        <Button variant="link" onClick={onClose}>
          {t('close')}
        </Button>
      </ModalFooter>
    </Modal>
  );
}

export function Views({ open, now, onOpen }: ViewsProps) {
  const t = useT();
  const queries = useQueryClient();
  const rights = useRights();
  const deployment = useDeployment();
  const [dialog, setDialog] = useState<'saveAs' | 'request'>();
  const [going, setGoing] = useState<SavedView>();
  const [refused, setRefused] = useState<unknown>(null);
  const list = useMonitorCall(SavedViews.method.listSavedViews, {
    options: { pageSize: MOST, orderBy: 'title', filter: `page="${PAGE}"` },
  });
  const current = useMonitorCall(SavedViews.method.getSavedView, { name: open }, { enabled: open !== '' });
  // What this reader has seen of it: a later one, fetched beside, is not what the changes are of.
  const [base, setBase] = useState<SavedView>();
  if (open && current.data && base?.name !== open) setBase(current.data);
  const renew = () =>
    void queries.invalidateQueries({ predicate: (query) => query.queryKey[0] === SavedViews.typeName });
  const saved = (view: SavedView) => {
    setDialog(undefined);
    setBase(view);
    renew();
    onOpen(now, view.name);
  };
  const put = useMonitorChange(SavedViews.method.putSavedView, { done: saved });
  const remove = useMonitorChange(SavedViews.method.deleteSavedView, {
    done: () => {
      if (going?.name === open) onOpen(now, '');
      setGoing(undefined);
      renew();
    },
  });
  const mine = base?.name === open ? base : undefined;
  const kept = mine ? fromDocument(mine.documentJson) : undefined;
  const changed = kept !== undefined && !sameSaved(kept, now);
  const mayNot = rights.manages ? undefined : t('discover.views.viewer');
  const conflict = put.error && refusalOf(put.error).code === CONFLICT;
  const replaced = ({ name, title, description, version }: SavedView) => ({
    view: { name, title, description, page: PAGE, documentJson: toDocument(now) },
    expectedVersion: version,
  });
  const save = (over: boolean) => {
    if (mine) put.mutate({ ...replaced(mine), ...(over ? { expectedVersion: '' } : {}) });
  };
  const go = async (view: SavedView, close: () => void) => {
    setRefused(null);
    try {
      const full = await monitorCall(SavedViews.method.getSavedView, deployment, { name: view.name });
      const state = fromDocument(full.documentJson);
      setBase(full);
      if (state) onOpen(state, view.name);
      close();
    } catch (error) {
      setRefused(error);
    }
  };
  const title = mine?.title || open;
  return (
    <>
      <Dropped
        align="right"
        name={t('discover.views')}
        label={
          <>
            <span className="sr-only">{t('discover.views')}: </span>
            {open ? title : t('discover.views.none')}
            {changed ? <span className="quiet"> · {t('discover.views.changed')}</span> : null}
          </>
        }
      >
        {(close) => (
          <>
            <ul className="view-list">
              <li>
                <button
                  type="button"
                  onClick={() => {
                    onOpen(LOGS_VIEW, '');
                    close();
                  }}
                >
                  {t('nav.logs')} <span className="quiet">{t('discover.views.shipped')}</span>
                </button>
              </li>
            </ul>
            <DataState query={list} lines={3}>
              {(data) => (
                <>
                  <ul className="view-list">
                    {data.views.map((view) => (
                      <li key={view.name}>
                        <button
                          type="button"
                          aria-current={view.name === open ? 'true' : undefined}
                          onClick={() => void go(view, close)}
                        >
                          {view.title || view.name}
                        </button>
                        <ActionButton
                          variant="plain"
                          size="sm"
                          icon={<TrashIcon />}
                          aria-label={t('discover.views.delete', { name: view.title || view.name })}
                          whyNot={mayNot}
                          onClick={() => setGoing(view)}
                        />
                      </li>
                    ))}
                  </ul>
                  {data.views.length === 0 ? <p className="quiet">{t('discover.views.empty')}</p> : null}
                </>
              )}
            </DataState>
            <div className="dropped-foot">
              {open ? (
                <ActionButton
                  variant="secondary"
                  size="sm"
                  isLoading={put.isPending}
                  whyNot={mayNot ?? (changed ? undefined : t('discover.views.same'))}
                  onClick={() => save(false)}
                >
                  {t('discover.views.save')}
                </ActionButton>
              ) : null}
              <ActionButton
                variant="secondary"
                size="sm"
                whyNot={mayNot}
                onClick={() => {
                  close();
                  setDialog('saveAs');
                }}
              >
                {t('discover.views.saveAs')}
              </ActionButton>
              {mine && changed ? (
                <ApiRequestButton
                  plain
                  of={t('discover.views.save')}
                  onClick={() => {
                    close();
                    setDialog('request');
                  }}
                />
              ) : null}
            </div>
            {put.error && !conflict ? <Refused error={put.error} /> : null}
            {refused ? <Refused error={refused} /> : null}
            {open && current.error ? (
              <Refused error={current.error} title={open} retry={() => void current.refetch()} />
            ) : null}
          </>
        )}
      </Dropped>
      {dialog === 'saveAs' ? (
        <SaveAs
          taken={(list.data?.views ?? []).map((view) => view.name)}
          now={now}
          onSaved={saved}
          onClose={() => setDialog(undefined)}
        />
      ) : null}
      {dialog === 'request' && mine ? (
        <ApiRequestDialog
          calls={[
            shownCall(t('discover.views.save'), {
              method: SavedViews.method.putSavedView,
              input: replaced(mine),
              deployment,
            }),
          ]}
          onClose={() => setDialog(undefined)}
        />
      ) : null}
      {conflict ? (
        <Conflict
          name={title}
          onTheirs={() => {
            put.reset();
            void current.refetch().then(({ data }) => {
              const theirs = data && fromDocument(data.documentJson);
              if (!theirs) return;
              setBase(data);
              onOpen(theirs, open);
            });
          }}
          onMine={() => {
            put.reset();
            save(true);
          }}
          onClose={() => put.reset()}
        />
      ) : null}
      {going ? (
        <Confirm
          title={t('discover.views.delete', { name: going.title || going.name })}
          action={t('discover.views.delete.do')}
          name={going.title || going.name}
          danger
          busy={remove.isPending}
          error={remove.error}
          extra={
            <ApiRequest
              plain
              method={SavedViews.method.deleteSavedView}
              input={{ name: going.name, expectedVersion: going.version }}
              deployment={deployment}
            />
          }
          onConfirm={() => remove.mutate({ name: going.name, expectedVersion: going.version })}
          onClose={() => setGoing(undefined)}
        >
          {t('discover.views.delete.about')}
        </Confirm>
      ) : null}
    </>
  );
}
