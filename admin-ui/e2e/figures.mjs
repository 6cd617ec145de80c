// What a page takes: of the processor, of memory, of the network. Times are those of the page's own thread
// where it says so; on a machine that does something else, too, the clock says little. Not here: what is
// looked at (`many`, `cost`).
import assert from 'node:assert/strict';
import { eventually, settled } from './browser.mjs';

const MIB = 1024 * 1024;
/** Bytes that the heap of a page may grow by, however often it is renewed. */
export const GROWTH = 20_000_000;

/** A call of the API by the path of its URL; pages' own files are none. */
function calledBy(url) {
  const { pathname } = new URL(url);
  return /^\/wharf\.[a-z0-9.]+\.[A-Z]/.test(pathname) ? pathname.slice(1) : undefined;
}

/** Measures one tab from now on. */
export async function meterOf({ context, page }) {
  const devtools = await context.newCDPSession(page);
  await devtools.send('Performance.enable', { timeDomain: 'threadTicks' });
  await devtools.send('Network.enable');
  const open = new Map();
  let calls = [];
  let files = 0;
  devtools.on('Network.requestWillBeSent', ({ requestId, request }) => {
    open.set(requestId, { method: calledBy(request.url), bytes: 0 });
  });
  devtools.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    const one = open.get(requestId);
    open.delete(requestId);
    if (one?.method) calls.push({ ...one, bytes: encodedDataLength });
    else if (one) files += encodedDataLength;
  });
  devtools.on('Network.loadingFailed', ({ requestId }) => open.delete(requestId));

  async function used() {
    const { metrics } = await devtools.send('Performance.getMetrics');
    const of = (name) => metrics.find((one) => one.name === name)?.value ?? 0;
    return {
      task: of('TaskDuration') * 1_000,
      script: of('ScriptDuration') * 1_000,
      layout: (of('LayoutDuration') + of('RecalcStyleDuration')) * 1_000,
      heap: of('JSHeapUsedSize'),
      nodes: of('Nodes'),
      began: of('NavigationStart'),
    };
  }

  /** What was used since: the counters begin anew with each document. */
  function since(before, now) {
    const from = before.began === now.began ? before : { task: 0, script: 0, layout: 0 };
    return {
      'page CPU ms': Math.round(now.task - from.task),
      'script ms': Math.round(now.script - from.script),
      'layout ms': Math.round(now.layout - from.layout),
      'heap MiB': Number((now.heap / MIB).toFixed(1)),
      nodes: now.nodes,
    };
  }

  return {
    used,
    since,
    /** Bytes of the heap that are in use once everything that nobody holds is gone. */
    async heap() {
      await devtools.send('HeapProfiler.collectGarbage');
      await devtools.send('HeapProfiler.collectGarbage');
      return (await devtools.send('Runtime.getHeapUsage')).usedSize;
    },
    /** Does something and says what it took until everything is there: the director's own calls are answered. */
    async measured(what, does) {
      const before = await used();
      // What the page before waits for is none of this one's.
      open.clear();
      calls = [];
      files = 0;
      const began = performance.now();
      const value = await does();
      await settled(page);
      const wall = performance.now() - began;
      const waits = () => [...open.values()].map((one) => one.method).filter(isPaged);
      await eventually(async () => assert.deepEqual(waits(), [], `${what}: answered`));
      const now = await used();
      const own = calls.filter((one) => isPaged(one.method));
      return {
        value,
        calls: own,
        figures: {
          what,
          ...since(before, now),
          'wall ms': Math.round(wall),
          calls: own.length,
          'KiB of calls': Math.round(own.reduce((sum, one) => sum + one.bytes, 0) / 1024),
          'KiB of files': Math.round(files / 1024),
        },
      };
    },
  };
}

/** A call of the directors that ends: the stream that every page has open does not. */
function isPaged(method) {
  return method?.startsWith('wharf.v1.') && !method.endsWith('/Watch');
}

/** Seconds of processor time of all of the browser's processes that draw pages. */
export async function rendererSeconds(browser) {
  const devtools = await browser.newBrowserCDPSession();
  const { processInfo } = await devtools.send('SystemInfo.getProcessInfo');
  await devtools.detach();
  const drawing = processInfo.filter((one) => one.type === 'renderer');
  return drawing.reduce((sum, one) => sum + one.cpuTime, 0);
}

/**
 * No page asks for more than a page: few calls, none of them long, none again and again.
 * `most` is what one answer may have.
 */
export function bounded({ calls, figures }, { calls: count = 20, times = 3, most = 512 * 1024 } = {}) {
  const names = calls.map((one) => one.method.split('/')[1]);
  assert.ok(calls.length <= count, `${figures.what} takes ${calls.length} calls: ${names}`);
  for (const { method, bytes } of calls) {
    assert.ok(bytes <= most, `${figures.what}: an answer of ${method} has ${bytes} bytes`);
    const again = calls.filter((one) => one.method === method).length;
    assert.ok(again <= times, `${figures.what} calls ${method} ${again} times`);
  }
}

/** For people. */
export function show(figures) {
  // biome-ignore lint/suspicious/noConsole: figures are what such a run is for
  console.table(figures);
}
