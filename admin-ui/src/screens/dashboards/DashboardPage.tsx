// One dashboard: looked at, and changed. What is changed is a draft in this browser until it is saved.
import { Alert, Button, Dropdown, DropdownItem, DropdownList, MenuToggle } from '@patternfly/react-core';
import MoreIcon from '@patternfly/react-icons/dist/esm/icons/ellipsis-v-icon';
import { useCallback, useEffect, useMemo, useState } from 'react';
import { useNavigate, useParams } from 'react-router';
import { useDeployment, useMonitorCall } from '../../api/monitor';
import { useRights } from '../../api/session';
import { clock } from '../../format/format';
import { type Dashboard, Dashboards as Service } from '../../generated/wharf/monitor/v1/dashboards_pb';
import { Origin } from '../../generated/wharf/monitor/v1/watches_pb';
import { useI18n } from '../../i18n/i18n';
import { ActionButton } from '../../shared/ActionButton';
import { ApiRequest, ApiRequests, shownCall } from '../../shared/ApiRequest';
import { Confirm } from '../../shared/Confirm';
import { DataState } from '../../shared/DataState';
import { Empty } from '../../shared/Empty';
import { saveFile } from '../../shared/files/save';
import { PageHead } from '../../shared/PageHead';
import { Refused } from '../../shared/Refused';
import { TimeRangePicker } from '../../shared/time/TimeRangePicker';
import { useTimeRange } from '../../shared/time/useTimeRange';
import { useSearchParams } from '../../shared/use-search-params';
import { Conflict, Differences } from './Conflict';
import { asPut, isConflict, useDeleteDashboard, usePutDashboard } from './changes';
import './dashboards.css';
import { DocumentDialog } from './DocumentDialog';
import {
  type DashboardDocument,
  type Fault,
  freshId,
  type Panel,
  readDocument,
  titleIn,
  writeDocument,
} from './document';
import { type Content, type Draft, differences, dropDraft, keepDraft, keptDraft, sameContent } from './draft';
import { Editor, newPanel } from './Editor';
import { Grid, heightOf } from './Grid';
import { compact, put, roomFor, step } from './layout';
import { dashboardsPath, Faults, NewDashboard, versionsPath } from './NewDashboard';
import { SHIPPED_WORDS } from './names';
import { PanelBox } from './PanelBox';
import { titled } from './query';
import { useChosen, Variables } from './Variables';

const REFRESH = 30;

interface Edited {
  panel: Panel;
  isNew: boolean;
}

/** What was to be saved last. */
interface Attempt {
  content: Content;
  version: string;
  /** The one chart that was saved at once, outside of the editing. */
  alone: Edited | undefined;
}

/** What could be saved, but not be read again. */
interface Unreadable {
  content: Content;
  faults: readonly Fault[];
}

function withPanel(document: DashboardDocument, { panel, isNew }: Edited): DashboardDocument {
  const { panels } = document;
  const known = panels.some((one) => one.id === panel.id);
  if (!isNew && known) {
    return { ...document, panels: panels.map((one) => (one.id === panel.id ? panel : one)) };
  }
  const id = freshId(document, panel.title || panel.kind);
  const at = roomFor(panels, panel.at.w, panel.at.h);
  return { ...document, panels: compact([...panels, { ...panel, id, at }]) };
}

function useDraft(deployment: string, name: string, saved: Dashboard, loaded: Content) {
  const [draft, setDraft] = useState<Draft | undefined>(() => keptDraft(deployment, name));
  const keep = useCallback(
    ({ title, description, document }: Content, begun?: string) => {
      setDraft((before) => {
        const version = before?.version ?? begun ?? saved.version;
        const next = { title, description, document, version, at: Date.now() };
        keepDraft(deployment, name, next);
        return next;
      });
    },
    [deployment, name, saved.version],
  );
  const drop = useCallback(() => {
    dropDraft(deployment, name);
    setDraft(undefined);
  }, [deployment, name]);
  // What has become the same as the saved one is no draft any more.
  const same = draft !== undefined && sameContent(draft, loaded);
  return { draft: same ? undefined : draft, keep, drop };
}

interface BoardProps {
  name: string;
  deployment: string;
  saved: Dashboard;
  loaded: Content;
  refetch: () => void;
}

