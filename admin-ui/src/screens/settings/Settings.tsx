// What can be set while the platform runs, each acting at once; and how long data is kept, which its storage says.
import { FormGroup, Label, Tab, Tabs, TextInput } from '@patternfly/react-core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { mutation, useCall, useChange } from '../../api/call';
import { useRights } from '../../api/session';
import { Settings as Service, type Setting } from '../../generated/wharf/v1/settings_pb';
import { useT } from '../../i18n/i18n';
import { ActionButton } from '../../shared/ActionButton';
import { ApiRequests, shownCall } from '../../shared/ApiRequest';
import { Card } from '../../shared/Card';
import { Confirm } from '../../shared/Confirm';
import { English } from '../../shared/English';
import { ListTable } from '../../shared/list/ListTable';
import type { Column } from '../../shared/list/Rows';
import { PageHead } from '../../shared/PageHead';
import { Refused } from '../../shared/Refused';
import { panelId, TabPanel } from '../../shared/TabPanel';
import { useAsked } from '../../shared/use-asked';
import { useSearchParams } from '../../shared/use-search-params';
import { Age } from '../../shared/When';
import { Addresses } from './Addresses';
import { Retention } from './Retention';

function Edit({ setting, onClose }: { setting: Setting; onClose: () => void }) {
  const t = useT();
  const queries = useQueryClient();
  const [value, setValue] = useState(setting.value);
  const done = () => {
    void queries.invalidateQueries({ queryKey: ['wharf.v1.Settings'] });
    onClose();
  };
  const set = useChange(Service.method.setSetting, done);
  const clear = useChange(Service.method.clearSetting, done);
  const wish = { key: setting.key, value };
  const cleared = { key: setting.key };
  return (
    <Confirm
      title={setting.key}
      action={t('save')}
      busy={set.isPending}
      error={set.error}
      whyNot={value === setting.value ? t('settings.same') : undefined}
      onConfirm={() => set.mutate({ ...wish, mutation: mutation(setting.version) })}
      onClose={onClose}
      extra={
        <>
          <ActionButton
            variant="link"
            isLoading={clear.isPending}
            whyNot={setting.set ? undefined : t('settings.notSet')}
            onClick={() => clear.mutate({ ...cleared, mutation: mutation(setting.version) })}
          >
            {t('settings.clear')}
          </ActionButton>
          <ApiRequests
            plain
            calls={[
              shownCall(t('save'), { method: Service.method.setSetting, input: wish }),
              ...(setting.set
                ? [shownCall(t('settings.clear'), { method: Service.method.clearSetting, input: cleared })]
                : []),
            ]}
          />
        </>
      }
    >
      <div className="stack">
        <p lang="en">{setting.about}</p>
        <FormGroup label={t('settings.value')} fieldId="setting">
          <TextInput id="setting" value={value} onChange={(_, next) => setValue(next)} />
        </FormGroup>
        <p className="quiet">
          {t('settings.takes', { takes: setting.takes })} ·{' '}
          {t('settings.default', { value: setting.defaultValue || '–' })}
        </p>
        {clear.error ? <Refused error={clear.error} /> : null}
      </div>
    </Confirm>
  );
}

function OfPlatform() {
  const t = useT();
  const rights = useRights();
  const { asked: edited, open, close } = useAsked(true, () => rights.administers);
  const setting = useCall(Service.method.getSetting, { key: edited ?? '' }, { enabled: edited !== null });
  // As it was when it was opened: what another one changes meanwhile is not undone.
  const [opened, setOpened] = useState<Setting | null>(null);
  if (opened && opened.key !== edited) setOpened(null);
  if (!opened && setting.data?.key === edited && !setting.isFetching) setOpened(setting.data);
  const columns: Column<Setting>[] = [
    {
      id: 'key',
      head: t('settings.key'),
      sort: 'key',
      cell: (one) => <span className="mono">{one.key}</span>,
    },
    {
      id: 'value',
      head: t('settings.value'),
      cell: (one) => (
        <span className="line">
          <strong>{one.value || '–'}</strong>
          {one.set ? (
            <Label isCompact color="blue">
              {t('settings.set')}
            </Label>
          ) : null}
        </span>
      ),
    },
    {
      id: 'about',
      head: t('settings.about'),
      cell: (one) => <English title={one.about}>{one.about}</English>,
    },
    {
      id: 'takes',
      head: t('settings.takes.head'),
      cell: (one) => <English title={one.takes}>{one.takes}</English>,
    },
    { id: 'changed', head: t('changed'), right: true, cell: (one) => <Age at={one.changedAt} /> },
    {
      id: 'edit',
      head: '',
      right: true,
      tight: true,
      cell: (one) => (
        <ActionButton
          variant="link"
          size="sm"
          isInline
          aria-label={t('settings.edit', { key: one.key })}
          whyNot={rights.administers ? undefined : t('why.admin')}
          onClick={() => open(one.key)}
        >
          {t('edit')}
        </ActionButton>
      ),
    },
  ];
  return (
    <>
      {setting.error ? <Refused error={setting.error} /> : null}
      <Addresses />
      <Card flush>
        <ListTable
          label={t('settings.list')}
          method={Service.method.listSettings}
          input={(options) => ({ options })}
          rows={(answer) => answer.settings}
          info={(answer) => answer.info}
          rowKey={(one) => one.key}
          columns={columns}
          defaultSort="key"
          search={{ field: 'key', label: 'settings.search' }}
          choices={[
            {
              field: 'set',
              label: t('settings.set'),
              values: [
                { value: 'true', label: t('yes') },
                { value: 'false', label: t('no') },
              ],
            },
          ]}
          empty={{ title: t('list.none') }}
        />
      </Card>
      {opened ? <Edit key={opened.key} setting={opened} onClose={() => void close()} /> : null}
    </>
  );
}

export default function Settings() {
  const t = useT();
  const [params, setParams] = useSearchParams();
  const tabs = [
    { key: 'platform', label: t('settings.platform'), page: <OfPlatform /> },
    // What a storage says does not stand beside what the directors say: they are there without it.
    { key: 'retention', label: t('settings.retention'), page: <Retention /> },
  ] as const;
  const shown = tabs.find((tab) => tab.key === params.get('tab')) ?? tabs[0];
  return (
    <>
      <PageHead title={t('nav.settings')} />
      <Tabs
        activeKey={shown.key}
        aria-label={t('nav.settings')}
        onSelect={(_, key) => setParams(key === 'platform' ? {} : { tab: String(key) })}
      >
        {tabs.map((tab) => (
          <Tab key={tab.key} eventKey={tab.key} title={tab.label} tabContentId={panelId(tab.key)} />
        ))}
      </Tabs>
      <TabPanel of={shown} key={shown.key}>
        {shown.page}
      </TabPanel>
    </>
  );
}
