// A button that says why it cannot be pressed. It stays reachable by keyboard then, or nobody could
// read the reason.
import { Button, type ButtonProps, Tooltip } from '@patternfly/react-core';

interface ActionButtonProps extends Omit<ButtonProps, 'isDisabled' | 'isAriaDisabled' | 'ref'> {
  /** Why it cannot be pressed; nothing: it can. */
  whyNot?: string | undefined;
}

export function ActionButton({ whyNot, onClick, ...rest }: ActionButtonProps) {
  if (!whyNot) return <Button {...rest} {...(onClick ? { onClick } : {})} />;
  return (
    <Tooltip content={whyNot}>
      <Button {...rest} isAriaDisabled data-why-not={whyNot} />
    </Tooltip>
  );
}
