//go:build linux

package hostile

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"

	"github.com/twosync/twosync/protocol"
)

// beBombed makes this executable a host that meets a bomb, and prints how much
// memory it took.
const beBombed = "HOSTILE_BOMB"

const (
	// maxSpace is the address space that such a host gets: what it may take, and
	// what the runtime reserves.
	maxSpace = 4 << 30

	// bombTime is how long the flood lasts before the user has enough.
	bombTime = 3 * time.Second

	// maxPeak is what it may take at most. The largest message has 256 MiB, and
	// its entries take up to eight times their bytes.
	maxPeak = 2 << 30
)

// bombs are what an agent sends once its first report was made, again and again
// until the session ends.
var bombs = map[string]func() []byte{
	// A million directories in seven bytes each.
	"entries": func() []byte {
		b := append([]byte{0, 1, 1, 'd', folder}, binary.AppendUvarint(nil, 1<<20)...)
		for i := range 1 << 20 {
			b = append(b, 4, byte('a'+i>>18&15), byte('a'+i>>12&63), byte('a'+i>>6&63), byte('a'+i&63), folder, 0)
		}
		return wrap(observed, append(b, 0))
	},
	// Paths of 64 KiB.
	"paths": func() []byte {
		path := strings.TrimSuffix(strings.Repeat(strings.Repeat("p", 250)+"/", 256), "/")
		b := append([]byte{0}, binary.AppendUvarint(nil, 3000)...)
		for range 3000 {
			b = append(append(b, binary.AppendUvarint(nil, uint64(len(path)))...), path...)
			b = append(b, absent)
		}
		return wrap(observed, append(b, 0))
	},
	// Reasons of 4 KiB for what can't be read.
	"reasons": func() []byte {
		b := append([]byte{0, 1, 1, 'd', folder}, binary.AppendUvarint(nil, 10_000)...)
		for i := range 10_000 {
			b = append(b, fmt.Sprintf("\x05%05d", i)...)
			b = append(append(b, unknown), str(strings.Repeat("r", 4096)).write(nil)...)
		}
		return wrap(observed, append(b, 0))
	},
	"strays": func() []byte {
		path := strings.TrimSuffix(strings.Repeat(strings.Repeat("p", 250)+"/", 256), "/")
		return wrap(stray, all(str("slot"), str(path), fileOf("never comes").value(), str(strings.Repeat("w", 4096))).write(nil))
	},
	"notices": func() []byte {
		return wrap(notice, all(one(0), str(strings.Repeat("n", 4096)), str(strings.Repeat("n", 4096))).write(nil))
	},
	"progress": func() []byte { return wrap(progress, all(num(1), num(1<<62), num(1<<62)).write(nil)) },
}

// wrap makes frames of a message on the work stream.
func wrap(code byte, body []byte) []byte {
	m := message{workStream, code, tail(body)}
	return bytes.Join(m.frames(), nil)
}

// bombed is the main function of such a host. It goes on until the host has taken
// so much that it would have taken too much.
func bombed(name string) error {
	limit := unix.Rlimit{Cur: maxSpace, Max: maxSpace}
	if err := unix.Setrlimit(unix.RLIMIT_AS, &limit); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(os.Getenv("HOSTILE_DIR"), "bomb")
	if err != nil {
		return err
	}
	s, err := newSite(dir)
	if err != nil {
		return err
	}
	if err := s.save("u0", "the host's"); err != nil {
		return err
	}
	a, bomb := newAgent(), bombs[name]()
	ctx, cancel := context.WithTimeout(context.Background(), bombTime)
	defer cancel()
	h, err := s.open(func() (net.Conn, protocol.Options) {
		here, there := net.Pipe()
		go a.serve(there)
		return here, protocol.Options{}
	}, 1)
	if err != nil {
		return err
	}
	a.tamper = func(m *message) []*message {
		if m.code == observed && !a.ready {
			a.passed = func(code byte) {
				for sent := 0; code == apply && sent < 1<<30; sent += len(bomb) {
					for b := bomb; len(b) > 0; {
						n := min(len(b), maxBody+3)
						a.mux.send(chunk{stream: workStream, b: b[:n:n]})
						b = b[n:]
					}
				}
			}
		}
		return []*message{m}
	}
	began := time.Now()
	err = h.session.Run(ctx)
	fmt.Printf("ended with %.200v after %v\npeak %d\n", err, time.Since(began).Round(time.Millisecond), peak())
	if late := time.Since(began) - bombTime; late > patience/2 {
		return fmt.Errorf("it went on for %v when it was to end", late)
	}
	return s.check()
}

