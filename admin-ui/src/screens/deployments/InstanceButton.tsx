// Opens what is known of an instance, and what can be done with it, on its deployment's page.
import { Button } from '@patternfly/react-core';
import { useSearchParams } from '../../shared/use-search-params';

/** The URL's name for the instance that is shown. */
export const CHOSEN = 'instance';

export function InstanceButton({ id, name }: { id: string; name: string }) {
  const [params, setParams] = useSearchParams();
  const open = params.get(CHOSEN) === id;
  return (
    <Button
      variant="link"
      isInline
      aria-expanded={open}
      onClick={() =>
        setParams(
          (old) => {
            const next = new URLSearchParams(old);
            if (open) next.delete(CHOSEN);
            else next.set(CHOSEN, id);
            return next;
          },
          { replace: open },
        )
      }
    >
      {name}
    </Button>
  );
}
