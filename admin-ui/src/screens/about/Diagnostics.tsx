// Downloads what the directors know as one file.
import { type DescMethodUnary, fromJson, type JsonValue, toJson } from '@bufbuild/protobuf';
import { Button } from '@patternfly/react-core';
import { useEffect, useRef, useState } from 'react';
import { call } from '../../api/call';
import { refusalOf } from '../../api/errors';
import { Allocators } from '../../generated/wharf/v1/allocators_pb';
import { Channels } from '../../generated/wharf/v1/channels_pb';
import { Containers } from '../../generated/wharf/v1/containers_pb';
import { Deployments } from '../../generated/wharf/v1/deployments_pb';
import { Directors } from '../../generated/wharf/v1/directors_pb';
import { Events } from '../../generated/wharf/v1/events_pb';
import { Instances } from '../../generated/wharf/v1/instances_pb';
import { Placement } from '../../generated/wharf/v1/placement_pb';
import { Plans } from '../../generated/wharf/v1/plans_pb';
import { Platform } from '../../generated/wharf/v1/platform_pb';
import { Proxies } from '../../generated/wharf/v1/proxies_pb';
import { Repositories } from '../../generated/wharf/v1/repositories_pb';
import { Settings } from '../../generated/wharf/v1/settings_pb';
import { Templates } from '../../generated/wharf/v1/templates_pb';
import { useT } from '../../i18n/i18n';
import { saveFile } from '../../shared/files/save';
import { Refused } from '../../shared/Refused';
import { gather, type Json } from './diagnostics';

/** Who may log in, and by what, is nobody's business elsewhere. */
const METHODS: readonly DescMethodUnary[] = [
  Platform.method.getStatus,
  Platform.method.getAuthority,
  Placement.method.getRebalancing,
  Directors.method.listDirectors,
  Proxies.method.listProxies,
  Allocators.method.listAllocators,
  Allocators.method.listZones,
  Allocators.method.listVacates,
  Deployments.method.listDeployments,
  Instances.method.listInstances,
  Plans.method.listPlans,
  Containers.method.listContainers,
  Settings.method.listSettings,
  Templates.method.listTemplates,
  Channels.method.listChannels,
  Repositories.method.listRepositories,
  Events.method.listEvents,
];

/** Of these the newest are kept. */
const NEWEST: Record<string, string> = {
  [Events.method.listEvents.name]: 'number desc',
  [Plans.method.listPlans.name]: 'created desc',
  [Allocators.method.listVacates.name]: 'created desc',
};

const PARTS = METHODS.map((method) => ({
  name: method.name,
  // What is no list is asked once.
  paged: method.input.fields.some((field) => field.name === 'options'),
  ...(NEWEST[method.name] ? { order: NEWEST[method.name] } : {}),
  method,
}));

export function Diagnostics({ platform }: { platform: string }) {
  const t = useT();
  const running = useRef<AbortController>(undefined);
  const [done, setDone] = useState<number>();
  const [error, setError] = useState<unknown>();
  useEffect(() => () => running.current?.abort(), []);

  const start = async () => {
    const ends = new AbortController();
    running.current = ends;
    setError(undefined);
    const ask = async ({ name }: { name: string }, request: Json): Promise<Json> => {
      const part = PARTS.find((one) => one.name === name);
      if (!part) throw new Error(`no method ${name}`);
      const { method } = part;
      const answer = await call(method, fromJson(method.input, request as JsonValue), ends.signal);
      return toJson(method.output, answer, { useProtoFieldName: true }) as Json;
    };
    const refused = (failure: unknown) => {
      const { code, message, callId } = refusalOf(failure);
      return [code, message, callId ? `(call ${callId})` : ''].filter(Boolean).join(' ');
    };
    try {
      const found = await gather(PARTS, ask, { tell: setDone, refused, givenUp: () => ends.signal.aborted });
      const at = new Date().toISOString();
      const file = { made_at: at, platform, director: window.location.host, ...found };
      const day = at.slice(0, 19).replaceAll(':', '');
      saveFile(
        `wharf-diagnostics-${platform}-${day}.json`,
        [JSON.stringify(file, null, 1)],
        'application/json',
      );
    } catch (failure) {
      if (!ends.signal.aborted) setError(failure);
    }
    setDone(undefined);
  };
  return (
    <div className="stack">
      <p>{t('about.diagnostics.about')}</p>
      {error ? <Refused error={error} /> : null}
      <div className="actions">
        <Button
          variant="secondary"
          isLoading={done !== undefined}
          onClick={() => done === undefined && void start()}
        >
          {t('about.diagnostics.download')}
        </Button>
        {done !== undefined ? (
          <>
            <span role="status">{t('about.diagnostics.done', { done, all: PARTS.length })}</span>
            <Button variant="link" isInline onClick={() => running.current?.abort()}>
              {t('about.diagnostics.stop')}
            </Button>
          </>
        ) : null}
      </div>
    </div>
  );
}
