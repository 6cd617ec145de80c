// Words of the parts that several screens share.
import * as chart from './chart/words';
import * as logs from './logs/words';
import * as names from './names/words';
import * as plan from './plan/words';
import * as query from './query/words';
import * as retention from './retention/words';
import * as search from './search/words';
import * as time from './time/words';
import * as zones from './zones/words';

export const en = {
  ...chart.en,
  ...logs.en,
  ...names.en,
  ...plan.en,
  ...query.en,
  ...retention.en,
  ...search.en,
  ...time.en,
  ...zones.en,
} as const;

export const ko: Record<keyof typeof en, string> = {
  ...chart.ko,
  ...logs.ko,
  ...names.ko,
  ...plan.ko,
  ...query.ko,
  ...retention.ko,
  ...search.ko,
  ...time.ko,
  ...zones.ko,
};
