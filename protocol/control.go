package protocol

import (
	"github.com/twosync/twosync/internal/record"
)

// Version is the number of this protocol. Host and agent are built from one
// source and the greeting compares the agent's binary, so it is a second lock
// for programs that are not ours.
const Version = 1

// featureZstd says that the bulk stream is compressed.
const featureZstd = "zstd"

// hello opens the control stream in both directions.
type hello struct {
	Version  uint64
	Features []string
}

// beat says nothing but that its sender lives.
type beat struct{}

// end is the last message of the control stream.
type end struct {
	Text string // why; empty when everything is as it should be
}

func (hello) code() code { return codeHello }
func (beat) code() code  { return codeBeat }
func (end) code() code   { return codeEnd }

func (m hello) append(b []byte) []byte {
	b = record.AppendUint(b, m.Version)
	return appendStrings(b, m.Features)
}

func (m beat) append(b []byte) []byte { return b }
func (m end) append(b []byte) []byte  { return record.AppendString(b, m.Text) }

func readControl(c code, r *record.Reader) message {
	switch c {
	case codeHello:
		return hello{r.Uint(1 << 32), readStrings(r, maxFeatures, maxWord)}
	case codeBeat:
		return beat{}
	case codeEnd:
		return end{r.String(maxText)}
	}
	return nil
}

func appendStrings(b []byte, list []string) []byte {
	b = record.AppendUint(b, uint64(len(list)))
	for _, s := range list {
		b = record.AppendString(b, s)
	}
	return b
}

// readStrings takes at most n strings of at most size bytes.
func readStrings(r *record.Reader, n, size int) []string {
	return readList(r, n, 1, func() string { return r.String(size) })
}

// readList takes a count of at most limit and so many elements, of which each
// takes least bytes or more.
func readList[T any](r *record.Reader, limit, least int, one func() T) []T {
	n := int(r.Uint(uint64(limit)))
	if n*least > r.Len() {
		r.Fail("count %d is more than there can be", n)
	}
	var list []T
	for i := 0; i < n && r.Err() == nil; i++ {
		list = append(list, one())
	}
	return list
}
