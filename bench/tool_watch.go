package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// watchLabels make our container one that docker compose takes for its own.
var watchLabels = []string{
	"com.docker.compose.project=twosync-bench", "com.docker.compose.service=bench",
	"com.docker.compose.container-number=1", "com.docker.compose.oneoff=False", "com.docker.compose.config-hash=none",
}

// findWatch looks for a compose that has the command: the older docker-compose
// has not.
func findWatch(ctx context.Context, b *bench) error {
	for _, command := range [][]string{{"docker", "compose"}, {"docker-compose"}} {
		said, err := version(ctx, append(command, "version", "--short")...)
		if err != nil {
			continue
		}
		if _, err := version(ctx, append(command, "watch", "--help")...); err != nil {
			continue
		}
		b.compose = command
		b.version("watch", "docker compose "+said)
		b.box.labels = append(b.box.labels, watchLabels...)
		return nil
	}
	return errors.New("no docker compose with a watch command on this machine")
}

// startWatch says nothing until it has brought what is there.
func startWatch(ctx context.Context, b *bench, p pair, _ direction, o options) (session, error) {
	state, err := b.stateFolder(o)
	if err != nil {
		return nil, err
	}
	image := b.box.base
	if image == "" {
		image = b.box.image
	}
	type object = map[string]any
	file, err := json.Marshal(object{ // JSON is YAML
		"name": "twosync-bench",
		"services": object{"bench": object{"image": image, "develop": object{"watch": []object{
			{"action": "sync", "path": p.host, "target": p.container, "initial_sync": true}}}}},
	})
	if err != nil {
		return nil, err
	}
	name := filepath.Join(state, "compose.yaml")
	if err := os.WriteFile(name, file, 0o644); err != nil {
		return nil, err
	}
	// It locks a project there; each of ours is a project of its own.
	env := append(firstOnPath(o.path), "XDG_RUNTIME_DIR="+state)
	s, err := b.startChild(ctx, env, append(append([]string{}, b.compose...), "-f", name, "watch", "--no-up")...)
	if err != nil {
		return nil, err
	}
	if err := s.until(ctx, "Watch enabled", inSyncLimit); err != nil {
		return nil, errors.Join(fmt.Errorf("start docker compose watch: %w", err), s.stop())
	}
	return s, nil
}
