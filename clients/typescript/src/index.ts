/** Messages and the service of `tokenwire.v1`, and the details of its errors. */
export * from "./gen/tokenwire/v1/chat_pb.js";
export * from "./gen/tokenwire/v1/common_pb.js";
export * from "./gen/tokenwire/v1/embed_pb.js";
export * from "./gen/tokenwire/v1/errors_pb.js";
export * from "./gen/tokenwire/v1/health_pb.js";
export * from "./gen/tokenwire/v1/llm_service_pb.js";
export * from "./gen/tokenwire/v1/models_pb.js";
export * from "./gen/tokenwire/v1/tokens_pb.js";
export * from "./gen/google/rpc/error_details_pb.js";
