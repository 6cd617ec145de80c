// The search box of a list: what is written stays in the box, and the URL has it a moment later.
import { SearchInput } from '@patternfly/react-core';
import { useEffect, useRef, useState } from 'react';

interface ListSearchProps {
  label: string;
  /** What the URL has. */
  value: string;
  onChange: (value: string) => void;
}

const PAUSE_MS = 250;

export function ListSearch({ label, value, onChange }: ListSearchProps) {
  const [text, setText] = useState(value);
  const told = useRef(value);
  // What comes back from here is older than what has been written meanwhile.
  useEffect(() => {
    if (value === told.current) return;
    told.current = value;
    setText(value);
  }, [value]);
  useEffect(() => {
    if (text === value) return;
    const timer = setTimeout(() => {
      told.current = text;
      onChange(text);
    }, PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text, value, onChange]);
  return (
    <SearchInput
      aria-label={label}
      placeholder={label}
      value={text}
      onChange={(_, next) => setText(next)}
      onClear={() => setText('')}
    />
  );
}
