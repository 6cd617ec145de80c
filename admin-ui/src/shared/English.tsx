// A sentence that directors or nodes wrote: it is English whatever the language of the pages, and is read out as such.
import type { ReactNode } from 'react';

interface EnglishProps {
  className?: string;
  /** The whole of what may be cut. */
  title?: string;
  children: ReactNode;
}

export function English({ children, ...rest }: EnglishProps) {
  return (
    <span lang="en" {...rest}>
      {children}
    </span>
  );
}
