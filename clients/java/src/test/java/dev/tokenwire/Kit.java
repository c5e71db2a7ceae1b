package dev.tokenwire;

import com.google.gson.Gson;
import com.google.gson.JsonObject;
import com.google.gson.reflect.TypeToken;
import com.google.protobuf.Any;
import com.google.protobuf.Message;
import com.google.rpc.*;
import dev.tokenwire.v1.LLMServiceGrpc;
import io.grpc.*;
import io.grpc.Status;
import io.grpc.protobuf.StatusProto;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * The runner of the conformance kit: a call for each line of JSON, and what came of it as a line.
 *
 * <p>docs/clients.md has the fields. Messages are parsed and serialized again, so that the stubs are tested.
 */
public final class Kit {
  private static final int RECEIVE_LIMIT = 64 << 20; // bytes
  private static final Gson GSON = new Gson();
  private static final List<Message> DETAILS =
      List.of(
          ErrorInfo.getDefaultInstance(),
          RequestInfo.getDefaultInstance(),
          BadRequest.getDefaultInstance(),
          RetryInfo.getDefaultInstance(),
          QuotaFailure.getDefaultInstance(),
          ResourceInfo.getDefaultInstance());

  private static String encoded(Message message) {
    return Base64.getEncoder().encodeToString(message.toByteArray());
  }

  /** Each detail of the status, parsed as what it says it is. */
  private static List<Map<String, String>> details(Status status, Metadata trailers) throws Exception {
    var found = new ArrayList<Map<String, String>>();
    for (Any packed : StatusProto.fromStatusAndTrailers(status, trailers).getDetailsList()) {
      for (Message known : DETAILS) {
        var name = known.getDescriptorForType().getFullName();
        if (packed.getTypeUrl().endsWith("/" + name)) {
          var detail = known.getParserForType().parseFrom(packed.getValue());
          found.add(Map.of("type", name, "value", encoded(detail)));
        }
      }
    }
    return found;
  }

  private static Map<String, String> readable(Metadata metadata) {
    var found = new LinkedHashMap<String, String>();
    for (String key : metadata.keys()) {
      if (!key.endsWith(Metadata.BINARY_HEADER_SUFFIX)) {
        found.put(key, metadata.get(Metadata.Key.of(key, Metadata.ASCII_STRING_MARSHALLER)));
      }
    }
    return found;
  }

  private static Metadata metadata(JsonObject call) {
    var headers = new Metadata();
    call.getAsJsonObject("metadata")
        .asMap()
        .forEach(
            (key, value) ->
                headers.put(Metadata.Key.of(key, Metadata.ASCII_STRING_MARSHALLER), value.getAsString()));
    return headers;
  }

  /** Keeps what comes; leaves after as many responses as the call wants. */
  private static final class Outcome extends ClientCall.Listener<Message> {
    private final ClientCall<Message, Message> running;
    private final int cancelAfter;
    private final List<String> responses = new ArrayList<>();
    private final CountDownLatch ended = new CountDownLatch(1);
    private Metadata headers = new Metadata();
    private Metadata trailers;
    private Status status;

    Outcome(ClientCall<Message, Message> running, int cancelAfter) {
      this.running = running;
      this.cancelAfter = cancelAfter;
    }

    @Override
    public void onHeaders(Metadata received) {
      headers = received;
    }

    @Override
    public void onMessage(Message response) {
      responses.add(encoded(response));
      if (responses.size() == cancelAfter) {
        running.cancel("left", null);
        return;
      }
      running.request(1);
    }

    @Override
    public void onClose(Status closed, Metadata received) {
      status = closed;
      trailers = received;
      ended.countDown();
    }

    Map<String, Object> told(String id) throws Exception {
      ended.await();
      var told = new LinkedHashMap<String, Object>();
      told.put("id", id);
      told.put("code", status.getCode().name());
      told.put("message", status.getDescription() == null ? "" : status.getDescription());
      told.put("responses", responses);
      told.put("details", details(status, trailers));
      told.put("headers", readable(headers));
      told.put("trailers", readable(trailers));
      return told;
    }
  }

  /** The generated method: it serializes requests and parses responses. */
  @SuppressWarnings("unchecked")
  private static MethodDescriptor<Message, Message> method(String name) {
    return (MethodDescriptor<Message, Message>)
        LLMServiceGrpc.getServiceDescriptor().getMethods().stream()
            .filter(method -> name.equals(method.getBareMethodName()))
            .findFirst()
            .orElseThrow();
  }

  private static Map<String, Object> outcome(ManagedChannel channel, JsonObject call) throws Exception {
    var method = method(call.get("rpc").getAsString());
    var options =
        CallOptions.DEFAULT
            .withDeadlineAfter(call.get("timeout_ms").getAsLong(), TimeUnit.MILLISECONDS)
            .withMaxInboundMessageSize(RECEIVE_LIMIT);
    if (call.get("wait_for_ready").getAsBoolean()) {
      options = options.withWaitForReady();
    }
    var packed = Base64.getDecoder().decode(call.get("request").getAsString());
    var request = method.parseRequest(new ByteArrayInputStream(packed));
    var running = channel.newCall(method, options);
    var outcome = new Outcome(running, call.get("cancel_after").getAsInt());
    running.start(outcome, metadata(call));
    running.request(2); // a unary call wants to see that there is no second one
    running.sendMessage(request);
    running.halfClose();
    return outcome.told(call.get("id").getAsString());
  }

  private static ManagedChannel connected(JsonObject call) {
    var target = call.get("target").getAsString();
    var builder = Grpc.newChannelBuilder(target, InsecureChannelCredentials.create());
    if (call.has("service_config")) {
      var type = new TypeToken<Map<String, Object>>() {}.getType();
      builder.defaultServiceConfig(GSON.fromJson(call.get("service_config"), type));
    }
    return builder.build();
  }

  public static void main(String[] arguments) throws Exception {
    var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    ManagedChannel channel = null;
    var target = "";
    for (var line = lines.readLine(); line != null; line = lines.readLine()) {
      var call = GSON.fromJson(line, JsonObject.class);
      if (!target.equals(call.get("target").getAsString())) { // one channel for each server
        if (channel != null) {
          channel.shutdownNow();
        }
        channel = connected(call);
        target = call.get("target").getAsString();
      }
      System.out.println(GSON.toJson(outcome(channel, call)));
    }
    if (channel != null) {
      channel.shutdownNow();
    }
  }
}
