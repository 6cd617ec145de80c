import { create, type DescMessage, type DescMethodUnary, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { expect, test } from 'vitest';
import { Alerts } from '../generated/wharf/monitor/v1/alerts_pb';
import { Dashboards } from '../generated/wharf/monitor/v1/dashboards_pb';
import { Services } from '../generated/wharf/monitor/v1/services_pb';
import { Watches } from '../generated/wharf/monitor/v1/watches_pb';
import { asCommand } from './as-command';

const NOON = Date.parse('2026-01-31T12:00:00Z');

function command<I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  input: MessageInitShape<I>,
  deployment = 'system',
) {
  return asCommand(method, create(method.input, input), deployment, NOON);
}

test('a list is asked for with its filter, its order and as many rows', () => {
  const options = { pageSize: 50, orderBy: 'since desc', filter: 'severity=critical' };
  expect(command(Alerts.method.listAlerts, { options, includeRecovered: true })).toBe(
    "wharf -o json alert list --recovered --filter='severity=critical' --sort='since desc' --limit=50",
  );
});

test('a later page is among all rows', () => {
  const options = { pageSize: 50, pageToken: 'x', orderBy: 'name' };
  expect(command(Watches.method.listWatches, { options })).toBe('wharf -o json watch list --sort=name');
});

test('another deployment than the usual one is named', () => {
  expect(command(Watches.method.getWatch, { name: 'slow' }, 'my team')).toBe(
    "wharf -o json watch show slow --deployment='my team'",
  );
  expect(command(Watches.method.getWatch, { name: 'slow' })).toBe('wharf -o json watch show slow');
});

test('a silence is told in the largest unit that says it wholly', () => {
  const silence = (durationMs: bigint) => command(Alerts.method.silenceAlert, { id: 'a', durationMs });
  expect(silence(86_400_000n)).toBe('wharf -o json alert silence a --for=1d');
  expect(silence(5_400_000n)).toBe('wharf -o json alert silence a --for=90m');
  expect(silence(61_000n)).toBe('wharf -o json alert silence a --for=61s');
});

test('a comment is one word whatever it begins with', () => {
  expect(command(Alerts.method.acknowledgeAlert, { id: 'a', comment: "-it's mine" })).toBe(
    `wharf -o json alert ack a --comment='-it'\\''s mine'`,
  );
});

test('what is deleted is not asked about again', () => {
  expect(command(Watches.method.deleteWatch, { name: 'w', expectedVersion: '1.2' })).toBe(
    'wharf -o json watch delete w --yes',
  );
});

test('a document is read from standard input', () => {
  const watch = { case: 'document', value: 'name: w\n' } as const;
  expect(command(Watches.method.putWatch, { watch, create: true }, 'web')).toBe(
    "wharf -o json watch create -f - --deployment=web <<'END'\nname: w\nEND",
  );
  expect(command(Watches.method.testWatch, { watch: { watch } })).toBe(
    "wharf -o json watch test -f - <<'END'\nname: w\nEND",
  );
});

test('a watch that is no document yet has no command', () => {
  const watch = { case: 'spec', value: { name: 'w' } } as const;
  expect(command(Watches.method.putWatch, { watch })).toBeUndefined();
  expect(command(Watches.method.previewWatch, { watch: { watch } })).toBeUndefined();
});

test('a span of the past is told by its ends', () => {
  const ends = { from: timestampFromMs(NOON - 3_600_000), to: timestampFromMs(NOON) };
  const watch = { case: 'name', value: 'w' } as const;
  expect(command(Watches.method.previewWatch, { watch: { watch }, ...ends })).toBe(
    'wharf -o json watch preview w --from=2026-01-31T11:00:00.000Z --to=2026-01-31T12:00:00.000Z',
  );
  expect(command(Watches.method.listRuns, ends)).toContain('watch history --from=2026-01-31T11');
});

test('services are summed up until now, and of an earlier span there is no command', () => {
  const asked = (untilMs: bigint) => command(Services.method.listServices, { windowMs: 900_000n, untilMs });
  expect(asked(BigInt(NOON - 30_000))).toBe('wharf -o json services --window=15m');
  expect(asked(0n)).toBe('wharf -o json services --window=15m');
  expect(asked(BigInt(NOON - 120_000))).toBeUndefined();
});

test('dashboards have no command', () => {
  expect(command(Dashboards.method.getDashboard, { name: 'hosts' })).toBeUndefined();
});
