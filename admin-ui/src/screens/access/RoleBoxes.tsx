import { Checkbox, FormGroup } from '@patternfly/react-core';
import { useT } from '../../i18n/i18n';
import { ROLES } from './roles';

interface RoleBoxesProps {
  chosen: readonly string[];
  onChange: (roles: string[]) => void;
}

export function RoleBoxes({ chosen, onChange }: RoleBoxesProps) {
  const t = useT();
  return (
    <FormGroup role="group" label={t('roles')} fieldId="roles">
      {ROLES.map(({ role, label, about }) => (
        <Checkbox
          key={role}
          id={`role-${role}`}
          label={t(label)}
          description={t(about)}
          isChecked={chosen.includes(role)}
          onChange={(_, on) => onChange(on ? [...chosen, role] : chosen.filter((one) => one !== role))}
        />
      ))}
    </FormGroup>
  );
}
