package protocol

import (
	"math"

	"github.com/twosync/twosync/internal/record"
	"github.com/twosync/twosync/internal/replica"
	"github.com/twosync/twosync/internal/tree"
)

// Reports, in the words of package replica.
type (
	observed replica.Observed
	outcome  replica.Outcome
	durable  replica.Durable
	flushed  replica.Flushed
	stray    replica.Stray
	notice   replica.Notice
	progress replica.Progress
)

func (*observed) code() code { return codeObserved }
func (*outcome) code() code  { return codeOutcome }
func (*durable) code() code  { return codeDurable }
func (*flushed) code() code  { return codeFlushed }
func (*stray) code() code    { return codeStray }
func (*notice) code() code   { return codeNotice }
func (*progress) code() code { return codeProgress }

// messageOf returns the message of a report, nil when it has none.
func messageOf(r replica.Report) message {
	switch {
	case r.Observed != nil:
		return (*observed)(r.Observed)
	case r.Outcome != nil:
		return (*outcome)(r.Outcome)
	case r.Durable != nil:
		return (*durable)(r.Durable)
	case r.Flushed != nil:
		return (*flushed)(r.Flushed)
	case r.Stray != nil:
		return (*stray)(r.Stray)
	case r.Notice != nil:
		return (*notice)(r.Notice)
	case r.Progress != nil:
		return (*progress)(r.Progress)
	}
	return nil
}

// reportOf is the reverse of messageOf; ok is false when m is no report.
func reportOf(m message) (r replica.Report, ok bool) {
	switch m := m.(type) {
	case *observed:
		r.Observed = (*replica.Observed)(m)
	case *outcome:
		r.Outcome = (*replica.Outcome)(m)
	case *durable:
		r.Durable = (*replica.Durable)(m)
	case *flushed:
		r.Flushed = (*replica.Flushed)(m)
	case *stray:
		r.Stray = (*replica.Stray)(m)
	case *notice:
		r.Notice = (*replica.Notice)(m)
	case *progress:
		r.Progress = (*replica.Progress)(m)
	default:
		return r, false
	}
	return r, true
}

func (m *observed) append(b []byte) []byte {
	b = record.AppendBool(b, m.Whole)
	b = record.AppendUint(b, uint64(len(m.Seen)))
	for _, s := range m.Seen {
		b = record.AppendEntry(record.AppendString(b, s.Path), s.Entry)
	}
	return appendContents(b, m.Contents)
}

func (m *outcome) append(b []byte) []byte {
	b = record.AppendBool(record.AppendUint(b, m.Batch), m.Done)
	b = record.AppendUint(b, uint64(len(m.Results)))
	for _, res := range m.Results {
		b = append(record.AppendString(b, res.Path), byte(res.Status))
		if res.Status != replica.Applied {
			b = record.AppendString(record.AppendEntry(b, res.Entry), clip(res.Reason))
		}
	}
	return b
}

func (m *durable) append(b []byte) []byte {
	return record.AppendString(record.AppendUint(b, m.Gen), clip(m.Err))
}

func (m *flushed) append(b []byte) []byte { return record.AppendUint(b, m.N) }

func (m *stray) append(b []byte) []byte {
	b = record.AppendString(record.AppendString(b, m.Slot), m.Path)
	return record.AppendString(record.AppendEntry(b, m.Entry), clip(m.Why))
}

func (m *notice) append(b []byte) []byte {
	b = record.AppendString(append(b, byte(m.Level)), clip(m.Text))
	return record.AppendString(b, clip(m.Remedy))
}

func (m *progress) append(b []byte) []byte {
	b = record.AppendUint(b, m.Batch)
	b = record.AppendUint(b, uint64(max(m.Files, 0)))
	return record.AppendUint(b, uint64(max(m.Bytes, 0)))
}

func readReport(c code, r *record.Reader) message {
	switch c {
	case codeObserved:
		return readObserved(r)
	case codeOutcome:
		return readOutcome(r)
	case codeDurable:
		return &durable{readNumber(r), r.String(maxText)}
	case codeFlushed:
		return &flushed{readNumber(r)}
	case codeStray:
		return readStray(r)
	case codeNotice:
		return readNotice(r)
	case codeProgress:
		return &progress{readNumber(r), int64(r.Uint(math.MaxInt64)), int64(r.Uint(math.MaxInt64))}
	}
	return nil
}

func readObserved(r *record.Reader) message {
	m := &observed{Whole: r.Bool()}
	trees := newTrees(r)
	m.Seen = readList(r, record.MaxEntries, 2, func() replica.Seen {
		path := r.Path()
		return replica.Seen{Path: path, Entry: trees.at(path)}
	})
	if m.Whole && (len(m.Seen) != 1 || m.Seen[0].Path != "") {
		r.Fail("whole, but not the root alone")
	}
	m.Contents = readContents(r)
	return m
}

func readOutcome(r *record.Reader) message {
	m := &outcome{Batch: readNumber(r), Done: r.Bool()}
	trees := newTrees(r)
	m.Results = readList(r, record.MaxEntries, 2, func() replica.Result {
		return readResult(r, trees)
	})
	return m
}

// readResult takes a result. Applied says nothing about the entry: it is what
// the batch wanted, and the host knows that.
func readResult(r *record.Reader, trees *trees) replica.Result {
	res := replica.Result{Path: r.Path(), Status: replica.Status(r.Byte())}
	switch res.Status {
	case replica.Applied:
	case replica.MovedOn, replica.Held:
		res.Entry = trees.at(res.Path)
		res.Reason = r.String(maxText)
	default:
		r.Fail("status %d", res.Status)
	}
	return res
}

// readStray takes a stray, which is always a content: what is absent, a
// directory or nothing known can't be kept.
func readStray(r *record.Reader) message {
	m := &stray{Slot: readName(r), Path: r.Path(), Entry: r.Entry(), Why: r.String(maxText)}
	if e := m.Entry; e == nil || e.Kind != tree.File && e.Kind != tree.Link {
		r.Fail("stray that is no content")
	}
	return m
}

func readNotice(r *record.Reader) message {
	m := &notice{Level: replica.Level(r.Byte())}
	if m.Level > replica.Halt {
		r.Fail("level %d", m.Level)
	}
	m.Text, m.Remedy = r.String(maxText), r.String(maxText)
	return m
}

// readIdentity takes what a replica said of itself.
func readIdentity(r *record.Reader) (m replica.Identity) {
	m.ID, m.Gen, m.Root, m.Boot = readID(r), r.Uint(replica.MaxGen), r.String(tree.MaxPath), r.String(maxWord)
	m.Facts.NoExec, m.Facts.FoldsCase, m.Facts.FoldsNFC = r.Bool(), r.Bool(), r.Bool()
	m.Facts.Watch, m.Facts.Apply, m.Facts.Durable = r.String(maxWord), r.String(maxWord), r.String(maxWord)
	return m
}

func appendIdentity(b []byte, m replica.Identity) []byte {
	b = record.AppendUint(append(b, m.ID[:]...), m.Gen)
	b = record.AppendString(record.AppendString(b, m.Root), m.Boot)
	for _, v := range []bool{m.Facts.NoExec, m.Facts.FoldsCase, m.Facts.FoldsNFC} {
		b = record.AppendBool(b, v)
	}
	for _, s := range []string{m.Facts.Watch, m.Facts.Apply, m.Facts.Durable} {
		b = record.AppendString(b, s)
	}
	return b
}
