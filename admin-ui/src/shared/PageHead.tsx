import { type ReactNode, useEffect } from 'react';
import { Link } from 'react-router';
import { useT } from '../i18n/i18n';

interface PageHeadProps {
  title: string;
  trail?: { to: string; label: string }[];
  status?: ReactNode;
  note?: ReactNode;
  actions?: ReactNode;
}

export function PageHead({ title, trail, status, note, actions }: PageHeadProps) {
  const t = useT();
  useEffect(() => {
    document.title = `${title} · Wharfinger`;
  }, [title]);
  return (
    <div className="page-head">
      <div className="page-title">
        {trail?.length ? (
          <nav className="trail" aria-label={t('page.trail')}>
            {trail.map((step) => (
              <span key={step.to}>
                <span aria-hidden="true">‹ </span>
                <Link to={step.to}>{step.label}</Link>
              </span>
            ))}
          </nav>
        ) : null}
        <div className="title-line">
          <h1>{title}</h1>
          {status}
          {note ? <span className="quiet">{note}</span> : null}
        </div>
      </div>
      {actions ? <div className="actions">{actions}</div> : null}
    </div>
  );
}
