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

export const PLACES: { title: MessageKey; places: Place[] }[] = [
  {
    title: 'nav.platform',
    places: [
      { path: '/', label: 'nav.overview', key: 'o', platform: false },
      { path: '/hosts', label: 'nav.hosts', key: 'h', platform: true },
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
    title: 'nav.administration',
    places: [
      { path: '/access', label: 'nav.access', key: 'a', platform: false },
      { path: '/settings', label: 'nav.settings', key: 's', platform: true },
      { path: '/about', label: 'nav.about', key: 'i', platform: false },
    ],
  },
];

export function placesFor(rights: Rights): { title: MessageKey; places: Place[] }[] {
  return PLACES.map((group) => ({
    ...group,
    places: group.places.filter((place) => rights.seesPlatform || !place.platform),
  }));
}
