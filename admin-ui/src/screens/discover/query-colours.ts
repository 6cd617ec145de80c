// Colours of a query as highlights of the document, which lie over the text and are no elements in it.
// Invariant: nothing within the editor's text has a style that another part of it has not. Browsers carry
// the style of what is replaced over to what is typed in its place, by an attribute that a strict policy
// refuses.
import { type EditorView, ViewPlugin } from '@codemirror/view';
import { type PartKind, partsOf } from './query-parts';

/** By the names that the style sheet knows; none where a browser cannot do it. */
const shown = new Map<PartKind, Highlight>();

function highlightOf(kind: PartKind): Highlight | undefined {
  if (typeof Highlight === 'undefined' || !CSS.highlights) return undefined;
  let highlight = shown.get(kind);
  if (!highlight) {
    highlight = new Highlight();
    shown.set(kind, highlight);
    CSS.highlights.set(`query-${kind}`, highlight);
  }
  return highlight;
}

class Colours {
  private laid: [Highlight, Range][] = [];

  constructor(view: EditorView) {
    // Its text is in the document when the first measure writes.
    view.requestMeasure({ read: () => null, write: (_, now) => this.docViewUpdate(now) });
  }

  docViewUpdate(view: EditorView): void {
    this.destroy();
    for (const part of partsOf(view.state.doc.toString())) {
      const highlight = highlightOf(part.kind);
      if (!highlight) return;
      const start = view.domAtPos(part.from);
      const end = view.domAtPos(part.to);
      const range = document.createRange();
      range.setStart(start.node, start.offset);
      range.setEnd(end.node, end.offset);
      highlight.add(range);
      this.laid.push([highlight, range]);
    }
  }

  destroy(): void {
    for (const [highlight, range] of this.laid) highlight.delete(range);
    this.laid = [];
  }
}

export const queryColours = ViewPlugin.fromClass(Colours);
