// The query text as an editor of one line: colours, completion of fields and values. A chunk of its
// own. Not here: what completes (`QueryBar`), what a query means (the storage).
import {
  acceptCompletion,
  autocompletion,
  type Completion,
  type CompletionContext,
  type CompletionResult,
  completionStatus,
  moveCompletionSelection,
  startCompletion,
} from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { EditorState, Prec } from '@codemirror/state';
import { EditorView, keymap, placeholder } from '@codemirror/view';
import { fieldName, quoted } from '../../shared/search/discover-link';
import { type Written, writtenAt } from './completion';
import { queryColours } from './query-colours';

export interface Offered {
  label: string;
  /** Beside it: a type, a count. */
  detail?: string;
}

export interface EditorWords {
  label: string;
  placeholder: string;
  completions: string;
}

export interface EditorTasks {
  changed: (text: string) => void;
  run: () => void;
  fields: (prefix: string, signal: AbortSignal) => Promise<Offered[]>;
  values: (field: string, prefix: string, signal: AbortSignal) => Promise<Offered[]>;
}

const JOINS = ['AND', 'OR', 'NOT'];
const PLAIN_VALUE = /^[\p{L}\p{N}_][\p{L}\p{N}_.@-]*$/u;

// A query is one line, whatever is pasted.
const oneLine = EditorState.transactionFilter.of((change) => {
  if (change.newDoc.lines < 2) return change;
  const text = change.newDoc.toString().replace(/\s*\n\s*/g, ' ');
  return {
    changes: { from: 0, to: change.startState.doc.length, insert: text },
    selection: { anchor: Math.min(change.newSelection.main.head, text.length) },
  };
});

function asValue(value: string, written: Written, after: string): string {
  if (written.quoted) return value.replace(/[\\"]/g, '\\$&') + (after.startsWith('"') ? '' : '"');
  return PLAIN_VALUE.test(value) && !JOINS.includes(value) ? value : quoted(value);
}

function optionOf(offered: Offered, written: Written): Completion {
  const { label, detail } = offered;
  return {
    label,
    ...(detail ? { detail } : {}),
    apply: (view, _, from, to) => {
      const after = view.state.sliceDoc(to, to + 1);
      const names = written.kind === 'field';
      const insert = names
        ? `${fieldName(label)}${after === ':' ? '' : ':'}`
        : asValue(label, written, after);
      view.dispatch({
        changes: { from, to, insert },
        selection: { anchor: from + insert.length },
        userEvent: 'input.complete',
      });
      if (names) startCompletion(view);
    },
  };
}

function sourceOf(tasks: EditorTasks) {
  return async (context: CompletionContext): Promise<CompletionResult | null> => {
    const written = writtenAt(context.state.doc.toString(), context.pos);
    if (!written) return null;
    const ends = new AbortController();
    context.addEventListener('abort', () => ends.abort(), { onDocChange: true });
    try {
      const offered =
        written.kind === 'field'
          ? await tasks.fields(written.text, ends.signal)
          : await tasks.values(written.field, written.text, ends.signal);
      const options = offered.map((one) => optionOf(one, written));
      if (written.joins) {
        const joins = JOINS.filter((join) => join.startsWith(written.text.toUpperCase()));
        options.push(...joins.map((join) => ({ label: join, apply: `${join} ` })));
      }
      if (context.aborted || options.length === 0) return null;
      // What was found is what the server found: it is not sieved again.
      return { from: written.from, options, filter: false };
    } catch {
      // Without an answer one writes on without help; the search itself tells what is wrong.
      return null;
    }
  };
}

const take = (view: EditorView): boolean => {
  if (completionStatus(view.state) !== 'active') return false;
  return acceptCompletion(view) || (moveCompletionSelection(true)(view) && acceptCompletion(view));
};

export function editorIn(
  parent: HTMLElement,
  text: string,
  words: EditorWords,
  tasks: EditorTasks,
  nonce: string | undefined,
): EditorView {
  const run = () => {
    tasks.run();
    return true;
  };
  return new EditorView({
    parent,
    state: EditorState.create({
      doc: text.replace(/\s*\n\s*/g, ' '),
      extensions: [
        ...(nonce ? [EditorView.cspNonce.of(nonce)] : []),
        EditorState.phrases.of({ Completions: words.completions }),
        EditorView.contentAttributes.of({
          'aria-label': words.label,
          'aria-multiline': 'false',
          spellcheck: 'false',
          autocapitalize: 'off',
        }),
        oneLine,
        history(),
        queryColours,
        placeholder(words.placeholder),
        autocompletion({
          override: [sourceOf(tasks)],
          selectOnOpen: false,
          icons: false,
          // Nothing is chosen by itself, so a key that comes at once is meant; Tab would leave the field.
          interactionDelay: 0,
          maxRenderedOptions: 40,
        }),
        // Enter searches unless an offer was gone to; Tab takes the first.
        Prec.high(keymap.of([{ key: 'Tab', run: take }])),
        keymap.of([{ key: 'Enter', run }, { key: 'Mod-Enter', run }, ...historyKeymap, ...defaultKeymap]),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) tasks.changed(update.state.doc.toString());
        }),
      ],
    }),
  });
}

/** Puts another text in without telling of it as of something written. */
export function putText(view: EditorView, text: string): void {
  if (view.state.doc.toString() === text) return;
  view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } });
}
