// Routes. Each screen is fetched when it is first gone to; its folder is named like its path.

import { Code, ConnectError } from '@connectrpc/connect';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { type ComponentType, lazy, Suspense, useEffect } from 'react';
import {
  createBrowserRouter,
  Navigate,
  type RouteObject,
  RouterProvider,
  useLocation,
  useNavigate,
} from 'react-router';
import { ownSession, SESSION } from '../api/login';
import { DEPLOYMENT } from '../api/serves';
import { SessionContext } from '../api/session';
import { onSessionEnded } from '../api/transport';
import { useT } from '../i18n/i18n';
import { LogIn } from '../screens/login/LogIn';
import { Loading } from '../shared/DataState';
import { PageHead } from '../shared/PageHead';
import { Refused } from '../shared/Refused';
import { Shell } from './shell/Shell';

function screen(load: () => Promise<{ default: ComponentType }>) {
  const Screen = lazy(load);
  return (
    <Suspense fallback={<Loading lines={10} />}>
      <Screen />
    </Suspense>
  );
}

/** Where to log in, and back to here after it. */
function loginPath(location: { pathname: string; search: string }, ended: boolean): string {
  const next = location.pathname + location.search;
  const params = new URLSearchParams({ ...(next === '/' ? {} : { next }), ...(ended ? { ended: '1' } : {}) });
  return params.size > 0 ? `/login?${params}` : '/login';
}

function LoggedIn() {
  const location = useLocation();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const session = useQuery({
    queryKey: SESSION,
    queryFn: ({ signal }) => ownSession(signal),
    staleTime: Number.POSITIVE_INFINITY,
  });
  useEffect(() => {
    onSessionEnded(() => {
      const here = window.location;
      if (here.pathname === '/login') return;
      queries.clear();
      void navigate(loginPath(here, true), { replace: true });
    });
    return () => onSessionEnded(() => {});
  }, [navigate, queries]);
  if (session.data) {
    return (
      <SessionContext value={session.data}>
        <Shell />
      </SessionContext>
    );
  }
  if (session.error) {
    if (ConnectError.from(session.error).code === Code.Unauthenticated) {
      return <Navigate to={loginPath(location, false)} replace />;
    }
    return (
      <main className="content">
        <Refused error={session.error} retry={() => void session.refetch()} />
      </main>
    );
  }
  return null;
}

function NoSuchPage() {
  const t = useT();
  return <PageHead title={t('page.missing')} />;
}

/** The pages of a deployment's data: at a director for every deployment, at a monitoring node for its own. */
const DATA: RouteObject[] = [
  { path: '/services', element: screen(() => import('../screens/services/Services')) },
  { path: '/services/:service', element: screen(() => import('../screens/services/ServicePage')) },
  { path: '/discover', element: screen(() => import('../screens/discover/Discover')) },
  { path: '/alerts', element: screen(() => import('../screens/alerts/Alerts')) },
  { path: '/alerts/create-watch', element: screen(() => import('../screens/alerts/CreateWatch')) },
  { path: '/alerts/watches/:watch', element: screen(() => import('../screens/alerts/EditWatch')) },
  { path: '/dashboards', element: screen(() => import('../screens/dashboards/Dashboards')) },
  { path: '/dashboards/:name/versions', element: screen(() => import('../screens/dashboards/Versions')) },
  { path: '/dashboards/:name', element: screen(() => import('../screens/dashboards/DashboardPage')) },
];

const PLATFORM: RouteObject[] = [
  { path: '/', element: screen(() => import('../screens/overview/Overview')) },
  { path: '/hosts', element: screen(() => import('../screens/hosts/Hosts')) },
  { path: '/hosts/:host', element: screen(() => import('../screens/hosts/Host')) },
  { path: '/containers', element: screen(() => import('../screens/containers/Containers')) },
  {
    path: '/containers/:host/:container',
    element: screen(() => import('../screens/containers/ContainerPage')),
  },
  { path: '/control-plane', element: screen(() => import('../screens/control-plane/ControlPlane')) },
  { path: '/changes', element: screen(() => import('../screens/changes/Changes')) },
  { path: '/deployments', element: screen(() => import('../screens/deployments/Deployments')) },
  {
    path: '/deployments/create',
    element: screen(() => import('../screens/deployments/CreateDeployment')),
  },
  {
    path: '/deployments/:deployment',
    element: screen(() => import('../screens/deployments/DeploymentPage')),
  },
  { path: '/plans', element: screen(() => import('../screens/plans/Plans')) },
  { path: '/plans/:plan', element: screen(() => import('../screens/plans/PlanPage')) },
  { path: '/placement', element: screen(() => import('../screens/placement/Placement')) },
  { path: '/access', element: screen(() => import('../screens/access/Access')) },
  { path: '/settings', element: screen(() => import('../screens/settings/Settings')) },
  { path: '/about', element: screen(() => import('../screens/about/About')) },
];

const pages: RouteObject[] =
  DEPLOYMENT === undefined
    ? PLATFORM
    : [{ path: '/', element: <Navigate to="/discover?index=logs-*" replace /> }];

const router = createBrowserRouter([
  { path: '/login', element: <LogIn /> },
  { element: <LoggedIn />, children: [...pages, ...DATA, { path: '*', element: <NoSuchPage /> }] },
]);

export function App() {
  return <RouterProvider router={router} />;
}
