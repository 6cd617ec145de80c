// Escape within a part of the page: that part is left, and not the dialog or the panel that it is in.
import { type RefObject, useEffect, useRef } from 'react';

/** Dialogs listen at the page's body, as React does: only a listener of the part itself is before them. */
export function useEscape(part: RefObject<HTMLElement | null>, on: boolean, leave: () => void): void {
  const live = useRef(leave);
  live.current = leave;
  useEffect(() => {
    const element = part.current;
    if (!on || !element) return;
    const press = (event: KeyboardEvent) => {
      if (event.key !== 'Escape') return;
      event.preventDefault();
      event.stopPropagation();
      live.current();
    };
    element.addEventListener('keydown', press);
    return () => element.removeEventListener('keydown', press);
  }, [part, on]);
}
