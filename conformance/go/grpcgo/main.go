// A grpc-go client of the test service (conformance/service.py): plays every case and prints a line for each,
// "ok NAME" or "FAIL NAME: why". Its runner (conformance/run.py) knows the names, and misses one that was not played.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

// No case may take longer: a peer that never answers is a failure, not a wait.
const patience = 20 * time.Second

type played struct {
	name string
	play func(ctx context.Context) error
}

var (
	address = flag.String("address", "", "host:port of the test service")
	ca      = flag.String("ca", "", "PEM file of the authority to trust; in the clear without it")
	suite   = flag.String("suite", "calls", "calls, raw or keepalive")
)

func main() {
	flag.Parse()
	secure := secured()
	var plays []played
	switch *suite {
	case "calls":
		cc := dial(secure)
		defer cc.Close()
		plays = calls(cc)
	case "raw":
		plays = raw(secure)
	case "keepalive":
		// grpc-go raises anything below 10 s to 10 s: this is its most eager.
		eager := keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 5 * time.Second, PermitWithoutStream: true}
		cc := dial(secure, grpc.WithKeepaliveParams(eager))
		defer cc.Close()
		plays = []played{{"keepalive", func(context.Context) error { return keptAlive(cc) }}}
	}
	failed := false
	for _, p := range plays {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		if err := p.play(ctx); err != nil {
			failed = true
			fmt.Printf("FAIL %s: %s\n", p.name, strings.ReplaceAll(err.Error(), "\n", "\\n"))
		} else {
			fmt.Printf("ok %s\n", p.name)
		}
		cancel()
	}
	if failed {
		os.Exit(1)
	}
}

func secured() *tls.Config {
	if *ca == "" {
		return nil
	}
	pem, err := os.ReadFile(*ca)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return &tls.Config{RootCAs: pool, ServerName: "localhost"}
}

func dial(secure *tls.Config, more ...grpc.DialOption) *grpc.ClientConn {
	how := insecure.NewCredentials()
	if secure != nil {
		how = credentials.NewTLS(secure)
	}
	cc, err := grpc.NewClient("passthrough:///"+*address, append(more, grpc.WithTransportCredentials(how))...)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	return cc
}
