//go:build linux

package e2e

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// A12: a watcher on the other side sees each save as one change, whose last event
// says that the file is there. It reads the file at once, and whole.
func TestWatcherSeesEachSaveOnce(t *testing.T) {
	t.Parallel()
	p := beginWith(t, runContainer(t, busybox), "/app")
	for _, way := range [][2]*user{{p.host, p.inner}, {p.inner, p.host}} {
		from, to := way[0], way[1]
		p.sub("from_the_"+from.name, func(t *testing.T) {
			from, to := from.in(t, ""), to.in(t, "")
			for i := range 10 {
				text := fmt.Sprintf("package main // %d %s\n", i, from.name)
				to.do(Request{Do: "watch"})
				if i%2 == 0 {
					from.write("main.go", text)
				} else {
					from.save("main.go", text)
				}
				p.flush()
				oneChange(t, to, "main.go", text)
			}
		})
	}
	p.stop()
}

// oneChange ends a watch and fails the test unless it saw just one change of a
// file, after which the file held text.
func oneChange(t *testing.T, u *user, name, text string) {
	t.Helper()
	want := u.do(Request{Do: "list"}).Tree
	var digest []byte
	for _, e := range want {
		if string(e.Path) == name {
			digest = e.Digest
		}
	}
	u.holds(name, text)
	var all []Event
	for _, e := range u.do(Request{Do: "unwatch"}).Events {
		if string(e.Name) == name {
			all = append(all, e)
		}
	}
	if len(all) == 0 {
		t.Fatalf("the watcher saw nothing")
	}
	arrivals := 0
	for _, e := range all {
		if e.What == "IN_MOVED_TO" {
			arrivals++
		}
		if e.Absent || !bytes.Equal(e.Digest, digest) {
			t.Errorf("after %s the watcher found %+v, want all of %q", e.What, e.Sight, text)
		}
	}
	if last := all[len(all)-1].What; last != "IN_MOVED_TO" || arrivals != 1 {
		t.Errorf("the watcher saw %v, want one IN_MOVED_TO, last", whats(all))
	}
}

func whats(events []Event) (all []string) {
	for _, e := range events {
		all = append(all, e.What)
	}
	return all
}

// A2, A12: a file that is emptied and written in place, many times, is never
// seen empty, half or absent on the other side.
func TestA2WrittenInPlace(t *testing.T) {
	t.Parallel()
	p := beginWith(t, runContainer(t, scratch, "-v", newVolume(t)+":/app"), "/app")
	for _, way := range [][2]*user{{p.host, p.inner}, {p.inner, p.host}} {
		from, to := way[0], way[1]
		p.sub("from_the_"+from.name, func(t *testing.T) {
			from, to := from.in(t, ""), to.in(t, "")
			const size, saves = 20_000, 100
			path := []byte("served " + from.name)
			line := "00000000 one of many lines that a server serves\n"
			data := []byte(strings.Repeat(line, size/len(line)))
			from.do(Request{Do: "write", Path: path, Data: data})
			p.flush()
			to.do(Request{Do: "stare", Path: path})
			to.do(Request{Do: "watch"})
			slow := from.do(Request{Do: "saves", Path: path, Data: data, N: saves}).N
			p.flush()
			a := to.do(Request{Do: "unstare", Path: path})
			parts, arrived := int64(0), int64(0)
			for _, s := range a.Seen {
				if s.Absent || s.Error != "" || s.Size != int64(len(data)) {
					parts++
				}
			}
			for _, e := range to.do(Request{Do: "unwatch"}).Events {
				if bytes.Equal(e.Name, path) && e.What == "IN_MOVED_TO" && e.Size != int64(len(data)) {
					arrived++
				}
			}
			if parts > slow || arrived > slow {
				t.Errorf("a reader found %d parts of a file, and a watcher %d; %d saves paused", parts, arrived, slow)
			}
			if len(a.Seen) < 2 {
				t.Errorf("a reader saw nothing change in %d looks", a.N)
			}
			same(t, "host, but container", p.host.tree(), p.inner.tree())
		})
	}
	p.stop()
}

// E1: a log that never rests is followed, and starves nobody.
func TestE1ALogThatNeverRests(t *testing.T) {
	long(t)
	t.Parallel()
	p := beginWith(t, runContainer(t, busybox), "/app")
	for _, way := range [][2]*user{{p.host, p.inner}, {p.inner, p.host}} {
		from, to := way[0], way[1]
		p.sub("from_the_"+from.name, func(t *testing.T) {
			from, to := from.in(t, ""), to.in(t, "")
			log := []byte("log of the " + from.name)
			from.do(Request{Do: "keepup", Path: log, Data: []byte("a line that a server logs\n"), N: 2})
			for i := range 10 {
				text := fmt.Sprintf("package main // %d beside a log %s\n", i, from.name)
				from.write("main.go", text)
				p.flush()
				to.holds("main.go", text)
				back := fmt.Sprintf("package lib // %d beside a log %s\n", i, from.name)
				to.save("lib/a.go", back)
				p.flush()
				from.holds("lib/a.go", back)
			}
			so := to.do(Request{Do: "read", Path: log}).Data
			from.do(Request{Do: "enough", Path: log})
			if whole := from.do(Request{Do: "read", Path: log}).Data; len(so) == 0 || !bytes.HasPrefix(whole, so) {
				t.Errorf("of a log of %d bytes there were %d on the other side, or others", len(whole), len(so))
			}
			p.flush()
			same(t, "host, but container", p.host.tree(), p.inner.tree())
		})
	}
	p.stop()
}

// E9: a large file is edited in a few places.
func TestE9LargeFile(t *testing.T) {
	t.Parallel()
	p := begin(t, runContainer(t, scratch), "/app")
	size := int64(100 << 20)
	if testing.Short() {
		size = 10 << 20
	}
	p.host.do(Request{Do: "big", Path: []byte("large"), N: size, At: 7})
	p.flush()
	same(t, "host, but container", p.host.tree(), p.inner.tree())
	p.inner.do(Request{Do: "patch", Path: []byte("large"), Data: []byte("edited in the container"), At: size / 2})
	p.settled(t)
	p.host.do(Request{Do: "patch", Path: []byte("large"), Data: []byte("edited on the host"), At: 12345})
	p.host.append("large", "and longer\n")
	p.settled(t)
	p.inner.rename("large", "renamed")
	p.settled(t)
	p.keptNothing()
	p.stop()
}
