package dev.tokenwire.v1;

import static io.grpc.MethodDescriptor.generateFullMethodName;

/**
 * <pre>
 * One typed interface to every configured model provider.
 * A failed call ends with a gRPC status whose details carry google.rpc.ErrorInfo (reason = a name of
 * ErrorReason, domain "tokenwire") and google.rpc.RequestInfo. A method of this service that the
 * server does not have yet answers UNIMPLEMENTED with METHOD_NOT_IMPLEMENTED.
 * </pre>
 */
@io.grpc.stub.annotations.GrpcGenerated
public final class LLMServiceGrpc {

  private LLMServiceGrpc() {}

  public static final java.lang.String SERVICE_NAME = "tokenwire.v1.LLMService";

  // Static method descriptors that strictly reflect the proto.
  private static volatile io.grpc.MethodDescriptor<dev.tokenwire.v1.ChatRequest,
      dev.tokenwire.v1.ChatResponse> getChatMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Chat",
      requestType = dev.tokenwire.v1.ChatRequest.class,
      responseType = dev.tokenwire.v1.ChatResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.tokenwire.v1.ChatRequest,
      dev.tokenwire.v1.ChatResponse> getChatMethod() {
    io.grpc.MethodDescriptor<dev.tokenwire.v1.ChatRequest, dev.tokenwire.v1.ChatResponse> getChatMethod;
    if ((getChatMethod = LLMServiceGrpc.getChatMethod) == null) {
      synchronized (LLMServiceGrpc.class) {
        if ((getChatMethod = LLMServiceGrpc.getChatMethod) == null) {
          LLMServiceGrpc.getChatMethod = getChatMethod =
              io.grpc.MethodDescriptor.<dev.tokenwire.v1.ChatRequest, dev.tokenwire.v1.ChatResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Chat"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.tokenwire.v1.ChatRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.tokenwire.v1.ChatResponse.getDefaultInstance()))
              .setSchemaDescriptor(new LLMServiceMethodDescriptorSupplier("Chat"))
              .build();
        }
      }
    }
    return getChatMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.tokenwire.v1.ChatRequest,
      dev.tokenwire.v1.ChatStreamResponse> getChatStreamMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ChatStream",
      requestType = dev.tokenwire.v1.ChatRequest.class,
      responseType = dev.tokenwire.v1.ChatStreamResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.SERVER_STREAMING)
  public static io.grpc.MethodDescriptor<dev.tokenwire.v1.ChatRequest,
      dev.tokenwire.v1.ChatStreamResponse> getChatStreamMethod() {
    io.grpc.MethodDescriptor<dev.tokenwire.v1.ChatRequest, dev.tokenwire.v1.ChatStreamResponse> getChatStreamMethod;
    if ((getChatStreamMethod = LLMServiceGrpc.getChatStreamMethod) == null) {
      synchronized (LLMServiceGrpc.class) {
        if ((getChatStreamMethod = LLMServiceGrpc.getChatStreamMethod) == null) {
          LLMServiceGrpc.getChatStreamMethod = getChatStreamMethod =
              io.grpc.MethodDescriptor.<dev.tokenwire.v1.ChatRequest, dev.tokenwire.v1.ChatStreamResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.SERVER_STREAMING)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ChatStream"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.tokenwire.v1.ChatRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.tokenwire.v1.ChatStreamResponse.getDefaultInstance()))
              .setSchemaDescriptor(new LLMServiceMethodDescriptorSupplier("ChatStream"))
              .build();
        }
      }
    }
    return getChatStreamMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.tokenwire.v1.EmbedRequest,
      dev.tokenwire.v1.EmbedResponse> getEmbedMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Embed",
      requestType = dev.tokenwire.v1.EmbedRequest.class,
      responseType = dev.tokenwire.v1.EmbedResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.tokenwire.v1.EmbedRequest,
      dev.tokenwire.v1.EmbedResponse> getEmbedMethod() {
    io.grpc.MethodDescriptor<dev.tokenwire.v1.EmbedRequest, dev.tokenwire.v1.EmbedResponse> getEmbedMethod;
    if ((getEmbedMethod = LLMServiceGrpc.getEmbedMethod) == null) {
      synchronized (LLMServiceGrpc.class) {
        if ((getEmbedMethod = LLMServiceGrpc.getEmbedMethod) == null) {
          LLMServiceGrpc.getEmbedMethod = getEmbedMethod =
              io.grpc.MethodDescriptor.<dev.tokenwire.v1.EmbedRequest, dev.tokenwire.v1.EmbedResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Embed"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.tokenwire.v1.EmbedRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.tokenwire.v1.EmbedResponse.getDefaultInstance()))
              .setSchemaDescriptor(new LLMServiceMethodDescriptorSupplier("Embed"))
              .build();
        }
      }
    }
    return getEmbedMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.tokenwire.v1.CountTokensRequest,
      dev.tokenwire.v1.CountTokensResponse> getCountTokensMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "CountTokens",
      requestType = dev.tokenwire.v1.CountTokensRequest.class,
      responseType = dev.tokenwire.v1.CountTokensResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.tokenwire.v1.CountTokensRequest,
      dev.tokenwire.v1.CountTokensResponse> getCountTokensMethod() {
    io.grpc.MethodDescriptor<dev.tokenwire.v1.CountTokensRequest, dev.tokenwire.v1.CountTokensResponse> getCountTokensMethod;
    if ((getCountTokensMethod = LLMServiceGrpc.getCountTokensMethod) == null) {
      synchronized (LLMServiceGrpc.class) {
        if ((getCountTokensMethod = LLMServiceGrpc.getCountTokensMethod) == null) {
          LLMServiceGrpc.getCountTokensMethod = getCountTokensMethod =
              io.grpc.MethodDescriptor.<dev.tokenwire.v1.CountTokensRequest, dev.tokenwire.v1.CountTokensResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "CountTokens"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.tokenwire.v1.CountTokensRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.tokenwire.v1.CountTokensResponse.getDefaultInstance()))
              .setSchemaDescriptor(new LLMServiceMethodDescriptorSupplier("CountTokens"))
              .build();
        }
      }
    }
    return getCountTokensMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.tokenwire.v1.ListModelsRequest,
      dev.tokenwire.v1.ListModelsResponse> getListModelsMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListModels",
      requestType = dev.tokenwire.v1.ListModelsRequest.class,
      responseType = dev.tokenwire.v1.ListModelsResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.tokenwire.v1.ListModelsRequest,
      dev.tokenwire.v1.ListModelsResponse> getListModelsMethod() {
    io.grpc.MethodDescriptor<dev.tokenwire.v1.ListModelsRequest, dev.tokenwire.v1.ListModelsResponse> getListModelsMethod;
    if ((getListModelsMethod = LLMServiceGrpc.getListModelsMethod) == null) {
      synchronized (LLMServiceGrpc.class) {
        if ((getListModelsMethod = LLMServiceGrpc.getListModelsMethod) == null) {
          LLMServiceGrpc.getListModelsMethod = getListModelsMethod =
              io.grpc.MethodDescriptor.<dev.tokenwire.v1.ListModelsRequest, dev.tokenwire.v1.ListModelsResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListModels"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.tokenwire.v1.ListModelsRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.tokenwire.v1.ListModelsResponse.getDefaultInstance()))
              .setSchemaDescriptor(new LLMServiceMethodDescriptorSupplier("ListModels"))
              .build();
        }
      }
    }
    return getListModelsMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.tokenwire.v1.HealthRequest,
      dev.tokenwire.v1.HealthResponse> getHealthMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Health",
      requestType = dev.tokenwire.v1.HealthRequest.class,
      responseType = dev.tokenwire.v1.HealthResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.tokenwire.v1.HealthRequest,
      dev.tokenwire.v1.HealthResponse> getHealthMethod() {
    io.grpc.MethodDescriptor<dev.tokenwire.v1.HealthRequest, dev.tokenwire.v1.HealthResponse> getHealthMethod;
    if ((getHealthMethod = LLMServiceGrpc.getHealthMethod) == null) {
      synchronized (LLMServiceGrpc.class) {
        if ((getHealthMethod = LLMServiceGrpc.getHealthMethod) == null) {
          LLMServiceGrpc.getHealthMethod = getHealthMethod =
              io.grpc.MethodDescriptor.<dev.tokenwire.v1.HealthRequest, dev.tokenwire.v1.HealthResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Health"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.tokenwire.v1.HealthRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.tokenwire.v1.HealthResponse.getDefaultInstance()))
              .setSchemaDescriptor(new LLMServiceMethodDescriptorSupplier("Health"))
              .build();
        }
      }
    }
    return getHealthMethod;
  }

  /**
   * Creates a new async stub that supports all call types for the service
   */
  public static LLMServiceStub newStub(io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<LLMServiceStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<LLMServiceStub>() {
        @java.lang.Override
        public LLMServiceStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new LLMServiceStub(channel, callOptions);
        }
      };
    return LLMServiceStub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports all types of calls on the service
   */
  public static LLMServiceBlockingV2Stub newBlockingV2Stub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<LLMServiceBlockingV2Stub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<LLMServiceBlockingV2Stub>() {
        @java.lang.Override
        public LLMServiceBlockingV2Stub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new LLMServiceBlockingV2Stub(channel, callOptions);
        }
      };
    return LLMServiceBlockingV2Stub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports unary and streaming output calls on the service
   */
  public static LLMServiceBlockingStub newBlockingStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<LLMServiceBlockingStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<LLMServiceBlockingStub>() {
        @java.lang.Override
        public LLMServiceBlockingStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new LLMServiceBlockingStub(channel, callOptions);
        }
      };
    return LLMServiceBlockingStub.newStub(factory, channel);
  }

  /**
   * Creates a new ListenableFuture-style stub that supports unary calls on the service
   */
  public static LLMServiceFutureStub newFutureStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<LLMServiceFutureStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<LLMServiceFutureStub>() {
        @java.lang.Override
        public LLMServiceFutureStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new LLMServiceFutureStub(channel, callOptions);
        }
      };
    return LLMServiceFutureStub.newStub(factory, channel);
  }

  /**
   * <pre>
   * One typed interface to every configured model provider.
   * A failed call ends with a gRPC status whose details carry google.rpc.ErrorInfo (reason = a name of
   * ErrorReason, domain "tokenwire") and google.rpc.RequestInfo. A method of this service that the
   * server does not have yet answers UNIMPLEMENTED with METHOD_NOT_IMPLEMENTED.
   * </pre>
   */
  public interface AsyncService {

    /**
     * <pre>
     * Answers a conversation with one whole response.
     * Chat and ChatStream share ChatRequest, so that one payload works for both.
     * buf:lint:ignore RPC_REQUEST_STANDARD_NAME
     * buf:lint:ignore RPC_REQUEST_RESPONSE_UNIQUE
     * </pre>
     */
    default void chat(dev.tokenwire.v1.ChatRequest request,
        io.grpc.stub.StreamObserver<dev.tokenwire.v1.ChatResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getChatMethod(), responseObserver);
    }

    /**
     * <pre>
     * Answers a conversation token by token: `started`, parts with their deltas, exactly one
     * `completed` with the whole response, then status OK. A stream without `completed` failed;
     * there is no error event.
     * buf:lint:ignore RPC_REQUEST_STANDARD_NAME
     * buf:lint:ignore RPC_REQUEST_RESPONSE_UNIQUE
     * </pre>
     */
    default void chatStream(dev.tokenwire.v1.ChatRequest request,
        io.grpc.stub.StreamObserver<dev.tokenwire.v1.ChatStreamResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getChatStreamMethod(), responseObserver);
    }

    /**
     * <pre>
     * Turns texts into vectors.
     * </pre>
     */
    default void embed(dev.tokenwire.v1.EmbedRequest request,
        io.grpc.stub.StreamObserver<dev.tokenwire.v1.EmbedResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getEmbedMethod(), responseObserver);
    }

    /**
     * <pre>
     * Counts the input tokens of a request without sending it.
     * </pre>
     */
    default void countTokens(dev.tokenwire.v1.CountTokensRequest request,
        io.grpc.stub.StreamObserver<dev.tokenwire.v1.CountTokensResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getCountTokensMethod(), responseObserver);
    }

    /**
     * <pre>
     * Lists the models of the configured providers.
     * </pre>
     */
    default void listModels(dev.tokenwire.v1.ListModelsRequest request,
        io.grpc.stub.StreamObserver<dev.tokenwire.v1.ListModelsResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListModelsMethod(), responseObserver);
    }

    /**
     * <pre>
     * Reports the state of the gateway and of its providers, as recent calls saw it.
     * </pre>
     */
    default void health(dev.tokenwire.v1.HealthRequest request,
        io.grpc.stub.StreamObserver<dev.tokenwire.v1.HealthResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getHealthMethod(), responseObserver);
    }
  }

  /**
   * Base class for the server implementation of the service LLMService.
   * <pre>
   * One typed interface to every configured model provider.
   * A failed call ends with a gRPC status whose details carry google.rpc.ErrorInfo (reason = a name of
   * ErrorReason, domain "tokenwire") and google.rpc.RequestInfo. A method of this service that the
   * server does not have yet answers UNIMPLEMENTED with METHOD_NOT_IMPLEMENTED.
   * </pre>
   */
  public static abstract class LLMServiceImplBase
      implements io.grpc.BindableService, AsyncService {

    @java.lang.Override public final io.grpc.ServerServiceDefinition bindService() {
      return LLMServiceGrpc.bindService(this);
    }
  }

  /**
   * A stub to allow clients to do asynchronous rpc calls to service LLMService.
   * <pre>
   * One typed interface to every configured model provider.
   * A failed call ends with a gRPC status whose details carry google.rpc.ErrorInfo (reason = a name of
   * ErrorReason, domain "tokenwire") and google.rpc.RequestInfo. A method of this service that the
   * server does not have yet answers UNIMPLEMENTED with METHOD_NOT_IMPLEMENTED.
   * </pre>
   */
  public static final class LLMServiceStub
      extends io.grpc.stub.AbstractAsyncStub<LLMServiceStub> {
    private LLMServiceStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected LLMServiceStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new LLMServiceStub(channel, callOptions);
    }

    /**
     * <pre>
     * Answers a conversation with one whole response.
     * Chat and ChatStream share ChatRequest, so that one payload works for both.
     * buf:lint:ignore RPC_REQUEST_STANDARD_NAME
     * buf:lint:ignore RPC_REQUEST_RESPONSE_UNIQUE
     * </pre>
     */
    public void chat(dev.tokenwire.v1.ChatRequest request,
        io.grpc.stub.StreamObserver<dev.tokenwire.v1.ChatResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getChatMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Answers a conversation token by token: `started`, parts with their deltas, exactly one
     * `completed` with the whole response, then status OK. A stream without `completed` failed;
     * there is no error event.
     * buf:lint:ignore RPC_REQUEST_STANDARD_NAME
     * buf:lint:ignore RPC_REQUEST_RESPONSE_UNIQUE
     * </pre>
     */
    public void chatStream(dev.tokenwire.v1.ChatRequest request,
        io.grpc.stub.StreamObserver<dev.tokenwire.v1.ChatStreamResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncServerStreamingCall(
          getChannel().newCall(getChatStreamMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Turns texts into vectors.
     * </pre>
     */
    public void embed(dev.tokenwire.v1.EmbedRequest request,
        io.grpc.stub.StreamObserver<dev.tokenwire.v1.EmbedResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getEmbedMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Counts the input tokens of a request without sending it.
     * </pre>
     */
    public void countTokens(dev.tokenwire.v1.CountTokensRequest request,
        io.grpc.stub.StreamObserver<dev.tokenwire.v1.CountTokensResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getCountTokensMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Lists the models of the configured providers.
     * </pre>
     */
    public void listModels(dev.tokenwire.v1.ListModelsRequest request,
        io.grpc.stub.StreamObserver<dev.tokenwire.v1.ListModelsResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListModelsMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Reports the state of the gateway and of its providers, as recent calls saw it.
     * </pre>
     */
    public void health(dev.tokenwire.v1.HealthRequest request,
        io.grpc.stub.StreamObserver<dev.tokenwire.v1.HealthResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getHealthMethod(), getCallOptions()), request, responseObserver);
    }
  }

  /**
   * A stub to allow clients to do synchronous rpc calls to service LLMService.
   * <pre>
   * One typed interface to every configured model provider.
   * A failed call ends with a gRPC status whose details carry google.rpc.ErrorInfo (reason = a name of
   * ErrorReason, domain "tokenwire") and google.rpc.RequestInfo. A method of this service that the
   * server does not have yet answers UNIMPLEMENTED with METHOD_NOT_IMPLEMENTED.
   * </pre>
   */
  public static final class LLMServiceBlockingV2Stub
      extends io.grpc.stub.AbstractBlockingStub<LLMServiceBlockingV2Stub> {
    private LLMServiceBlockingV2Stub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected LLMServiceBlockingV2Stub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new LLMServiceBlockingV2Stub(channel, callOptions);
    }

    /**
     * <pre>
     * Answers a conversation with one whole response.
     * Chat and ChatStream share ChatRequest, so that one payload works for both.
     * buf:lint:ignore RPC_REQUEST_STANDARD_NAME
     * buf:lint:ignore RPC_REQUEST_RESPONSE_UNIQUE
     * </pre>
     */
    public dev.tokenwire.v1.ChatResponse chat(dev.tokenwire.v1.ChatRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getChatMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Answers a conversation token by token: `started`, parts with their deltas, exactly one
     * `completed` with the whole response, then status OK. A stream without `completed` failed;
     * there is no error event.
     * buf:lint:ignore RPC_REQUEST_STANDARD_NAME
     * buf:lint:ignore RPC_REQUEST_RESPONSE_UNIQUE
     * </pre>
     */
    @io.grpc.ExperimentalApi("https://github.com/grpc/grpc-java/issues/10918")
    public io.grpc.stub.BlockingClientCall<?, dev.tokenwire.v1.ChatStreamResponse>
        chatStream(dev.tokenwire.v1.ChatRequest request) {
      return io.grpc.stub.ClientCalls.blockingV2ServerStreamingCall(
          getChannel(), getChatStreamMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Turns texts into vectors.
     * </pre>
     */
    public dev.tokenwire.v1.EmbedResponse embed(dev.tokenwire.v1.EmbedRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getEmbedMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Counts the input tokens of a request without sending it.
     * </pre>
     */
    public dev.tokenwire.v1.CountTokensResponse countTokens(dev.tokenwire.v1.CountTokensRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getCountTokensMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists the models of the configured providers.
     * </pre>
     */
    public dev.tokenwire.v1.ListModelsResponse listModels(dev.tokenwire.v1.ListModelsRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListModelsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Reports the state of the gateway and of its providers, as recent calls saw it.
     * </pre>
     */
    public dev.tokenwire.v1.HealthResponse health(dev.tokenwire.v1.HealthRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getHealthMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do limited synchronous rpc calls to service LLMService.
   * <pre>
   * One typed interface to every configured model provider.
   * A failed call ends with a gRPC status whose details carry google.rpc.ErrorInfo (reason = a name of
   * ErrorReason, domain "tokenwire") and google.rpc.RequestInfo. A method of this service that the
   * server does not have yet answers UNIMPLEMENTED with METHOD_NOT_IMPLEMENTED.
   * </pre>
   */
  public static final class LLMServiceBlockingStub
      extends io.grpc.stub.AbstractBlockingStub<LLMServiceBlockingStub> {
    private LLMServiceBlockingStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected LLMServiceBlockingStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new LLMServiceBlockingStub(channel, callOptions);
    }

    /**
     * <pre>
     * Answers a conversation with one whole response.
     * Chat and ChatStream share ChatRequest, so that one payload works for both.
     * buf:lint:ignore RPC_REQUEST_STANDARD_NAME
     * buf:lint:ignore RPC_REQUEST_RESPONSE_UNIQUE
     * </pre>
     */
    public dev.tokenwire.v1.ChatResponse chat(dev.tokenwire.v1.ChatRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getChatMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Answers a conversation token by token: `started`, parts with their deltas, exactly one
     * `completed` with the whole response, then status OK. A stream without `completed` failed;
     * there is no error event.
     * buf:lint:ignore RPC_REQUEST_STANDARD_NAME
     * buf:lint:ignore RPC_REQUEST_RESPONSE_UNIQUE
     * </pre>
     */
    public java.util.Iterator<dev.tokenwire.v1.ChatStreamResponse> chatStream(
        dev.tokenwire.v1.ChatRequest request) {
      return io.grpc.stub.ClientCalls.blockingServerStreamingCall(
          getChannel(), getChatStreamMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Turns texts into vectors.
     * </pre>
     */
    public dev.tokenwire.v1.EmbedResponse embed(dev.tokenwire.v1.EmbedRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getEmbedMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Counts the input tokens of a request without sending it.
     * </pre>
     */
    public dev.tokenwire.v1.CountTokensResponse countTokens(dev.tokenwire.v1.CountTokensRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getCountTokensMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists the models of the configured providers.
     * </pre>
     */
    public dev.tokenwire.v1.ListModelsResponse listModels(dev.tokenwire.v1.ListModelsRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListModelsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Reports the state of the gateway and of its providers, as recent calls saw it.
     * </pre>
     */
    public dev.tokenwire.v1.HealthResponse health(dev.tokenwire.v1.HealthRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getHealthMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do ListenableFuture-style rpc calls to service LLMService.
   * <pre>
   * One typed interface to every configured model provider.
   * A failed call ends with a gRPC status whose details carry google.rpc.ErrorInfo (reason = a name of
   * ErrorReason, domain "tokenwire") and google.rpc.RequestInfo. A method of this service that the
   * server does not have yet answers UNIMPLEMENTED with METHOD_NOT_IMPLEMENTED.
   * </pre>
   */
  public static final class LLMServiceFutureStub
      extends io.grpc.stub.AbstractFutureStub<LLMServiceFutureStub> {
    private LLMServiceFutureStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected LLMServiceFutureStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new LLMServiceFutureStub(channel, callOptions);
    }

    /**
     * <pre>
     * Answers a conversation with one whole response.
     * Chat and ChatStream share ChatRequest, so that one payload works for both.
     * buf:lint:ignore RPC_REQUEST_STANDARD_NAME
     * buf:lint:ignore RPC_REQUEST_RESPONSE_UNIQUE
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.tokenwire.v1.ChatResponse> chat(
        dev.tokenwire.v1.ChatRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getChatMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Turns texts into vectors.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.tokenwire.v1.EmbedResponse> embed(
        dev.tokenwire.v1.EmbedRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getEmbedMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Counts the input tokens of a request without sending it.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.tokenwire.v1.CountTokensResponse> countTokens(
        dev.tokenwire.v1.CountTokensRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getCountTokensMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Lists the models of the configured providers.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.tokenwire.v1.ListModelsResponse> listModels(
        dev.tokenwire.v1.ListModelsRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListModelsMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Reports the state of the gateway and of its providers, as recent calls saw it.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.tokenwire.v1.HealthResponse> health(
        dev.tokenwire.v1.HealthRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getHealthMethod(), getCallOptions()), request);
    }
  }

  private static final int METHODID_CHAT = 0;
  private static final int METHODID_CHAT_STREAM = 1;
  private static final int METHODID_EMBED = 2;
  private static final int METHODID_COUNT_TOKENS = 3;
  private static final int METHODID_LIST_MODELS = 4;
  private static final int METHODID_HEALTH = 5;

  private static final class MethodHandlers<Req, Resp> implements
      io.grpc.stub.ServerCalls.UnaryMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.ServerStreamingMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.ClientStreamingMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.BidiStreamingMethod<Req, Resp> {
    private final AsyncService serviceImpl;
    private final int methodId;

    MethodHandlers(AsyncService serviceImpl, int methodId) {
      this.serviceImpl = serviceImpl;
      this.methodId = methodId;
    }

    @java.lang.Override
    @java.lang.SuppressWarnings("unchecked")
    public void invoke(Req request, io.grpc.stub.StreamObserver<Resp> responseObserver) {
      switch (methodId) {
        case METHODID_CHAT:
          serviceImpl.chat((dev.tokenwire.v1.ChatRequest) request,
              (io.grpc.stub.StreamObserver<dev.tokenwire.v1.ChatResponse>) responseObserver);
          break;
        case METHODID_CHAT_STREAM:
          serviceImpl.chatStream((dev.tokenwire.v1.ChatRequest) request,
              (io.grpc.stub.StreamObserver<dev.tokenwire.v1.ChatStreamResponse>) responseObserver);
          break;
        case METHODID_EMBED:
          serviceImpl.embed((dev.tokenwire.v1.EmbedRequest) request,
              (io.grpc.stub.StreamObserver<dev.tokenwire.v1.EmbedResponse>) responseObserver);
          break;
        case METHODID_COUNT_TOKENS:
          serviceImpl.countTokens((dev.tokenwire.v1.CountTokensRequest) request,
              (io.grpc.stub.StreamObserver<dev.tokenwire.v1.CountTokensResponse>) responseObserver);
          break;
        case METHODID_LIST_MODELS:
          serviceImpl.listModels((dev.tokenwire.v1.ListModelsRequest) request,
              (io.grpc.stub.StreamObserver<dev.tokenwire.v1.ListModelsResponse>) responseObserver);
          break;
        case METHODID_HEALTH:
          serviceImpl.health((dev.tokenwire.v1.HealthRequest) request,
              (io.grpc.stub.StreamObserver<dev.tokenwire.v1.HealthResponse>) responseObserver);
          break;
        default:
          throw new AssertionError();
      }
    }

    @java.lang.Override
    @java.lang.SuppressWarnings("unchecked")
    public io.grpc.stub.StreamObserver<Req> invoke(
        io.grpc.stub.StreamObserver<Resp> responseObserver) {
      switch (methodId) {
        default:
          throw new AssertionError();
      }
    }
  }

  public static final io.grpc.ServerServiceDefinition bindService(AsyncService service) {
    return io.grpc.ServerServiceDefinition.builder(getServiceDescriptor())
        .addMethod(
          getChatMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.tokenwire.v1.ChatRequest,
              dev.tokenwire.v1.ChatResponse>(
                service, METHODID_CHAT)))
        .addMethod(
          getChatStreamMethod(),
          io.grpc.stub.ServerCalls.asyncServerStreamingCall(
            new MethodHandlers<
              dev.tokenwire.v1.ChatRequest,
              dev.tokenwire.v1.ChatStreamResponse>(
                service, METHODID_CHAT_STREAM)))
        .addMethod(
          getEmbedMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.tokenwire.v1.EmbedRequest,
              dev.tokenwire.v1.EmbedResponse>(
                service, METHODID_EMBED)))
        .addMethod(
          getCountTokensMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.tokenwire.v1.CountTokensRequest,
              dev.tokenwire.v1.CountTokensResponse>(
                service, METHODID_COUNT_TOKENS)))
        .addMethod(
          getListModelsMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.tokenwire.v1.ListModelsRequest,
              dev.tokenwire.v1.ListModelsResponse>(
                service, METHODID_LIST_MODELS)))
        .addMethod(
          getHealthMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.tokenwire.v1.HealthRequest,
              dev.tokenwire.v1.HealthResponse>(
                service, METHODID_HEALTH)))
        .build();
  }

  private static abstract class LLMServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoFileDescriptorSupplier, io.grpc.protobuf.ProtoServiceDescriptorSupplier {
    LLMServiceBaseDescriptorSupplier() {}

    @java.lang.Override
    public com.google.protobuf.Descriptors.FileDescriptor getFileDescriptor() {
      return dev.tokenwire.v1.LlmServiceProto.getDescriptor();
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.ServiceDescriptor getServiceDescriptor() {
      return getFileDescriptor().findServiceByName("LLMService");
    }
  }

  private static final class LLMServiceFileDescriptorSupplier
      extends LLMServiceBaseDescriptorSupplier {
    LLMServiceFileDescriptorSupplier() {}
  }

  private static final class LLMServiceMethodDescriptorSupplier
      extends LLMServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoMethodDescriptorSupplier {
    private final java.lang.String methodName;

    LLMServiceMethodDescriptorSupplier(java.lang.String methodName) {
      this.methodName = methodName;
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.MethodDescriptor getMethodDescriptor() {
      return getServiceDescriptor().findMethodByName(methodName);
    }
  }

  private static volatile io.grpc.ServiceDescriptor serviceDescriptor;

  public static io.grpc.ServiceDescriptor getServiceDescriptor() {
    io.grpc.ServiceDescriptor result = serviceDescriptor;
    if (result == null) {
      synchronized (LLMServiceGrpc.class) {
        result = serviceDescriptor;
        if (result == null) {
          serviceDescriptor = result = io.grpc.ServiceDescriptor.newBuilder(SERVICE_NAME)
              .setSchemaDescriptor(new LLMServiceFileDescriptorSupplier())
              .addMethod(getChatMethod())
              .addMethod(getChatStreamMethod())
              .addMethod(getEmbedMethod())
              .addMethod(getCountTokensMethod())
              .addMethod(getListModelsMethod())
              .addMethod(getHealthMethod())
              .build();
        }
      }
    }
    return result;
  }
}
