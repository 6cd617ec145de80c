// What a query is made of, for its colours. Not here: what it means (the storage), what completes
// (`completion`).

export type PartKind = 'field' | 'text' | 'join';

export interface Part {
  kind: PartKind;
  from: number;
  to: number;
}

const PART = /("(?:\\.|[^"\\])*"?)|\b(AND|OR|NOT|TO)\b|([\w.@*\\-]+(?=:))/g;

/** Quoted texts, names of fields, and the words that join; what is between them has no colour. */
export function partsOf(query: string): Part[] {
  return [...query.matchAll(PART)].map((found) => {
    const kind = found[1] !== undefined ? 'text' : found[2] !== undefined ? 'join' : 'field';
    return { kind, from: found.index, to: found.index + found[0].length };
  });
}
