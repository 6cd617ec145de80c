// Sizes that may be chosen: doublings from the least to the most that a template takes. Pure.
import type { TemplateResource } from '../../generated/wharf/v1/templates_pb';

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

/** The disk of an instance for which none is named. */
export function usualDisk(resource: TemplateResource, memory: string | undefined): bigint {
  const { instanceConfiguration, defaultSize } = resource;
  const times = BigInt(instanceConfiguration?.diskMultiplier ?? 0);
  // Only where no memory is named either, the template's own disk holds.
  return memory ? BigInt(memory) * times : (defaultSize?.diskBytes ?? 0n);
}

/** Disks from that of the least memory to that of the most: the template takes all of them. */
export function diskChoices({ instanceConfiguration: limits }: TemplateResource): bigint[] {
  if (!limits?.diskMultiplier) return [];
  const times = BigInt(limits.diskMultiplier);
  return choices(limits.minMemoryBytes * times, limits.maxMemoryBytes * times);
}
