package main

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding/gzip"
	pb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

const statusText = " as asked: 100 %\n\u263a "

var cases = []struct {
	name string
	play func(ctx context.Context, cc *grpc.ClientConn, k kind) error
}{
	{"metadata", echoed},
	{"sizes", sizes},
	{"over-the-limit", overTheLimit},
	{"deadline", deadline},
	{"deadline-arrives", deadlineArrives},
	{"client-cancels", clientCancels},
	{"server-resets", func(ctx context.Context, cc *grpc.ClientConn, k kind) error {
		return serverEnds(ctx, cc, k, "reset", codes.Canceled)
	}},
	{"server-aborts", func(ctx context.Context, cc *grpc.ClientConn, k kind) error {
		return serverEnds(ctx, cc, k, "abort", codes.Aborted)
	}},
	{"details", details},
	{"gzip-offered", gzipOffered},
	{"gzip-refused", gzipRefused},
}

func calls(cc *grpc.ClientConn) []played {
	var plays []played
	for _, c := range cases {
		for _, k := range kinds {
			plays = append(plays, played{c.name + "/" + k.name, func(ctx context.Context) error { return c.play(ctx, cc, k) }})
		}
	}
	return plays
}

func echoed(ctx context.Context, cc *grpc.ClientConn, k kind) error {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	sent := map[string]string{
		"echo-text": "plain, with = and ~", "echo-empty": "", "echo-long": string(bytes.Repeat([]byte("x"), 4096)),
		"echo-bin": string(every), "echo-none-bin": "", "echo-one-bin": "\x00",
	}
	md := metadata.New(sent)
	md.Append("echo-twice", "a", "b")
	sent["echo-twice"] = "a,b" // as HTTP joins them
	requests := []proto.Message{k.request(1, 1)}
	_, stream, err := talk(metadata.NewOutgoingContext(ctx, md), cc, k, requests)
	if err != nil {
		return err
	}
	header, err := stream.Header()
	if err != nil {
		return err
	}
	for where, got := range map[string]metadata.MD{"headers": header, "trailers": stream.Trailer()} {
		for key, value := range sent {
			if values := got[key]; len(values) != 1 || values[0] != value {
				return fmt.Errorf("%s have %q as %.40q, sent was %.40q", where, key, values, value)
			}
		}
	}
	return nil
}

// bodyOf finds the body that makes a message `n` bytes long when it is serialized.
func bodyOf(n int, build func(body int) proto.Message) (int, error) {
	for body := max(0, n-64); body <= n; body++ {
		if proto.Size(build(body)) == n {
			return body, nil
		}
	}
	return 0, fmt.Errorf("no message has %d bytes", n)
}

func requestOf(k kind, n int) (proto.Message, error) {
	body, err := bodyOf(n, func(body int) proto.Message { return k.request(body, 0) })
	if err != nil {
		return nil, err
	}
	return k.request(body, 0), nil
}

func sizes(ctx context.Context, cc *grpc.ClientConn, k kind) error {
	for _, n := range []int{0, 1, 16<<10 - 1, 16 << 10, 16<<10 + 1} {
		replies, _, err := talk(ctx, cc, k, []proto.Message{k.request(n, n)})
		if err != nil {
			return fmt.Errorf("bodies of %d bytes: %w", n, err)
		}
		if len(replies) != 1 || k.body(replies[0]) != n {
			return fmt.Errorf("bodies of %d bytes: %d replies of another size", n, len(replies))
		}
	}
	for _, n := range []int{16<<10 - 1, 16 << 10, 16<<10 + 1, limit - 1, limit} {
		request, err := requestOf(k, n)
		if err != nil {
			return err
		}
		if _, _, err := talk(ctx, cc, k, []proto.Message{request}); err != nil {
			return fmt.Errorf("a request of %d bytes: %w", n, err)
		}
	}
	if k.name == "client-stream" {
		return nil // its reply is a number
	}
	for _, n := range []int{limit - 1, limit, limit + 1} { // the limit is for what a side takes
		body, err := bodyOf(n, func(body int) proto.Message { return &pb.SimpleResponse{Payload: payload(body)} })
		if err != nil {
			return err
		}
		replies, _, err := talk(ctx, cc, k, []proto.Message{k.request(1, body)})
		if err != nil {
			return fmt.Errorf("a reply of %d bytes: %w", n, err)
		}
		if len(replies) != 1 || proto.Size(replies[0]) != n {
			return fmt.Errorf("a reply of %d bytes came otherwise", n)
		}
	}
	return nil
}

func overTheLimit(ctx context.Context, cc *grpc.ClientConn, k kind) error {
	request, err := requestOf(k, limit+1)
	if err != nil {
		return err
	}
	_, _, err = talk(ctx, cc, k, []proto.Message{request})
	return want(err, codes.ResourceExhausted)
}

func unique(what string, k kind) string { return fmt.Sprintf("go-%s-%s-%s", what, k.name, *address) }

