// What somebody wishes a new deployment to be, as the form has it and as the request says it. Pure.
import type { CreateDeploymentRequest } from '../../generated/wharf/v1/deployments_pb';
import type { Template } from '../../generated/wharf/v1/templates_pb';

export interface Wish {
  name: string;
  /** Empty: made from the name. */
  alias: string;
  /** Bytes by kind of resource; none: the template's. */
  memory: Record<string, string>;
  /** Bytes by kind of resource; none: as the memory has it. */
  disk: Record<string, string>;
  zones: Record<string, string>;
}

/** What is not named follows from the template, or from the memory. */
interface WishedSize {
  memoryBytes?: bigint;
  diskBytes?: bigint;
  cpuMillis?: number;
}

/** What is asked for, without what belongs to the call. */
export interface Request {
  name: string;
  alias: string;
  templateId: string;
  sizes: Record<string, WishedSize>;
  zoneCounts: Record<string, number>;
}

/** What directors take where a request names none. */
const USUAL_TEMPLATE = 'observability';

export const NOTHING: Wish = { name: '', alias: '', memory: {}, disk: {}, zones: {} };

export function requestOf(template: Template, wish: Wish): Request {
  const sizes: Record<string, WishedSize> = {};
  const zoneCounts: Record<string, number> = {};
  for (const { kind } of template.resources) {
    const memory = wish.memory[kind];
    const disk = wish.disk[kind];
    if (memory) sizes[kind] = { memoryBytes: BigInt(memory) };
    if (disk) sizes[kind] = { ...sizes[kind], diskBytes: BigInt(disk) };
    const zones = Number(wish.zones[kind]);
    if (zones > 0) zoneCounts[kind] = zones;
  }
  return { name: wish.name, alias: wish.alias, templateId: template.id, sizes, zoneCounts };
}

/**
 * The same with what the template has where nothing is wished: whoever reads it sees what can be changed. But for
 * the disk, which would not follow another memory then.
 */
export function spelledOut(template: Template, wish: Wish): Wish {
  const whole: Wish = { ...wish, memory: { ...wish.memory }, zones: { ...wish.zones } };
  for (const { kind, defaultSize, zoneCount } of template.resources) {
    if (defaultSize?.memoryBytes) whole.memory[kind] ??= String(defaultSize.memoryBytes);
    if (zoneCount > 0) whole.zones[kind] ??= String(zoneCount);
  }
  return whole;
}

export function plainOf({ name, alias, templateId, sizes, zoneCounts }: CreateDeploymentRequest): Request {
  return { name, alias, templateId, sizes, zoneCounts };
}

/** The wish behind a request; undefined when the request has more than the form has fields for. */
export function wishOf(template: Template, request: CreateDeploymentRequest): Wish | undefined {
  if ((request.templateId || USUAL_TEMPLATE) !== template.id) return undefined;
  const kinds = new Set(template.resources.map((one) => one.kind));
  const wish: Wish = { name: request.name, alias: request.alias, memory: {}, disk: {}, zones: {} };
  for (const [kind, size] of Object.entries(request.sizes)) {
    const { memoryBytes, diskBytes, cpuMillis } = size;
    if (!kinds.has(kind) || cpuMillis) return undefined;
    if (memoryBytes) wish.memory[kind] = String(memoryBytes);
    if (diskBytes) wish.disk[kind] = String(diskBytes);
  }
  for (const [kind, zones] of Object.entries(request.zoneCounts)) {
    if (!kinds.has(kind)) return undefined;
    if (zones > 0) wish.zones[kind] = String(zones);
  }
  return wish;
}
