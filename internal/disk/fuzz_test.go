package disk

import (
	"testing"

	"github.com/twosync/twosync/internal/record"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

// framed puts a frame around what a fuzzer makes, which would never find out how
// to write a checksum.
func framed(list ...[]byte) (b []byte) {
	for _, p := range list {
		b = record.AppendFrame(b, p)
	}
	return b
}

// FuzzToken: what is read is written as the same, and a token that is not whole
// is nobody's.
func FuzzToken(f *testing.F) {
	f.Add(appendToken(nil, replica.ID{1, 2}, 7)[8:], uint(3))
	f.Add(appendToken(nil, replica.ID{0xff}, replica.MaxGen)[8:], uint(20))
	f.Fuzz(func(t *testing.T, p []byte, cut uint) {
		b := framed(p)
		id, gen := parseToken(b)
		if id == (replica.ID{}) && gen == 0 {
			return
		}
		if gen > replica.MaxGen {
			t.Fatalf("generation %d", gen)
		}
		if again, n := parseToken(appendToken(nil, id, gen)); again != id || n != gen {
			t.Fatalf("%v, %d is read as %v, %d", id, gen, again, n)
		}
		if id, gen := parseToken(b[:cut%uint(len(b))]); id != (replica.ID{}) || gen != 0 {
			t.Fatal("a part is a token")
		}
	})
}

// FuzzIntents: damage costs the intents behind it, and a file with some of it is
// not whole.
func FuzzIntents(f *testing.F) {
	boot := appendIntent(nil, intent{path: "boot"})
	one := appendIntent(nil, intent{slot: "s1", path: "a/b", from: mark{tree.File, tree.Digest{1}}, to: mark{tree.Dir, tree.Digest{2}}})
	f.Add(boot[8:], one[8:], []byte(nil))
	f.Add(boot[8:], boot[8:], one)
	f.Add(one[8:], boot[8:], one[:len(one)-1])
	f.Fuzz(func(t *testing.T, a, b, rest []byte) {
		file := append(framed(a, b), rest...)
		all, whole := parseIntents(file, "boot")
		var again []byte
		for slot, in := range all {
			if in.slot != slot || tree.CheckPath(in.path) != nil || len(slot) > tree.MaxName {
				t.Fatalf("slot %q: %+v", slot, in)
			}
			again = appendIntent(again, in)
		}
		if whole && all[""].path != "boot" {
			t.Fatal("whole without a boot")
		}
		got, _ := parseIntents(again, "boot")
		if len(got) != len(all) {
			t.Fatalf("%d intents are read as %d", len(all), len(got))
		}
		for slot, in := range all {
			if got[slot] != in {
				t.Fatalf("%+v is read as %+v", in, got[slot])
			}
		}
		if _, still := parseIntents(append(file, 0), "boot"); whole && still {
			t.Fatal("whole with something behind it")
		}
	})
}

// FuzzCache: whatever is in it, it names only files, and damage ends it.
func FuzzCache(f *testing.F) {
	head := record.AppendUint(nil, cacheFormat)
	p := record.AppendString(nil, "d/e")
	for _, e := range []*tree.Entry{tree.NewFile(tree.Digest{1}, 5, true), tree.NewLink("x"), tree.NewDir(nil), nil} {
		p = record.AppendEntry(record.AppendString(p, "name"), e)
		p = record.AppendInt(record.AppendInt(record.AppendUint(p, 7), -1), 1<<62)
	}
	f.Add(head, p, []byte(nil))
	f.Add(head, record.AppendString(nil, ""), p)
	f.Fuzz(func(t *testing.T, head, p, rest []byte) {
		all := parseCache(append(framed(head, p), rest...))
		for path, files := range all {
			if tree.CheckPath(path) != nil {
				t.Fatalf("path %q", path)
			}
			for name, c := range files {
				if !c.entry.IsFile() || len(name) > tree.MaxName || c.entry.Size > record.MaxSize || c.meta.trust != proven {
					t.Fatalf("%q: %+v", name, c)
				}
			}
		}
	})
}
