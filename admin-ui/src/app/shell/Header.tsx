// The header: which platform, jump to anything, whether what is shown is live, plans that run, and
// one's own menu.
import {
  Button,
  Divider,
  Dropdown,
  DropdownGroup,
  DropdownItem,
  DropdownList,
  MenuToggle,
} from '@patternfly/react-core';
import SearchIcon from '@patternfly/react-icons/dist/esm/icons/search-icon';
import { useQueryClient } from '@tanstack/react-query';
import { lazy, Suspense, useState } from 'react';
import { Link, useNavigate } from 'react-router';
import { useCall } from '../../api/call';
import { type LiveState, useLiveState } from '../../api/live';
import { useLogOut } from '../../api/login';
import { useRights, useSession } from '../../api/session';
import { Platform } from '../../generated/wharf/v1/platform_pb';
import { type MessageKey, useI18n } from '../../i18n/i18n';
import { THEMES } from '../../theme/look';
import { setTheme, useTheme } from '../../theme/theme';
import { THEME_WORDS } from './theme-words';

// Not part of the first page: it asks another node, which may be away.
// Without it the page goes on.
const Bell = lazy(() => import('./Bell').catch(() => ({ default: () => null })));

const LIVE: Record<LiveState, { word: MessageKey; about: MessageKey; look: string }> = {
  connecting: { word: 'live.connecting', about: 'live.connecting.about', look: '' },
  live: { word: 'live.live', about: 'live.live.about', look: 'live-on' },
  waiting: { word: 'live.waiting', about: 'live.waiting.about', look: 'live-waiting' },
  asleep: { word: 'live.asleep', about: 'live.asleep.about', look: '' },
};

function Live() {
  const { t } = useI18n();
  const live = LIVE[useLiveState()];
  return (
    <span className={`live ${live.look}`} role="status" title={t(live.about)}>
      {t(live.word)}
    </span>
  );
}

function Account({ onKeys }: { onKeys: () => void }) {
  const { t, language, setLanguage } = useI18n();
  const theme = useTheme();
  const session = useSession();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [open, setOpen] = useState(false);
  const { seesDeployments } = useRights();
  const logOut = useLogOut(() => {
    queries.clear();
    void navigate('/login', { replace: true });
  });
  return (
    <Dropdown
      isOpen={open}
      onOpenChange={setOpen}
      onSelect={() => setOpen(false)}
      popperProps={{ position: 'right', appendTo: 'inline' }}
      toggle={(ref) => (
        <MenuToggle ref={ref} isExpanded={open} onClick={() => setOpen(!open)} aria-label={t('account.menu')}>
          {session.username}
        </MenuToggle>
      )}
    >
      <DropdownGroup label={t('theme.title')} labelHeadingLevel="h2">
        <DropdownList>
          {THEMES.map((one) => (
            <DropdownItem key={one} isSelected={one === theme} onClick={() => setTheme(one)}>
              {t(THEME_WORDS[one])}
            </DropdownItem>
          ))}
        </DropdownList>
      </DropdownGroup>
      <DropdownGroup label={t('language.title')} labelHeadingLevel="h2">
        <DropdownList>
          <DropdownItem lang="en" isSelected={language === 'en'} onClick={() => setLanguage('en')}>
            English
          </DropdownItem>
          <DropdownItem lang="ko" isSelected={language === 'ko'} onClick={() => setLanguage('ko')}>
            한국어
          </DropdownItem>
        </DropdownList>
      </DropdownGroup>
      <Divider />
      <DropdownList>
        <DropdownItem onClick={onKeys}>{t('keys.title')}</DropdownItem>
        {seesDeployments ? (
          <DropdownItem onClick={() => void navigate('/access?tab=password')}>
            {t('account.password')}
          </DropdownItem>
        ) : null}
        <DropdownItem onClick={() => logOut.mutate()}>{t('account.logOut')}</DropdownItem>
      </DropdownList>
    </Dropdown>
  );
}

export function Header({ onPalette, onKeys }: { onPalette: () => void; onKeys: () => void }) {
  const { t } = useI18n();
  const session = useSession();
  const { seesPlatform, seesDeployments } = useRights();
  const status = useCall(Platform.method.getStatus, {}, { enabled: seesDeployments });
  const running = status.data?.plansRunning ?? 0;
  return (
    <header className="top">
      <Link className="brand" to="/" aria-label="Wharfinger">
        <img src="/assets/mark.svg" alt="" />
        <span className="brand-name">Wharfinger</span>
      </Link>
      <button type="button" className="jump" onClick={onPalette}>
        <SearchIcon />
        {t('palette.open')}
        <kbd>Ctrl K</kbd>
      </button>
      <span className="badge" title={seesDeployments ? t('account.platform') : t('deployment')}>
        {session.platform}
      </span>
      <span className="spacer" />
      {seesDeployments ? <Live /> : null}
      {running > 0 ? <Link to="/plans?f.status=running">{t('header.plans', { count: running })}</Link> : null}
      {seesPlatform || !seesDeployments ? (
        <Suspense fallback={null}>
          <Bell />
        </Suspense>
      ) : null}
      <Button variant="plain" size="sm" aria-label={t('keys.title')} title={t('keys.title')} onClick={onKeys}>
        ?
      </Button>
      <Account onKeys={onKeys} />
    </header>
  );
}
