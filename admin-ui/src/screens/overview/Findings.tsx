// What is wrong, worst first, with what to do, the way to the evidence and to where it is done: what the directors say,
// and what the overview concludes itself.
import type { ReactNode } from 'react';
import { Link, useLinkClickHandler } from 'react-router';
import { useRights } from '../../api/session';
import { useFormat } from '../../format/use-format';
import type { Problem } from '../../generated/wharf/v1/platform_pb';
import { useT } from '../../i18n/i18n';
import { ActionButton } from '../../shared/ActionButton';
import { English } from '../../shared/English';
import { SUBJECTS, useNameWord } from '../../shared/names/stable-names';
import { Mark, type Tone } from '../../shared/status/Mark';
import { Age } from '../../shared/When';
import { servicePath } from '../services/kinds';
import { type Act, actOf, actOnErring, actOnPile, evidenceOf, type NoAct, whyNotOf } from './acts';
import type { Erring, Pile } from './conclusions';

/** Opens where it is done; who may not do it sees why. */
function ActButton({ act, subject }: { act: Act; subject: string }) {
  const t = useT();
  const rights = useRights();
  const follow = useLinkClickHandler<HTMLButtonElement>(act.to);
  const whyNot = whyNotOf(act, rights);
  const label = t(act.label);
  return (
    <ActionButton
      variant="secondary"
      size="sm"
      aria-label={`${label}: ${subject}`}
      whyNot={whyNot && t(whyNot)}
      {...(whyNot ? {} : { component: 'a' as const, href: act.to })}
      onClick={follow}
    >
      {label}
    </ActionButton>
  );
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
  act: Act | NoAct | null;
  /** What it is about, by name. */
  subject: string;
  children: ReactNode;
}

function Finding(props: FindingProps) {
  const { tone, word, hint, told = false, title, evidence, act, subject, children } = props;
  const t = useT();
  const none = act && 'why' in act ? t(act.why) : null;
  return (
    <li>
      <Mark tone={tone} word={word} />
      <span className="told" title={title}>
        {children}
      </span>
      {evidence ?? <span />}
      {hint || none ? (
        <span className="hint">
          {hint ? (
            <>
              {t('refused.hint')}: {told ? <English>{hint}</English> : hint}
            </>
          ) : null}
          {none ? <span className="no-act"> {none}</span> : null}
        </span>
      ) : null}
      {act && 'to' in act ? (
        <span className="act">
          <ActButton act={act} subject={subject} />
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
      act={actOnErring(one)}
      subject={one.name}
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
      act={actOnPile(one)}
      subject={one.name}
      evidence={<Link to="/placement">{t('findings.pile.show')}</Link>}
    >
      <strong>
        {one.what === 'host' ? t('findings.pile.host', figures) : t('findings.pile.zone', figures)}
      </strong>
    </Finding>
  );
}

interface FindingsProps {
  /** Its name is in those of its containers. */
  platform: string;
  problems: readonly Problem[];
  /** Problems that the answer does not have. */
  more: number;
  erring: readonly Erring[];
  piles: readonly Pile[];
}

export function Findings({ platform, problems, more, erring, piles }: FindingsProps) {
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
            act={actOf(problem, platform)}
            subject={problem.subject}
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
