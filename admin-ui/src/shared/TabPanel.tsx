// What the tab that is chosen shows: named by the tab and not by all that is in it. The tab's `tabContentId` is
// `panelId` of the same key.
import { TabContent } from '@patternfly/react-core';
import type { ReactNode } from 'react';

export function panelId(key: string): string {
  return `tab-${key}`;
}

interface TabPanelProps {
  of: { key: string; label: string };
  children: ReactNode;
}

export function TabPanel({ of, children }: TabPanelProps) {
  return (
    <TabContent id={panelId(of.key)} aria-label={of.label} eventKey={of.key} activeKey={of.key}>
      {children}
    </TabContent>
  );
}
