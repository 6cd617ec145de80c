import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { rightsOf } from '../../api/session';
import { ServiceKind } from '../../generated/wharf/monitor/v1/services_pb';
import { type Act, actOf, actOnErring, actOnPile, evidenceOf, type NoAct, type Told, whyNotOf } from './acts';

const root = join(import.meta.dirname, '../../../..');
const read = (path: string) => readFileSync(join(root, path), 'utf8').split('#[cfg(test)]')[0] ?? '';
const core = 'director/core/src';

/** The codes of problems that directors and the hosts' allocators tell. */
function codesTold(): string[] {
  const named = new Map(
    [...read(`${core}/refusal.rs`).matchAll(/pub const (\w+): &str = "(\w+)"/g)].map(([, name, code]) => [
      name,
      code,
    ]),
  );
  const problems = ['health.rs', 'health/snapshots.rs', 'failure/problems.rs'].map((file) =>
    read(`${core}/${file}`),
  );
  const directors = [...problems.join('\n').matchAll(/codes::([A-Z_]+)/g)].map(([, name]) => named.get(name));
  const hosts = [...read('allocator/src/problems.rs').matchAll(/"(ALL\d{4})"/g)].map(([, code]) => code);
  const engine = read('allocator/src/docker/engine.rs');
  const body = engine.slice(engine.indexOf('pub fn code(&self)'));
  const engines = [...body.slice(0, body.indexOf('\n    }\n')).matchAll(/"(ALL\d{4})"/g)].map(
    ([, code]) => code,
  );
  return [...new Set([...directors, ...hosts, ...engines])].map((code) => code ?? 'a code without a name');
}

const told = (code: string, more: Partial<Told> = {}): Told => ({
  code,
  subjectKind: 'host',
  subject: 'h1',
  message: 'm',
  hint: 'h',
  ...more,
});
const to = (act: Act | NoAct | null) => (act && 'to' in act ? act.to : act?.why);

test('every kind of finding leads to an act or has a reason for none', () => {
  const codes = codesTold();
  expect(codes.length, 'the codes are found').toBeGreaterThan(20);
  const lost = codes.filter((code) => actOf(told(code), 'lab') === null);
  expect(lost, 'findings that lead nowhere').toEqual([]);
  expect(actOf(told('DIR9999'), 'lab')).toBeNull();
});

test('a silent host leads to its dialog to vacate it', () => {
  expect(to(actOf(told('DIR0101', { subject: 'h 1' }), 'lab'))).toBe('/hosts/h%201?do=vacate');
  expect(to(actOf(told('ALL0021'), 'lab'))).toBe('/hosts/h1?do=vacate');
});

test('what an agent does not do leads to its own log, by the name of the platform', () => {
  expect(to(actOf(told('DIR0105'), 'lab'))).toBe('/containers/h1/wharf-lab-proxy?tab=logs');
  expect(to(actOf(told('DIR0106'), 'lab'))).toBe('/containers/h1/wharf-lab-allocator?tab=logs');
  const directors = new URLSearchParams(to(actOf(told('ALL0041'), 'lab'))?.split('?')[1]);
  expect(directors.get('q')).toBe('container.name:"wharf-lab-director"');
});

test('the act on a deployment is by the reasons of its instances', () => {
  const of = (message: string) =>
    to(actOf(told('DIR0102', { subject: 'shop', message: `\`Shop\` is not healthy: ${message}` }), 'lab'));
  expect(of('storage-0: not running; last exit with code 137, out of memory')).toBe(
    '/deployments/shop?do=resize',
  );
  const log = new URLSearchParams(of('storage-0: not running; last exit with code 1')?.split('?')[1]);
  expect(log.get('q')).toBe('wharf.deployment.name:"Shop"');
  expect(of('storage-0: waits for h1 since 2026-01-02T03:04:05Z; its data is there')).toBe(
    'act.none.itsHost',
  );
  expect(of('storage-0: h1 has been silent since 2026-01-02T03:04:05Z')).toBe('act.none.itsHost');
  expect(of('storage-0: proxies send no requests to it')).toBe('/deployments/shop?do=restart');
});

test('the reasons of instances are those that directors write', () => {
  const reasons = read(`${core}/health/instance.rs`) + read(`${core}/plan/step.rs`);
  for (const words of [
    ', out of memory',
    'last exit with code',
    'has been silent since',
    'waits for {host} since',
  ]) {
    expect(reasons).toContain(words);
  }
});

test('a plan is found by the command that its hint gives', () => {
  const plan = { subjectKind: 'plan', subject: 'shop', hint: '`wharf plan show 1a2b` has every step' };
  expect(evidenceOf(told('DIR0103', plan))).toBe('/plans/1a2b');
  expect(to(actOf(told('DIR0103', plan), 'lab'))).toBe('/plans/1a2b?do=reapply');
  expect(to(actOf(told('DIR0104', plan), 'lab'))).toBe('/plans/1a2b?do=cancel');
  expect(evidenceOf(told('DIR0103', { ...plan, hint: '' }))).toBe('/plans?q=shop');
  const hints = [...read(`${core}/health.rs`).matchAll(/`wharf plan show \{\}` has every step/g)];
  expect(hints.length, 'the hints of plans that failed and that wait').toBe(2);
});

test('a plan that no host had room for leads to another size', () => {
  expect(read(`${core}/refusal.rs`)).toContain('PLAN_NO_ROOM: &str = "DIR0060"');
  const plan = {
    subjectKind: 'plan',
    subject: 'shop',
    message: 'the last plan of `Shop` failed: DIR0060: no allocator has room',
    hint: '`wharf plan show 1a2b` has every step',
  };
  expect(to(actOf(told('DIR0103', plan), 'lab'))).toBe('/deployments/shop?do=resize');
});

test('snapshots of an instance lead to its deployment', () => {
  const failing = told('DIR0112', { subjectKind: 'snapshots', subject: 'shop/storage-0' });
  expect(evidenceOf(failing)).toBe('/deployments/shop');
  expect(to(actOf(failing, 'lab'))).toBe('/deployments/shop?do=snapshots');
});

test('a zone that is down leads to the setting that gives it up', () => {
  expect(read(`${core}/settings.rs`)).toContain('LOST_ZONES: &str = "health.lost_zones"');
  const zone = told('DIR0110', { subjectKind: 'zone', subject: 'z1' });
  expect(to(actOf(zone, 'lab'))).toBe('/settings?q=health.lost_zones&do=health.lost_zones');
});

test('what pages conclude themselves leads on, too', () => {
  const erring = new URLSearchParams(
    actOnErring({ name: 'shop', kind: ServiceKind.DEPLOYMENT }).to.split('?')[1],
  );
  expect(erring.get('q')).toMatch(/^wharf\.deployment\.name:"shop" AND \(?log\.level:\(error/);
  expect(actOnPile({ what: 'zone', name: 'z 1' }).to).toBe('/placement?lose=zone%3Az+1');
});

test('who may not do it is told the role that it needs', () => {
  const viewer = rightsOf(['platform_viewer'], undefined);
  expect(whyNotOf({ needs: 'administers' }, viewer)).toBe('why.admin');
  expect(whyNotOf({ needs: 'manages' }, viewer)).toBe('why.manager');
  expect(whyNotOf({ needs: 'seesPlatform' }, viewer)).toBeUndefined();
  expect(whyNotOf({ needs: 'seesPlatform' }, rightsOf(['deployments_manager'], undefined))).toBe(
    'why.viewer',
  );
});
