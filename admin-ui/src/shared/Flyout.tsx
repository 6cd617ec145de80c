// A panel at the right with what is known of one row; the list beside it stays in reach.
import { Button } from '@patternfly/react-core';
import TimesIcon from '@patternfly/react-icons/dist/esm/icons/times-icon';
import { type ReactNode, useEffect, useRef } from 'react';
import { useT } from '../i18n/i18n';
import './flyout.css';

interface FlyoutProps {
  title: ReactNode;
  label: string;
  actions?: ReactNode;
  onClose: () => void;
  children: ReactNode;
}

export function Flyout({ title, label, actions, onClose, children }: FlyoutProps) {
  const t = useT();
  const panel = useRef<HTMLElement>(null);
  const close = useRef(onClose);
  close.current = onClose;
  useEffect(() => {
    const before = document.activeElement;
    panel.current?.focus();
    const press = (event: KeyboardEvent) => {
      // A dialog or a menu over it takes the key first.
      const other = document.querySelector('[role="dialog"], [role="menu"]');
      if (event.key === 'Escape' && !event.defaultPrevented && !other) close.current();
    };
    window.addEventListener('keydown', press);
    return () => {
      window.removeEventListener('keydown', press);
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section className="flyout" ref={panel} tabIndex={0} aria-label={label}>
      <header className="flyout-head">
        <h2>{title}</h2>
        <Button
          variant="plain"
          size="sm"
          icon={<TimesIcon />}
          aria-label={t('close')}
          title={t('close')}
          onClick={onClose}
        />
      </header>
      {actions ? <div className="flyout-actions">{actions}</div> : null}
      <div className="flyout-body">{children}</div>
    </section>
  );
}
