// The language of the bench: resources as JSON lines, messages in base64.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	_ "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/service/runtime/v3"
)

type key struct {
	Type string `json:"type"`
	Name string `json:"name"`
}

type encoded struct {
	key
	Value []byte `json:"value"`
}

type change struct {
	upsert map[string]map[string]types.Resource
	remove map[string][]string
}

func decode(e encoded) (types.Resource, error) {
	message, err := (&anypb.Any{TypeUrl: e.Type, Value: e.Value}).UnmarshalNew()
	if err != nil {
		return nil, fmt.Errorf("%s %q: %w", e.Type, e.Name, err)
	}
	return message, nil
}

func decodeAll(list []encoded) (map[string]map[string]types.Resource, error) {
	byType := map[string]map[string]types.Resource{}
	for _, e := range list {
		resource, err := decode(e)
		if err != nil {
			return nil, err
		}
		if byType[e.Type] == nil {
			byType[e.Type] = map[string]types.Resource{}
		}
		byType[e.Type][e.Name] = resource
	}
	return byType, nil
}

func decodeChange(c command) (change, error) {
	upsert, err := decodeAll(c.Upsert)
	remove := map[string][]string{}
	for _, k := range c.Remove {
		remove[k.Type] = append(remove[k.Type], k.Name)
	}
	return change{upsert: upsert, remove: remove}, err
}

func readLines(in io.Reader, each func(encoded) error) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 1<<20), maxLine)
	for lines.Scan() {
		var e encoded
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return err
		}
		if err := each(e); err != nil {
			return err
		}
	}
	return lines.Err()
}

func readWorld(path string) (map[string]map[string]types.Resource, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var list []encoded
	if err := readLines(file, func(e encoded) error { list = append(list, e); return nil }); err != nil {
		return nil, err
	}
	return decodeAll(list)
}

// canonicalize re-encodes each resource with the options of the caches, so that the bench can compare bytes.
func canonicalize(in io.Reader, out io.Writer) error {
	buffered := bufio.NewWriter(out)
	defer buffered.Flush()
	lines := json.NewEncoder(buffered)
	return readLines(in, func(e encoded) error {
		message, err := decode(e)
		if err != nil {
			return err
		}
		if e.Value, err = (proto.MarshalOptions{Deterministic: true}).Marshal(message); err != nil {
			return err
		}
		return lines.Encode(e)
	})
}
