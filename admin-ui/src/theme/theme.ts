// Light, dark or as the system says. Not here: the colours themselves (`tokens.css`).
import { useSyncExternalStore } from 'react';

export type Theme = 'system' | 'light' | 'dark';

const KEY = 'wharf.theme';
const DARK = window.matchMedia('(prefers-color-scheme: dark)');
const listeners = new Set<() => void>();

function read(): Theme {
  const kept = localStorage.getItem(KEY);
  return kept === 'light' || kept === 'dark' ? kept : 'system';
}

function apply(): void {
  const theme = read();
  const dark = theme === 'dark' || (theme === 'system' && DARK.matches);
  document.documentElement.classList.toggle('pf-v6-theme-dark', dark);
  for (const listener of listeners) listener();
}

DARK.addEventListener('change', apply);

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
