// Sizes that may be chosen: doublings from the least to the most that a template takes. Pure.

export function choices(least: bigint, most: bigint): bigint[] {
  const found: bigint[] = [];
  for (let size = least; size <= most && found.length < 40; size *= 2n) {
    found.push(size);
    if (size === 0n) break;
  }
  return found;
}

/** The same with one that is there already, in order. */
export function choicesWith(sizes: readonly bigint[], present: bigint): bigint[] {
  if (sizes.includes(present)) return [...sizes];
  return [...sizes, present].sort((a, b) => (a < b ? -1 : 1));
}