function Board({ name, deployment, saved, loaded, refetch }: BoardProps) {
  const { t, language, locale } = useI18n();
  const navigate = useNavigate();
  const rights = useRights();
  const [params, setParams] = useSearchParams();
  const shipped = saved.origin === Origin.SHIPPED;
  const whyNot = !rights.manages ? t('why.manager') : shipped ? t('dashboards.why.shipped') : undefined;
  const editing = params.get('edit') === '1' && !whyNot;
  const { draft, keep, drop } = useDraft(deployment, name, saved, loaded);
  const shown: Content = editing && draft ? draft : loaded;
  const { document } = shown;

  const defaults = {
    refresh: document.refresh ?? REFRESH,
    ...(document.time ?? {}),
  };
  const range = useTimeRange(defaults);
  const chosen = useChosen(document.variables);
  const where = useMemo(() => ({ deployment, range, chosen }), [deployment, range, chosen]);

  const [edited, setEdited] = useState<Edited>();
  const [dialog, setDialog] = useState<'copy' | 'delete' | 'document' | 'discard'>();
  const [menu, setMenu] = useState(false);
  const [closed, setClosed] = useState(false);
  const [attempt, setAttempt] = useState<Attempt>();
  const [unreadable, setUnreadable] = useState<Unreadable>();

  const setEditing = useCallback(
    (on: boolean) =>
      setParams(
        (now) => {
          const next = new URLSearchParams(now);
          if (on) next.set('edit', '1');
          else next.delete('edit');
          return next;
        },
        { replace: true },
      ),
    [setParams],
  );

  const save = usePutDashboard(deployment, () => {
    // A chart that was saved alone leaves the draft as it is.
    if (editing) drop();
    setEdited(undefined);
    setEditing(false);
  });
  const conflict = isConflict(save.error);
  const unsaved = useMemo(() => draft && asPut(name, draft, draft.version), [name, draft]);
  /** Nothing is taken over that could not be read again. */
  const readable = (content: Content): boolean => {
    const { faults } = readDocument(writeDocument(content.document));
    setUnreadable(faults.length > 0 ? { content, faults } : undefined);
    return faults.length === 0;
  };
  const store = (content: Content, version: string, alone?: Edited) => {
    if (!readable(content)) return;
    setAttempt({ content, version, alone });
    save.mutate(asPut(name, content, version));
  };
  /** What was not saved is not lost: it becomes the draft, or part of the one that there is. */
  const keepAttempt = () => {
    if (editing || !attempt) return;
    const { content, version, alone } = attempt;
    if (!draft) keep(content, version);
    else if (alone) keep({ ...draft, document: withPanel(draft.document, alone) });
  };
  useEffect(() => {
    if (!conflict) return;
    setEdited(undefined);
    refetch();
  }, [conflict, refetch]);
  const remove = useDeleteDashboard(deployment, () => {
    dropDraft(deployment, name);
    void navigate(dashboardsPath(deployment));
  });

  const setPanels = (panels: readonly Panel[]) =>
    keep({ ...shown, document: { ...document, panels: [...panels] } });
  const withEdited = (panel: Panel): Content => ({
    ...shown,
    document: withPanel(document, { panel, isNew: edited?.isNew ?? true }),
  });
  const take = (panel: Panel) => {
    if (!edited) return;
    const alone = { panel, isNew: edited.isNew };
    const content = withEdited(panel);
    if (!editing) {
      // Outside of the editing a new chart is saved at once: there is nothing else to be saved with it.
      store(content, saved.version, alone);
    } else if (readable(content)) {
      keep(content);
      setEdited(undefined);
    }
  };
  const titleOf = (panel: Panel) => titled(titleIn(panel, language), chosen, t('list.all'));
  const word = shipped ? SHIPPED_WORDS[name] : undefined;
  const title = word ? t(word) : shown.title || name;

  return (
    <>
      <PageHead
        title={title}
        trail={[
          {
            to: dashboardsPath(deployment),
            label: t('nav.dashboards'),
          },
        ]}
        note={shipped ? t('dashboards.origin.shipped') : undefined}
        actions={
          <>
            <TimeRangePicker defaults={defaults} />
            <ActionButton
              variant={editing ? 'secondary' : 'primary'}
              whyNot={whyNot}
              onClick={() => setEdited({ panel: newPanel(), isNew: true })}
            >
              {t('dashboards.add')}
            </ActionButton>
            {editing ? (
              <>
                <ActionButton
                  variant="primary"
                  isLoading={save.isPending}
                  whyNot={draft ? undefined : t('dashboards.why.same')}
                  onClick={() => draft && store(draft, draft.version)}
                >
                  {t('save')}
                </ActionButton>
                <Button variant="link" onClick={() => (draft ? setDialog('discard') : setEditing(false))}>
                  {t('dashboards.end')}
                </Button>
              </>
            ) : shipped ? (
              <ActionButton
                variant="secondary"
                whyNot={rights.manages ? undefined : t('why.manager')}
                onClick={() => setDialog('copy')}
              >
                {t('dashboards.copy')}
              </ActionButton>
            ) : (
              <ActionButton variant="secondary" whyNot={whyNot} onClick={() => setEditing(true)}>
                {t('edit')}
              </ActionButton>
            )}
            <Dropdown
              isOpen={menu}
              onOpenChange={setMenu}
              onSelect={() => setMenu(false)}
              popperProps={{ position: 'right', appendTo: 'inline' }}
              toggle={(ref) => (
                <MenuToggle
                  ref={ref}
                  variant="plain"
                  isExpanded={menu}
                  onClick={() => setMenu(!menu)}
                  aria-label={t('dashboards.more.actions')}
                  icon={<MoreIcon />}
                />
              )}
            >
              <DropdownList>
                <DropdownItem
                  onClick={() =>
                    saveFile(
                      `${name}.json`,
                      [
                        `${JSON.stringify(
                          {
                            title: shown.title,
                            description: shown.description,
                            ...(JSON.parse(writeDocument(document)) as object),
                          },
                          null,
                          2,
                        )}\n`,
                      ],
                      'application/json',
                    )
                  }
                >
                  {t('dashboards.export')}
                </DropdownItem>
                <DropdownItem onClick={() => void navigate(versionsPath(name, deployment))}>
                  {t('dashboards.versions')}
                </DropdownItem>
                {rights.manages ? (
                  <DropdownItem onClick={() => setDialog('copy')}>{t('dashboards.copy')}</DropdownItem>
                ) : null}
                {whyNot ? null : (
                  <>
                    <DropdownItem
                      onClick={() => {
                        setEditing(true);
                        setDialog('document');
                      }}
                    >
                      {t('dashboards.settings')}
                    </DropdownItem>
                    <DropdownItem isDanger onClick={() => setDialog('delete')}>
                      {t('dashboards.delete')}
                    </DropdownItem>
                  </>
                )}
              </DropdownList>
            </Dropdown>
            <ApiRequests
              plain
              calls={[
                shownCall(title, { method: Service.method.getDashboard, input: { name }, deployment }),
                ...(editing && unsaved
                  ? [
                      shownCall(t('save'), {
                        method: Service.method.putDashboard,
                        input: unsaved,
                        deployment,
                      }),
                    ]
                  : []),
              ]}
            />
          </>
        }
      />
      {draft && !editing && !whyNot ? (
        <Alert
          isInline
          variant="info"
          title={t('dashboards.draft', { at: clock(new Date(draft.at), locale, new Date()) })}
          actionLinks={
            <>
              <Button variant="link" isInline onClick={() => setEditing(true)}>
                {t('dashboards.draft.continue')}
              </Button>
              <Button variant="link" isInline onClick={() => setDialog('discard')}>
                {t('dashboards.discard')}
              </Button>
            </>
          }
        >
          <Differences of={differences(loaded, draft)} />
        </Alert>
      ) : null}
      {draft && editing && draft.version !== saved.version ? (
        <Alert isInline variant="warning" title={t('dashboards.changedMeanwhile')} />
      ) : null}
      {save.error && !conflict && !edited ? <Refused error={save.error} /> : null}
      {unreadable && unreadable.content === draft && !edited ? <Faults faults={unreadable.faults} /> : null}
      <Variables variables={document.variables} chosen={chosen} deployment={deployment} range={range} />
      <h2 className="sr-only">{t('dashboards.charts')}</h2>
      {document.panels.length === 0 ? (
        <section className="card">
          <Empty title={t('dashboards.empty')}>
            {whyNot ?? (
              <Button variant="link" isInline onClick={() => setEdited({ panel: newPanel(), isNew: true })}>
                {t('dashboards.add')}
              </Button>
            )}
          </Empty>
        </section>
      ) : (
        <Grid panels={document.panels} editing={editing} titleOf={titleOf} onChange={setPanels}>
          {(panel, handle) => (
            <PanelBox
              panel={panel}
              title={titleOf(panel)}
              where={where}
              height={heightOf(panel.at.h)}
              editing={editing}
              handle={handle}
              changes={
                whyNot
                  ? undefined
                  : {
                      edit: () => setEdited({ panel, isNew: false }),
                      duplicate: () => {
                        const copy = { ...panel, id: freshId(document, panel.id) };
                        const at = roomFor(document.panels, panel.at.w, panel.at.h);
                        setPanels(put([...document.panels, { ...copy, at }], copy.id, at));
                      },
                      remove: () => setPanels(compact(document.panels.filter((one) => one.id !== panel.id))),
                      step: (by) => setPanels(step(document.panels, panel.id, by)),
                    }
              }
            />
          )}
        </Grid>
      )}
      {edited ? (
        <Editor
          panel={edited.panel}
          isNew={edited.isNew}
          where={where}
          action={editing ? t('dashboards.apply') : t('save')}
          busy={save.isPending}
          error={conflict ? null : save.error}
          faults={unreadable && unreadable.content !== draft ? unreadable.faults : []}
          onSave={take}
          {...(editing
            ? {}
            : {
                extra: (panel) => (
                  <ApiRequest
                    plain
                    method={Service.method.putDashboard}
                    input={asPut(name, withEdited(panel), saved.version)}
                    deployment={deployment}
                  />
                ),
              })}
          onClose={() => {
            save.reset();
            setUnreadable(undefined);
            setEdited(undefined);
          }}
        />
      ) : null}
      {conflict && attempt && !closed ? (
        <Conflict
          draft={attempt.content}
          saved={saved}
          busy={save.isPending}
          onOver={() => store(attempt.content, saved.version, attempt.alone)}
          onTake={() => {
            save.reset();
            if (editing) drop();
            setEditing(false);
          }}
          onCopy={() => {
            setClosed(true);
            setDialog('copy');
          }}
          onClose={() => {
            keepAttempt();
            save.reset();
          }}
        />
      ) : null}
      {dialog === 'copy' ? (
        <NewDashboard
          deployment={deployment}
          from={conflict && attempt ? attempt.content : { ...shown, title }}
          onMade={() => {
            if (conflict && editing) drop();
          }}
          onClose={() => {
            setDialog(undefined);
            setClosed(false);
          }}
        />
      ) : null}
      {dialog === 'document' ? (
        <DocumentDialog
          content={shown}
          onTake={(content) => {
            keep(content);
            setDialog(undefined);
          }}
          onClose={() => setDialog(undefined)}
        />
      ) : null}
      {dialog === 'discard' && draft ? (
        <Confirm
          title={t('dashboards.discard')}
          action={t('dashboards.discard')}
          danger
          busy={false}
          error={null}
          onConfirm={() => {
            drop();
            setEditing(false);
            setDialog(undefined);
          }}
          onClose={() => setDialog(undefined)}
          extra={
            editing ? (
              <Button
                variant="link"
                onClick={() => {
                  setEditing(false);
                  setDialog(undefined);
                }}
              >
                {t('dashboards.keep')}
              </Button>
            ) : null
          }
        >
          <p>{t('dashboards.discard.about')}</p>
          <Differences of={differences(loaded, draft)} />
        </Confirm>
      ) : null}
      {dialog === 'delete' ? (
        <Confirm
          title={t('dashboards.delete')}
          action={t('dashboards.delete')}
          name={name}
          danger
          busy={remove.isPending}
          error={remove.error}
          extra={
            <ApiRequest
              plain
              method={Service.method.deleteDashboard}
              input={{ name, expectedVersion: saved.version }}
              deployment={deployment}
            />
          }
          onConfirm={() => remove.mutate({ name, expectedVersion: saved.version })}
          onClose={() => setDialog(undefined)}
        >
          <p>{t('dashboards.delete.about', { title })}</p>
        </Confirm>
      ) : null}
    </>
  );
}

export default function DashboardPage() {
  const { t } = useI18n();
  const { name = '' } = useParams();
  const deployment = useDeployment();
  const query = useMonitorCall(Service.method.getDashboard, { name }, { deployment });
  const { refetch } = query;
  const again = useCallback(() => void refetch(), [refetch]);
  const text = query.data?.documentJson;
  const read = useMemo(() => (text === undefined ? undefined : readDocument(text)), [text]);
  const { title = '', description = '' } = query.data ?? {};
  const loaded = useMemo<Content | undefined>(
    () => (read?.document ? { title, description, document: read.document } : undefined),
    [read, title, description],
  );
  if (query.data && loaded) {
    return (
      <Board
        key={`${deployment} ${name}`}
        name={name}
        deployment={deployment}
        saved={query.data}
        loaded={loaded}
        refetch={again}
      />
    );
  }
  return (
    <>
      <PageHead title={name} trail={[{ to: dashboardsPath(deployment), label: t('nav.dashboards') }]} />
      <section className="card">
        <DataState query={query} lines={8}>
          {() => (
            <Empty title={t('dashboards.unreadable')}>
              <Faults faults={read?.faults ?? []} />
            </Empty>
          )}
        </DataState>
      </section>
    </>
  );
}