func deadline(ctx context.Context, cc *grpc.ClientConn, k kind) error {
	watch := unique("deadline", k)
	// Long enough that the handler runs before, on a busy machine too.
	short, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	stream, err := held(short, cc, k, watch)
	if err != nil {
		return err
	}
	if err := want(ended(stream, k), codes.DeadlineExceeded); err != nil {
		return err
	}
	return outcome(ctx, cc, watch, "cancelled")
}

func deadlineArrives(ctx context.Context, cc *grpc.ClientConn, k kind) error {
	for _, span := range []time.Duration{patience, 30 * time.Minute, 90 * time.Hour} {
		long, cancel := context.WithTimeout(context.WithoutCancel(ctx), span)
		_, stream, err := talk(long, cc, k, []proto.Message{k.request(1, 1)})
		cancel()
		if err != nil {
			return err
		}
		got, err := strconv.Atoi(append(stream.Trailer().Get("conformance-deadline-ms"), "none")[0])
		if err != nil {
			return err
		}
		// What the way took is missing; a wrong unit or digit is much more.
		if left := time.Duration(got) * time.Millisecond; left > span+time.Hour/1000 || left < span-patience {
			return fmt.Errorf("of %v arrived %v", span, left)
		}
	}
	return nil
}

func clientCancels(ctx context.Context, cc *grpc.ClientConn, k kind) error {
	watch := unique("cancel", k)
	mine, cancel := context.WithCancel(ctx)
	stream, err := held(mine, cc, k, watch)
	cancel()
	if err != nil {
		return err
	}
	if err := want(ended(stream, k), codes.Canceled); err != nil {
		return err
	}
	return outcome(ctx, cc, watch, "cancelled")
}

func serverEnds(ctx context.Context, cc *grpc.ClientConn, k kind, how string, code codes.Code) error {
	_, _, err := talk(with(ctx, "conformance-end", how), cc, k, []proto.Message{k.request(1, 1), k.request(1, 1)}[:sends(k)])
	return want(err, code)
}

func sends(k kind) int {
	if k.desc.ClientStreams {
		return 2
	}
	return 1
}

func details(ctx context.Context, cc *grpc.ClientConn, k kind) error {
	sent := status.New(codes.FailedPrecondition, statusText)
	sent, err := sent.WithDetails(&errdetails.ErrorInfo{Reason: "TESTED", Domain: "conformance"})
	if err != nil {
		return err
	}
	raw, err := proto.Marshal(sent.Proto())
	if err != nil {
		return err
	}
	ctx = with(ctx, "conformance-status", "9", "conformance-details-bin", string(raw), "echo-x", "y")
	_, stream, err := talk(ctx, cc, k, []proto.Message{k.request(1, 1)})
	got, ok := status.FromError(err)
	if !ok || !proto.Equal(got.Proto(), sent.Proto()) {
		return fmt.Errorf("got %v, sent was %v", got.Proto(), sent.Proto())
	}
	if values := stream.Trailer()["echo-x"]; len(values) != 1 || values[0] != "y" {
		return fmt.Errorf("the trailers beside the status: %v", stream.Trailer())
	}
	return nil
}

func gzipOffered(ctx context.Context, cc *grpc.ClientConn, k kind) error {
	// The imported gzip package has grpc-go offer it in grpc-accept-encoding; a reply in it would be decoded silently.
	_, stream, err := talk(with(ctx, "echo-x", "y"), cc, k, []proto.Message{k.request(1000, 1000)})
	if err != nil {
		return err
	}
	header, err := stream.Header()
	if err != nil {
		return err
	}
	if used := header.Get("grpc-encoding"); len(used) > 0 && used[0] != "identity" {
		return fmt.Errorf("answered in %v", used)
	}
	return nil
}

func gzipRefused(ctx context.Context, cc *grpc.ClientConn, k kind) error {
	_, _, err := talk(ctx, cc, k, []proto.Message{k.request(1000, 1000)}, grpc.UseCompressor(gzip.Name))
	return want(err, codes.Unimplemented)
}

// keptAlive is on one connection for longer than two keepalive periods, half of the time with a call open.
func keptAlive(cc *grpc.ClientConn) error {
	k := kinds[0]
	peer := func(opts ...string) (string, error) {
		_, stream, err := talk(with(context.Background(), opts...), cc, k, []proto.Message{k.request(1, 1)})
		if err != nil {
			return "", err
		}
		return append(stream.Trailer().Get("conformance-peer"), "nobody")[0], nil
	}
	before, err := peer()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 12*time.Second)
	defer cancel()
	stream, err := held(ctx, cc, k, unique("keepalive", k))
	if err != nil {
		return err
	}
	if err := want(ended(stream, k), codes.DeadlineExceeded); err != nil {
		return err
	}
	time.Sleep(12 * time.Second) // what is tested here is a silence
	after, err := peer()
	if err != nil {
		return err
	}
	if before != after {
		return fmt.Errorf("the connection was made anew: %s, %s", before, after)
	}
	return nil
}
