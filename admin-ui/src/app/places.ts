// The pages that have an entry: their path, their words, their key after `g`.
import type { Rights } from '../api/session';
import type { MessageKey } from '../i18n/i18n';

export interface Place {
  path: string;
  label: MessageKey;
  key: string;
  /** For those alone who see the platform. */
  platform: boolean;
}

/** The pages of a deployment's data. */
const OF_DATA: MessageKey = 'nav.observe';

export const PLACES: { title: MessageKey; places: Place[] }[] = [
  {
    title: 'nav.platform',
    places: [
      { path: '/', label: 'nav.overview', key: 'o', platform: false },
      { path: '/hosts', label: 'nav.hosts', key: 'h', platform: true },
      { path: '/placement', label: 'nav.placement', key: 'm', platform: true },
      { path: '/containers', label: 'nav.containers', key: 'c', platform: true },
      { path: '/control-plane', label: 'nav.controlPlane', key: 'k', platform: true },
      { path: '/changes', label: 'nav.changes', key: 'e', platform: true },
    ],
  },
  {
    title: 'nav.work',
    places: [
      { path: '/deployments', label: 'nav.deployments', key: 'd', platform: false },
      { path: '/plans', label: 'nav.plans', key: 'p', platform: false },
    ],
  },
  {
    title: OF_DATA,
    places: [
      { path: '/discover?index=logs-*', label: 'nav.logs', key: 'l', platform: false },
      { path: '/discover', label: 'nav.discover', key: 'f', platform: false },
      { path: '/dashboards', label: 'nav.dashboards', key: 'b', platform: false },
      { path: '/services', label: 'nav.services', key: 'v', platform: false },
      { path: '/alerts', label: 'nav.alerts', key: 'r', platform: false },
    ],
  },
  {
    title: 'nav.administration',
    places: [
      { path: '/access', label: 'nav.access', key: 'a', platform: false },
      { path: '/settings', label: 'nav.settings', key: 's', platform: true },
      { path: '/about', label: 'nav.about', key: 'i', platform: false },
    ],
  },
];

export function placesFor(rights: Rights): { title: MessageKey; places: Place[] }[] {
  const groups = rights.seesDeployments ? PLACES : PLACES.filter((group) => group.title === OF_DATA);
  return groups.map((group) => ({
    ...group,
    places: group.places.filter((place) => rights.seesPlatform || !place.platform),
  }));
}

/** The entry of the page that is shown. Of two with one path it is the one whose parameters the URL has. */
export function isCurrent(place: Place, location: { pathname: string; search: string }): boolean {
  const [path = '', search = ''] = place.path.split('?');
  const here = location.pathname === path || (path !== '/' && location.pathname.startsWith(`${path}/`));
  if (!here) return false;
  const asked = new URLSearchParams(location.search);
  // `logs-*` has `logs-docker.container-default`, and lists of such.
  const like = (value: string, wanted: string) =>
    wanted.endsWith('*')
      ? value.split(',').every((one) => one.startsWith(wanted.slice(0, -1)))
      : value === wanted;
  const has = (text: string) =>
    [...new URLSearchParams(text)].every(([name, wanted]) => like(asked.get(name) ?? '', wanted));
  if (search) return has(search);
  const others = PLACES.flatMap((group) => group.places).filter((one) => one.path.startsWith(`${path}?`));
  return !others.some((one) => has(one.path.slice(path.length + 1)));
}
