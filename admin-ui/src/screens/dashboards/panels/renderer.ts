// What every kind of panel is drawn from.
import type { ReactNode } from 'react';
import type { TimeRange } from '../../../shared/time/useTimeRange';
import type { Panel } from '../document';
import type { Frame } from '../frame';

export interface RendererProps {
  panel: Panel;
  title: string;
  frame: Frame | undefined;
  range: TimeRange;
  deployment: string;
  /** Of the whole panel, in pixels. */
  height: number;
  /** For its head. */
  actions: ReactNode;
  note: ReactNode;
  /** In place of what it would show; nothing: there is something. */
  empty: ReactNode;
}
