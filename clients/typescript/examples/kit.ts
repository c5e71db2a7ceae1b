/**
 * The runner of the conformance kit: a call for each line of JSON, and what came of it as a line.
 *
 * docs/clients.md has the fields. Messages are parsed and serialized again, so that the stubs are tested.
 */
import { createInterface } from "node:readline";
import { createRegistry, type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { type CallOptions, Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { file_google_rpc_error_details, LLMService } from "../src/index.js";

type Call = {
  id: string;
  target: string;
  rpc: string;
  request: string;
  metadata: Record<string, string>;
  timeout_ms: number;
  cancel_after: number;
  wait_for_ready: boolean;
  service_config?: object;
};
type Texts = Record<string, string>;
type Detail = { type: string; value: string };

const KNOWN = createRegistry(file_google_rpc_error_details);

function encoded<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): string {
  return Buffer.from(toBinary(schema, message)).toString("base64");
}

/** The name of the specification, such as DEADLINE_EXCEEDED. */
function named(code: Code): string {
  const name = Code[code].replace(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();
  return name === "CANCELED" ? "CANCELLED" : name;
}

/** Each detail of the status, parsed as what it says it is. */
function details(error: ConnectError): Detail[] {
  return error.details.flatMap((detail) => {
    if (!("type" in detail)) return [];
    const schema = KNOWN.getMessage(detail.type);
    return schema ? [{ type: detail.type, value: encoded(schema, fromBinary(schema, detail.value)) }] : [];
  });
}

function readable(headers: Headers): Texts {
  return Object.fromEntries([...headers].filter(([key]) => !key.endsWith("-bin")));
}

async function outcome(client: Record<string, Function>, call: Call): Promise<object> {
  if (call.service_config) return { id: call.id, unsupported: "Connect reads no service config" };
  if (call.wait_for_ready) return { id: call.id, unsupported: "Connect has no wait-for-ready" };
  const method = LLMService.methods.find(({ name }) => name === call.rpc);
  if (!method) throw new Error(`there is no rpc ${call.rpc}`);

  const leaving = new AbortController();
  const responses: string[] = [];
  const told = { code: "OK", message: "", details: [] as Detail[], headers: {} as Texts, trailers: {} as Texts };
  const options: CallOptions = {
    headers: call.metadata,
    timeoutMs: call.timeout_ms,
    signal: leaving.signal,
    onHeader: (headers) => void (told.headers = readable(headers)),
    onTrailer: (trailers) => void (told.trailers = readable(trailers)),
  };
  try {
    const request = fromBinary(method.input, Buffer.from(call.request, "base64"));
    const running = client[method.localName]?.(request, options);
    const coming = method.methodKind === "server_streaming" ? running : [await running];
    for await (const response of coming) {
      responses.push(encoded(method.output, response));
      if (responses.length === call.cancel_after) leaving.abort();
    }
  } catch (reason) {
    const error = ConnectError.from(reason);
    told.code = named(error.code);
    told.message = error.rawMessage;
    told.details = details(error);
    told.trailers = { ...readable(error.metadata), ...told.trailers };
  }
  return { id: call.id, responses, ...told };
}

/** One client for each server, as a program would have. */
let client: Record<string, Function> = {};
let target = "";
for await (const line of createInterface({ input: process.stdin })) {
  const call: Call = JSON.parse(line);
  if (call.target !== target) {
    const transport = createGrpcTransport({ baseUrl: `http://${call.target}`, readMaxBytes: 64 * 2 ** 20 });
    client = createClient(LLMService, transport);
    target = call.target;
  }
  process.stdout.write(`${JSON.stringify(await outcome(client, call))}\n`);
}
process.exit(); // the last connection would keep it alive
