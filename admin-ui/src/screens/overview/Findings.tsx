// What is wrong, worst first, with what to do and the way to the evidence: what the directors say, and
// what the overview concludes itself.
import type { ReactNode } from 'react';
import { Link } from 'react-router';
import { useFormat } from '../../format/use-format';
import type { Problem } from '../../generated/wharf/v1/platform_pb';
import { useT } from '../../i18n/i18n';
import { English } from '../../shared/English';
import { SUBJECTS, useNameWord } from '../../shared/names/stable-names';
import { Mark, type Tone } from '../../shared/status/Mark';
import { Age } from '../../shared/When';
import { servicePath } from '../services/kinds';
import type { Erring, Pile } from './conclusions';

/** Where the evidence of a problem is. */
export function evidenceOf(problem: Pick<Problem, 'subjectKind' | 'subject'>): string | null {
  const subject = encodeURIComponent(problem.subject);
  switch (problem.subjectKind) {
    case 'allocator':
    case 'host':
    case 'lost_host':
    case 'collector':
      return `/hosts/${subject}`;
    case 'zone':
      return `/hosts?f.zone=${subject}`;
    case 'deployment':
    case 'snapshots':
    case 'restored':
      return `/deployments/${subject}`;
    case 'plan':
      return `/plans/${subject}`;
    case 'director':
    case 'proxy':
    case 'platform':
      return '/control-plane';
    default:
      return null;
  }
}

interface FindingProps {
  tone: Tone;
  word: string;
  hint?: string;
  /** A director says it. */
  told?: boolean;
  /** The whole of what may be cut. */
  title?: string;
  evidence: ReactNode;
  children: ReactNode;
}

function Finding({ tone, word, hint, told = false, title, evidence, children }: FindingProps) {
  const t = useT();
  return (
    <li>
      <Mark tone={tone} word={word} />
      <span className="told" title={title}>
        {children}
      </span>
      {evidence ?? <span />}
      {hint ? (
        <span className="hint">
          {t('refused.hint')}: {told ? <English>{hint}</English> : hint}
        </span>
      ) : null}
    </li>
  );
}

function ErringService({ one }: { one: Erring }) {
  const t = useT();
  const format = useFormat();
  const text = t('findings.erring.text', {
    name: one.name,
    share: format.percent(one.share, 1),
    errors: format.number(one.errors),
    requests: format.number(one.requests),
  });
  return (
    <Finding
      tone="bad"
      word={t('findings.erring')}
      hint={t('findings.erring.hint')}
      evidence={<Link to={servicePath(one, 'from=now-15m')}>{t('findings.service.show')}</Link>}
    >
      <strong>{text}</strong>
      {one.hostsHealthy ? (
        <span className="quiet">
          {' '}
          · {t('findings.erring.although', { hosts: one.hosts.slice(0, 3).join(', ') })}
        </span>
      ) : null}
    </Finding>
  );
}

function PileOf({ one }: { one: Pile }) {
  const t = useT();
  const format = useFormat();
  const figures = {
    name: one.name,
    containers: format.number(one.containers),
    total: format.number(one.total),
    others: format.number(one.others, 1),
  };
  return (
    <Finding
      tone="warn"
      word={t('findings.pile')}
      hint={t('findings.pile.hint')}
      evidence={<Link to="/placement">{t('findings.pile.show')}</Link>}
    >
      <strong>
        {one.what === 'host' ? t('findings.pile.host', figures) : t('findings.pile.zone', figures)}
      </strong>
    </Finding>
  );
}

interface FindingsProps {
  problems: readonly Problem[];
  /** Problems that the answer does not have. */
  more: number;
  erring: readonly Erring[];
  piles: readonly Pile[];
}

export function Findings({ problems, more, erring, piles }: FindingsProps) {
  const t = useT();
  const word = useNameWord();
  const format = useFormat();
  if (problems.length + erring.length + piles.length === 0) {
    return (
      <ul className="findings">
        <li>
          <Mark tone="good" word={t('findings.none')} />
          <span className="quiet">{t('findings.none.about')}</span>
        </li>
      </ul>
    );
  }
  return (
    <ul className="findings">
      {problems.map((problem) => {
        const to = evidenceOf(problem);
        return (
          <Finding
            key={`${problem.code} ${problem.subjectKind} ${problem.subject} ${problem.message}`}
            tone="bad"
            word={problem.code}
            hint={problem.hint}
            told
            title={problem.message}
            evidence={
              to ? (
                <Link to={to}>{t('findings.show', { kind: word(SUBJECTS, problem.subjectKind) })}</Link>
              ) : null
            }
          >
            <strong lang="en">{problem.message}</strong>
            {problem.since ? (
              <span className="quiet">
                {' '}
                · <Age at={problem.since} />
              </span>
            ) : null}
          </Finding>
        );
      })}
      {erring.map((one) => (
        <ErringService key={`${one.kind} ${one.name}`} one={one} />
      ))}
      {piles.map((one) => (
        <PileOf key={`${one.what} ${one.name}`} one={one} />
      ))}
      {more > 0 ? (
        <li>
          <span className="quiet">{t('findings.more', { count: format.number(more) })}</span>
        </li>
      ) : null}
    </ul>
  );
}
