// A field of the form with what is wrong with it, or what it means.
import { FormGroup, FormHelperText, HelperText, HelperTextItem } from '@patternfly/react-core';
import type { ReactNode } from 'react';

interface FieldProps {
  id: string;
  label: string;
  fault?: string | undefined;
  help?: string;
  required?: boolean;
  children: ReactNode;
}

export function Field({ id, label, fault, help, required, children }: FieldProps) {
  const said = fault ?? help;
  return (
    <FormGroup label={label} fieldId={id} isRequired={required ?? false}>
      {children}
      {said ? (
        <FormHelperText>
          <HelperText>
            <HelperTextItem variant={fault ? 'error' : 'default'}>{said}</HelperTextItem>
          </HelperText>
        </FormHelperText>
      ) : null}
    </FormGroup>
  );
}
