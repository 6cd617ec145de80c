import { expect, test } from 'vitest';
import { gather, type Json, MOST_ROWS, type Part, ROWS_AT_ONCE } from './diagnostics';

const list: Part = { name: 'ListHosts', paged: true };
const status: Part = { name: 'GetStatus', paged: false };
const how = { tell: () => {}, refused: (error: unknown) => String(error), givenUp: () => false };

/** A list of so many rows, a page at a time. */
function pages(total: number) {
  return async (_: Part, request: Json): Promise<Json> => {
    const { page_size, page_token } = request.options as { page_size: number; page_token: string };
    const from = Number(page_token || 0);
    const to = Math.min(total, from + page_size);
    const rows = Array.from({ length: to - from }, (_, at) => from + at);
    return {
      hosts: rows,
      info: { total: String(total), ...(to < total ? { next_page_token: String(to) } : {}) },
    };
  };
}

test('a list is followed to its end, each row once', async () => {
  const { parts, missing } = await gather([list], pages(2 * ROWS_AT_ONCE + 3), how);
  expect(parts.ListHosts).toEqual(Array.from({ length: 2 * ROWS_AT_ONCE + 3 }, (_, at) => at));
  expect(missing).toEqual([]);
});

test('of a list without an end the first rows are taken, and that is said', async () => {
  const { parts, missing } = await gather([list], pages(20_000), how);
  expect(parts.ListHosts).toHaveLength(MOST_ROWS);
  expect(missing).toEqual([{ what: 'ListHosts', why: `only the first ${MOST_ROWS} of 20000 rows` }]);
});

test('a list that may be cut is asked for from its newest row on', async () => {
  const orders: unknown[] = [];
  const ask = async (_: Part, request: Json) => {
    orders.push((request.options as { order_by: string }).order_by);
    return { events: [], info: {} };
  };
  await gather([{ ...list, order: 'number desc' }, list], ask, how);
  expect(orders).toEqual(['number desc', '']);
});

test('what is refused is told with the reason, and the others are there', async () => {
  const told: number[] = [];
  const ask = async (part: Part) => {
    if (part.paged) throw new Error('needs the role platform viewer');
    return { healthy: true };
  };
  const { parts, missing } = await gather([list, status], ask, { ...how, tell: (done) => told.push(done) });
  expect(parts).toEqual({ GetStatus: { healthy: true } });
  expect(missing).toEqual([{ what: 'ListHosts', why: 'Error: needs the role platform viewer' }]);
  expect(told).toEqual([0, 1, 2]);
});

test('once it is given up nothing more is asked', async () => {
  let asked = 0;
  const ask = async (): Promise<Json> => {
    asked += 1;
    throw new Error('aborted');
  };
  await expect(gather([list, status], ask, { ...how, givenUp: () => true })).rejects.toThrow('aborted');
  expect(asked).toBe(1);
});
