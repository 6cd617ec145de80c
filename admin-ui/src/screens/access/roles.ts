import { type MessageKey, useT } from '../../i18n/i18n';

export const ROLES: { role: string; label: MessageKey; about: MessageKey }[] = [
  { role: 'platform_admin', label: 'role.platformAdmin', about: 'role.platformAdmin.about' },
  { role: 'platform_viewer', label: 'role.platformViewer', about: 'role.platformViewer.about' },
  { role: 'deployments_manager', label: 'role.deploymentsManager', about: 'role.deploymentsManager.about' },
  { role: 'deployments_viewer', label: 'role.deploymentsViewer', about: 'role.deploymentsViewer.about' },
];

/** Roles as people read them; one that these pages do not know keeps its own word. */
export function useRoleWords(): (roles: readonly string[]) => string {
  const t = useT();
  return (roles) =>
    roles
      .map((role) => {
        const known = ROLES.find((one) => one.role === role);
        return known ? t(known.label) : role;
      })
      .join(', ');
}
