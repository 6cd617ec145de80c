// The same request as people would make it without a browser: the command line, grpcurl, curl. A secret is never
// in it: what stands for one is put in by hand.
import {
  create,
  type DescMessage,
  type DescMethodUnary,
  type MessageInitShape,
  toBinary,
  toJson,
} from '@bufbuild/protobuf';
import { asCommand, isOfMonitor } from './as-command';
import { SYSTEM } from './deployment';
import { withoutSecrets } from './secrets';
import { fromInput, quoted } from './shell';

export interface AsRequest {
  /** None: the command line has no command for it, or is no user of the platform. */
  cli?: string;
  grpcurl: string;
  /** None: nobody can put a secret into a request in binary. */
  curl?: string;
  /** Whether there are secrets to be put in. */
  secrets: boolean;
}

function base64(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
}

export function asRequest<I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  input: MessageInitShape<I>,
  host: string,
  deployment?: string,
  /** Whether that deployment's own node is asked, by the credentials of the deployment. */
  own = false,
  /** For a command line that takes it in another form. */
  inputOfCommand: MessageInitShape<I> = input,
): AsRequest {
  const { message, hidden } = withoutSecrets(method.input, create(method.input, input));
  const json = JSON.stringify(toJson(method.input, message, { useProtoFieldName: true }), null, 2);
  const name = `${method.parent.typeName}/${method.name}`;
  const named = deployment && !own ? `-H ${quoted(`x-wharf-deployment: ${deployment}`)}` : undefined;
  const authorization = own
    ? '-H "authorization: Basic $(printf %s "$WHARF_USER:$WHARF_PASSWORD" | base64 -w 0)"'
    : '-H "authorization: Bearer $WHARF_TOKEN"';
  const command = () => {
    if (own) return undefined;
    if (isOfMonitor(method)) {
      return asCommand(method, create(method.input, inputOfCommand), deployment ?? SYSTEM, Date.now());
    }
    const call = `wharf -o json api ${name}`;
    // A secret is no argument: every user of the machine can read those.
    return hidden ? fromInput(`${call} -`, json) : `${call} ${quoted(json)}`;
  };
  const cli = command();
  const grpcurl = (data: string) =>
    [
      'grpcurl -cacert ca.pem -import-path proto \\',
      `  -proto ${method.parent.file.name}.proto \\`,
      `  ${authorization} \\`,
      ...(named ? [`  ${named} \\`] : []),
      `  -d ${data} \\`,
      `  ${host} ${name}`,
    ].join('\n');
  return {
    ...(cli === undefined ? {} : { cli }),
    grpcurl: hidden ? fromInput(grpcurl('@'), json) : grpcurl(quoted(json)),
    ...(hidden ? {} : { curl: curlOf(toBinary(method.input, message), host, name, own, named) }),
    secrets: hidden,
  };
}

function curlOf(
  body: Uint8Array,
  host: string,
  name: string,
  own: boolean,
  named: string | undefined,
): string {
  // The frame of gRPC: no compression, then the length.
  const frame = new Uint8Array(5 + body.length);
  new DataView(frame.buffer).setUint32(1, body.length);
  frame.set(body, 5);
  const authorization = own ? '-u "$WHARF_USER:$WHARF_PASSWORD"' : '-H "authorization: Bearer $WHARF_TOKEN"';
  return [
    `echo ${base64(frame)} | base64 -d |`,
    `curl --cacert ca.pem ${authorization} \\`,
    ...(named ? [`  ${named} \\`] : []),
    "  -H 'content-type: application/grpc-web+proto' --data-binary @- \\",
    `  https://${host}/${name} -o answer.bin`,
  ].join('\n');
}
