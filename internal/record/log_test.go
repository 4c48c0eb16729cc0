package record_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/fsx/fsxtest"
	"github.com/twosync/twosync/internal/record"
)

func openDir(t testing.TB, fs fsx.FS, path string) fsx.Dir {
	t.Helper()
	d, err := fs.OpenRoot(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// readAll reads a log as a user would, and returns its records, the end of
// what is whole, and whether it is damaged.
func readAll(t testing.TB, b []byte) (records [][]byte, good int64, damaged bool) {
	t.Helper()
	r := record.ReadLog(bytes.NewReader(b), int64(len(b)))
	for {
		rec, err := r.Next()
		if err == io.EOF {
			return records, r.Good(), false
		}
		if errors.Is(err, record.ErrBad) {
			damaged, err = r.Damaged()
			if err != nil {
				t.Fatal(err)
			}
			return records, r.Good(), damaged
		}
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, bytes.Clone(rec))
	}
}

func same(a, b [][]byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

// content reads a file of d.
func content(t testing.TB, d fsx.Dir, name string) []byte {
	t.Helper()
	f, err := d.Read(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// sample writes a log of records, of which those marked are synced.
func sample(t testing.TB, records [][]byte, synced func(i int) bool) (b []byte, ends []int64) {
	t.Helper()
	d := openDir(t, fsx.OS(), t.TempDir())
	f, err := d.Create("t", "log", 0o600)
	if err != nil {
		t.Fatal(err)
	}
	l, err := record.NewLog("t", f, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, rec := range records {
		if err := l.Append("t", rec); err != nil {
			t.Fatal(err)
		}
		if synced(i) {
			if err := l.Sync("t"); err != nil {
				t.Fatal(err)
			}
		}
		ends = append(ends, l.Size())
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return content(t, d, "log"), ends
}

func some() [][]byte {
	return [][]byte{[]byte("one"), {}, []byte("three\xf5tw\xfe"), bytes.Repeat([]byte("four"), 40), []byte("five")}
}

func TestLogRoundTrip(t *testing.T) {
	records := append(some(), bytes.Repeat([]byte("x"), 5<<20>>1), []byte("last"))
	b, ends := sample(t, records, func(i int) bool { return i%2 == 0 })
	got, good, damaged := readAll(t, b)
	if !same(got, records) || damaged || good != ends[len(ends)-1] {
		t.Fatalf("got %d records, good %d of %d, damaged %v", len(got), good, len(b), damaged)
	}
}

// TestLogCut cuts at every byte: what is left is the whole records before it.
func TestLogCut(t *testing.T) {
	records := some()
	b, ends := sample(t, records, func(int) bool { return true })
	for n := range b {
		whole := 0
		for whole < len(ends) && ends[whole] <= int64(n) {
			whole++
		}
		got, _, damaged := readAll(t, b[:n])
		if !same(got, records[:whole]) || damaged {
			t.Fatalf("cut at %d: %d records, damaged %v; want %d", n, len(got), damaged, whole)
		}
	}
}

// TestLogFlip flips every bit: either it is damage, or it is in the last
// record, which is then dropped.
func TestLogFlip(t *testing.T) {
	records := some()
	b, ends := sample(t, records, func(int) bool { return true })
	last := ends[len(ends)-2]
	for i := range b {
		for bit := range 8 {
			bad := bytes.Clone(b)
			bad[i] ^= 1 << bit
			got, _, damaged := readAll(t, bad)
			if len(got) >= len(records) || !same(got, records[:len(got)]) {
				t.Fatalf("byte %d bit %d: read what was not written", i, bit)
			}
			if want := int64(i) < last; damaged != want {
				t.Fatalf("byte %d bit %d: damaged %v, want %v", i, bit, damaged, want)
			}
		}
	}
}

// TestLogPowerCut loses any one stretch of what was not synced, also with
// whole frames behind it: that is no damage.
func TestLogPowerCut(t *testing.T) {
	records := some()
	b, ends := sample(t, records, func(i int) bool { return i == 1 })
	for from := ends[1]; from < int64(len(b)); from++ {
		bad := bytes.Clone(b)
		for i := from; i < min(from+20, int64(len(b))); i++ {
			bad[i] = 0
		}
		got, _, damaged := readAll(t, bad)
		if damaged || len(got) < 2 || !same(got, records[:len(got)]) {
			t.Fatalf("lost from %d: %d records, damaged %v", from, len(got), damaged)
		}
	}
}

func TestLogSkip(t *testing.T) {
	records := some()
	b, ends := sample(t, records, func(int) bool { return true })
	b[ends[0]+9] ^= 1 // in the second
	r := record.ReadLog(bytes.NewReader(b), int64(len(b)))
	var got [][]byte
	for {
		rec, err := r.Next()
		if errors.Is(err, record.ErrBad) {
			if ok, err := r.Skip(); !ok || err != nil {
				t.Fatal(ok, err)
			}
			continue
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, bytes.Clone(rec))
	}
	if want := append(records[:1:1], records[2:]...); !same(got, want) {
		t.Fatalf("got %q", got)
	}
}

// TestLogFalseMarks: a search through bytes made to look like frames ends.
func TestLogFalseMarks(t *testing.T) {
	b := bytes.Repeat([]byte("\x00\x00\x0f\x00\xf5tw\xfe"), 1<<17)
	_, good, damaged := readAll(t, b)
	if good != 0 || !damaged {
		t.Fatalf("good %d, damaged %v", good, damaged)
	}
}

// TestLogFailures fails each step once: what was reported as appended and
// synced is there, and a log that failed to sync refuses.
func TestLogFailures(t *testing.T) {
	for at := 1; ; at++ {
		path := t.TempDir()
		faults := &fsxtest.Faults{At: at}
		d := openDir(t, faults.Wrap(fsx.OS()), path)
		done, refused := writeThrough(d)
		if !faults.Hit() {
			return
		}
		if _, err := openDir(t, fsx.OS(), path).Stat("log"); err != nil {
			continue
		}
		got, _, damaged := readAll(t, content(t, openDir(t, fsx.OS(), path), "log"))
		if damaged || !same(got, done) {
			t.Fatalf("step %v: got %q, done %q", faults.Steps()[at-1], got, done)
		}
		if step := faults.Steps()[at-1]; step.Op == "sync" && !refused {
			t.Fatalf("step %v: does not refuse", step)
		}
	}
}

func writeThrough(d fsx.Dir) (done [][]byte, refused bool) {
	f, err := d.Create("t", "log", 0o600)
	if err != nil {
		return nil, false
	}
	defer f.Close()
	l, err := record.NewLog("t", f, 0)
	if err != nil {
		return nil, false
	}
	for _, rec := range some() {
		if err := l.Append("t", rec); err != nil {
			continue
		}
		if err := l.Sync("t"); err != nil {
			continue
		}
		done = append(done, rec)
	}
	return done, errors.Is(l.Sync("t"), record.ErrRefused)
}

func TestLogGoesOn(t *testing.T) {
	d := openDir(t, fsx.OS(), t.TempDir())
	var want [][]byte
	size := int64(0)
	for _, rec := range some() {
		f, err := d.Update("t", "log", 0o600)
		if err != nil {
			t.Fatal(err)
		}
		l, err := record.NewLog("t", f, size)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Append("t", rec); err != nil {
			t.Fatal(err)
		}
		size = l.Size()
		if err := l.Append("t", []byte("taken back")); err != nil {
			t.Fatal(err)
		}
		if len(want)%2 == 0 {
			err = l.CutTo("t", size)
		} // else the next one finds more than size
		if err := errors.Join(err, l.Close()); err != nil {
			t.Fatal(err)
		}
		want = append(want, rec)
	}
	got, _, damaged := readAll(t, content(t, d, "log")[:size])
	if !same(got, want) || damaged {
		t.Fatalf("got %q, damaged %v", got, damaged)
	}
}

func FuzzReadLog(f *testing.F) {
	b, _ := sample(f, some(), func(i int) bool { return i == 2 })
	f.Add(b)
	f.Add(b[:len(b)-3])
	f.Fuzz(func(t *testing.T, b []byte) { readAll(t, b) })
}
