// Calls that change dashboards.
import { useQueryClient } from '@tanstack/react-query';
import { refusalOf } from '../../api/errors';
import { useMonitorChange } from '../../api/monitor';
import { type Dashboard, Dashboards } from '../../generated/wharf/monitor/v1/dashboards_pb';
import { writeDocument } from './document';
import type { Content } from './draft';

/** The dashboard was changed meanwhile, or there is one of this name. */
const CONFLICT = 'MON0008';

export function isConflict(error: unknown): boolean {
  return error !== null && error !== undefined && refusalOf(error).code === CONFLICT;
}

export function asPut(name: string, content: Content, version: string, create = false) {
  const { title, description, document } = content;
  return asPutBack(name, { title, description, documentJson: writeDocument(document) }, version, create);
}

/** With its document to the letter, also one that cannot be read here. */
export function asPutBack(
  name: string,
  { title, description, documentJson }: Pick<Dashboard, 'title' | 'description' | 'documentJson'>,
  version: string,
  create: boolean,
) {
  return { dashboard: { name, title, description, documentJson }, expectedVersion: version, create };
}

export function usePutDashboard(deployment: string, done: (saved: Dashboard) => void) {
  const queries = useQueryClient();
  return useMonitorChange(Dashboards.method.putDashboard, {
    deployment,
    done: (saved) => {
      const { typeName } = Dashboards;
      queries.setQueryData(
        [typeName, Dashboards.method.getDashboard.name, deployment, { name: saved.name }],
        saved,
      );
      void queries.invalidateQueries({ queryKey: [typeName, Dashboards.method.listDashboards.name] });
      void queries.invalidateQueries({ queryKey: [typeName, Dashboards.method.listDashboardVersions.name] });
      done(saved);
    },
  });
}

export function useDeleteDashboard(deployment: string, done: () => void) {
  const queries = useQueryClient();
  return useMonitorChange(Dashboards.method.deleteDashboard, {
    deployment,
    done: () => {
      // Each answer that tells of it: lists, versions, the dashboard itself.
      void queries.invalidateQueries({ queryKey: [Dashboards.typeName] });
      done();
    },
  });
}
