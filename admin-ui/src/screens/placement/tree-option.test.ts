import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { ContainerSchema } from '../../generated/wharf/v1/containers_pb';
import { inOrder, mapOf } from './model';
import { nodesOf, type TreeWish, treeOption } from './tree-option';

const tokens = {
  text: '#111',
  quiet: '#555',
  hairline: '#ddd',
  surface: '#fff',
  raised: '#fff',
  track: '#eee',
  good: 'green',
  warn: 'orange',
  bad: 'red',
  bar: 'blue',
};
const wish: TreeWish = {
  metric: 'cpu',
  deployment: '',
  at: undefined,
  look: 'light',
  bytes: (value) => `${value} B`,
  about: (one) => [one.name],
};

function mapWith(hosts: number) {
  return mapOf(
    [],
    Array.from({ length: hosts }, (_, at) =>
      create(ContainerSchema, {
        id: String(at),
        name: `c${at}`,
        host: `h${at}`,
        zone: `z${at % 3}`,
        deploymentName: at === 0 ? 'web' : '',
        role: 'instance',
        sample: { memoryBytes: 64n * 1024n ** 2n, cpuPercent: 120 },
      }),
    ),
    undefined,
  );
}

interface Node {
  name: string;
  value?: number;
  children?: Node[];
  itemStyle?: { color: string; borderWidth: number };
}
const seriesOf = (hosts: number, change: Partial<TreeWish> = {}) =>
  (
    treeOption(mapWith(hosts), { ...wish, ...change }, tokens).series as {
      data: Node[];
      levels: { upperLabel: { show: boolean } }[];
    }[]
  )[0];

const leaves = (nodes: Node[]): Node[] =>
  nodes.flatMap((node) => (node.children ? leaves(node.children) : [node]));

test('a leaf is as large as its memory and as dark as its value', () => {
  const all = leaves(seriesOf(2)?.data ?? []);
  expect(all.map((leaf) => leaf.value)).toEqual([64 * 1024 ** 2, 64 * 1024 ** 2]);
  expect(all[0]?.itemStyle?.color).toBe('#1f67ab');
});

test('the containers of a deployment stand out from all others', () => {
  const all = leaves(seriesOf(3, { deployment: 'web' })?.data ?? []);
  expect(all.map((leaf) => [leaf.name, leaf.itemStyle?.color, leaf.itemStyle?.borderWidth])).toEqual([
    ['c0', '#1f67ab', 3],
    ['c1', tokens.track, 1],
    ['c2', tokens.track, 1],
  ]);
});

test('very many hosts have no heads, which would take the room of what lies on them', () => {
  expect(seriesOf(60)?.levels[2]?.upperLabel.show).toBe(true);
  expect(seriesOf(61)?.levels[2]?.upperLabel.show).toBe(false);
});

test('a container is known by its place among all nodes that are drawn, the root of all being the first', () => {
  const zones = mapWith(5);
  const empty = { host: 'idle', connected: true, memory: 0, containers: [] };
  zones[0]?.hosts.unshift(empty);
  const drawn: string[] = ['root'];
  const visit = (node: Node) => {
    drawn.push(node.name);
    for (const child of node.children ?? []) visit(child);
  };
  const series = treeOption(zones, wish, tokens).series as { data: Node[] }[];
  for (const node of series[0]?.data ?? []) visit(node);
  const nodes = nodesOf(zones);
  const all = inOrder(zones);
  expect(all).toHaveLength(5);
  expect(all.map((one) => drawn[nodes.get(one.key) ?? 0])).toEqual(all.map((one) => one.name));
});
