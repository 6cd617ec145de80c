// Changes that are not saved yet, kept in this browser until they are, and what they change.
import { type DashboardDocument, type Panel, readDocument, writeDocument } from './document';

export interface Draft {
  /** The version that it was begun from; empty: there was none. */
  version: string;
  title: string;
  description: string;
  document: DashboardDocument;
  /** Milliseconds. */
  at: number;
}

function keyOf(deployment: string, name: string): string {
  return `wharf.dashboard.${deployment}.${name}`;
}

/** What cannot be read is no draft. */
export function readDraft(text: string | null): Draft | undefined {
  if (!text) return undefined;
  try {
    const raw = JSON.parse(text) as Partial<Record<keyof Draft, unknown>>;
    const read = readDocument(JSON.stringify(raw.document ?? null));
    if (!read.document || typeof raw.title !== 'string' || typeof raw.at !== 'number') return undefined;
    return {
      version: typeof raw.version === 'string' ? raw.version : '',
      title: raw.title,
      description: typeof raw.description === 'string' ? raw.description : '',
      document: read.document,
      at: raw.at,
    };
  } catch {
    return undefined;
  }
}

export function keptDraft(deployment: string, name: string): Draft | undefined {
  return readDraft(localStorage.getItem(keyOf(deployment, name)));
}

export function keepDraft(deployment: string, name: string, draft: Draft): void {
  try {
    localStorage.setItem(keyOf(deployment, name), JSON.stringify(draft));
  } catch {
    // The browser has no room: the page still has the draft.
  }
}

export function dropDraft(deployment: string, name: string): void {
  localStorage.removeItem(keyOf(deployment, name));
}

export interface Content {
  title: string;
  description: string;
  document: DashboardDocument;
}

export function sameContent(a: Content, b: Content): boolean {
  return (
    a.title === b.title &&
    a.description === b.description &&
    writeDocument(a.document) === writeDocument(b.document)
  );
}

export interface Difference {
  what: 'added' | 'removed' | 'changed' | 'moved';
  /** A panel, or nothing for the dashboard's own words and variables. */
  panel: string | undefined;
}

/** What `mine` does to `base`, panel by panel. */
export function differences(base: Content, mine: Content): Difference[] {
  const found: Difference[] = [];
  const inside = (content: Content) =>
    JSON.stringify([
      content.title,
      content.description,
      content.document.variables,
      content.document.time ?? null,
      content.document.refresh ?? null,
    ]);
  if (inside(base) !== inside(mine)) found.push({ what: 'changed', panel: undefined });
  const of = (document: DashboardDocument) => new Map(document.panels.map((panel) => [panel.id, panel]));
  const before = of(base.document);
  const after = of(mine.document);
  const text = (panel: Panel) => writeDocument({ schema: 1, variables: [], panels: [panel] });
  const unplaced = (panel: Panel) => text({ ...panel, at: { x: 0, y: 0, w: 1, h: 1 } });
  for (const [id, panel] of after) {
    const other = before.get(id);
    const name = panel.title || id;
    if (!other) found.push({ what: 'added', panel: name });
    else if (unplaced(other) !== unplaced(panel)) found.push({ what: 'changed', panel: name });
    else if (text(other) !== text(panel)) found.push({ what: 'moved', panel: name });
  }
  for (const [id, panel] of before) {
    if (!after.has(id)) found.push({ what: 'removed', panel: panel.title || id });
  }
  return found;
}
