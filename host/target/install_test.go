package target

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/twosync/twosync/host/agents"
)

func TestArchive(t *testing.T) {
	agent := agents.Agent{SHA256: [32]byte{0xab, 0xcd, 0xef, 1, 2, 3, 4}}
	const dir = ".twosync/agent/abcdef010203/"
	for shared, want := range map[bool]map[string]int64{
		false: {".twosync/": 0o755, ".twosync/stage/": 0o1777, ".twosync/agent/": 0o755, dir: 0o755,
			dir + "twosync-agent.part": 0o755, dir + "twosync-agent": 0o755},
		true: {".twosync/": 0o1777, ".twosync/.gitignore": 0o644, ".twosync/agent/": 0o755, dir: 0o755,
			dir + "twosync-agent.part": 0o755, dir + "twosync-agent": 0o755},
	} {
		r := tar.NewReader(bytes.NewReader(archive(agent, []byte("content"), shared)))
		got := make(map[string]int64)
		last := ""
		for {
			h, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			h = must(t, h, err)
			if got[h.Name] = h.Mode; h.Uid != 0 || h.Gid != 0 {
				t.Errorf("%s belongs to %d:%d", h.Name, h.Uid, h.Gid)
			}
			last = h.Name
		}
		if len(got) != len(want) || last != dir+"twosync-agent" {
			t.Errorf("shared %v: got %v, last %s, want %v", shared, got, last, want)
		}
		for name, mode := range want {
			if got[name] != mode {
				t.Errorf("shared %v: %s has mode %#o, want %#o", shared, name, got[name], mode)
			}
		}
	}
}
