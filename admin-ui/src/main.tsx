import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import '@fontsource-variable/inter/wght.css';
import '@patternfly/react-core/dist/styles/base.css';
import './theme/tokens.css';
import './theme/base.css';
import './theme/shell.css';
import './theme/page.css';
import './theme/table.css';
import './theme/marks.css';
import './theme/plan.css';
import './theme/dialogs.css';
import './theme/narrow.css';
import './theme/contrast.css';
import { hashKey } from './api/call';
import { refusalOf } from './api/errors';
import { retryAfter } from './api/wait';
import { App } from './app/App';
import { I18nProvider } from './i18n/i18n';

/** After this a page asks again for what it could not have. */
const HEALS_MS = 30_000;

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      queryKeyHashFn: hashKey,
      staleTime: 2_000,
      // A browser knows of the internet, and not whether the director can be reached: what it takes for offline is asked
      // all the same, and is refused where it is so.
      networkMode: 'always',
      refetchOnWindowFocus: true,
      // A refusal stays one; a director that changes is tried again, later each time.
      retry: (times, error) => times < 4 && refusalOf(error).retryable,
      retryDelay: retryAfter,
      // Who watches a page need not press anything once what it lacked is back.
      refetchInterval: ({ state }) =>
        state.status === 'error' && refusalOf(state.error).retryable && HEALS_MS,
    },
    mutations: { networkMode: 'always' },
  },
});

const root = document.getElementById('root');
if (!root) throw new Error('the page has no root');
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <I18nProvider>
        <App />
      </I18nProvider>
    </QueryClientProvider>
  </StrictMode>,
);
