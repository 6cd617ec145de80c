// What is known of a container in words, the same in the tooltip, for the keys and for the table.
import { useFormat } from '../../format/use-format';
import { useT } from '../../i18n/i18n';
import type { MapContainer, Metric } from './model';

export function useValueText(): (metric: Metric, value: number | null) => string {
  const t = useT();
  const format = useFormat();
  return (metric, value) => {
    if (value === null) return t('placement.unknown');
    return metric === 'restarts' ? format.number(value) : `${format.number(value, value < 10 ? 1 : 0)} %`;
  };
}

export function useAbout(): (container: MapContainer) => string[] {
  const t = useT();
  const format = useFormat();
  const valueText = useValueText();
  return (one) => [
    one.name,
    `${one.host}, ${one.zone}`,
    ...(one.deployment ? [`${t('deployment')}: ${one.deployment}`] : []),
    ...(one.application && one.application !== one.deployment
      ? [`${t('application')}: ${one.application}`]
      : []),
    `${t('memory')}: ${format.bytes(one.memory)} (${valueText('memory', one.values.memory)})`,
    `${t('cpu')}: ${valueText('cpu', one.values.cpu)}`,
    `${t('placement.restarts')}: ${valueText('restarts', one.values.restarts)}`,
    ...(one.own ? [] : [t('placement.other')]),
  ];
}
