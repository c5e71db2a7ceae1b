//! Each thing that a caller does, once. Takes TOKENWIRE_TARGET and TOKENWIRE_TOKEN.

use std::{env, error::Error, process::ExitCode, time::Duration};

use serde_json::Value;
use tokenwire::v1::{
    chat_stream_response::Event, content_part::Content, function_tool::Parameters,
    llm_service_client::LlmServiceClient, tool::Tool as ToolKind, ChatMessage, ChatRequest, ContentPart,
    EmbedRequest, FunctionTool, GenerationConfig, Role, Tool, ToolResult,
};
use tonic::{
    metadata::{Ascii, MetadataValue},
    service::{interceptor::InterceptedService, Interceptor},
    transport::{Channel, Endpoint},
    Code, Request, Status,
};
use tonic_types::StatusExt;

const SCHEMA: &str = r#"{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}"#;

/// Sends the token with each call.
#[derive(Clone)]
struct Token(Option<MetadataValue<Ascii>>);

impl Interceptor for Token {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request.metadata_mut().insert("authorization", token.clone());
        }
        Ok(request)
    }
}

type Llm = LlmServiceClient<InterceptedService<Channel, Token>>;

fn user(text: &str) -> ChatMessage {
    ChatMessage { role: Role::User.into(), text: text.into(), ..Default::default() }
}

fn ask(messages: Vec<ChatMessage>) -> ChatRequest {
    ChatRequest { model: "openai/gpt-4o-mini".into(), messages, ..Default::default() }
}

/// A call with the deadline that bounds all that the server does for it.
fn within<T>(limit: Duration, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(limit);
    request
}

fn call<T>(message: T) -> Request<T> {
    within(Duration::from_secs(30), message)
}

/// The reason, the fields that were refused, and when to come back.
fn explain(status: &Status) -> String {
    let details = status.get_error_details();
    let mut told = Vec::new();
    if let Some(info) = details.error_info() {
        told.push(info.reason.clone());
    }
    if let Some(request) = details.bad_request() {
        told.extend(request.field_violations.iter().map(|violation| violation.field.clone()));
    }
    if let Some(delay) = details.retry_info().and_then(|retry| retry.retry_delay) {
        told.push(format!("again in {} s", delay.as_secs()));
    }
    if told.is_empty() {
        return status.to_string();
    }
    told.join(", ")
}

/// Joins the pieces of an answer.
async fn whole(llm: &mut Llm) -> Result<String, Status> {
    let mut stream = llm.chat_stream(call(ask(vec![user("Hello")]))).await?.into_inner();
    let mut text = String::new();
    while let Some(reply) = stream.message().await? {
        if let Some(Event::TextDelta(delta)) = reply.event {
            text += &delta.text;
        }
    }
    Ok(text)
}

/// Leaves an answer after its first piece: dropping the stream stops the provider too.
async fn first(llm: &mut Llm) -> Result<String, Status> {
    let mut stream = llm.chat_stream(call(ask(vec![user("Hello")]))).await?.into_inner();
    while let Some(reply) = stream.message().await? {
        if let Some(Event::TextDelta(delta)) = reply.event {
            return Ok(delta.text);
        }
    }
    Ok(String::new())
}

async fn tools(llm: &mut Llm) -> Result<(), Status> {
    let weather = FunctionTool {
        name: "weather".into(),
        parameters: Some(Parameters::ParametersJson(SCHEMA.into())),
        ..Default::default()
    };
    let mut request = ask(vec![user("What is the weather in Paris?")]);
    request.tools.push(Tool { tool: Some(ToolKind::Function(weather)) });
    let answer = said(llm.chat(call(request.clone())).await?.into_inner());

    let mut result = ChatMessage { role: Role::Tool.into(), ..Default::default() };
    for part in &answer.parts {
        if let Some(Content::ToolCall(tool)) = &part.content {
            let arguments: Value = serde_json::from_str(&tool.arguments_json).unwrap_or_default();
            println!("tool: {} {}", tool.name, arguments["city"].as_str().unwrap_or_default());
            let sunny =
                ToolResult { tool_call_id: tool.id.clone(), text: "sunny".into(), ..Default::default() };
            result
                .parts
                .push(ContentPart { content: Some(Content::ToolResult(sunny)), ..Default::default() });
        }
    }
    request.messages.extend([answer, result]);
    println!("tool answer: {}", said(llm.chat(call(request)).await?.into_inner()).text);
    Ok(())
}

/// The message of an answer.
fn said(mut response: tokenwire::v1::ChatResponse) -> ChatMessage {
    response.choices.remove(0).message.unwrap_or_default()
}

async fn tour(llm: &mut Llm) -> Result<(), Status> {
    let hello = || ask(vec![user("Hello")]);
    println!("chat: {}", said(llm.chat(call(hello())).await?.into_inner()).text);
    println!("stream: {}", whole(llm).await?);
    println!("left after: {}", first(llm).await?);

    if let Err(status) = llm.chat(within(Duration::from_millis(1), hello())).await {
        if status.code() == Code::DeadlineExceeded || status.code() == Code::Cancelled {
            println!("deadline: passed"); // tonic's own timer says CANCELLED
        }
    }

    tools(llm).await?;

    let vectors = llm
        .embed(call(EmbedRequest {
            model: "openai/text-embedding-3-small".into(),
            input: vec!["a red apple".into(), "a green apple".into()],
            ..Default::default()
        }))
        .await?
        .into_inner()
        .embeddings;
    println!("embed: {} vectors of {} numbers", vectors.len(), vectors[0].values.len());

    let config = GenerationConfig { temperature: Some(9.0), ..Default::default() };
    if let Err(status) = llm.chat(call(ChatRequest { config: Some(config), ..hello() })).await {
        println!("refused: {}", explain(&status));
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let target = env::var("TOKENWIRE_TARGET").unwrap_or("127.0.0.1:50051".into());
    let token = env::var("TOKENWIRE_TOKEN").ok().filter(|token| !token.is_empty());
    let token = token.map(|token| format!("Bearer {token}").parse()).transpose()?;
    let channel = Endpoint::from_shared(format!("http://{target}"))?.connect_lazy();
    let mut llm = LlmServiceClient::with_interceptor(channel, Token(token));
    if let Err(status) = tour(&mut llm).await {
        println!("failed: {}", explain(&status));
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}
