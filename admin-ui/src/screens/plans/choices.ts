// What a list of plans or of vacates is filtered by, with the server's words for it.
import { useT } from '../../i18n/i18n';
import type { Choice } from '../../shared/list/ListTable';

export function usePlanChoices(): Choice[] {
  const t = useT();
  return [
    {
      field: 'status',
      label: t('state'),
      values: [
        { value: 'pending', label: t('plan.pending') },
        { value: 'running', label: t('plan.running') },
        { value: 'done', label: t('plan.done') },
        { value: 'failed', label: t('plan.failed') },
        { value: 'cancelled', label: t('plan.cancelled') },
        { value: 'superseded', label: t('plan.superseded') },
      ],
    },
    {
      field: 'kind',
      label: t('plan.kind'),
      values: [
        { value: 'create', label: t('kind.create') },
        { value: 'resize', label: t('kind.resize') },
        { value: 'restart', label: t('kind.restart') },
        { value: 'move', label: t('kind.move') },
        { value: 'terminate', label: t('kind.terminate') },
        { value: 'restore', label: t('kind.restore') },
        { value: 'delete', label: t('kind.delete') },
        { value: 'extend', label: t('kind.extend') },
        { value: 'upgrade', label: t('kind.upgrade') },
        { value: 'reset_password', label: t('kind.resetPassword') },
        { value: 'pause', label: t('kind.pause') },
        { value: 'resume', label: t('kind.resume') },
      ],
    },
  ];
}

export function useVacateChoices(): Choice[] {
  const t = useT();
  return [
    {
      field: 'status',
      label: t('state'),
      values: [
        { value: 'running', label: t('plan.running') },
        { value: 'done', label: t('plan.done') },
        { value: 'failed', label: t('plan.failed') },
        { value: 'cancelled', label: t('plan.cancelled') },
      ],
    },
  ];
}
