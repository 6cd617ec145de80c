/** Only a path of our own: a link must not lead elsewhere after the log-in. */
export function ownPath(next: string | null): string {
  return next?.startsWith('/') && !next.startsWith('//') && !/[\\\p{Cc}]/u.test(next) ? next : '/';
}
