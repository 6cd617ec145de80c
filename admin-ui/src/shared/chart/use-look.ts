// Which theme is shown, however it was chosen.
import { useSyncExternalStore } from 'react';
import { type Look, lookNow } from './colours';

function subscribe(listener: () => void): () => void {
  const observer = new MutationObserver(listener);
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ['class'] });
  return () => observer.disconnect();
}

export function useLook(): Look {
  return useSyncExternalStore(subscribe, lookNow);
}

/** Whether it is in high contrast: canvases read their colours anew. */
export function useHighContrast(): boolean {
  return useSyncExternalStore(subscribe, () =>
    document.documentElement.classList.contains('pf-v6-theme-high-contrast'),
  );
}
