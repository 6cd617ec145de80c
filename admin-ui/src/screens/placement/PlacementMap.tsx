// The map: drawn, and gone through by keys. Each key says where it has come to.
import { type KeyboardEvent, useCallback, useId, useMemo, useState } from 'react';
import { useNavigate } from 'react-router';
import { useFormat } from '../../format/use-format';
import { useT } from '../../i18n/i18n';
import { useLook } from '../../shared/chart/use-look';
import { EChart } from '../../shared/echart/EChart';
import type { Tokens } from '../../shared/echart/tokens';
import { containerPath } from '../../shared/names/paths';
import { useAbout } from './about';
import { hostBeside, inOrder, type MapZone, type Metric } from './model';
import { type Leaf, treeOption } from './tree-option';

interface PlacementMapProps {
  zones: readonly MapZone[];
  metric: Metric;
  deployment: string;
}

const LEAST_HEIGHT = 420;
const MOST_HEIGHT = 900;
const PER_HOST = 34;

export function PlacementMap({ zones, metric, deployment }: PlacementMapProps) {
  const t = useT();
  const navigate = useNavigate();
  const { bytes } = useFormat();
  const about = useAbout();
  const look = useLook();
  const help = useId();
  const order = useMemo(() => inOrder(zones), [zones]);
  const [at, setAt] = useState<string | undefined>();
  const index = order.findIndex((one) => one.key === at);
  const chosen = order[index];

  const open = useCallback(
    (data: unknown) => {
      const container = (data as Leaf | undefined)?.container;
      if (container) void navigate(containerPath(container.host, container.name));
    },
    [navigate],
  );
  const press = (event: KeyboardEvent) => {
    const last = order.length - 1;
    const to: Partial<Record<string, number>> = {
      ArrowRight: Math.min(index + 1, last),
      ArrowLeft: Math.max(index - 1, 0),
      ArrowDown: index < 0 ? 0 : hostBeside(order, index, 1),
      ArrowUp: index < 0 ? 0 : hostBeside(order, index, -1),
      Home: 0,
      End: last,
    };
    const next = to[event.key];
    if (event.key === 'Enter' && chosen) open({ container: chosen });
    else if (next !== undefined) setAt(order[next]?.key);
    else return;
    event.preventDefault();
  };
  // Numbers change every few seconds and the map with them; what it is drawn of stays the same until then.
  // biome-ignore lint/correctness/useExhaustiveDependencies: bytes and about are of the language alone
  const option = useMemo(
    () => (tokens: Tokens) => treeOption(zones, { metric, deployment, at, look, bytes, about }, tokens),
    [zones, metric, deployment, at, look],
  );
  const hosts = zones.reduce((sum, zone) => sum + zone.hosts.length, 0);
  return (
    <section
      className="placement-map"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: keys go through it
      tabIndex={0}
      aria-label={t('placement.map')}
      aria-describedby={help}
      onKeyDown={press}
      onBlur={() => setAt(undefined)}
    >
      <EChart
        option={option}
        label={t('placement.map.label', { zones: zones.length, hosts, containers: order.length })}
        height={Math.min(MOST_HEIGHT, Math.max(LEAST_HEIGHT, hosts * PER_HOST))}
        onPick={open}
      />
      <p id={help} className="quiet note">
        {t('placement.map.keys')}
      </p>
      <div className="sr-only" aria-live="polite">
        {chosen ? about(chosen).join(', ') : ''}
      </div>
    </section>
  );
}
