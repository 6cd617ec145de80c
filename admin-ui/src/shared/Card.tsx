import type { ReactNode } from 'react';

interface CardProps {
  /** Of what the page's own head does not say. */
  title?: ReactNode;
  actions?: ReactNode;
  /** Tables reach the edges. */
  flush?: boolean;
  className?: string;
  children: ReactNode;
}

export function Card({ title, actions, flush, className, children }: CardProps) {
  return (
    <section className={`card ${className ?? ''}`}>
      {title ? (
        <header className="card-head">
          <h2>{title}</h2>
          {actions ? <div className="actions">{actions}</div> : null}
        </header>
      ) : null}
      <div className={flush ? 'card-flush' : 'card-body'}>{children}</div>
    </section>
  );
}
