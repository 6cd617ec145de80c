// Who did something, and to what, as directors tell it (`plan/1a2b…`, `allocator/3c4d…`): in words, with the way to it.
import { Link } from 'react-router';
import { useT } from '../../i18n/i18n';
import { ContainerLink } from './links';
import { SUBJECTS, useNameWord } from './stable-names';

const ID = /^[0-9a-f]{32}$/;

/** An id is told by its beginning. */
export function shortName(name: string): string {
  return ID.test(name) ? name.slice(0, 8) : name;
}

/** `plan/1a2b…` in two; what stands alone has no name. */
export function partsOf(subject: string): { kind: string; name: string } {
  const at = subject.indexOf('/');
  return at < 0 ? { kind: subject, name: '' } : { kind: subject.slice(0, at), name: subject.slice(at + 1) };
}

export function Subject({ subject, host }: { subject: string; host: string }) {
  const word = useNameWord();
  const { kind, name } = partsOf(subject);
  if (kind === 'container' && name) {
    if (host) return <ContainerLink host={host} name={name} />;
    return <Link to={`/containers?q=${encodeURIComponent(name)}`}>{name}</Link>;
  }
  const text = [word(SUBJECTS, kind), shortName(name)].filter(Boolean).join(' ');
  const path = { plan: '/plans', deployment: '/deployments', allocator: '/hosts' }[kind];
  // What lies below a thing, as the credentials of a deployment, has no page of its own.
  if (path && name && !name.includes('/')) {
    return (
      <Link to={`${path}/${encodeURIComponent(name)}`} title={subject}>
        {text}
      </Link>
    );
  }
  return <span title={subject}>{text}</span>;
}

/** A user's name stays as it is. */
export function Actor({ actor }: { actor: string }) {
  const t = useT();
  const word = useNameWord();
  if (actor === 'system') return <span title={actor}>{t('actor.system')}</span>;
  const { kind, name } = partsOf(actor);
  if (!name) return actor;
  return <span title={actor}>{[word(SUBJECTS, kind), shortName(name)].join(' ')}</span>;
}
