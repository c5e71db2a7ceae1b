// Kit is the runner of the conformance kit: a call for each line of JSON, and what came of it as a line.
//
// docs/clients.md has the fields. Messages are parsed and serialized again, so that the stubs are tested.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	_ "google.golang.org/genproto/googleapis/rpc/errdetails" // knows the details of errors
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/health" // honours healthCheckConfig
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	tokenwire "tokenwire.dev/clients/go/tokenwire/v1"
)

const (
	receiveLimit = 64 << 20 // bytes
	longestLine  = 256 << 20
)

type call struct {
	ID            string            `json:"id"`
	Target        string            `json:"target"`
	RPC           string            `json:"rpc"`
	Request       []byte            `json:"request"`
	Metadata      map[string]string `json:"metadata"`
	TimeoutMs     int               `json:"timeout_ms"`
	CancelAfter   int               `json:"cancel_after"`
	WaitForReady  bool              `json:"wait_for_ready"`
	ServiceConfig json.RawMessage   `json:"service_config"`
}

type detail struct {
	Type  string `json:"type"`
	Value []byte `json:"value"`
}

type outcome struct {
	ID        string            `json:"id"`
	Code      string            `json:"code"`
	Message   string            `json:"message"`
	Responses [][]byte          `json:"responses"`
	Details   []detail          `json:"details"`
	Headers   map[string]string `json:"headers"`
	Trailers  map[string]string `json:"trailers"`
}

// names are those of the specification, which codes.Code does not print.
var names = map[codes.Code]string{
	codes.OK: "OK", codes.Canceled: "CANCELLED", codes.Unknown: "UNKNOWN",
	codes.InvalidArgument: "INVALID_ARGUMENT", codes.DeadlineExceeded: "DEADLINE_EXCEEDED",
	codes.NotFound: "NOT_FOUND", codes.AlreadyExists: "ALREADY_EXISTS",
	codes.PermissionDenied: "PERMISSION_DENIED", codes.ResourceExhausted: "RESOURCE_EXHAUSTED",
	codes.FailedPrecondition: "FAILED_PRECONDITION", codes.Aborted: "ABORTED",
	codes.OutOfRange: "OUT_OF_RANGE", codes.Unimplemented: "UNIMPLEMENTED", codes.Internal: "INTERNAL",
	codes.Unavailable: "UNAVAILABLE", codes.DataLoss: "DATA_LOSS", codes.Unauthenticated: "UNAUTHENTICATED",
}

// receiver gives the responses one by one, then io.EOF.
type receiver func() (proto.Message, error)

type request[T any] interface {
	*T
	proto.Message
}

// unary parses the request, and makes the call.
func unary[Q any, P request[Q], R proto.Message](
	ctx context.Context, packed []byte, method func(context.Context, P, ...grpc.CallOption) (R, error),
	options []grpc.CallOption,
) (receiver, error) {
	message := P(new(Q))
	if err := proto.Unmarshal(packed, message); err != nil {
		return nil, err
	}
	response, err := method(ctx, message, options...)
	if err != nil {
		return nil, err
	}
	done := false
	return func() (proto.Message, error) {
		if done {
			return nil, io.EOF
		}
		done = true
		return response, nil
	}, nil
}

func begin(
	ctx context.Context, llm tokenwire.LLMServiceClient, call call, options []grpc.CallOption,
) (receiver, error) {
	switch call.RPC {
	case "Chat":
		return unary(ctx, call.Request, llm.Chat, options)
	case "Embed":
		return unary(ctx, call.Request, llm.Embed, options)
	case "CountTokens":
		return unary(ctx, call.Request, llm.CountTokens, options)
	case "ListModels":
		return unary(ctx, call.Request, llm.ListModels, options)
	case "Health":
		return unary(ctx, call.Request, llm.Health, options)
	case "ChatStream":
		var message tokenwire.ChatRequest
		if err := proto.Unmarshal(call.Request, &message); err != nil {
			return nil, err
		}
		stream, err := llm.ChatStream(ctx, &message, options...)
		if err != nil {
			return nil, err
		}
		return func() (proto.Message, error) { return stream.Recv() }, nil
	}
	return nil, fmt.Errorf("there is no rpc %q", call.RPC)
}

// drain keeps the responses until the end, or leaves after as many as the call wants.
func (told *outcome) drain(receive receiver, call call, cancel context.CancelFunc) error {
	for {
		response, err := receive()
		if err != nil {
			return err
		}
		packed, err := proto.Marshal(response)
		if err != nil {
			return err
		}
		told.Responses = append(told.Responses, packed)
		if len(told.Responses) == call.CancelAfter {
			cancel()
		}
	}
}

func (told *outcome) fail(err error) {
	failure := status.Convert(err)
	told.Code, told.Message = names[failure.Code()], failure.Message()
	for _, found := range failure.Details() {
		if message, ok := found.(proto.Message); ok {
			packed, _ := proto.Marshal(message)
			name := string(message.ProtoReflect().Descriptor().FullName())
			told.Details = append(told.Details, detail{name, packed})
		}
	}
}

func readable(given metadata.MD) map[string]string {
	found := map[string]string{}
	for key, values := range given {
		if !strings.HasSuffix(key, "-bin") {
			found[key] = values[0]
		}
	}
	return found
}

func run(channel *grpc.ClientConn, call call) outcome {
	ctx := metadata.NewOutgoingContext(context.Background(), metadata.New(call.Metadata))
	ctx, cancel := context.WithTimeout(ctx, time.Duration(call.TimeoutMs)*time.Millisecond)
	defer cancel()
	var headers, trailers metadata.MD
	options := []grpc.CallOption{
		grpc.Header(&headers), grpc.Trailer(&trailers),
		grpc.WaitForReady(call.WaitForReady), grpc.MaxCallRecvMsgSize(receiveLimit),
	}
	told := outcome{ID: call.ID, Code: "OK"}
	receive, err := begin(ctx, tokenwire.NewLLMServiceClient(channel), call, options)
	if err == nil {
		err = told.drain(receive, call, cancel)
	}
	if !errors.Is(err, io.EOF) {
		told.fail(err)
	}
	told.Headers, told.Trailers = readable(headers), readable(trailers)
	return told
}

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return value
}

func connect(call call) *grpc.ClientConn {
	options := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	if call.ServiceConfig != nil {
		options = append(options, grpc.WithDefaultServiceConfig(string(call.ServiceConfig)))
	}
	return must(grpc.NewClient(call.Target, options...))
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, longestLine)
	answers := json.NewEncoder(os.Stdout)
	var channel *grpc.ClientConn
	var target string
	for lines.Scan() {
		var next call
		must(0, json.Unmarshal(lines.Bytes(), &next))
		if next.Target != target { // one channel for each server, as a program would have
			if channel != nil {
				channel.Close()
			}
			channel, target = connect(next), next.Target
		}
		must(0, answers.Encode(run(channel, next)))
	}
}
