// Spans of time as watches write them (`500ms`, `90s`, `1h30m`), and when each group of a watch would
// have fired. Pure.
import { timestampMs } from '@bufbuild/protobuf/wkt';
import type { GroupPart, PreviewEvent } from '../../generated/wharf/monitor/v1/watches_pb';

const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds; null when it is no span. */
export function spanMs(text: string): number | null {
  const trimmed = text.trim();
  if (!/^(\d+(ms|s|m|h|d))+$/.test(trimmed)) return null;
  let sum = 0;
  for (const [, figure, unit] of trimmed.matchAll(/(\d+)(ms|s|m|h|d)/g)) {
    sum += Number(figure) * (UNITS[unit ?? ''] ?? 0);
  }
  return Number.isSafeInteger(sum) ? sum : null;
}

export function spanText(ms: number | bigint): string {
  let rest = Number(ms);
  if (rest === 0) return '';
  let text = '';
  for (const unit of ['d', 'h', 'm', 's', 'ms']) {
    const size = UNITS[unit] ?? 1;
    const count = Math.floor(rest / size);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * size;
  }
  return text;
}

export function groupText(group: readonly Pick<GroupPart, 'value'>[]): string {
  return group.map((part) => part.value).join(' / ');
}

/** A stretch of firing; without an end it goes on. */
export interface Stretch {
  from: number;
  to: number | null;
  value: string;
}

export interface GroupStretches {
  group: string;
  stretches: Stretch[];
  /** When something would have been said. */
  messages: number[];
}

/** What a preview's events come to for each group, the one that fires most first. */
export function stretchesOf(
  events: readonly Pick<PreviewEvent, 'at' | 'group' | 'transition' | 'value' | 'messages'>[],
): GroupStretches[] {
  const groups = new Map<string, GroupStretches>();
  for (const event of events) {
    const at = event.at ? timestampMs(event.at) : 0;
    const name = groupText(event.group);
    const group = groups.get(name) ?? { group: name, stretches: [], messages: [] };
    groups.set(name, group);
    const last = group.stretches[group.stretches.length - 1];
    const open = last && last.to === null ? last : undefined;
    if (event.transition === 'firing' && !open) {
      group.stretches.push({ from: at, to: null, value: event.value });
    }
    if (event.transition === 'recovered' && open) open.to = at;
    if (event.messages.length > 0) group.messages.push(at);
  }
  return [...groups.values()].sort(
    (a, b) => b.stretches.length - a.stretches.length || a.group.localeCompare(b.group, 'en'),
  );
}
