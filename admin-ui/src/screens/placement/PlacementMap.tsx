// The map: drawn, and gone through by keys. Each key says where it has come to.
import { useCallback, useMemo } from 'react';
import { useNavigate } from 'react-router';
import { useFormat } from '../../format/use-format';
import { useT } from '../../i18n/i18n';
import { useLook } from '../../shared/chart/use-look';
import { ChartCursor } from '../../shared/echart/ChartCursor';
import { type Datum, stepped } from '../../shared/echart/cursor';
import { EChart } from '../../shared/echart/EChart';
import type { Tokens } from '../../shared/echart/tokens';
import { containerPath } from '../../shared/names/paths';
import { useAbout } from './about';
import { hostBeside, inOrder, type MapZone, type Metric } from './model';
import { type Leaf, nodesOf, treeOption } from './tree-option';

interface PlacementMapProps {
  zones: readonly MapZone[];
  metric: Metric;
  deployment: string;
}

const LEAST_HEIGHT = 420;
const MOST_HEIGHT = 900;
const PER_HOST = 34;

interface DrawnProps extends PlacementMapProps {
  at: Datum | undefined;
  /** How many there are. */
  containers: number;
  onPick: (data: unknown) => void;
}

function Drawn({ zones, metric, deployment, at, containers, onPick }: DrawnProps) {
  const t = useT();
  const { bytes } = useFormat();
  const about = useAbout();
  const look = useLook();
  const key = at?.key;
  // Numbers change every few seconds and the map with them; what it is drawn of stays the same until then.
  // biome-ignore lint/correctness/useExhaustiveDependencies: bytes and about are of the language alone
  const option = useMemo(
    () => (tokens: Tokens) => treeOption(zones, { metric, deployment, at: key, look, bytes, about }, tokens),
    [zones, metric, deployment, key, look],
  );
  const hosts = zones.reduce((sum, zone) => sum + zone.hosts.length, 0);
  return (
    <EChart
      option={option}
      label={t('placement.map.label', { zones: zones.length, hosts, containers })}
      height={Math.min(MOST_HEIGHT, Math.max(LEAST_HEIGHT, hosts * PER_HOST))}
      onPick={onPick}
      at={at?.index}
    />
  );
}

export function PlacementMap(props: PlacementMapProps) {
  const { zones } = props;
  const t = useT();
  const navigate = useNavigate();
  const about = useAbout();
  const order = useMemo(() => inOrder(zones), [zones]);
  const nodes = useMemo(() => nodesOf(zones), [zones]);
  const data = order.map(
    (one): Datum => ({
      key: one.key,
      told: () => about(one).join(', '),
      index: nodes.get(one.key) ?? 0,
    }),
  );
  const open = useCallback(
    (leaf: unknown) => {
      const container = (leaf as Leaf | undefined)?.container;
      if (container) void navigate(containerPath(container.host, container.name));
    },
    [navigate],
  );
  // Up and down go from host to host.
  const step: typeof stepped = (key, all, at) => {
    if (at >= 0 && key === 'ArrowDown') return hostBeside(order, at, 1);
    if (at >= 0 && key === 'ArrowUp') return hostBeside(order, at, -1);
    return stepped(key, all, at);
  };
  return (
    <section className="placement-map" aria-label={t('placement.map')}>
      <ChartCursor
        title={t('placement.map')}
        keys={t('placement.map.keys')}
        data={data}
        step={step}
        onPick={({ key }) => open({ container: order.find((one) => one.key === key) })}
      >
        {({ datum }) => <Drawn {...props} at={datum} containers={order.length} onPick={open} />}
      </ChartCursor>
      <p className="quiet note" aria-hidden="true">
        {t('placement.map.keys')}
      </p>
    </section>
  );
}
