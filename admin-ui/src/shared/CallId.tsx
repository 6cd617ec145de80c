// The id of a call that failed, to be told to whoever looks into it, and the way to what was logged of it.
import { useContext } from 'react';
import { Link } from 'react-router';
import { rightsOf, SessionContext } from '../api/session';
import { useT } from '../i18n/i18n';
import { CopyButton } from './CopyButton';
import { callLogs } from './call-logs';

export function CallId({ id }: { id: string }) {
  const t = useT();
  // A refusal may be told before anybody is logged in.
  const session = useContext(SessionContext);
  const logs = callLogs(id, session && rightsOf(session.roles));
  return (
    <div className="call-id">
      <span>
        {t('refused.callId')} <code className="code">{id}</code>
      </span>
      <CopyButton variant="link" label={t('refused.callId.copy')} text={() => id}>
        {t('copy')}
      </CopyButton>
      {logs ? <Link to={logs}>{t('refused.callId.find')}</Link> : null}
    </div>
  );
}
