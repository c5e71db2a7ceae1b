/** In a browser: gRPC-Web, which a proxy such as Envoy turns into gRPC (docs/clients.md). */
import { type Client, createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { LLMService, Role } from "../src/index.js";

/** A client of the gateway behind a proxy; `baseUrl` is the proxy's. */
export function client(baseUrl: string): Client<typeof LLMService> {
  return createClient(LLMService, createGrpcWebTransport({ baseUrl, useBinaryFormat: true }));
}

/** Writes an answer into an element as it comes; aborting the signal stops the provider too. */
export async function show(llm: Client<typeof LLMService>, text: string, element: Element, signal: AbortSignal) {
  const request = { model: "openai/gpt-4o-mini", messages: [{ role: Role.USER, text }] };
  for await (const { event } of llm.chatStream(request, { signal })) {
    if (event.case === "textDelta") element.append(event.value.text);
  }
}
