// A button with a panel under it. Escape and a press beside it close it.
import { type ReactNode, useEffect, useId, useRef, useState } from 'react';

interface DroppedProps {
  label: ReactNode;
  /** Of the panel. */
  name: string;
  align?: 'left' | 'right';
  className?: string;
  children: (close: () => void) => ReactNode;
}

export function Dropped({ label, name, align = 'left', className, children }: DroppedProps) {
  const [open, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const id = useId();
  useEffect(() => {
    if (!open) return;
    const pressed = (event: PointerEvent) => {
      if (event.target instanceof Node && !box.current?.contains(event.target)) setOpen(false);
    };
    document.addEventListener('pointerdown', pressed);
    return () => document.removeEventListener('pointerdown', pressed);
  }, [open]);
  const close = () => {
    setOpen(false);
    button.current?.focus();
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: it only takes the key that closes
    <div
      className={`dropped ${className ?? ''}`}
      ref={box}
      onKeyDown={(event) => {
        if (event.key === 'Escape' && open) {
          event.stopPropagation();
          close();
        }
      }}
    >
      <button
        type="button"
        ref={button}
        className="dropped-button"
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        onClick={() => setOpen(!open)}
      >
        <span className="dropped-label">{label}</span>
        <span aria-hidden="true" className="caret">
          ▾
        </span>
      </button>
      {open ? (
        <section className={`dropped-panel ${align}`} id={id} aria-label={name}>
          {children(close)}
        </section>
      ) : null}
    </div>
  );
}
