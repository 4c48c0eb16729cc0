package base

import (
	"fmt"

	"github.com/twosync/twosync/internal/record"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

// What a file of ours begins with. Another version is another format: base is
// discarded, which costs a first contact.
const (
	magic   = "twosync base"
	version = 3
)

// maxSession bounds the name of a session.
const maxSession = 256

// The kinds of records. A record's first byte is its kind.
const (
	kindHeader   = 'H' // first in a snapshot
	kindState    = 'S' // in a snapshot
	kindHistory  = 'P' // in a snapshot, any number of times
	kindEnd      = 'E' // last in a snapshot
	kindBegin    = 'B'
	kindIntent   = 'I'
	kindCommit   = 'C'
	kindSettled  = 'D'
	kindRules    = 'R'
	kindFilling  = 'F'
	kindBraked   = 'K'
	maxGen       = 1 << 62
	maxListed    = record.MaxEntries // paths or updates in one record
	historyBatch = 16 << 10          // paths in one record of history: some 500 KiB
)

func appendHeader(b []byte, session string) []byte {
	b = record.AppendString(append(b, kindHeader), magic)
	return record.AppendString(record.AppendUint(b, version), session)
}

func appendEpoch(b []byte, e Epoch) []byte {
	b = append(append(b, e.Host[:]...), e.Container[:]...)
	b = record.AppendUint(b, e.Gen)
	return record.AppendBool(record.AppendBool(record.AppendBool(b, e.HostNew), e.Filling), e.Braked)
}

func readEpoch(r *record.Reader) Epoch {
	return Epoch{replica.ID(r.Digest()), replica.ID(r.Digest()), r.Uint(maxGen), r.Bool(), r.Bool(), r.Bool()}
}

func appendBegin(b []byte, e Epoch, rules string, t *tree.Entry) []byte {
	b = record.AppendString(appendEpoch(append(b, kindBegin), e), rules)
	return record.AppendEntry(b, t)
}

func appendPaths(b []byte, paths []string) []byte {
	b = record.AppendUint(b, uint64(len(paths)))
	for _, p := range paths {
		b = record.AppendString(b, p)
	}
	return b
}

func readPaths(r *record.Reader) []string {
	var paths []string
	for range r.Uint(maxListed) {
		paths = append(paths, r.Path())
		if r.Err() != nil {
			return nil
		}
	}
	return paths
}

func appendIntent(b []byte, gen uint64, paths []string) []byte {
	return appendPaths(record.AppendUint(append(b, kindIntent), gen), paths)
}

func appendCommit(b []byte, e Epoch, updates []tree.Change) []byte {
	b = record.AppendUint(appendEpoch(append(b, kindCommit), e), uint64(len(updates)))
	for _, u := range updates {
		b = record.AppendEntry(record.AppendString(b, u.Path), u.New)
	}
	return b
}

func readUpdates(r *record.Reader) []tree.Change {
	var updates []tree.Change
	for range r.Uint(maxListed) {
		updates = append(updates, tree.Change{Path: r.Path(), New: readTree(r)})
		if r.Err() != nil {
			return nil
		}
	}
	return updates
}

// readTree takes a tree that can be base.
func readTree(r *record.Reader) *tree.Entry {
	e := r.Entry()
	if e.Murky() {
		r.Fail("unknown or opaque entry in base")
		return nil
	}
	return e
}

func appendRules(b []byte, rules string, gone []string) []byte {
	return appendPaths(record.AppendString(append(b, kindRules), rules), gone)
}

func appendState(b []byte, st state) []byte {
	b = record.AppendBool(appendEpoch(append(b, kindState), st.epoch), st.settled)
	b = record.AppendString(b, st.rules)
	b = record.AppendEntry(record.AppendEntry(b, st.tree), st.former)
	b = record.AppendUint(b, uint64(len(st.pending)))
	for _, in := range st.pending {
		b = appendPaths(record.AppendUint(b, in.gen), in.paths)
	}
	return b
}

func readState(r *record.Reader) state {
	st := state{epoch: readEpoch(r), settled: r.Bool(), rules: r.String(MaxRules)}
	st.tree, st.former = readTree(r), readTree(r)
	for range r.Uint(maxListed) {
		st.pending = append(st.pending, intent{r.Uint(maxGen), readPaths(r)})
		if r.Err() != nil {
			break
		}
	}
	return st
}

func (h *history) appendTo(b []byte, keys []key) []byte {
	b = record.AppendUint(append(b, kindHistory), uint64(len(keys)))
	for _, k := range keys {
		p := h.m[k]
		b = record.AppendBool(append(b, k[:]...), p.gone != 0)
		b = record.AppendString(b, p.values)
	}
	return b
}

func (h *history) readFrom(r *record.Reader) {
	for range r.Uint(maxListed) {
		k, gone, s := r.Digest(), r.Bool(), r.String(maxHistory)
		values, err := decodeValues(s)
		if err != nil || len(values) == 0 || r.Err() != nil {
			r.Fail("bad history")
			return
		}
		h.set(k, h.m[k], values, gone)
	}
}

// checkHeader returns why base cannot be read, for people.
func checkHeader(rec []byte, session string) (lost string) {
	r := record.NewReader(rec)
	if r.Byte() != kindHeader || r.String(len(magic)) != magic {
		return "its file is damaged at the beginning"
	}
	if v := r.Uint(1 << 32); v != version {
		return fmt.Sprintf("its file has format %d, and this twosync reads format %d", v, version)
	}
	if s := r.String(maxSession); r.End() != nil || s != session {
		return "its file belongs to another session"
	}
	return ""
}
