// Tour does each thing that a caller does, once.
//
// It takes TOKENWIRE_TARGET, TOKENWIRE_TOKEN, and as TOKENWIRE_SERVICE_CONFIG the name of a file.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/health" // honours healthCheckConfig
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	tokenwire "tokenwire.dev/clients/go/tokenwire/v1"
)

const schema = `{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}`

var weather = &tokenwire.Tool{Tool: &tokenwire.Tool_Function{Function: &tokenwire.FunctionTool{
	Name:       "weather",
	Parameters: &tokenwire.FunctionTool_ParametersJson{ParametersJson: schema},
}}}

func user(text string) *tokenwire.ChatMessage {
	return &tokenwire.ChatMessage{Role: tokenwire.Role_ROLE_USER, Text: text}
}

func ask(messages ...*tokenwire.ChatMessage) *tokenwire.ChatRequest {
	return &tokenwire.ChatRequest{Model: "openai/gpt-4o-mini", Messages: messages}
}

// explain tells the reason, the fields that were refused, and when to come back.
func explain(err error) string {
	var told []string
	failure := status.Convert(err)
	for _, detail := range failure.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			told = append(told, detail.Reason)
		case *errdetails.BadRequest:
			for _, violation := range detail.FieldViolations {
				told = append(told, violation.Field)
			}
		case *errdetails.RetryInfo:
			told = append(told, fmt.Sprintf("again in %d s", detail.RetryDelay.Seconds))
		}
	}
	return cmp.Or(strings.Join(told, ", "), failure.Message())
}

// must gives the value of a call, or ends the program.
func must[T any](value T, err error) T {
	if err != nil {
		fmt.Println("failed:", explain(err))
		os.Exit(1)
	}
	return value
}

// whole joins the pieces of an answer.
func whole(ctx context.Context, llm tokenwire.LLMServiceClient) string {
	var text strings.Builder
	stream := must(llm.ChatStream(ctx, ask(user("Hello"))))
	for {
		event, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return text.String()
		}
		text.WriteString(must(event, err).GetTextDelta().GetText())
	}
}

// first leaves an answer after its first piece: the cancel stops the provider too.
func first(ctx context.Context, llm tokenwire.LLMServiceClient) string {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream := must(llm.ChatStream(ctx, ask(user("Hello"))))
	for {
		if piece := must(stream.Recv()).GetTextDelta(); piece != nil {
			return piece.Text
		}
	}
}

// hurried is a call whose deadline cannot be met.
func hurried(ctx context.Context, llm tokenwire.LLMServiceClient) {
	ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	_, err := llm.Chat(ctx, ask(user("Hello")))
	if status.Code(err) == codes.DeadlineExceeded {
		fmt.Println("deadline: passed")
	}
}

func tools(ctx context.Context, llm tokenwire.LLMServiceClient) {
	request := ask(user("What is the weather in Paris?"))
	request.Tools = []*tokenwire.Tool{weather}
	answer := must(llm.Chat(ctx, request)).Choices[0].Message

	result := &tokenwire.ChatMessage{Role: tokenwire.Role_ROLE_TOOL}
	for _, part := range answer.Parts {
		call := part.GetToolCall()
		if call == nil {
			continue
		}
		var arguments struct{ City string }
		must(0, json.Unmarshal([]byte(call.ArgumentsJson), &arguments))
		fmt.Println("tool:", call.Name, arguments.City)
		result.Parts = append(result.Parts, &tokenwire.ContentPart{Content: &tokenwire.ContentPart_ToolResult{
			ToolResult: &tokenwire.ToolResult{ToolCallId: call.Id, Text: "sunny"},
		}})
	}
	request.Messages = append(request.Messages, answer, result)
	fmt.Println("tool answer:", must(llm.Chat(ctx, request)).Choices[0].Message.Text)
}

func main() {
	options := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	if name := os.Getenv("TOKENWIRE_SERVICE_CONFIG"); name != "" {
		options = append(options, grpc.WithDefaultServiceConfig(string(must(os.ReadFile(name)))))
	}
	target := cmp.Or(os.Getenv("TOKENWIRE_TARGET"), "127.0.0.1:50051")
	channel := must(grpc.NewClient(target, options...))
	defer channel.Close()
	llm := tokenwire.NewLLMServiceClient(channel)

	// The deadline bounds all that the server does for a call.
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if token := os.Getenv("TOKENWIRE_TOKEN"); token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
	}

	fmt.Println("chat:", must(llm.Chat(ctx, ask(user("Hello")))).Choices[0].Message.Text)
	fmt.Println("stream:", whole(ctx, llm))
	fmt.Println("left after:", first(ctx, llm))
	hurried(ctx, llm)
	tools(ctx, llm)

	texts := []string{"a red apple", "a green apple"}
	request := &tokenwire.EmbedRequest{Model: "openai/text-embedding-3-small", Input: texts}
	vectors := must(llm.Embed(ctx, request)).Embeddings
	fmt.Printf("embed: %d vectors of %d numbers\n", len(vectors), len(vectors[0].Values))

	refused := ask(user("Hello"))
	temperature := 9.0
	refused.Config = &tokenwire.GenerationConfig{Temperature: &temperature}
	if _, err := llm.Chat(ctx, refused); err != nil {
		fmt.Println("refused:", explain(err))
	}
}
