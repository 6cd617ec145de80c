// The map as ECharts draws it. Pure but for the colours it is given.
import type { EChartsCoreOption } from 'echarts/core';
import type { Look } from '../../shared/chart/colours';
import { tintOf } from '../../shared/chart/tints';
import type { Tokens } from '../../shared/echart/tokens';
import { type MapContainer, type MapZone, type Metric, stepOf } from './model';

export interface TreeWish {
  metric: Metric;
  /** Its containers stand out; empty: all alike. */
  deployment: string;
  /** The one that the keys are at. */
  at: string | undefined;
  look: Look;
  bytes: (value: number) => string;
  /** What is known of a container, a line each. */
  about: (container: MapContainer) => string[];
}

/** What one leaf carries. */
export interface Leaf {
  container?: MapContainer;
}

/** Hosts that have a head each. */
const MOST_HEADS = 60;
/** So that a container that uses nearly nothing is still seen. */
const LEAST_BYTES = 4 * 1024 * 1024;

export function isOf(container: MapContainer, deployment: string): boolean {
  return container.deployment === deployment || container.deploymentId === deployment;
}

function leafOf(container: MapContainer, wish: TreeWish, tokens: Tokens) {
  const tint = tintOf(stepOf(wish.metric, container.values[wish.metric]), wish.look);
  const chosen = wish.at === container.key;
  const faded = wish.deployment !== '' && !isOf(container, wish.deployment);
  return {
    name: container.name,
    value: Math.max(container.memory, LEAST_BYTES),
    container,
    itemStyle: {
      color: faded ? tokens.track : tint.fill,
      borderColor: chosen ? tokens.text : wish.deployment !== '' && !faded ? tokens.bar : tokens.surface,
      borderWidth: chosen || (wish.deployment !== '' && !faded) ? 3 : 1,
      ...(container.own
        ? {}
        : {
            decal: {
              symbol: 'rect',
              dashArrayX: [1, 0],
              dashArrayY: [1, 6],
              rotation: Math.PI / 4,
              color: 'rgba(127,127,127,0.35)',
            },
          }),
    },
    label: { color: faded ? tokens.quiet : tint.text },
  };
}

function shownHosts(zone: MapZone) {
  return zone.hosts.filter((host) => host.containers.length > 0);
}

/**
 * Where each container is among the map's nodes, by its key. ECharts counts a root above all of them, and each
 * node before those within it.
 */
export function nodesOf(zones: readonly MapZone[]): Map<string, number> {
  const nodes = new Map<string, number>();
  let at = 0;
  for (const zone of zones) {
    at += 1;
    for (const host of shownHosts(zone)) {
      at += 1;
      for (const container of host.containers) {
        at += 1;
        nodes.set(container.key, at);
      }
    }
  }
  return nodes;
}

export function treeOption(zones: readonly MapZone[], wish: TreeWish, tokens: Tokens): EChartsCoreOption {
  const hosts = zones.reduce((sum, zone) => sum + zone.hosts.length, 0);
  const head = (height: number, bold: boolean) => ({
    show: true,
    height,
    color: tokens.text,
    fontSize: 12,
    fontWeight: bold ? 600 : 500,
    overflow: 'truncate',
    formatter: '{b}',
    padding: [0, 6],
  });
  return {
    tooltip: {
      formatter: ({ data, name, value }: { data?: Leaf; name: string; value: number }) =>
        (data?.container ? wish.about(data.container) : [name, wish.bytes(value)]).join('\n'),
    },
    series: [
      {
        type: 'treemap',
        data: zones.map((zone) => ({
          name: zone.zone,
          children: shownHosts(zone).map((host) => ({
            name: `${host.host}  ${wish.bytes(host.memory)}`,
            children: host.containers.map((one) => leafOf(one, wish, tokens)),
          })),
        })),
        left: 0,
        right: 0,
        top: 0,
        bottom: 0,
        roam: false,
        nodeClick: false,
        breadcrumb: { show: false },
        // Colours are values: a lighter one would be another.
        emphasis: { itemStyle: { color: 'inherit' } },
        visibleMin: 0,
        childrenVisibleMin: 0,
        label: {
          show: true,
          fontSize: 12,
          lineHeight: 15,
          padding: [3, 5],
          position: 'insideTopLeft',
          overflow: 'truncate',
          formatter: ({ data }: { data?: Leaf }) =>
            data?.container ? `${data.container.name}\n${wish.bytes(data.container.memory)}` : '',
        },
        levels: [
          {
            itemStyle: { borderColor: tokens.raised, borderWidth: 0, gapWidth: 8 },
            upperLabel: { show: false },
          },
          {
            itemStyle: { borderColor: tokens.track, borderWidth: 2, gapWidth: 4 },
            upperLabel: head(22, true),
          },
          {
            itemStyle: { borderColor: tokens.raised, borderWidth: 2, gapWidth: 1 },
            // Heads of very many hosts would leave no room for what lies on them: the tooltip names them.
            upperLabel: hosts <= MOST_HEADS ? head(20, false) : { show: false },
          },
        ],
      },
    ],
  };
}
