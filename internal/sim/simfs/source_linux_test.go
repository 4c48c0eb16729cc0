package simfs_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twosync/twosync/internal/sim/simfs"
	"github.com/twosync/twosync/internal/watch"
)

func (m *machine) source() watch.Source {
	m.t.Helper()
	src, err := m.p.Source("/work")
	must(m.t, err)
	must(m.t, src.Add("", m.open("/work").Fd()))
	return src
}

func heard(t *testing.T, src watch.Source) string {
	t.Helper()
	events, err := src.Wait(0)
	must(t, err)
	var all []string
	for _, e := range events {
		all = append(all, e.String())
	}
	return strings.Join(all, ", ")
}

// What the process does is heard like what users do; a mapping is not.
func TestSource(t *testing.T) {
	m := newMachine(t, simfs.Options{})
	src := m.source()
	put(t, m.open("/work"), "a", "1")
	must(t, m.u.MapWrite("/work/a", "2", 0))
	h, err := m.u.Open("/work/a", false)
	must(t, err)
	must(t, h.MapWrite([]byte("3"), 0))
	if got := heard(t, src); got != "create /a, modify /a, close-write /a" {
		t.Error(got)
	}
	if m.p.Waiting() {
		t.Error("something is still waiting")
	}
	must(t, m.u.Rename("/work/a", "/work/b"))
	must(t, h.Write([]byte("4")))
	h.Close()
	if !m.p.Waiting() {
		t.Error("nothing is waiting")
	}
	if got := heard(t, src); got != "moved-from /a paired, moved-to /b paired, modify /b, close-write /b" {
		t.Error(got)
	}
	src.Wake()
	if !m.p.Waiting() || heard(t, src) != "" || m.p.Waiting() {
		t.Error("a wake is to be seen once")
	}
	must(t, src.Close())
	if _, err := src.Wait(0); err != watch.ErrClosed {
		t.Error(err)
	}
}

// What does not fit is an overflow, once, and what comes after it is heard again.
func TestQueueOverflows(t *testing.T) {
	m := newMachine(t, simfs.Options{})
	m.p.MaxQueue = 3
	src := m.source()
	for i := range 10 {
		must(t, m.u.Mkdir(fmt.Sprint("/work/", i)))
	}
	if got := heard(t, src); got != "create /0/, create /1/, create /2/, overflow /" {
		t.Error(got)
	}
	must(t, m.u.Rmdir("/work/9"))
	if got := heard(t, src); got != "delete /9/" {
		t.Error(got)
	}
}

// A kernel that is deaf for some changes.
func TestDeaf(t *testing.T) {
	m := newMachine(t, simfs.Options{})
	m.p.MaxQueue = 2
	m.p.Lose = func(_ uint32, name string) bool { return name != "a" }
	src := m.source()
	must(t, m.u.Write("/work/b", "x"))
	must(t, m.u.Write("/work/a", "x"))
	if got := heard(t, src); got != "create /a, modify /a, overflow /" {
		t.Error(got)
	}
}

func TestWatchLimits(t *testing.T) {
	m := newMachine(t, simfs.Options{})
	must(t, m.u.Mkdir("/work/sub"))
	m.p.MaxWatches = 1
	src := m.source()
	wantErr(t, "a second watch", src.Add("sub", m.open("/work/sub").Fd()), watch.ErrLimit)
	must(t, src.Add("", m.open("/work").Fd()))
	if src.Count() != 1 {
		t.Error(src.Count())
	}
	m.p.NoSource = true
	_, err := m.p.Source("/work")
	wantErr(t, "no source", err, watch.ErrLimit)
	m.p.Kill()
	if _, err := src.Wait(0); err != watch.ErrClosed {
		t.Error(err)
	}
}

// An unmount is told, and the end of a directory when the last who holds it is done.
func TestEndsAreHeard(t *testing.T) {
	m := newMachine(t, simfs.Options{})
	must(t, m.u.MkdirAll("/work/vol"))
	must(t, m.u.MkdirAll("/work/dir"))
	must(t, m.Mount("/work/vol", simfs.Options{}))
	src := m.source()
	vol, dir := m.open("/work/vol"), m.open("/work/dir")
	must(t, src.Add("vol", vol.Fd()))
	must(t, src.Add("dir", dir.Fd()))
	must(t, m.Unmount("/work/vol"))
	if got := heard(t, src); got != "dir-gone /vol/" {
		t.Error(got)
	}
	must(t, m.u.Rmdir("/work/dir"))
	if got := heard(t, src); got != "delete /dir/" {
		t.Error(got)
	}
	must(t, dir.Close())
	if got := heard(t, src); got != "" || src.Count() != 1 { // the source knew it already
		t.Error(got, src.Count())
	}
}

func TestPoll(t *testing.T) {
	m := newMachine(t, simfs.Options{})
	m.p.Poll = time.Second
	src := m.source()
	if got := heard(t, src); got != "" || src.Precise() {
		t.Error(got)
	}
	for range 2 {
		m.now += 1e9
		if got := heard(t, src) + "," + heard(t, src); got != "overflow /," {
			t.Error(got)
		}
	}
	m.p.Kill()
	if _, err := src.Wait(0); err != watch.ErrClosed {
		t.Error(err)
	}
}
