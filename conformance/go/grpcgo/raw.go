package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"golang.org/x/net/http2"
	pb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/protobuf/proto"
)

// raw speaks HTTP/2 without a gRPC library, to see what such a library hides, and to say what it would never say.
func raw(secure *tls.Config) []played {
	transport := &http2.Transport{TLSClientConfig: secure, DisableCompression: true}
	scheme := "https"
	if secure == nil {
		scheme = "http"
		transport.AllowHTTP = true
		transport.DialTLSContext = func(ctx context.Context, network, addr string, _ *tls.Config) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, addr)
		}
	}
	r := &rawClient{transport, scheme + "://" + *address}
	return []played{
		{"trailers-only", r.trailersOnly},
		{"status-in-trailers", r.statusInTrailers},
		{"server-keeps-the-deadline", r.deadline},
		{"gzip-refusal-names-identity", r.gzipRefusal},
		{"compressed-flag-alone", r.compressedFlag},
		{"not-grpc-is-415", r.notGrpc},
		{"timeout-of-no-unit", r.badTimeout},
	}
}

type rawClient struct {
	transport *http2.Transport
	base      string
}

type answer struct {
	code    int
	header  http.Header
	body    []byte
	trailer http.Header
}

func (r *rawClient) ask(ctx context.Context, method string, body []byte, fields ...string) (*answer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.base+service+method, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/grpc")
	request.Header.Set("Te", "trailers")
	for i := 0; i < len(fields); i += 2 {
		request.Header.Set(fields[i], fields[i+1])
	}
	response, err := r.transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	return &answer{response.StatusCode, response.Header, content, response.Trailer}, nil
}

func framed(flag byte, message []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{flag}, uint32(len(message))), message...)
}

func (a *answer) check(wants ...string) error {
	for i := 0; i < len(wants); i += 2 {
		if got := a.header.Get(wants[i]); got != wants[i+1] {
			return fmt.Errorf("%s is %q, not %q (all: %v)", wants[i], got, wants[i+1], a.header)
		}
	}
	return nil
}

func (r *rawClient) trailersOnly(ctx context.Context) error {
	a, err := r.ask(ctx, "UnaryCall", framed(0, nil), "conformance-status", "9")
	if err != nil {
		return err
	}
	if len(a.body) > 0 || len(a.trailer) > 0 {
		return fmt.Errorf("one block of headers was awaited, and nothing behind it: %d bytes, trailers %v", len(a.body), a.trailer)
	}
	return a.check("Grpc-Status", "9", "Content-Type", "application/grpc", "Grpc-Message", "%20as asked: 100 %25%0A%E2%98%BA%20")
}

func (r *rawClient) statusInTrailers(ctx context.Context) error {
	a, err := r.ask(ctx, "EmptyCall", framed(0, nil), "grpc-accept-encoding", "gzip, deflate")
	if err != nil {
		return err
	}
	if a.code != 200 || a.trailer.Get("Grpc-Status") != "0" || a.header.Get("Grpc-Status") != "" || !bytes.Equal(a.body, framed(0, nil)) {
		return fmt.Errorf("HTTP %d, headers %v, body %x, trailers %v", a.code, a.header, a.body, a.trailer)
	}
	if encoding := a.header.Get("Grpc-Encoding"); encoding != "" && encoding != "identity" {
		return fmt.Errorf("answered in %s", encoding)
	}
	return nil
}

func (r *rawClient) deadline(ctx context.Context) error {
	watch := "raw-deadline-" + r.base
	a, err := r.ask(ctx, "EmptyCall", framed(0, nil), "grpc-timeout", "200m", "conformance-end", "hold", "conformance-watch", watch)
	if err != nil {
		return err
	}
	if err := a.check("Grpc-Status", "4"); err != nil {
		return err
	}
	a, err = r.ask(ctx, "EmptyCall", framed(0, nil), "conformance-outcome", watch)
	if err != nil {
		return err
	}
	if got := a.trailer.Get("Conformance-Outcome"); got != "cancelled" {
		return fmt.Errorf("the handler ended as %q", got)
	}
	return nil
}

func (r *rawClient) gzipRefusal(ctx context.Context) error {
	message, err := proto.Marshal(&pb.SimpleRequest{Payload: payload(1000)})
	if err != nil {
		return err
	}
	var squeezed bytes.Buffer
	writer := gzip.NewWriter(&squeezed)
	writer.Write(message)
	writer.Close()
	a, err := r.ask(ctx, "UnaryCall", framed(1, squeezed.Bytes()), "grpc-encoding", "gzip")
	if err != nil {
		return err
	}
	return a.check("Grpc-Status", "12", "Grpc-Accept-Encoding", "identity")
}

func (r *rawClient) compressedFlag(ctx context.Context) error {
	a, err := r.ask(ctx, "EmptyCall", framed(1, nil))
	if err != nil {
		return err
	}
	return a.check("Grpc-Status", "13")
}

func (r *rawClient) notGrpc(ctx context.Context) error {
	a, err := r.ask(ctx, "EmptyCall", nil, "Content-Type", "text/html")
	if err != nil {
		return err
	}
	if a.code != http.StatusUnsupportedMediaType || !strings.Contains(string(a.body), "gRPC") {
		return fmt.Errorf("HTTP %d, %q", a.code, a.body)
	}
	return nil
}

func (r *rawClient) badTimeout(ctx context.Context) error {
	a, err := r.ask(ctx, "EmptyCall", framed(0, nil), "grpc-timeout", "soon")
	if err != nil {
		return err
	}
	return a.check("Grpc-Status", "3")
}
