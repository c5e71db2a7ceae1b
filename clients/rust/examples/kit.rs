//! The runner of the conformance kit: a call for each line of JSON, and what came of it as a line.
//!
//! docs/clients.md has the fields. Messages are parsed and serialized again, so that the stubs are tested.

use std::{error::Error, io, time::Duration};

use base64::{prelude::BASE64_STANDARD, Engine};
use prost::Message;
use serde_json::{json, Map, Value};
use tokenwire::v1::{llm_service_client::LlmServiceClient, ChatRequest};
use tonic::{
    metadata::{KeyAndValueRef, MetadataKey, MetadataMap},
    transport::{Channel, Endpoint},
    Code, Request, Response, Status,
};
use tonic_types::pb;

type Failure = Box<dyn Error>;
type Llm = LlmServiceClient<Channel>;

const RECEIVE_LIMIT: usize = 64 << 20; // bytes

/// What came of a call, while it goes on.
#[derive(Default)]
struct Outcome {
    responses: Vec<String>,
    headers: MetadataMap,
    trailers: MetadataMap,
}

fn encoded(message: &impl Message) -> String {
    BASE64_STANDARD.encode(message.encode_to_vec())
}

/// The message of a call, with its deadline and metadata.
fn request<Q: Message + Default>(call: &Value) -> Result<Request<Q>, Failure> {
    let packed = BASE64_STANDARD.decode(call["request"].as_str().unwrap_or_default())?;
    let mut request = Request::new(Q::decode(packed.as_slice())?);
    request.set_timeout(Duration::from_millis(call["timeout_ms"].as_u64().unwrap_or_default()));
    for (key, value) in call["metadata"].as_object().into_iter().flatten() {
        let value = value.as_str().unwrap_or_default().parse()?;
        request.metadata_mut().insert(MetadataKey::from_bytes(key.as_bytes())?, value);
    }
    Ok(request)
}

impl Outcome {
    fn unary<R: Message>(&mut self, answer: Result<Response<R>, Status>) -> Result<(), Status> {
        let (metadata, response, _) = answer?.into_parts();
        self.responses.push(encoded(&response));
        self.headers = metadata; // and the trailers
        Ok(())
    }

    /// Leaves after as many responses as the call wants: dropping the stream cancels it.
    async fn stream(
        &mut self,
        llm: &mut Llm,
        request: Request<ChatRequest>,
        cancel_after: u64,
    ) -> Result<(), Status> {
        let (headers, mut stream, _) = llm.chat_stream(request).await?.into_parts();
        self.headers = headers;
        while let Some(response) = stream.message().await? {
            self.responses.push(encoded(&response));
            if self.responses.len() as u64 == cancel_after {
                return Err(Status::cancelled("left"));
            }
        }
        self.trailers = stream.trailers().await?.unwrap_or_default();
        Ok(())
    }
}

/// The name of the specification, such as DEADLINE_EXCEEDED.
fn named(code: Code) -> String {
    let mut name = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_uppercase() && !name.is_empty() && code != Code::Ok {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

fn readable(metadata: &MetadataMap) -> Map<String, Value> {
    let mut found = Map::new();
    for pair in metadata.iter() {
        if let KeyAndValueRef::Ascii(key, value) = pair {
            found.insert(key.to_string(), value.to_str().unwrap_or_default().into());
        }
    }
    found
}

fn parsed<D: Message + Default>(packed: &[u8]) -> String {
    D::decode(packed).map(|detail| encoded(&detail)).unwrap_or_default()
}

/// Each detail of the status, parsed as what it says it is.
fn details(status: &Status) -> Vec<Value> {
    let packed = pb::Status::decode(status.details()).unwrap_or_default().details;
    let read = |detail: &prost_types::Any| {
        let name = detail.type_url.rsplit('/').next()?;
        let value = match name {
            "google.rpc.ErrorInfo" => parsed::<pb::ErrorInfo>(&detail.value),
            "google.rpc.RequestInfo" => parsed::<pb::RequestInfo>(&detail.value),
            "google.rpc.BadRequest" => parsed::<pb::BadRequest>(&detail.value),
            "google.rpc.RetryInfo" => parsed::<pb::RetryInfo>(&detail.value),
            "google.rpc.QuotaFailure" => parsed::<pb::QuotaFailure>(&detail.value),
            "google.rpc.ResourceInfo" => parsed::<pb::ResourceInfo>(&detail.value),
            _ => return None,
        };
        Some(json!({"type": name, "value": value}))
    };
    packed.iter().filter_map(read).collect()
}

async fn answer(llm: &mut Llm, call: &Value) -> Result<Value, Failure> {
    if !call["service_config"].is_null() {
        return Ok(json!({"id": call["id"], "unsupported": "tonic reads no service config"}));
    }
    if call["wait_for_ready"] == true {
        return Ok(json!({"id": call["id"], "unsupported": "tonic has no wait-for-ready"}));
    }
    let mut told = Outcome::default();
    let ended = match call["rpc"].as_str().unwrap_or_default() {
        "Chat" => told.unary(llm.chat(request(call)?).await),
        "Embed" => told.unary(llm.embed(request(call)?).await),
        "CountTokens" => told.unary(llm.count_tokens(request(call)?).await),
        "ListModels" => told.unary(llm.list_models(request(call)?).await),
        "Health" => told.unary(llm.health(request(call)?).await),
        _ => told.stream(llm, request(call)?, call["cancel_after"].as_u64().unwrap_or_default()).await,
    };
    let status = ended.err().unwrap_or(Status::ok(""));
    let mut trailers = readable(&told.trailers);
    trailers.extend(readable(status.metadata()));
    Ok(json!({
        "id": call["id"],
        "code": named(status.code()),
        "message": status.message(),
        "responses": told.responses,
        "details": details(&status),
        "headers": readable(&told.headers),
        "trailers": trailers,
    }))
}

fn connected(target: &str) -> Result<Llm, Failure> {
    let channel = Endpoint::from_shared(format!("http://{target}"))?.connect_lazy();
    Ok(LlmServiceClient::new(channel).max_decoding_message_size(RECEIVE_LIMIT))
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut connection: Option<(String, Llm)> = None; // one for each server, as a program would have
    for line in io::stdin().lines() {
        let call: Value = serde_json::from_str(&line?)?;
        let target = call["target"].as_str().unwrap_or_default();
        let mut llm = match connection.take() {
            Some((known, llm)) if known == target => llm,
            _ => connected(target)?,
        };
        println!("{}", answer(&mut llm, &call).await?);
        connection = Some((target.into(), llm));
    }
    Ok(())
}
