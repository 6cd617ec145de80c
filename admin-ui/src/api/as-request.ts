// The same request as people would make it without a browser: grpcurl, curl, the command line.
import {
  create,
  type DescMessage,
  type DescMethodUnary,
  type MessageInitShape,
  toBinary,
  toJson,
} from '@bufbuild/protobuf';

export interface AsRequest {
  /** None: the command line asks directors alone. */
  cli?: string;
  grpcurl: string;
  curl: string;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
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
): AsRequest {
  const message = create(method.input, input);
  const json = JSON.stringify(toJson(method.input, message, { useProtoFieldName: true }), null, 2);
  const name = `${method.parent.typeName}/${method.name}`;
  const body = toBinary(method.input, message);
  // The frame of gRPC: no compression, then the length.
  const frame = new Uint8Array(5 + body.length);
  new DataView(frame.buffer).setUint32(1, body.length);
  frame.set(body, 5);
  const named = deployment && !own ? `-H ${quoted(`x-wharf-deployment: ${deployment}`)}` : undefined;
  const curlAuthorization = own
    ? '-u "$WHARF_USER:$WHARF_PASSWORD"'
    : '-H "authorization: Bearer $WHARF_TOKEN"';
  const grpcAuthorization = own
    ? '-H "authorization: Basic $(printf %s "$WHARF_USER:$WHARF_PASSWORD" | base64 -w 0)"'
    : '-H "authorization: Bearer $WHARF_TOKEN"';
  return {
    ...(deployment ? {} : { cli: `wharf -o json api ${name} ${quoted(json)}` }),
    grpcurl: [
      'grpcurl -cacert ca.pem -import-path proto \\',
      `  -proto ${method.parent.file.name}.proto \\`,
      `  ${grpcAuthorization} \\`,
      ...(named ? [`  ${named} \\`] : []),
      `  -d ${quoted(json)} \\`,
      `  ${host} ${name}`,
    ].join('\n'),
    curl: [
      `echo ${base64(frame)} | base64 -d |`,
      `curl --cacert ca.pem ${curlAuthorization} \\`,
      ...(named ? [`  ${named} \\`] : []),
      "  -H 'content-type: application/grpc-web+proto' --data-binary @- \\",
      `  https://${host}/${name} -o answer.bin`,
    ].join('\n'),
  };
}
