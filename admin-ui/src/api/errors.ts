// A refusal as people read it: the message, its code, the field at fault, what to do.
import { Code, ConnectError } from '@connectrpc/connect';
import { ErrorInfoSchema } from '../generated/wharf/v1/common_pb';
import { callIdOf } from './call-id';

export interface Refusal {
  message: string;
  code: string;
  field: string;
  hint: string;
  retryable: boolean;
  grpc: Code;
  /** By what it is found in logs; empty: it is not. */
  callId: string;
}

export function refusalOf(error: unknown): Refusal {
  const connect = ConnectError.from(error);
  const info = connect.findDetails(ErrorInfoSchema)[0];
  const lost = connect.code === Code.Unavailable || connect.code === Code.Unknown;
  return {
    message: connect.rawMessage,
    code: info?.code ?? '',
    field: info?.field ?? '',
    hint: info?.hint ?? '',
    retryable: info?.retryable ?? lost,
    grpc: connect.code,
    callId: callIdOf(connect),
  };
}
