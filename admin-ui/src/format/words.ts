// Units of durations, as short as a table needs them.
export const en = {
  'unit.ms': '{n} ms',
  'unit.s': '{n} s',
  'unit.min': '{n} min',
  'unit.h': '{n} h',
  'unit.d': '{n} d',
} as const;

export const ko: Record<keyof typeof en, string> = {
  'unit.ms': '{n}ms',
  'unit.s': '{n}초',
  'unit.min': '{n}분',
  'unit.h': '{n}시간',
  'unit.d': '{n}일',
};
