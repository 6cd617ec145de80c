import { ServiceKind, type ServiceSummary } from '../../generated/wharf/monitor/v1/services_pb';
import { useT } from '../../i18n/i18n';

/** Where the page of a service is. */
export function servicePath(one: Pick<ServiceSummary, 'name' | 'kind'>, span?: string): string {
  const params = new URLSearchParams(span);
  // A deployment and an application may have one name.
  if (one.kind === ServiceKind.APPLICATION) params.set('kind', 'application');
  const query = params.size > 0 ? `?${params}` : '';
  return `/services/${encodeURIComponent(one.name)}${query}`;
}

export function kindOf(text: string | null): ServiceKind {
  if (text === 'application') return ServiceKind.APPLICATION;
  return text === 'deployment' ? ServiceKind.DEPLOYMENT : ServiceKind.UNSPECIFIED;
}

export function KindName({ kind }: { kind: ServiceKind }) {
  const t = useT();
  if (kind === ServiceKind.DEPLOYMENT) return t('services.kind.deployment');
  return kind === ServiceKind.APPLICATION ? t('services.kind.application') : null;
}
