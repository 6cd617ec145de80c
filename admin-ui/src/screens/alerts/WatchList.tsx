// Watches: what each looks at, what its last run came to, and turning it on and off.
import { Dropdown, DropdownItem, DropdownList, MenuToggle } from '@patternfly/react-core';
import EllipsisVIcon from '@patternfly/react-icons/dist/esm/icons/ellipsis-v-icon';
import { useState } from 'react';
import { Link, useNavigate } from 'react-router';
import { useRights } from '../../api/session';
import { useFormat } from '../../format/use-format';
import { Origin, type Watch, Watches, type WatchRun } from '../../generated/wharf/monitor/v1/watches_pb';
import { useT } from '../../i18n/i18n';
import { ApiRequest, ApiRequestDialog, shownCall } from '../../shared/ApiRequest';
import { Card } from '../../shared/Card';
import { Confirm } from '../../shared/Confirm';
import { ListTable } from '../../shared/list/ListTable';
import type { Column } from '../../shared/list/Rows';
import { Refused } from '../../shared/Refused';
import { Mark } from '../../shared/status/Mark';
import { Age } from '../../shared/When';
import { useHandle } from './api';
import { Conflict } from './Conflict';
import { ORIGINS, OutcomeMark, SeverityMark } from './marks';
import { alertsPath, watchPath } from './paths';
import { spanText } from './spans';

interface MenuProps {
  watch: Watch;
  deployment: string;
  onRun: (run: WatchRun) => void;
  onDelete: () => void;
  onError: (error: unknown) => void;
}

function WatchMenu({ watch, deployment, onRun, onDelete, onError }: MenuProps) {
  const t = useT();
  const rights = useRights();
  const navigate = useNavigate();
  const [open, setOpen] = useState(false);
  const [showing, setShowing] = useState(false);
  const run = useHandle(Watches.method.runWatch, onRun);
  const enable = useHandle(Watches.method.enableWatch);
  const disable = useHandle(Watches.method.disableWatch);
  const mayNot = rights.manages ? undefined : t('why.manager');
  const isBroken = watch.broken !== '' ? t('alerts.why.broken') : undefined;
  const shipped = watch.origin === Origin.SHIPPED ? t('alerts.why.shipped') : undefined;
  const enabled = watch.spec?.enabled ?? false;
  const named = { name: watch.name };
  const versioned = { ...named, expectedVersion: watch.version };
  const told = { onError, onSuccess: () => onError(null) };
  const item = (label: string, whyNot: string | undefined, act: () => void, isDanger = false) => (
    <DropdownItem
      key={label}
      isDanger={isDanger && !whyNot}
      isAriaDisabled={whyNot !== undefined}
      {...(whyNot ? { description: whyNot } : {})}
      onClick={() => {
        if (!whyNot) act();
      }}
    >
      {label}
    </DropdownItem>
  );
  return (
    <>
      <Dropdown
        isOpen={open}
        onOpenChange={setOpen}
        onSelect={() => setOpen(false)}
        // A row clips what is in it; outside the page's landmark a screen reader would not find it.
        popperProps={{
          position: 'right',
          appendTo: () => document.getElementById('content') ?? document.body,
        }}
        toggle={(ref) => (
          <MenuToggle
            ref={ref}
            variant="plain"
            size="sm"
            isExpanded={open}
            icon={<EllipsisVIcon />}
            aria-label={t('alerts.watch.menu', { name: watch.name })}
            onClick={() => setOpen(!open)}
          />
        )}
      >
        <DropdownList>
          {item(t('edit'), undefined, () => void navigate(watchPath(watch.name, deployment)))}
          {item(t('alerts.watch.run'), mayNot ?? isBroken, () => run.mutate(named, told))}
          {enabled
            ? item(t('alerts.watch.disable'), mayNot ?? isBroken, () => disable.mutate(versioned, told))
            : item(t('alerts.watch.enable'), mayNot ?? isBroken, () => enable.mutate(versioned, told))}
          {item(t('api.show'), undefined, () => setShowing(true))}
          {item(
            watch.origin === Origin.OVERRIDDEN ? t('alerts.watch.reset') : t('delete'),
            mayNot ?? shipped,
            onDelete,
            true,
          )}
        </DropdownList>
      </Dropdown>
      {showing ? (
        <ApiRequestDialog
          calls={[
            shownCall(t('alerts.watch.run'), {
              method: Watches.method.runWatch,
              input: named,
              deployment,
            }),
            enabled
              ? shownCall(t('alerts.watch.disable'), {
                  method: Watches.method.disableWatch,
                  input: versioned,
                  deployment,
                })
              : shownCall(t('alerts.watch.enable'), {
                  method: Watches.method.enableWatch,
                  input: versioned,
                  deployment,
                }),
          ]}
          onClose={() => setShowing(false)}
        />
      ) : null}
    </>
  );
}

interface DeleteProps {
  watch: Watch;
  deployment: string;
  onClose: () => void;
}

