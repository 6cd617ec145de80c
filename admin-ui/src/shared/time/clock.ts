// The time now as a page's queries see it: it stands still between renewals, so that what is asked does
// not change while it is being answered, and is the same for everything on the page.

const OLD_MS = 2_000;

let now = Date.now();
const listeners = new Set<() => void>();

/** Everything on the page is asked anew, as of now. */
export function renewNow(): void {
  now = Date.now();
  for (const listener of listeners) listener();
}

export function subscribeNow(listener: () => void): () => void {
  // What nobody has looked at was not renewed.
  if (listeners.size === 0 && Date.now() - now > OLD_MS) now = Date.now();
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function pageNow(): number {
  if (listeners.size === 0 && Date.now() - now > OLD_MS) now = Date.now();
  return now;
}
