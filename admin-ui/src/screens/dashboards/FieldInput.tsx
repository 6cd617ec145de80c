// Names of fields and streams, completed from what the storage has.
import { TextInput } from '@patternfly/react-core';
import { useEffect, useId, useState } from 'react';
import { useMonitorCall } from '../../api/monitor';
import { type Field, Search } from '../../generated/wharf/monitor/v1/search_pb';
import { listOf, listText, useOwnText } from './own-text';

interface FieldInputProps {
  id: string;
  value: string;
  indices: readonly string[];
  deployment: string;
  /** Only fields that values can be counted of. */
  aggregatable?: boolean;
  placeholder?: string;
  label?: string;
  autoFocus?: boolean;
  /** `field` is there once the name is one that the storage knows. */
  onChange: (name: string, field: Field | undefined) => void;
}

const SHOWN = 100;

/** A text that stands still: not every letter is asked about. */
function useSettled(text: string): string {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), 150);
    return () => clearTimeout(timer);
  }, [text]);
  return settled;
}

/** Fields of these streams whose names begin like this. */
export function useFields(deployment: string, indices: readonly string[], prefix: string) {
  // What `ListFields` takes as the beginning of a name.
  const asked = prefix.replace(/[*,\s]/g, '').slice(0, 255);
  return useMonitorCall(
    Search.method.listFields,
    { indices: [...indices], prefix: asked, limit: SHOWN },
    { deployment, keep: true, enabled: indices.length > 0 },
  );
}

export function FieldInput(props: FieldInputProps) {
  const { id, value, indices, deployment, onChange } = props;
  const list = useId();
  const fields = useFields(deployment, indices, useSettled(value));
  const found = (fields.data?.fields ?? []).filter((one) => !props.aggregatable || one.aggregatable);
  return (
    <>
      <TextInput
        id={id}
        value={value}
        list={list}
        autoComplete="off"
        spellCheck={false}
        {...(props.label ? { 'aria-label': props.label } : {})}
        {...(props.placeholder ? { placeholder: props.placeholder } : {})}
        {...(props.autoFocus ? { autoFocus: true } : {})}
        onChange={(_, name) => {
          const trimmed = name.trim();
          onChange(
            trimmed,
            found.find((one) => one.name === trimmed),
          );
        }}
      />
      <datalist id={list}>
        {found.map((one) => (
          <option key={one.name} value={one.name}>
            {one.type}
          </option>
        ))}
      </datalist>
    </>
  );
}

interface StreamInputProps {
  id: string;
  value: string;
  deployment: string;
  label?: string;
  onChange: (value: string) => void;
}

export function StreamInput({ id, value, deployment, label, onChange }: StreamInputProps) {
  const list = useId();
  const streams = useMonitorCall(
    Search.method.listDataStreams,
    { options: { pageSize: 1_000 }, withIndices: true },
    { deployment },
  );
  return (
    <>
      <TextInput
        id={id}
        value={value}
        list={list}
        autoComplete="off"
        spellCheck={false}
        {...(label ? { 'aria-label': label } : {})}
        onChange={(_, next) => onChange(next)}
      />
      <datalist id={list}>
        {(streams.data?.dataStreams ?? []).map((one) => (
          <option key={one.name} value={one.name} />
        ))}
      </datalist>
    </>
  );
}

type ListProps<P> = Omit<P, 'value' | 'onChange'> & {
  value: string[];
  onChange: (value: string[]) => void;
};

/** Several fields, told apart by commas. */
export function FieldsInput({ value, onChange, ...rest }: ListProps<FieldInputProps>) {
  const [text, take] = useOwnText(value, listOf, listText);
  return <FieldInput {...rest} value={text} onChange={(next) => onChange(take(next))} />;
}

/** Several streams, told apart by commas. */
export function StreamsInput({ value, onChange, ...rest }: ListProps<StreamInputProps>) {
  const [text, take] = useOwnText(value, listOf, listText);
  return <StreamInput {...rest} value={text} onChange={(next) => onChange(take(next))} />;
}
