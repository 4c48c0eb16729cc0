package simfs_test

import (
	"fmt"
	"testing"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/sim/simfs"
)

// busy is a machine with a tree of some 100 files, and a ledger.
func busy(b *testing.B) *machine {
	m := newMachine(b, simfs.Options{})
	simfs.NewLedger().Side("host", m.FS, "/work")
	for i := range 10 {
		dir := fmt.Sprintf("/work/dir%d", i)
		must(b, m.u.Mkdir(dir))
		for j := range 10 {
			must(b, m.u.Write(fmt.Sprintf("%s/file%d", dir, j), fmt.Sprintf("content %d of %d", i, j)))
		}
	}
	return m
}

func BenchmarkStat(b *testing.B) {
	m := busy(b)
	d := m.open("/work/dir3")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Stat("file7"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpenReadClose(b *testing.B) {
	m := busy(b)
	d := m.open("/work/dir3")
	buf := make([]byte, 100)
	b.ReportAllocs()
	for b.Loop() {
		f, err := d.Read("file7")
		must(b, err)
		_, err = f.Read(buf)
		must(b, err)
		must(b, f.Close())
	}
}

func BenchmarkList(b *testing.B) {
	m := busy(b)
	d := m.open("/work/dir3")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.List(); err != nil {
			b.Fatal(err)
		}
	}
}

// A batch of changes as the apply engine makes them: six calls, and the clean-up.
func BenchmarkReplace(b *testing.B) {
	m := busy(b)
	must(b, m.u.Mkdir("/work/stage"))
	d, stage := m.open("/work/dir3"), m.open("/work/stage")
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		put(b, stage, "s", fmt.Sprint("new content ", i))
		must(b, d.Rename("s", "file7", stage, "s", fsx.Exchange))
		must(b, stage.Unlink("s", "s"))
		if i++; i%100 == 0 {
			must(b, m.p.SyncFS("s", d))
		}
	}
}

func BenchmarkUserSave(b *testing.B) {
	m := busy(b)
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		must(b, m.u.Save("/work/dir3/file7", fmt.Sprint("saved content ", i)))
		if i++; i%100 == 0 {
			m.SyncAll()
		}
	}
}

func BenchmarkClone(b *testing.B) {
	m := busy(b)
	b.ReportAllocs()
	for b.Loop() {
		m.Clone()
	}
}

func BenchmarkCrash(b *testing.B) {
	m := busy(b)
	b.ReportAllocs()
	for b.Loop() {
		m.Crash(simfs.KeepSome, 1)
	}
}
