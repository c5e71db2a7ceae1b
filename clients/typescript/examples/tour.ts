/** Each thing that a caller does, once. Takes TOKENWIRE_TARGET and TOKENWIRE_TOKEN. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import {
  BadRequestSchema,
  type ChatMessage,
  ChatMessageSchema,
  type ChatRequestSchema,
  ContentPartSchema,
  ErrorInfoSchema,
  LLMService,
  RetryInfoSchema,
  Role,
  ToolResultSchema,
} from "../src/index.js";

const target = process.env["TOKENWIRE_TARGET"] || "127.0.0.1:50051";
const token = process.env["TOKENWIRE_TOKEN"];

const SCHEMA = '{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}';

type Fields = MessageInitShape<typeof ChatRequestSchema>;

function ask(text: string, fields: Fields = {}): Fields {
  return { model: "openai/gpt-4o-mini", messages: [{ role: Role.USER, text }], ...fields };
}

/** The reason, the fields that were refused, and when to come back. */
function explain(error: ConnectError): string {
  const told = [
    ...error.findDetails(ErrorInfoSchema).map((info) => info.reason),
    ...error.findDetails(BadRequestSchema).flatMap((request) => request.fieldViolations.map(({ field }) => field)),
    ...error.findDetails(RetryInfoSchema).map((retry) => `again in ${retry.retryDelay?.seconds} s`),
  ];
  return told.join(", ") || error.message;
}

async function failure(call: Promise<unknown>): Promise<ConnectError> {
  return call.then(
    () => new ConnectError("the call succeeded"),
    (error: unknown) => ConnectError.from(error),
  );
}

type Llm = Client<typeof LLMService>;

async function whole(llm: Llm): Promise<string> {
  let text = "";
  for await (const { event } of llm.chatStream(ask("Hello"))) {
    if (event.case === "textDelta") text += event.value.text;
  }
  return text;
}

/** Leaves an answer after its first piece: the abort stops the provider too. Leaving the loop alone would not. */
async function first(llm: Llm): Promise<string> {
  const leaving = new AbortController();
  let text = "";
  try {
    for await (const { event } of llm.chatStream(ask("Hello"), { signal: leaving.signal })) {
      if (event.case !== "textDelta" || text) continue;
      text = event.value.text;
      leaving.abort();
    }
  } catch (error) {
    if (ConnectError.from(error).code !== Code.Canceled) throw error;
  }
  return text;
}

async function said(llm: Llm, request: Fields): Promise<ChatMessage> {
  const { choices } = await llm.chat(request);
  return choices[0]?.message ?? create(ChatMessageSchema);
}

async function tools(llm: Llm): Promise<void> {
  const parameters = { case: "parametersJson" as const, value: SCHEMA };
  const tools = [{ tool: { case: "function" as const, value: { name: "weather", parameters } } }];
  const question = create(ChatMessageSchema, { role: Role.USER, text: "What is the weather in Paris?" });
  const answer = await said(llm, ask("", { messages: [question], tools }));

  const results = create(ChatMessageSchema, { role: Role.TOOL });
  for (const { content } of answer.parts) {
    if (content.case !== "toolCall") continue;
    console.log("tool:", content.value.name, JSON.parse(content.value.argumentsJson).city);
    const value = create(ToolResultSchema, { toolCallId: content.value.id, text: "sunny" });
    results.parts.push(create(ContentPartSchema, { content: { case: "toolResult", value } }));
  }
  const last = await said(llm, ask("", { messages: [question, answer, results], tools }));
  console.log("tool answer:", last.text);
}

async function tour(llm: Llm): Promise<void> {
  console.log("chat:", (await said(llm, ask("Hello"))).text);
  console.log("stream:", await whole(llm));
  console.log("left after:", await first(llm));

  const hurried = await failure(llm.chat(ask("Hello"), { timeoutMs: 1 }));
  if (hurried.code === Code.DeadlineExceeded) console.log("deadline: passed");

  await tools(llm);

  const input = ["a red apple", "a green apple"];
  const { embeddings } = await llm.embed({ model: "openai/text-embedding-3-small", input });
  console.log(`embed: ${embeddings.length} vectors of ${embeddings[0]?.values.length} numbers`);

  const refused = await failure(llm.chat(ask("Hello", { config: { temperature: 9 } })));
  console.log("refused:", explain(refused));
}

const authorize: Interceptor = (next) => (request) => {
  if (token) request.header.set("authorization", `Bearer ${token}`);
  return next(request);
};
const transport = createGrpcTransport({
  baseUrl: `http://${target}`,
  interceptors: [authorize],
  defaultTimeoutMs: 30_000, // the deadline: it bounds all that the server does for a call
});

try {
  await tour(createClient(LLMService, transport));
} catch (error) {
  console.log("failed:", explain(ConnectError.from(error)));
  process.exitCode = 1;
}
