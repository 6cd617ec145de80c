// What the map is drawn of, page after page up to a limit: what is left out is said.
import type { DescMessage, DescMethodUnary, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import { type UseQueryResult, useQuery } from '@tanstack/react-query';
import { call } from '../../api/call';
import { type Allocator, Allocators } from '../../generated/wharf/v1/allocators_pb';
import type { ListInfo } from '../../generated/wharf/v1/common_pb';
import { type Container, Containers } from '../../generated/wharf/v1/containers_pb';
import { Instances, type PlacedInstance } from '../../generated/wharf/v1/instances_pb';

const PAGE = 500;
export const MOST_HOSTS = 500;
export const MOST_CONTAINERS = 2_000;
export const MOST_INSTANCES = 4_000;
const EVERY_MS = 15_000;

export interface Gathered<Row> {
  rows: Row[];
  /** Of them all, those that are not here too. */
  total: number;
}

async function gather<I extends DescMessage, O extends DescMessage, Row>(
  method: DescMethodUnary<I, O>,
  input: (options: { pageSize: number; pageToken: string }) => MessageInitShape<I>,
  rowsOf: (answer: MessageShape<O>) => readonly Row[],
  infoOf: (answer: MessageShape<O>) => ListInfo | undefined,
  most: number,
  signal: AbortSignal,
): Promise<Gathered<Row>> {
  const rows: Row[] = [];
  let total = 0;
  let pageToken = '';
  do {
    const answer = await call(method, input({ pageSize: PAGE, pageToken }), signal);
    rows.push(...rowsOf(answer));
    total = Number(infoOf(answer)?.total ?? 0n);
    pageToken = infoOf(answer)?.nextPageToken ?? '';
  } while (pageToken !== '' && rows.length < most);
  return { rows, total };
}

export interface Placed {
  hosts: Gathered<Allocator>;
  containers: Gathered<Container>;
  instances: Gathered<PlacedInstance>;
}

export function usePlaced(): UseQueryResult<Placed> {
  return useQuery<Placed>({
    queryKey: [Containers.typeName, 'placement'],
    queryFn: async ({ signal }) => {
      const [hosts, containers, instances] = await Promise.all([
        gather(
          Allocators.method.listAllocators,
          (options) => ({ options: { ...options, orderBy: 'instances desc' } }),
          (answer) => answer.allocators,
          (answer) => answer.info,
          MOST_HOSTS,
          signal,
        ),
        gather(
          Containers.method.listContainers,
          (options) => ({ options: { ...options, filter: 'state=running', orderBy: 'memory desc' } }),
          (answer) => answer.containers,
          (answer) => answer.info,
          MOST_CONTAINERS,
          signal,
        ),
        gather(
          Instances.method.listInstances,
          (options) => ({ options: { ...options, orderBy: 'name' } }),
          (answer) => answer.instances,
          (answer) => answer.info,
          MOST_INSTANCES,
          signal,
        ),
      ]);
      return { hosts, containers, instances };
    },
    refetchInterval: EVERY_MS,
  });
}
