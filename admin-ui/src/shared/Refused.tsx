// A refusal where it happened: what, the code, what to do, by what it is found in logs, and a way to try again.
import { Alert, Button } from '@patternfly/react-core';
import { type Query, useQueryClient } from '@tanstack/react-query';
import { refusalOf } from '../api/errors';
import { useT } from '../i18n/i18n';
import { CallId } from './CallId';
import { English } from './English';

interface RefusedProps {
  error: unknown;
  title?: string;
  /** What it means here. */
  about?: string;
  retry?: () => void;
  /** It is being asked again. */
  busy?: boolean;
}

export function Refused({ error, title, about, retry, busy = false }: RefusedProps) {
  const t = useT();
  const queries = useQueryClient();
  const refusal = refusalOf(error);
  // One cause often refuses several parts of a page: one press is for all of them.
  const all = () => {
    retry?.();
    const failed = { type: 'active', predicate: (one: Query) => one.state.status === 'error' } as const;
    void queries.refetchQueries(failed, { cancelRefetch: false });
  };
  return (
    <Alert
      variant="danger"
      isInline
      component="h2"
      className="refused"
      title={title ?? t('refused.title')}
      {...(retry
        ? {
            actionLinks: (
              <Button variant="link" isInline isLoading={busy} onClick={all}>
                {t('refused.retry')}
              </Button>
            ),
          }
        : {})}
    >
      {about ? <div>{about}</div> : null}
      <div>
        <English>{refusal.message}</English>
        {refusal.field ? <span className="quiet"> ({refusal.field})</span> : null}
      </div>
      {refusal.hint ? (
        <div>
          {t('refused.hint')}: <English>{refusal.hint}</English>
        </div>
      ) : null}
      {refusal.code ? <code className="code">{refusal.code}</code> : null}
      {refusal.callId ? <CallId id={refusal.callId} /> : null}
    </Alert>
  );
}
