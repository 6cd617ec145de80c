// Whether something is in sight or nearly: charts that nobody sees are not drawn and hold no memory. Until
// the browser has said where it is, nobody knows.
import { type RefObject, useEffect, useState } from 'react';

export function useNearby(box: RefObject<HTMLElement | null>): boolean | undefined {
  const [near, setNear] = useState<boolean>();
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const observer = new IntersectionObserver(
      (entries) => setNear(entries.some((entry) => entry.isIntersecting)),
      { rootMargin: '300px' },
    );
    observer.observe(element);
    return () => observer.disconnect();
  }, [box]);
  return near;
}
