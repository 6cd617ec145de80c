// What the directors know, for somebody who looks into a problem elsewhere: every list in one file, each tried by
// itself. Pure: who asks is an argument. Not here: logs and what a host knows of itself (`wharf diagnostics`).

export type Json = { [key: string]: unknown };

/** One call: its name, and whether it answers a page at a time. */
export interface Part {
  name: string;
  paged: boolean;
  /** Of a list that may be cut: what is kept of it comes first. */
  order?: string;
}

export interface Gathered {
  parts: Record<string, unknown>;
  /** What could not be had, or not whole, and why. */
  missing: { what: string; why: string }[];
}

/** Rows that are asked for at once, and at most of one list. */
export const ROWS_AT_ONCE = 500;
export const MOST_ROWS = 5_000;

/**
 * Asks for one part after the other. `tell` hears how many are done; `refused` makes a reason of an error. Ends with
 * the error when it was given up.
 */
export async function gather(
  parts: readonly Part[],
  ask: (part: Part, request: Json) => Promise<Json>,
  {
    tell,
    refused,
    givenUp,
  }: { tell: (done: number) => void; refused: (error: unknown) => string; givenUp: () => boolean },
): Promise<Gathered> {
  const gathered: Gathered = { parts: {}, missing: [] };
  for (const [at, part] of parts.entries()) {
    tell(at);
    try {
      gathered.parts[part.name] = part.paged ? await rowsOf(part, ask, gathered) : await ask(part, {});
    } catch (error) {
      if (givenUp()) throw error;
      gathered.missing.push({ what: part.name, why: refused(error) });
    }
  }
  tell(parts.length);
  return gathered;
}

async function rowsOf(
  part: Part,
  ask: (part: Part, request: Json) => Promise<Json>,
  gathered: Gathered,
): Promise<unknown[]> {
  const rows: unknown[] = [];
  let token = '';
  do {
    const answer = await ask(part, {
      options: { page_size: ROWS_AT_ONCE, page_token: token, order_by: part.order ?? '' },
    });
    for (const field of Object.values(answer)) if (Array.isArray(field)) rows.push(...field);
    const info = answer.info as Json | undefined;
    token = typeof info?.next_page_token === 'string' ? info.next_page_token : '';
    if (token && rows.length >= MOST_ROWS) {
      const why = `only the first ${rows.length} of ${String(info?.total ?? 'more')} rows`;
      gathered.missing.push({ what: part.name, why });
      break;
    }
  } while (token);
  return rows;
}
