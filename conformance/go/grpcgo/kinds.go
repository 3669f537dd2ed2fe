package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	pb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

const (
	service = "/grpc.testing.TestService/"
	limit   = 4 << 20 // what the server takes at most in one message
)

// One of the four kinds of RPC, with a method of the test service that is of this kind.
type kind struct {
	name    string
	method  string
	desc    grpc.StreamDesc
	request func(body, answer int) proto.Message // a message with a body of this size, asking for an answer of that size
	reply   func() proto.Message
	body    func(reply proto.Message) int // the size of a reply's body
}

func payload(n int) *pb.Payload { return &pb.Payload{Body: make([]byte, n)} }

func asked(body, answer int) proto.Message {
	return &pb.StreamingOutputCallRequest{Payload: payload(body), ResponseParameters: []*pb.ResponseParameters{{Size: int32(answer)}}}
}

func output() proto.Message { return new(pb.StreamingOutputCallResponse) }

func outputBody(reply proto.Message) int {
	return len(reply.(*pb.StreamingOutputCallResponse).GetPayload().GetBody())
}

var kinds = []kind{
	{
		"unary", "UnaryCall", grpc.StreamDesc{},
		func(body, answer int) proto.Message {
			return &pb.SimpleRequest{Payload: payload(body), ResponseSize: int32(answer)}
		},
		func() proto.Message { return new(pb.SimpleResponse) },
		func(reply proto.Message) int { return len(reply.(*pb.SimpleResponse).GetPayload().GetBody()) },
	},
	{
		"client-stream", "StreamingInputCall", grpc.StreamDesc{ClientStreams: true},
		func(body, _ int) proto.Message { return &pb.StreamingInputCallRequest{Payload: payload(body)} },
		func() proto.Message { return new(pb.StreamingInputCallResponse) },
		func(reply proto.Message) int {
			return int(reply.(*pb.StreamingInputCallResponse).GetAggregatedPayloadSize())
		},
	},
	{"server-stream", "StreamingOutputCall", grpc.StreamDesc{ServerStreams: true}, asked, output, outputBody},
	{"bidi", "FullDuplexCall", grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, asked, output, outputBody},
}

// talk plays one whole call: requests out, direction closed, replies in until the status.
func talk(ctx context.Context, cc *grpc.ClientConn, k kind, requests []proto.Message, opts ...grpc.CallOption) ([]proto.Message, grpc.ClientStream, error) {
	opts = append(opts, grpc.MaxCallRecvMsgSize(2*limit))
	stream, err := cc.NewStream(ctx, &k.desc, service+k.method, opts...)
	if err != nil {
		return nil, nil, err
	}
	for _, request := range requests {
		if err := stream.SendMsg(request); errors.Is(err, io.EOF) {
			break // the status tells why
		} else if err != nil {
			return nil, stream, err
		}
	}
	if err := stream.CloseSend(); err != nil {
		return nil, stream, err
	}
	var replies []proto.Message
	for {
		reply := k.reply()
		if err := stream.RecvMsg(reply); errors.Is(err, io.EOF) {
			return replies, stream, nil
		} else if err != nil {
			return replies, stream, err
		}
		replies = append(replies, reply)
		if !k.desc.ServerStreams {
			// The only reply: what follows is the status.
			if err := stream.RecvMsg(k.reply()); !errors.Is(err, io.EOF) {
				return replies, stream, fmt.Errorf("after the only reply came %v", err)
			}
			return replies, stream, nil
		}
	}
}

func with(ctx context.Context, pairs ...string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, pairs...)
}

func want(err error, code codes.Code) error {
	if status.Code(err) != code {
		return fmt.Errorf("ended with %v, not with %v", err, code)
	}
	return nil
}

// held opens a call that the server holds for ever, and returns once its handler runs.
func held(ctx context.Context, cc *grpc.ClientConn, k kind, watch string) (grpc.ClientStream, error) {
	ctx = with(ctx, "conformance-end", "hold", "conformance-watch", watch, "echo-here", "1")
	stream, err := cc.NewStream(ctx, &k.desc, service+k.method)
	if err != nil {
		return nil, err
	}
	if err := stream.SendMsg(k.request(1, 1)); err != nil {
		return nil, err
	}
	_, err = stream.Header()
	return stream, err
}

// ended reads a held call to its end.
func ended(stream grpc.ClientStream, k kind) error {
	for {
		if err := stream.RecvMsg(k.reply()); err != nil {
			return err
		}
	}
}

// outcome asks how a watched handler ended.
func outcome(ctx context.Context, cc *grpc.ClientConn, watch, expected string) error {
	var trailer metadata.MD
	ctx = with(ctx, "conformance-outcome", watch)
	if err := cc.Invoke(ctx, service+"EmptyCall", new(pb.Empty), new(pb.Empty), grpc.Trailer(&trailer)); err != nil {
		return fmt.Errorf("how the handler ended: %w", err)
	}
	if got := trailer.Get("conformance-outcome"); len(got) != 1 || got[0] != expected {
		return fmt.Errorf("the handler ended as %v, not as %q", got, expected)
	}
	return nil
}
