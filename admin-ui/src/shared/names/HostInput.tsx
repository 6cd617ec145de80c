// Chooses a host by writing some of its name: the server finds, a few are offered. Not here: what is asked
// (host-search).
import { TextInput } from '@patternfly/react-core';
import { type KeyboardEvent, useDeferredValue, useEffect, useRef, useState } from 'react';
import { useCall } from '../../api/call';
import { useFormat } from '../../format/use-format';
import { Allocators } from '../../generated/wharf/v1/allocators_pb';
import { useT } from '../../i18n/i18n';
import { Refused } from '../Refused';
import { useEscape } from '../use-escape';
import { hostsLike, stepped } from './host-search';
import './host-input.css';

export interface ChosenHost {
  id: string;
  host: string;
  zone: string;
}

interface HostInputProps {
  id: string;
  chosen: ChosenHost | null;
  /** Where no label stands beside it. */
  label?: string;
  /** How the chosen one is shown, where that has to say what it is. */
  told?: (host: string) => string;
  /** What no host means. */
  none: string;
  /** An allocator that is not offered. */
  without?: string;
  onChange: (chosen: ChosenHost | null) => void;
}

function idOf(host: ChosenHost | null): string | null {
  return host?.id ?? null;
}

export function HostInput({
  id,
  chosen,
  label,
  told = (host) => host,
  none,
  without = '',
  onChange,
}: HostInputProps) {
  const t = useT();
  const format = useFormat();
  const [open, setOpen] = useState(false);
  const [text, setText] = useState('');
  /** The id of the one that Enter takes, null for no host; nothing: the first. */
  const [at, setAt] = useState<string | null>();
  /** Enter was pressed before it was found what it takes. */
  const [wanted, setWanted] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const written = useDeferredValue(text.trim());
  const found = useCall(Allocators.method.listAllocators, hostsLike(written, without), {
    enabled: open,
    keep: true,
  });
  const hosts = found.data?.allocators ?? [];
  const more = Number(found.data?.info?.total ?? 0n) - hosts.length;
  const offered: (ChosenHost | null)[] = [...(written ? [] : [null]), ...hosts];
  // Of what was written before nothing is taken unasked.
  const late = found.isPlaceholderData || written !== text.trim();
  const first = late ? -1 : 0;
  // Hosts come and go while one looks: the mark goes with its host, and what has gone is not taken.
  const marked = at === undefined ? first : offered.findIndex((one) => idOf(one) === at);
  const list = `${id}-offered`;

  const close = () => {
    setOpen(false);
    setText('');
    setAt(undefined);
    setWanted(false);
  };
  useEscape(box, open, close);
  const choose = (one: ChosenHost | null) => {
    onChange(one && { id: one.id, host: one.host, zone: one.zone });
    close();
  };
  useEffect(() => {
    if (!wanted || late || found.isPending) return;
    setWanted(false);
    const [one] = hosts;
    if (one) choose(one);
  });
  const press = (event: KeyboardEvent) => {
    const next = stepped(event.key, marked, offered.length);
    if (next !== undefined) {
      setAt(open ? idOf(offered[next] ?? null) : undefined);
      setWanted(false);
      setOpen(true);
    } else if (!open) {
      return;
    } else if (event.key === 'Enter') {
      const one = offered[marked];
      if (one !== undefined) choose(one);
      else setWanted(late || found.isPending);
    } else {
      return;
    }
    event.preventDefault();
  };

  return (
    <div className="host-input" ref={box}>
      <TextInput
        id={id}
        role="combobox"
        aria-label={label}
        aria-autocomplete="list"
        aria-expanded={open}
        aria-controls={list}
        aria-activedescendant={open && offered[marked] !== undefined ? `${list}-${marked}` : undefined}
        autoComplete="off"
        placeholder={chosen ? chosen.host : none}
        value={open ? text : chosen ? told(chosen.host) : ''}
        onClick={() => setOpen(true)}
        onBlur={close}
        onKeyDown={press}
        onChange={(_, value) => {
          setText(value);
          setAt(undefined);
          setWanted(false);
          setOpen(true);
        }}
      />
      <div hidden={!open}>
        <div
          className="offered"
          id={list}
          role="listbox"
          aria-label={t('hostInput.found')}
          aria-busy={open && found.isFetching}
        >
          {offered.map((one, index) => (
            // biome-ignore lint/a11y/useKeyWithClickEvents: the box above takes the keys
            // biome-ignore lint/a11y/useFocusableInteractive: focus stays in the box above
            <div
              key={one?.id ?? ''}
              id={`${list}-${index}`}
              role="option"
              aria-selected={one?.host === chosen?.host}
              className={index === marked ? 'at' : ''}
              ref={(row) => {
                if (open && index === marked) row?.scrollIntoView({ block: 'nearest' });
              }}
              onMouseDown={(event) => event.preventDefault()}
              // Not what comes to lie under a pointer that rests, as the page moves: Enter would take it.
              onMouseMove={() => setAt(idOf(one))}
              onClick={() => choose(one)}
            >
              {one ? (
                <>
                  {one.host} <span className="quiet">{one.zone}</span>
                </>
              ) : (
                none
              )}
            </div>
          ))}
        </div>
        {more > 0 ? (
          <p className="quiet note">{t('hostInput.more', { count: format.number(more) })}</p>
        ) : null}
        {found.data && offered.length === 0 ? <p className="quiet note">{t('list.none')}</p> : null}
        {found.error ? <Refused error={found.error} /> : null}
      </div>
    </div>
  );
}