function DeleteWatch({ watch, deployment, onClose }: DeleteProps) {
  const t = useT();
  const remove = useHandle(Watches.method.deleteWatch, onClose);
  const overridden = watch.origin === Origin.OVERRIDDEN;
  const wish = { name: watch.name, expectedVersion: watch.version };
  return (
    <Confirm
      title={t(overridden ? 'alerts.watch.reset.title' : 'alerts.watch.delete.title', { name: watch.name })}
      action={overridden ? t('alerts.watch.reset') : t('delete')}
      name={watch.name}
      danger
      busy={remove.isPending}
      error={remove.error}
      extra={<ApiRequest plain method={Watches.method.deleteWatch} input={wish} deployment={deployment} />}
      onConfirm={() => remove.mutate(wish)}
      onClose={onClose}
    >
      {t(overridden ? 'alerts.watch.reset.about' : 'alerts.watch.delete.about')}
    </Confirm>
  );
}

interface WatchListProps {
  deployment: string;
  onRun: (run: WatchRun) => void;
}

function Schedule({ watch }: { watch: Watch }) {
  const format = useFormat();
  const when = watch.spec?.trigger?.when;
  if (when?.case === 'intervalMs') {
    return <span title={spanText(when.value)}>{format.duration(Number(when.value))}</span>;
  }
  return when?.case === 'cron' ? when.value.expression : '–';
}

export function WatchList({ deployment, onRun }: WatchListProps) {
  const t = useT();
  const [removed, setRemoved] = useState<Watch | null>(null);
  const [error, setError] = useState<unknown>(null);
  const columns: Column<Watch>[] = [
    {
      id: 'name',
      head: t('alerts.watch'),
      sort: 'name',
      cell: (one) => <Link to={watchPath(one.name, deployment)}>{one.name}</Link>,
    },
    {
      id: 'state',
      head: t('state'),
      sort: 'enabled',
      tight: true,
      cell: (one) =>
        one.broken ? (
          <span title={one.broken}>
            <Mark tone="bad" word={t('alerts.watch.broken')} />
          </span>
        ) : one.spec?.enabled ? (
          <OutcomeMark outcome={one.lastOutcome} />
        ) : (
          <Mark tone="off" word={t('alerts.watch.disabled')} />
        ),
    },
    {
      id: 'severity',
      head: t('alerts.severity'),
      sort: 'severity',
      tight: true,
      cell: (one) => (one.spec ? <SeverityMark severity={one.spec.severity} /> : '–'),
    },
    {
      id: 'firing',
      head: t('alerts.tab.firing'),
      sort: 'firing',
      largest: true,
      right: true,
      tight: true,
      cell: (one) =>
        one.firing > 0 ? (
          <Link to={alertsPath(deployment, { 'f.watch': one.name })}>{one.firing}</Link>
        ) : (
          <span className="quiet">0</span>
        ),
    },
    {
      id: 'description',
      head: t('alerts.description'),
      cell: (one) => (
        <span title={one.lastError || one.spec?.description}>
          {one.broken || one.lastError ? (
            <span className="bad-text">{one.broken || one.lastError}</span>
          ) : (
            one.spec?.description
          )}
        </span>
      ),
    },
    {
      id: 'schedule',
      head: t('alerts.schedule'),
      right: true,
      tight: true,
      cell: (one) => <Schedule watch={one} />,
    },
    {
      id: 'last',
      head: t('alerts.lastRun'),
      sort: 'last_run_at',
      largest: true,
      right: true,
      tight: true,
      cell: (one) => <Age at={one.lastRunAt} />,
    },
    {
      id: 'origin',
      head: t('alerts.origin'),
      sort: 'origin',
      tight: true,
      cell: (one) => t(ORIGINS[one.origin]),
    },
    {
      id: 'actions',
      head: '',
      right: true,
      tight: true,
      cell: (one) => (
        <WatchMenu
          watch={one}
          deployment={deployment}
          onRun={onRun}
          onDelete={() => setRemoved(one)}
          onError={setError}
        />
      ),
    },
  ];
  return (
    <Card flush>
      {error ? (
        <Conflict error={error} otherwise={<Refused error={error} />} onDone={() => setError(null)} />
      ) : null}
      <ListTable
        label={t('alerts.watches')}
        method={Watches.method.listWatches}
        deployment={deployment}
        input={(options) => ({ options })}
        rows={(answer) => answer.watches}
        info={(answer) => answer.info}
        rowKey={(one) => one.name}
        columns={columns}
        defaultSort="name"
        search={{ field: 'name', label: 'alerts.search.watch' }}
        choices={[
          {
            field: 'severity',
            label: t('alerts.severity'),
            values: [
              { value: 'critical', label: t('alerts.severity.critical') },
              { value: 'warning', label: t('alerts.severity.warning') },
              { value: 'info', label: t('alerts.severity.info') },
            ],
          },
          {
            field: 'origin',
            label: t('alerts.origin'),
            values: [
              { value: 'own', label: t('alerts.origin.own') },
              { value: 'overridden', label: t('alerts.origin.overridden') },
              { value: 'shipped', label: t('alerts.origin.shipped') },
            ],
          },
          {
            field: 'enabled',
            label: t('alerts.watch.enabled'),
            values: [
              { value: 'true', label: t('yes') },
              { value: 'false', label: t('no') },
            ],
          },
        ]}
        every={10_000}
        empty={{ title: t('alerts.watches.empty'), hint: t('alerts.watches.empty.hint') }}
      />
      {removed ? (
        <DeleteWatch deployment={deployment} watch={removed} onClose={() => setRemoved(null)} />
      ) : null}
    </Card>
  );
}
