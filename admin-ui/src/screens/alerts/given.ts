// A watch as calls are given it: as the form says it, or as a document. Pure.
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { type PutWatchRequestSchema, WatchSpecSchema } from '../../generated/wharf/monitor/v1/watches_pb';
import { documentOf } from './document';
import type { WatchForm } from './watch-form';

export type WatchGiven = NonNullable<MessageInitShape<typeof PutWatchRequestSchema>['watch']>;

const UNNAMED = 'unnamed';

/** What has no name yet can be tried out. */
export function namedForm(form: WatchForm): WatchForm {
  return { ...form, name: form.name || UNNAMED };
}

/** The very same for the command line, which takes documents alone. */
export function asDocument(given: WatchGiven): WatchGiven {
  return given.case === 'spec'
    ? { case: 'document', value: documentOf(create(WatchSpecSchema, given.value)) }
    : given;
}
