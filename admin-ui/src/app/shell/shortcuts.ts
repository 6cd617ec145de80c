// Keys: the palette by Ctrl/⌘ K, pages by `g` and a letter, `?` for the list of them. Single letters
// can be switched off, and none acts while something is written.
import { useEffect, useRef } from 'react';
import { useNavigate } from 'react-router';
import type { Rights } from '../../api/session';
import { placesFor } from '../places';

const KEY = 'wharf.shortcuts';
const SECOND_KEY_MS = 1_500;

export function lettersOn(): boolean {
  return localStorage.getItem(KEY) !== 'off';
}

export function switchLetters(on: boolean): void {
  if (on) localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, 'off');
}

function writes(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName))
  );
}

export function useShortcuts(rights: Rights, onPalette: () => void, onKeys: () => void): void {
  const navigate = useNavigate();
  const gAt = useRef(Number.NEGATIVE_INFINITY);
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === 'k') {
        event.preventDefault();
        onPalette();
        return;
      }
      const dialog = document.querySelector('[role="dialog"]');
      if (event.ctrlKey || event.metaKey || event.altKey || writes(event.target) || dialog || !lettersOn())
        return;
      if (event.key === '?') {
        event.preventDefault();
        onKeys();
      } else if (event.timeStamp - gAt.current < SECOND_KEY_MS) {
        gAt.current = Number.NEGATIVE_INFINITY;
        const place = placesFor(rights)
          .flatMap((group) => group.places)
          .find((one) => one.key === event.key);
        if (place) {
          event.preventDefault();
          void navigate(place.path);
        }
      } else if (event.key === 'g') {
        gAt.current = event.timeStamp;
      }
    };
    window.addEventListener('keydown', press);
    return () => window.removeEventListener('keydown', press);
  }, [navigate, onKeys, onPalette, rights]);
}