// peak is how much memory this process held at most.
func peak() int64 {
	b, _ := os.ReadFile("/proc/self/status")
	for l := range strings.Lines(string(b)) {
		if kib, ok := strings.CutPrefix(l, "VmHWM:"); ok {
			n, _ := strconv.ParseInt(strings.Fields(kib)[0], 10, 64)
			return n << 10
		}
	}
	return -1
}

// TestBombs: whatever an agent floods a session with, the host takes no more than
// its limits say, in a process that gets no more.
func TestBombs(t *testing.T) {
	if raceOn {
		t.Skip("the race detector takes the address space that is to be limited")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name := range bombs {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
			defer cancel()
			c := exec.CommandContext(ctx, exe)
			c.Env = append(os.Environ(), beBombed+"="+name, "HOSTILE_DIR="+scratch(t))
			out, err := c.CombinedOutput()
			text := string(out)
			if err != nil {
				t.Fatalf("%v: %.3000s", err, text)
			}
			var peak int64
			fmt.Sscanf(text[max(strings.LastIndex(text, "peak"), 0):], "peak %d", &peak)
			t.Logf("%s peak %d MiB", strings.TrimSpace(text[:min(len(text), 200)]), peak>>20)
			if peak <= 0 || peak > maxPeak {
				t.Errorf("it took %d MiB", peak>>20)
			}
		})
	}
}

// packedSize is what the bomb of TestRatio unpacks to; it was said to be a MiB.
const packedSize = 64 << 20

// TestRatio: a content that unpacks to thousands of times as much ends the session
// when it is longer than was said, and nothing of it is kept.
func TestRatio(t *testing.T) {
	s, err := newSite(scratch(t))
	if err != nil {
		t.Fatal(err)
	}
	a := newAgent() // a host that is empty takes all
	a.tree.put("bomb", &node{kind: file, sum: [16]byte{1}, size: 1 << 20})
	bomb := packed(t, func(w *zstd.Encoder) {
		f := (&message{bulkStream, piece, all(num(1), num(0), one(0), tail(make([]byte, 32<<10)))}).frames()[0]
		for range packedSize / len(f) {
			w.Write(f)
		}
	})
	t.Logf("%d bytes unpack to %d MiB", len(bomb), packedSize>>20)
	a.tamper = func(m *message) []*message {
		switch {
		case m.stream != bulkStream:
			return []*message{m}
		case m.code == piece:
			for b := bomb; len(b) > 0; {
				n := min(len(b), maxBody)
				a.mux.send(chunk{stream: bulkStream, b: b[:n:n]})
				b = b[n:]
			}
		}
		return nil
	}
	a.deaf = true
	h, err := s.open(func() (net.Conn, protocol.Options) {
		here, there := net.Pipe()
		go a.serve(there)
		return here, protocol.Options{Compress: true}
	}, 1)
	if err != nil {
		t.Fatal(err)
	}
	heap := watchHeap()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err = h.session.Run(ctx)
	if closing := h.close(); closing != nil {
		t.Error(closing)
	}
	t.Logf("ended with %v; the heap was at most %d MiB", err, heap.stop()>>20)
	if err == nil || ctx.Err() != nil {
		t.Error("the session did not end by itself")
	}
	if heap.max > 256<<20 {
		t.Errorf("the heap grew to %d MiB", heap.max>>20)
	}
	if err := s.check(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(filepath.Join(s.root(), "bomb")); err == nil {
		t.Error("the bomb is in the root")
	}
}

func packed(t *testing.T, write func(*zstd.Encoder)) []byte {
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b, zstd.WithWindowSize(1<<20))
	if err != nil {
		t.Fatal(err)
	}
	write(w)
	w.Close()
	return b.Bytes()
}
