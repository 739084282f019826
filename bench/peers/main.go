// The peers: control planes built on go-control-plane, fed with resources that were compiled elsewhere.
//
// A contender of the bench: prints one JSON line when it listens, then reads JSON lines on stdin and answers each
// on stdout once the change is in its cache. It compiles nothing, so it has less to do than a real control plane.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"runtime/debug"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
)

// maxLine bounds one JSON line of the protocol.
const maxLine = 64 << 20

type options struct {
	cache        string
	world        string
	proxies      int
	nodeID       string
	canonicalize bool
}

type command struct {
	Op     string    `json:"op"`
	Upsert []encoded `json:"upsert"`
	Remove []key     `json:"remove"`
}

func parseOptions() options {
	var o options
	flag.StringVar(&o.cache, "cache", "linear", "linear or snapshot")
	flag.StringVar(&o.world, "world", "", "file of JSON lines {type,name,value}, value in base64")
	flag.IntVar(&o.proxies, "proxies", 1, "number of nodes that get a snapshot")
	flag.StringVar(&o.nodeID, "node-id", "proxy-{i}", "node id; {i} is replaced by the number of the proxy")
	flag.BoolVar(&o.canonicalize, "canonicalize", false, "re-encode JSON lines from stdin to stdout as the caches would")
	flag.Parse()
	return o
}

func main() {
	if err := run(parseOptions()); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	if o.canonicalize {
		return canonicalize(os.Stdin, os.Stdout)
	}
	world, err := readWorld(o.world)
	if err != nil {
		return err
	}
	store, err := newStore(o, world)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	serving := grpc.NewServer(grpc.MaxConcurrentStreams(1_000_000))
	discovery.RegisterAggregatedDiscoveryServiceServer(serving, server.NewServer(context.Background(), store.cache(), nil))
	go func() { _ = serving.Serve(listener) }()
	answer(map[string]any{"ready": true, "port": listener.Addr().(*net.TCPAddr).Port, "pid": os.Getpid()})
	return serveCommands(store)
}

func serveCommands(s store) error {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 1<<20), maxLine)
	for lines.Scan() {
		var c command
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			return err
		}
		switch c.Op {
		case "quit":
			return nil
		case "gc":
			debug.FreeOSMemory()
		case "stats":
		default:
			change, err := decodeChange(c)
			if err != nil {
				return err
			}
			if err := s.apply(change); err != nil {
				return err
			}
		}
		answer(map[string]any{"done": c.Op})
	}
	return lines.Err()
}

func answer(value any) {
	line, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(line))
}
