// The query bar: what is written is searched for on Enter.
import { useEffect, useRef } from 'react';
import { monitorCall, search, useDeployment } from '../../api/monitor';
import { useFormat } from '../../format/use-format';
import { type Field, Search } from '../../generated/wharf/monitor/v1/search_pb';
import { useT } from '../../i18n/i18n';
import { bucketsOf, type Span } from '../../shared/search/build';
import { type EditorTasks, editorIn, putText } from './editor';
import { completionBody } from './requests';

const MOST_FIELDS = 40;

interface QueryBarProps {
  text: string;
  indices: string[];
  span: Span;
  /** Whether the storage could not read it. */
  wrong: boolean;
  onChange: (text: string) => void;
  onRun: () => void;
}

/** The nonce that this page's policy knows: browsers hide the attribute, not the property. */
function nonceOfPage(): string | undefined {
  return document.querySelector<HTMLScriptElement>('script[nonce]')?.nonce || undefined;
}

export default function QueryBar({ text, indices, span, wrong, onChange, onRun }: QueryBarProps) {
  const t = useT();
  const format = useFormat();
  const deployment = useDeployment();
  const box = useRef<HTMLDivElement>(null);
  const view = useRef<ReturnType<typeof editorIn>>(null);
  const types = useRef(new Map<string, string>());
  // The editor lives over changes of what it is told; it always asks the latest.
  const latest = useRef<EditorTasks>(null);
  const remember = (fields: readonly Field[]) => {
    for (const field of fields) types.current.set(field.name, field.type);
  };
  const fieldsLike = async (prefix: string, limit: number, signal: AbortSignal) => {
    const input = { indices, prefix: prefix.replace(/[*,]/g, ''), limit };
    const found = await monitorCall(Search.method.listFields, deployment, input, signal);
    remember(found.fields);
    return found.fields;
  };
  latest.current = {
    changed: onChange,
    run: onRun,
    fields: async (prefix, signal) => {
      const found = await fieldsLike(prefix, MOST_FIELDS, signal);
      return found.filter((one) => one.searchable).map((one) => ({ label: one.name, detail: one.type }));
    },
    values: async (field, prefix, signal) => {
      if (!types.current.has(field)) await fieldsLike(field, MOST_FIELDS, signal);
      const type = types.current.get(field);
      if (!type || type === 'conflict' || /text$/.test(type)) return [];
      const body = completionBody(span, field, type, prefix);
      const answer = await search(deployment, { indices, body }, signal);
      const values = bucketsOf(answer.aggregations, 'values').map((bucket) => ({
        label: bucket.key_as_string ?? String(bucket.key),
        detail: format.number(bucket.doc_count),
      }));
      return values.filter((one) => one.label.startsWith(prefix));
    },
  };

  const words = {
    label: t('discover.query'),
    placeholder: t('discover.query.hint'),
    completions: t('discover.query.completions'),
  };
  const { label, placeholder, completions } = words;
  // biome-ignore lint/correctness/useExhaustiveDependencies: the text is put in below, when it is another
  useEffect(() => {
    if (!box.current) return;
    const made = editorIn(
      box.current,
      text,
      { label, placeholder, completions },
      {
        changed: (next) => latest.current?.changed(next),
        run: () => latest.current?.run(),
        fields: async (prefix, signal) => latest.current?.fields(prefix, signal) ?? [],
        values: async (field, prefix, signal) => latest.current?.values(field, prefix, signal) ?? [],
      },
      nonceOfPage(),
    );
    view.current = made;
    return () => made.destroy();
  }, [label, placeholder, completions]);
  useEffect(() => {
    if (view.current) putText(view.current, text);
  }, [text]);
  useEffect(() => {
    view.current?.contentDOM.setAttribute('aria-invalid', String(wrong));
  }, [wrong]);
  return <div className={wrong ? 'query-bar wrong' : 'query-bar'} ref={box} />;
}
