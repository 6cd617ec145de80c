// What stands around every screen: header, navigation, palette, keys, and the live stream.
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { Link, Outlet, useLocation } from 'react-router';
import { startLive } from '../../api/live';
import { useRights } from '../../api/session';
import { useT } from '../../i18n/i18n';
import { isCurrent, placesFor } from '../places';
import { Header } from './Header';
import { Keys } from './Keys';
import { OwnDeployment } from './OwnDeployment';
import { Palette } from './Palette';
import { useShortcuts } from './shortcuts';

export function Shell() {
  const t = useT();
  const queries = useQueryClient();
  const rights = useRights();
  const location = useLocation();
  const { pathname } = location;
  const [palette, setPalette] = useState(false);
  const [keys, setKeys] = useState(false);
  // What is live is the platform's.
  const { seesDeployments } = rights;
  useEffect(() => (seesDeployments ? startLive(queries) : undefined), [queries, seesDeployments]);
  useShortcuts(
    rights,
    () => setPalette(true),
    () => setKeys(true),
  );
  // The head of a new page is where reading goes on.
  // biome-ignore lint/correctness/useExhaustiveDependencies: it is to happen when the path changes
  useEffect(() => {
    document.getElementById('content')?.scrollTo(0, 0);
  }, [pathname]);
  return (
    <div className="shell">
      <a className="skip" href="#content">
        {t('nav.skip')}
      </a>
      <Header onPalette={() => setPalette(true)} onKeys={() => setKeys(true)} />
      <nav className="side" aria-label={t('nav.label')}>
        {placesFor(rights).map((group) => (
          <div key={group.title}>
            <h2>{t(group.title)}</h2>
            <ul>
              {group.places.map((place) => (
                <li key={place.path}>
                  <Link to={place.path} aria-current={isCurrent(place, location) ? 'page' : undefined}>
                    {t(place.label)}
                  </Link>
                </li>
              ))}
            </ul>
          </div>
        ))}
      </nav>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <main className="content" id="content" tabIndex={0}>
        {seesDeployments ? (
          <OwnDeployment>
            <Outlet />
          </OwnDeployment>
        ) : (
          <Outlet />
        )}
      </main>
      {palette ? <Palette onClose={() => setPalette(false)} /> : null}
      {keys ? <Keys onClose={() => setKeys(false)} /> : null}
    </div>
  );
}
