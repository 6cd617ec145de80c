// Light, dark, high contrast, or as the system says; kept by this browser. Not here: the colours
// themselves (`tokens.css`). The page's own script does the same before anything is drawn (`index.html`).
import { useSyncExternalStore } from 'react';
import { lookOf, type Theme, themeOf } from './look';

const KEY = 'wharf.theme';
const DARK = window.matchMedia('(prefers-color-scheme: dark)');
const MORE = window.matchMedia('(prefers-contrast: more)');
const FORCED = window.matchMedia('(forced-colors: active)');
const listeners = new Set<() => void>();

function read(): Theme {
  return themeOf(localStorage.getItem(KEY));
}

function apply(): void {
  const look = lookOf(read(), { dark: DARK.matches, more: MORE.matches, forced: FORCED.matches });
  const { classList } = document.documentElement;
  classList.toggle('pf-v6-theme-dark', look.dark);
  classList.toggle('pf-v6-theme-high-contrast', look.contrast);
  for (const listener of listeners) listener();
}

for (const wish of [DARK, MORE, FORCED]) wish.addEventListener('change', apply);

export function setTheme(theme: Theme): void {
  if (theme === 'system') localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, theme);
  apply();
}

export function useTheme(): Theme {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, read);
}
