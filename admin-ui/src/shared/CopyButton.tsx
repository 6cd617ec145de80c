// Copies a text, and says so for a while.
import { Button } from '@patternfly/react-core';
import { type ReactNode, useEffect, useState } from 'react';
import { useT } from '../i18n/i18n';

const SAID_MS = 1_500;

interface CopyButtonProps {
  text: () => string;
  variant?: 'secondary' | 'primary' | 'link';
  /** What is copied, where the words do not say it. */
  label?: string;
  children: ReactNode;
}

export function CopyButton({ text, variant = 'secondary', label, children }: CopyButtonProps) {
  const t = useT();
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), SAID_MS);
    return () => clearTimeout(timer);
  }, [copied]);
  return (
    <Button
      variant={variant}
      size="sm"
      isInline={variant === 'link'}
      aria-label={label}
      onClick={() => void navigator.clipboard.writeText(text()).then(() => setCopied(true))}
    >
      <span aria-live="polite">{copied ? t('copied') : children}</span>
    </Button>
  );
}
