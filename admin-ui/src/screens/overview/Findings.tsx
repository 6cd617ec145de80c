// What is wrong, worst first, with what to do and the way to the evidence.
import { Link } from 'react-router';
import type { Problem } from '../../generated/wharf/v1/platform_pb';
import { useT } from '../../i18n/i18n';
import { Mark } from '../../shared/status/Mark';
import { Age } from '../../shared/When';

/** Where the evidence of a problem is. */
export function evidenceOf(problem: Pick<Problem, 'subjectKind' | 'subject'>): string | null {
  const subject = encodeURIComponent(problem.subject);
  switch (problem.subjectKind) {
    case 'allocator':
    case 'host':
      return `/hosts/${subject}`;
    case 'deployment':
      return `/deployments/${subject}`;
    case 'plan':
      return `/plans/${subject}`;
    case 'director':
    case 'proxy':
      return '/control-plane';
    default:
      return null;
  }
}

export function Findings({ problems }: { problems: readonly Problem[] }) {
  const t = useT();
  if (problems.length === 0) {
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
          <li key={`${problem.code} ${problem.subjectKind} ${problem.subject} ${problem.message}`}>
            <Mark tone="bad" word={problem.code} />
            <span>
              <strong>{problem.message}</strong>
              {problem.since ? (
                <span className="quiet">
                  {' '}
                  · <Age at={problem.since} />
                </span>
              ) : null}
            </span>
            {to ? <Link to={to}>{t('findings.show', { kind: problem.subjectKind })}</Link> : <span />}
            {problem.hint ? (
              <span className="hint">
                {t('refused.hint')}: {problem.hint}
              </span>
            ) : null}
          </li>
        );
      })}
    </ul>
  );
}
