package dev.tokenwire;

import com.google.gson.Gson;
import com.google.gson.reflect.TypeToken;
import com.google.protobuf.Struct;
import com.google.protobuf.util.JsonFormat;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import dev.tokenwire.v1.*;
import io.grpc.*;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.MetadataUtils;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * Each thing that a caller does, once.
 *
 * <p>Takes TOKENWIRE_TARGET, TOKENWIRE_TOKEN, and as TOKENWIRE_SERVICE_CONFIG the name of a file.
 */
public final class Tour {
  private static final String SCHEMA =
      "{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"}},\"required\":[\"city\"]}";

  private static final Tool WEATHER =
      Tool.newBuilder()
          .setFunction(FunctionTool.newBuilder().setName("weather").setParametersJson(SCHEMA))
          .build();

  private final LLMServiceGrpc.LLMServiceBlockingStub stub;

  private Tour(LLMServiceGrpc.LLMServiceBlockingStub stub) {
    this.stub = stub;
  }

  /** With a new deadline, which bounds all that the server does for a call. */
  private LLMServiceGrpc.LLMServiceBlockingStub llm() {
    return stub.withDeadlineAfter(30, TimeUnit.SECONDS);
  }

  private static ChatMessage user(String text) {
    return ChatMessage.newBuilder().setRole(Role.ROLE_USER).setText(text).build();
  }

  private static ChatRequest.Builder ask(String text) {
    return ChatRequest.newBuilder().setModel("openai/gpt-4o-mini").addMessages(user(text));
  }

  /** The reason, the fields that were refused, and when to come back. */
  private static String explain(StatusRuntimeException failure) throws Exception {
    List<String> told = new ArrayList<>();
    for (var detail : StatusProto.fromThrowable(failure).getDetailsList()) {
      if (detail.is(ErrorInfo.class)) {
        told.add(detail.unpack(ErrorInfo.class).getReason());
      } else if (detail.is(BadRequest.class)) {
        for (var violation : detail.unpack(BadRequest.class).getFieldViolationsList()) {
          told.add(violation.getField());
        }
      } else if (detail.is(RetryInfo.class)) {
        told.add("again in " + detail.unpack(RetryInfo.class).getRetryDelay().getSeconds() + " s");
      }
    }
    return told.isEmpty() ? failure.getMessage() : String.join(", ", told);
  }

  private String whole() {
    var text = new StringBuilder();
    llm().chatStream(ask("Hello").build()).forEachRemaining(event -> text.append(event.getTextDelta().getText()));
    return text.toString();
  }

  /** Leaves an answer after its first piece: the cancel stops the provider too. */
  private String first() throws Exception {
    try (var context = Context.current().withCancellation()) {
      return context.call(
          () -> {
            var events = llm().chatStream(ask("Hello").build());
            while (events.hasNext()) {
              var event = events.next();
              if (event.hasTextDelta()) {
                return event.getTextDelta().getText();
              }
            }
            return "";
          });
    }
  }

  private void hurried() {
    try {
      stub.withDeadlineAfter(1, TimeUnit.MILLISECONDS).chat(ask("Hello").build());
    } catch (StatusRuntimeException failure) {
      if (failure.getStatus().getCode() == Status.Code.DEADLINE_EXCEEDED) {
        System.out.println("deadline: passed");
      }
    }
  }

  private void tools() throws Exception {
    var request = ask("What is the weather in Paris?").addTools(WEATHER);
    var answer = llm().chat(request.build()).getChoices(0).getMessage();

    var results = ChatMessage.newBuilder().setRole(Role.ROLE_TOOL);
    for (var part : answer.getPartsList()) {
      if (!part.hasToolCall()) {
        continue;
      }
      var call = part.getToolCall();
      var arguments = Struct.newBuilder();
      JsonFormat.parser().merge(call.getArgumentsJson(), arguments);
      var city = arguments.getFieldsOrThrow("city").getStringValue();
      System.out.println("tool: " + call.getName() + " " + city);
      var result = ToolResult.newBuilder().setToolCallId(call.getId()).setText("sunny");
      results.addParts(ContentPart.newBuilder().setToolResult(result));
    }
    request.addMessages(answer).addMessages(results);
    System.out.println("tool answer: " + llm().chat(request.build()).getChoices(0).getMessage().getText());
  }

  private void tour() throws Exception {
    var reply = llm().chat(ask("Hello").build());
    System.out.println("chat: " + reply.getChoices(0).getMessage().getText());
    System.out.println("stream: " + whole());
    System.out.println("left after: " + first());
    hurried();
    tools();

    var texts = EmbedRequest.newBuilder().setModel("openai/text-embedding-3-small");
    var vectors = llm().embed(texts.addInput("a red apple").addInput("a green apple").build());
    var numbers = vectors.getEmbeddings(0).getValuesCount();
    System.out.println("embed: " + vectors.getEmbeddingsCount() + " vectors of " + numbers + " numbers");

    try {
      llm().chat(ask("Hello").setConfig(GenerationConfig.newBuilder().setTemperature(9)).build());
    } catch (StatusRuntimeException failure) {
      System.out.println("refused: " + explain(failure));
    }
  }

  private static String variable(String name, String otherwise) {
    return Optional.ofNullable(System.getenv(name)).orElse(otherwise);
  }

  /** The token, as each call carries it. */
  private static Metadata metadata() {
    var headers = new Metadata();
    var token = variable("TOKENWIRE_TOKEN", "");
    if (!token.isEmpty()) {
      headers.put(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), "Bearer " + token);
    }
    return headers;
  }

  public static void main(String[] arguments) throws Exception {
    var target = variable("TOKENWIRE_TARGET", "127.0.0.1:50051");
    var builder =
        Grpc.newChannelBuilder(target, InsecureChannelCredentials.create())
            .intercept(MetadataUtils.newAttachHeadersInterceptor(metadata()));
    var serviceConfig = variable("TOKENWIRE_SERVICE_CONFIG", "");
    if (!serviceConfig.isEmpty()) {
      var text = Files.readString(Path.of(serviceConfig));
      builder.defaultServiceConfig(new Gson().fromJson(text, new TypeToken<Map<String, Object>>() {}.getType()));
    }
    var channel = builder.build();
    try {
      new Tour(LLMServiceGrpc.newBlockingStub(channel)).tour();
    } catch (StatusRuntimeException failure) {
      System.out.println("failed: " + explain(failure));
      System.exit(1);
    } finally {
      channel.shutdownNow().awaitTermination(5, TimeUnit.SECONDS);
    }
  }
}
