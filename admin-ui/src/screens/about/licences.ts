// What others wrote of what runs: packages in the pages and crates in the binary. Pure.
export interface Part {
  name: string;
  version: string;
  /** As SPDX writes it. */
  licence: string;
  /** Empty: it names none. */
  repository: string;
}

export const PLACES = ['binary', 'pages'] as const;
export type Place = (typeof PLACES)[number];

export interface PlacedPart extends Part {
  place: Place;
}

/** In the order of their names, whatever they are in. */
export function placed(parts: Readonly<Record<Place, readonly Part[]>>): PlacedPart[] {
  return PLACES.flatMap((place) => parts[place].map((part) => ({ ...part, place }))).sort(
    (a, b) =>
      a.name.localeCompare(b.name, 'en') || a.version.localeCompare(b.version, 'en', { numeric: true }),
  );
}

/** Those whose name, licence or repository has all of the words; of one place or of both. */
export function found(parts: readonly PlacedPart[], text: string, place: Place | undefined): PlacedPart[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return parts.filter((part) => {
    if (place && part.place !== place) return false;
    const about = `${part.name} ${part.version} ${part.licence} ${part.repository}`.toLowerCase();
    return words.every((word) => about.includes(word));
  });
}
