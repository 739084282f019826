// The two caches of go-control-plane behind one small interface.
package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
)

// store is a cache that the bench can change.
type store interface {
	cache() cache.Cache
	apply(change) error
}

// sendOrder is make-before-break: what is referred to comes first.
var sendOrder = []string{
	resource.SecretType, resource.EndpointType, resource.ClusterType, resource.ExtensionConfigType,
	resource.RouteType, resource.ScopedRouteType, resource.ListenerType, resource.RuntimeType,
}

func newStore(o options, world map[string]map[string]types.Resource) (store, error) {
	for typeURL := range world {
		if !known(typeURL) {
			return nil, fmt.Errorf("unknown type %s", typeURL)
		}
	}
	switch o.cache {
	case "linear":
		return newLinearStore(world), nil
	case "snapshot":
		return newSnapshotStore(o, world)
	default:
		return nil, fmt.Errorf("unknown cache %q", o.cache)
	}
}

func known(typeURL string) bool {
	for _, t := range sendOrder {
		if t == typeURL {
			return true
		}
	}
	return false
}

type linearStore struct {
	mux    *cache.MuxCache
	byType map[string]*cache.LinearCache
}

func newLinearStore(world map[string]map[string]types.Resource) *linearStore {
	s := &linearStore{byType: map[string]*cache.LinearCache{}}
	s.mux = &cache.MuxCache{
		Classify:      func(r *cache.Request) string { return r.GetTypeUrl() },
		ClassifyDelta: func(r *cache.DeltaRequest) string { return r.GetTypeUrl() },
		Caches:        map[string]cache.Cache{},
	}
	for _, t := range sendOrder {
		s.byType[t] = cache.NewLinearCache(t, cache.WithInitialResources(world[t]))
		s.mux.Caches[t] = s.byType[t]
	}
	return s
}

func (s *linearStore) cache() cache.Cache { return s.mux }

func (s *linearStore) apply(c change) error {
	for _, t := range sendOrder {
		if len(c.upsert[t])+len(c.remove[t]) == 0 {
			continue
		}
		if err := s.byType[t].UpdateResources(c.upsert[t], c.remove[t]); err != nil {
			return err
		}
	}
	return nil
}

// snapshotStore keeps one snapshot per node, all of them the same object, so that versions are hashed once.
type snapshotStore struct {
	snapshots cache.SnapshotCache
	nodes     []string
	current   *cache.Snapshot
	items     map[string]map[string]types.Resource
	revision  int
}

func newSnapshotStore(o options, world map[string]map[string]types.Resource) (*snapshotStore, error) {
	s := &snapshotStore{
		snapshots: cache.NewSnapshotCache(true, cache.IDHash{}, nil),
		current:   &cache.Snapshot{},
		items:     map[string]map[string]types.Resource{},
	}
	for i := range o.proxies {
		s.nodes = append(s.nodes, strings.ReplaceAll(o.nodeID, "{i}", strconv.Itoa(i)))
	}
	return s, s.apply(change{upsert: world})
}

func (s *snapshotStore) cache() cache.Cache { return s.snapshots }

func (s *snapshotStore) apply(c change) error {
	s.revision++
	next := &cache.Snapshot{Resources: s.current.Resources}
	for _, t := range sendOrder {
		if s.revision > 1 && len(c.upsert[t])+len(c.remove[t]) == 0 {
			continue
		}
		next.Resources[cache.GetResponseType(t)] = cache.NewResources(strconv.Itoa(s.revision), s.fold(t, c))
	}
	s.current = next
	for _, node := range s.nodes {
		if err := s.snapshots.SetSnapshot(context.Background(), node, next); err != nil {
			return err
		}
	}
	return nil
}

// fold applies the change of one type and lists what there is afterwards.
func (s *snapshotStore) fold(typeURL string, c change) []types.Resource {
	items := s.items[typeURL]
	if items == nil {
		items = map[string]types.Resource{}
		s.items[typeURL] = items
	}
	for name, r := range c.upsert[typeURL] {
		items[name] = r
	}
	for _, name := range c.remove[typeURL] {
		delete(items, name)
	}
	list := make([]types.Resource, 0, len(items))
	for _, r := range items {
		list = append(list, r)
	}
	return list
}
