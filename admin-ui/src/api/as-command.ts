// The command of `wharf` that asks a monitoring node for the same, where it has one. What is to be changed is
// changed whatever its version is by then. Not here: calls of directors, which `wharf api` takes as they are.
import type { DescMessage, DescMethodUnary, Message, MessageShape } from '@bufbuild/protobuf';
import { type Timestamp, timestampMs } from '@bufbuild/protobuf/wkt';
import { Alerts } from '../generated/wharf/monitor/v1/alerts_pb';
import { Services } from '../generated/wharf/monitor/v1/services_pb';
import { Watches, type WatchRef } from '../generated/wharf/monitor/v1/watches_pb';
import type { ListOptions } from '../generated/wharf/v1/common_pb';
import { SYSTEM } from './deployment';
import { withoutSecrets } from './secrets';
import { fromInput, word } from './shell';

/** A span that ended so short a time ago ends now: the page has not been renewed since. */
const NOW_MS = 60_000;

interface Command {
  words: (string | undefined)[];
  /** What it reads from standard input. */
  input?: string | undefined;
}

/** None: the command line cannot ask for this. */
type Build<M> = (asked: M, now: number) => Command | undefined;

/** `90s`, `10m`, `2h`, `1d`: the largest unit that says it wholly. */
function ageOf(ms: bigint): string {
  const seconds = Math.max(1, Math.round(Number(ms) / 1_000));
  for (const [unit, length] of [['d', 86_400] as const, ['h', 3_600] as const, ['m', 60] as const]) {
    if (seconds % length === 0) return `${seconds / length}${unit}`;
  }
  return `${seconds}s`;
}

// With the sign, so that a value may begin with a hyphen.
function flag(name: string, value: string | undefined): string | undefined {
  return value ? `--${name}=${word(value)}` : undefined;
}

function timeFlag(name: string, at: Timestamp | undefined): string | undefined {
  return at ? flag(name, new Date(timestampMs(at)).toISOString()) : undefined;
}

/** The command line reads every page: one after the first is among them. */
function listFlags(options: ListOptions | undefined): (string | undefined)[] {
  return [
    flag('filter', options?.filter),
    flag('sort', options?.orderBy),
    options?.pageSize && !options.pageToken ? flag('limit', String(options.pageSize)) : undefined,
  ];
}

/** A watch by its name, or a document that is not kept. */
function tried(verb: string, ref: WatchRef | undefined, flags: (string | undefined)[]): Command | undefined {
  const watch = ref?.watch;
  if (watch?.case === 'name') return { words: ['watch', verb, word(watch.value), ...flags] };
  if (watch?.case !== 'document') return undefined;
  return { words: ['watch', verb, '-f', '-', ...flags], input: watch.value };
}

const BUILDS = new Map<string, Build<Message>>();

function build<I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  make: Build<MessageShape<I>>,
): void {
  BUILDS.set(nameOf(method), make as Build<Message>);
}

function nameOf<I extends DescMessage, O extends DescMessage>(method: DescMethodUnary<I, O>): string {
  return `${method.parent.typeName}/${method.name}`;
}

build(Watches.method.listWatches, ({ options }) => ({ words: ['watch', 'list', ...listFlags(options)] }));
build(Watches.method.getWatch, ({ name }) => ({ words: ['watch', 'show', word(name)] }));
build(Watches.method.putWatch, ({ watch, create }) =>
  // It takes documents alone.
  watch.case === 'document'
    ? { words: ['watch', 'create', '-f', '-', create ? undefined : '--replace'], input: watch.value }
    : undefined,
);
build(Watches.method.deleteWatch, ({ name }) => ({ words: ['watch', 'delete', word(name), '--yes'] }));
build(Watches.method.enableWatch, ({ name }) => ({ words: ['watch', 'enable', word(name)] }));
build(Watches.method.disableWatch, ({ name }) => ({ words: ['watch', 'disable', word(name)] }));
build(Watches.method.runWatch, ({ name }) => ({ words: ['watch', 'run', word(name)] }));
build(Watches.method.testWatch, ({ watch, at }) => tried('test', watch, [timeFlag('at', at)]));
build(Watches.method.previewWatch, ({ watch, from, to }) =>
  tried('preview', watch, [timeFlag('from', from), timeFlag('to', to)]),
);
build(Watches.method.listRuns, ({ watch, from, to, options }) => ({
  words: [
    ...['watch', 'history', watch ? word(watch) : undefined],
    ...[timeFlag('from', from), timeFlag('to', to), ...listFlags(options)],
  ],
}));
build(Alerts.method.listAlerts, ({ includeRecovered, options }) => ({
  words: ['alert', 'list', includeRecovered ? '--recovered' : undefined, ...listFlags(options)],
}));
build(Alerts.method.getAlert, ({ id }) => ({ words: ['alert', 'show', word(id)] }));
build(Alerts.method.acknowledgeAlert, ({ id, comment }) => ({
  words: ['alert', 'ack', word(id), flag('comment', comment)],
}));
build(Alerts.method.silenceAlert, ({ id, durationMs, comment }) => ({
  words: ['alert', 'silence', word(id), flag('for', ageOf(durationMs)), flag('comment', comment)],
}));
build(Alerts.method.unsilenceAlert, ({ id }) => ({ words: ['alert', 'unsilence', word(id)] }));
build(Services.method.listServices, ({ windowMs, untilMs, options }, now) =>
  // It sums up what was until now and no other span.
  untilMs !== 0n && now - Number(untilMs) > NOW_MS
    ? undefined
    : { words: ['services', windowMs ? flag('window', ageOf(windowMs)) : undefined, ...listFlags(options)] },
);

/** Whether a monitoring node answers it and no director. */
export function isOfMonitor<I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
): boolean {
  return method.parent.typeName.startsWith('wharf.monitor.');
}

/** None: the command line has no command that asks for this. */
export function asCommand<I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  asked: MessageShape<I>,
  deployment: string,
  now: number,
): string | undefined {
  const make = BUILDS.get(nameOf(method));
  return make && commandBy(make, method, asked, deployment, now);
}

/** What makes the words is told no secret: it could not leave one out that is added to a call later. */
export function commandBy<I extends DescMessage, O extends DescMessage>(
  make: Build<MessageShape<I>>,
  method: DescMethodUnary<I, O>,
  asked: MessageShape<I>,
  deployment: string,
  now: number,
): string | undefined {
  const command = make(withoutSecrets(method.input, asked).message, now);
  if (!command) return undefined;
  const of = deployment === SYSTEM ? undefined : flag('deployment', deployment);
  const line = ['wharf', '-o', 'json', ...command.words, of].filter((one) => one !== undefined).join(' ');
  return command.input === undefined ? line : fromInput(line, command.input);
}
