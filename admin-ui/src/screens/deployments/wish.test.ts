import { create } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { CreateDeploymentRequestSchema } from '../../generated/wharf/v1/deployments_pb';
import { TemplateSchema } from '../../generated/wharf/v1/templates_pb';
import { NOTHING, requestOf, spelledOut, wishOf } from './wish';
import { readYaml, writeYaml } from './wish-yaml';

const template = create(TemplateSchema, {
  id: 'observability',
  resources: [{ kind: 'storage' }, { kind: 'monitoring' }],
});
const wish = {
  name: 'orders',
  alias: '',
  memory: { storage: '268435456' },
  disk: {},
  zones: { monitoring: '2' },
};

describe('a wish as YAML', () => {
  test('has the fields of the contract, with numbers that people write', () => {
    expect(writeYaml(requestOf(template, wish))).toBe(
      'name: orders\ntemplate_id: observability\nsizes:\n  storage:\n    memory_bytes: 268435456\nzone_counts:\n  monitoring: 2\n',
    );
  });

  test('says what the template has where nothing is wished', () => {
    const sized = create(TemplateSchema, {
      id: 'observability',
      resources: [
        { kind: 'storage', defaultSize: { memoryBytes: 1024n }, zoneCount: 1 },
        { kind: 'monitoring' },
      ],
    });
    expect(spelledOut(sized, wish)).toEqual({ ...wish, zones: { storage: '1', monitoring: '2' } });
    expect(spelledOut(sized, NOTHING)).toEqual({
      ...NOTHING,
      memory: { storage: '1024' },
      zones: { storage: '1' },
    });
    expect(NOTHING.memory).toEqual({});
  });

  test('begins with a name to fill in', () => {
    expect(writeYaml(requestOf(template, NOTHING))).toMatch(/^name: ""\n/);
  });

  test.each([
    wish,
    NOTHING,
    { ...wish, alias: 'o-1', memory: {}, zones: { storage: '3' } },
    { ...wish, disk: { storage: '5368709120', monitoring: '1073741824' } },
  ])('comes back as it was', (one) => {
    const { request } = readYaml(writeYaml(requestOf(template, one)));
    expect(request && wishOf(template, request)).toEqual(one);
  });

  test('is JSON, too', () => {
    const { request } = readYaml('{"name": "orders", "sizes": {"storage": {"memoryBytes": "268435456"}}}');
    expect(request?.sizes.storage?.memoryBytes).toBe(268435456n);
  });

  test('with more than the form has is no wish of the form', () => {
    const of = (text: string) => {
      const { request, fault } = readYaml(text);
      expect(fault).toBeUndefined();
      return wishOf(template, request ?? create(CreateDeploymentRequestSchema));
    };
    expect(of('name: a\nsizes: {storage: {cpu_millis: 500}}')).toBeUndefined();
    expect(of('name: a\nsizes: {storage: {disk_bytes: 1073741824}}')).toEqual({
      ...NOTHING,
      name: 'a',
      disk: { storage: '1073741824' },
    });
    expect(of('name: a\nsizes: {search: {memory_bytes: 1073741824}}')).toBeUndefined();
    expect(of('name: a\nzone_counts: {search: 1}')).toBeUndefined();
    expect(of('name: a\ntemplate_id: other')).toBeUndefined();
    expect(of('name: a')).toEqual({ ...NOTHING, name: 'a' });
  });
});

describe('a text that is no wish', () => {
  test('is told with its line where it is no YAML', () => {
    expect(readYaml('name: orders\nsizes: {storage\n').fault).toMatchObject({ kind: 'syntax' });
    expect(readYaml('name: a\nname: b').fault).toMatchObject({ kind: 'syntax', line: 2 });
  });

  test('is told with its field where the request has no such one or takes another value', () => {
    expect(readYaml('name: a\nmemory: 1').fault?.text).toMatch(/"memory" is unknown/);
    expect(readYaml('name: [a]').fault).toMatchObject({ kind: 'field', text: expect.stringMatching(/name/) });
    expect(readYaml('sizes: {storage: {memory_bytes: 1.5}}').fault?.kind).toBe('field');
    expect(readYaml('name: a\nzone_counts: {storage: -1}').fault?.kind).toBe('field');
    expect(readYaml('just words').fault?.kind).toBe('field');
  });

  test('is told where it says what the button says', () => {
    expect(readYaml('name: a\ndry_run: true').fault?.kind).toBe('call');
    expect(readYaml('name: a\nmutation: {request_id: x}').fault?.kind).toBe('call');
  });

  test('is bounded: nothing in it is unfolded, and a long one is not read', () => {
    const bomb = 'a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]';
    expect(readYaml(bomb).fault?.kind).toBe('syntax');
    expect(readYaml('#'.repeat(70_000)).fault?.kind).toBe('long');
    expect(readYaml('').fault?.kind).toBe('empty');
    expect(readYaml('# only a remark').fault?.kind).toBe('empty');
  });

  test('never throws, whatever it is', () => {
    let seed = 7;
    const pieces = [
      'name',
      ': ',
      '\n',
      '  ',
      '{',
      '}',
      '[',
      ']',
      '"',
      "'",
      '&a',
      '*a',
      '!!set',
      '- ',
      '|',
      '0x1',
      '~',
      '…',
      '\t',
      '<<',
    ];
    for (let round = 0; round < 500; round += 1) {
      let text = '';
      for (let at = 0; at < 12; at += 1) {
        seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
        text += pieces[seed % pieces.length];
      }
      const read = readYaml(text);
      expect(Boolean(read.request) !== Boolean(read.fault), text).toBe(true);
    }
  });
});
