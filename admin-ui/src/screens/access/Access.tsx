// Who may use the platform and by what: users, tokens, log-ins that last, one's own password.
import { Tab, Tabs } from '@patternfly/react-core';
import { useRights } from '../../api/session';
import { useT } from '../../i18n/i18n';
import { PageHead } from '../../shared/PageHead';
import { panelId, TabPanel } from '../../shared/TabPanel';
import { useSearchParams } from '../../shared/use-search-params';
import { OwnPassword } from './OwnPassword';
import { SessionList } from './SessionList';
import { TokenList } from './TokenList';
import { UserList } from './UserList';

export default function Access() {
  const t = useT();
  const rights = useRights();
  const [params, setParams] = useSearchParams();
  const tabs = [
    ...(rights.seesPlatform ? [{ key: 'users', label: t('access.users'), page: <UserList /> }] : []),
    { key: 'tokens', label: t('access.tokens'), page: <TokenList /> },
    { key: 'sessions', label: t('access.sessions'), page: <SessionList /> },
    { key: 'password', label: t('access.password'), page: <OwnPassword /> },
  ];
  const shown = tabs.find((tab) => tab.key === params.get('tab')) ?? tabs[0];
  if (!shown) return null;
  return (
    <>
      <PageHead title={t('nav.access')} />
      <Tabs
        activeKey={shown.key}
        aria-label={t('nav.access')}
        onSelect={(_, key) => setParams({ tab: String(key) })}
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
