// Two versions of a dashboard beside each other: which of its parts differ, and in which lines. Pure.
import { writeDocument } from './document';
import { type Content, type Difference, differences } from './draft';

export interface Line {
  /** In which of the two it stands. */
  in: 'both' | 'before' | 'after';
  text: string;
}

export interface Part extends Difference {
  id: string;
  lines: Line[];
}

/** The shortest way from one text to the other, line by line. */
export function lines(before: readonly string[], after: readonly string[]): Line[] {
  // same[b][a]: how many lines what is left of both has in common.
  const same = Array.from({ length: before.length + 1 }, () => new Array<number>(after.length + 1).fill(0));
  const at = (b: number, a: number) => same[b]?.[a] ?? 0;
  for (let b = before.length - 1; b >= 0; b -= 1) {
    const row = same[b];
    if (!row) continue;
    for (let a = after.length - 1; a >= 0; a -= 1) {
      row[a] = before[b] === after[a] ? at(b + 1, a + 1) + 1 : Math.max(at(b + 1, a), at(b, a + 1));
    }
  }
  const found: Line[] = [];
  let [b, a] = [0, 0];
  while (b < before.length || a < after.length) {
    const [old, fresh] = [before[b], after[a]];
    if (old !== undefined && old === fresh) {
      found.push({ in: 'both', text: old });
      b += 1;
      a += 1;
    } else if (old !== undefined && (fresh === undefined || at(b + 1, a) >= at(b, a + 1))) {
      found.push({ in: 'before', text: old });
      b += 1;
    } else if (fresh !== undefined) {
      found.push({ in: 'after', text: fresh });
      a += 1;
    }
  }
  return found;
}

/** Lines of both that are further from what differs are left out: how many. */
export type Shown = Line | { leftOut: number };

/** The lines with `around` of both before and after each that differs. */
export function folded(all: readonly Line[], around = 3): Shown[] {
  const near = all.map((_, at) =>
    all.slice(Math.max(0, at - around), at + around + 1).some((line) => line.in !== 'both'),
  );
  const shown: Shown[] = [];
  for (const [at, line] of all.entries()) {
    const last = shown[shown.length - 1];
    if (near[at]) shown.push(line);
    else if (last && 'leftOut' in last) last.leftOut += 1;
    else shown.push({ leftOut: 1 });
  }
  return shown;
}

function withPanels(of: Content, from: Content, keep: (id: string) => boolean): Content {
  const panels = from.document.panels.filter((panel) => keep(panel.id));
  return { ...of, document: { ...of.document, panels } };
}

function textOf(content: Content, panel: boolean): string[] {
  const { document, ...words } = content;
  const written = JSON.parse(writeDocument(document)) as { panels: unknown[] };
  const { panels, ...itself } = written;
  if (panel) return panels.length > 0 ? JSON.stringify(panels[0], null, 2).split('\n') : [];
  return JSON.stringify({ ...words, ...itself }, null, 2).split('\n');
}

/** What differs from one version to the other: the dashboard's own words first, then each panel. */
export function parts(before: Content, after: Content): Part[] {
  const none = () => false;
  const compared = (id: string, old: Content, fresh: Content): Part[] =>
    differences(old, fresh).map((one) => ({
      ...one,
      id,
      lines: lines(textOf(old, id !== ''), textOf(fresh, id !== '')),
    }));
  const ids = new Set([...after.document.panels, ...before.document.panels].map((panel) => panel.id));
  return [
    ...compared('', withPanels(before, before, none), withPanels(after, after, none)),
    ...[...ids].flatMap((id) => {
      const only = (one: string) => one === id;
      // With the same words, so that only the panel differs.
      return compared(id, withPanels(before, before, only), withPanels(before, after, only));
    }),
  ];
}
