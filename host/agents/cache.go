package agents

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/twosync/twosync/protocol"
)

// maxKept bounds the builds of the host whose agents stay in the cache, at
// about 8 MB each. Someone who works on twosync makes a new one every minute.
const maxKept = 8

// The cache holds KEY/twosync-agent-GOOS-GOARCH-SHA256: one folder a build of
// the host, whose time is when it was last of use.

func (f *finder) dir() string { return filepath.Join(f.cache, f.key) }

// cached returns the agent that is in the cache, if it is what its name says.
func (f *finder) cached(p platform) (Agent, bool) {
	entries, err := os.ReadDir(f.dir())
	if err != nil {
		return Agent{}, false
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), p.file()+"-") {
			continue
		}
		path := filepath.Join(f.dir(), e.Name())
		sum, err := protocol.FileDigest(path)
		if err != nil || !strings.HasSuffix(path, fmt.Sprintf("-%x", sum)) {
			continue // cut short or damaged: as good as absent
		}
		now := time.Now()
		_ = os.Chtimes(f.dir(), now, now) // only decides what prune takes first
		return Agent{Path: path, SHA256: sum, GOOS: p.goos, GOARCH: p.goarch}, true
	}
	return Agent{}, false
}

// store puts the agent into the cache, whole or not at all: another session may
// be looking for it at this moment.
func (f *finder) store(p platform, content []byte) (Agent, error) {
	if err := os.MkdirAll(f.dir(), 0o700); err != nil {
		return Agent{}, fmt.Errorf("create cache: %w", err)
	}
	sum := sha256.Sum256(content)
	path := filepath.Join(f.dir(), fmt.Sprintf("%s-%x", p.file(), sum))
	if err := writeWhole(path, content); err != nil {
		return Agent{}, err
	}
	f.prune()
	return Agent{Path: path, SHA256: sum, GOOS: p.goos, GOARCH: p.goarch}, nil
}

// writeWhole writes an executable file beside path and renames it there.
func writeWhole(path string, content []byte) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".new-")
	if err != nil {
		return fmt.Errorf("create file in cache: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(tmp.Name()))
		}
	}()
	_, err = tmp.Write(content)
	err = errors.Join(err, tmp.Chmod(0o755), tmp.Sync(), tmp.Close())
	if err != nil {
		return fmt.Errorf("write %s: %w", tmp.Name(), err)
	}
	if err = os.Rename(tmp.Name(), path); err != nil {
		return fmt.Errorf("rename agent into cache: %w", err)
	}
	return nil
}

// prune removes the agents of all but the builds that were last of use. What it
// cannot remove stays: that is no reason to fail.
func (f *finder) prune() {
	entries, err := os.ReadDir(f.cache)
	if err != nil {
		return
	}
	used := make(map[string]time.Time)
	var keys []string
	for _, e := range entries {
		if info, err := e.Info(); err == nil && e.IsDir() && isKey(e.Name()) {
			used[e.Name()] = info.ModTime()
			keys = append(keys, e.Name())
		}
	}
	slices.SortFunc(keys, func(a, b string) int { return used[b].Compare(used[a]) })
	for i, key := range keys {
		if i >= maxKept && key != f.key {
			_ = os.RemoveAll(filepath.Join(f.cache, key))
		}
	}
}

// isKey keeps prune away from folders that are none of ours.
func isKey(name string) bool {
	return len(name) == 16 && strings.Trim(name, "0123456789abcdef") == ""
}
