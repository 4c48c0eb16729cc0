package protocol

import (
	"fmt"

	"github.com/twosync/twosync/internal/record"
	"github.com/twosync/twosync/internal/tree"
)

// code is a message's type on the wire.
type code byte

// The codes. Numbers of messages that are dropped are not given to others.
const (
	// control stream, both ways
	codeHello code = 1 + iota
	codeBeat
	codeEnd

	// work stream, host to agent
	codeStart
	codeAdopt
	codeApply
	codeCancel
	codeLook
	codeFlush
	codeSettle
	codeRelease

	// work stream, agent to host
	codeObserved
	codeOutcome
	codeDurable
	codeFlushed
	codeStray
	codeNotice
	codeProgress

	// fetch stream, both ways
	codeAsk
	codeCredit
	codeDrop

	// fetch stream, agent to host
	codeStarted
	codeAdopted
	codeApplied
	codeRefused

	// bulk stream, both ways
	codePiece
	codeDone

	codeCount
)

var codeNames = [codeCount]string{
	codeHello: "hello", codeBeat: "beat", codeEnd: "end",
	codeStart: "start", codeAdopt: "adopt", codeApply: "apply", codeCancel: "cancel",
	codeLook: "look", codeFlush: "flush", codeSettle: "settle", codeRelease: "release",
	codeObserved: "observed", codeOutcome: "outcome", codeDurable: "durable",
	codeFlushed: "flushed", codeStray: "stray", codeNotice: "notice", codeProgress: "progress",
	codeAsk: "ask", codeCredit: "credit", codeDrop: "drop",
	codeStarted: "started", codeAdopted: "adopted", codeApplied: "applied", codeRefused: "refused",
	codePiece: "piece", codeDone: "done",
}

func (c code) known() bool { return c >= codeHello && c < codeCount }

func (c code) String() string {
	if !c.known() {
		return "message"
	}
	return codeNames[c]
}

// Limits of what one message may hold, in bytes unless said otherwise.
const (
	// maxTree is for messages with trees: record.MaxEntries entries of 44
	// bytes, which is what source trees have on average.
	maxTree = 256 << 20

	// maxAsk is for requests: one signature of the largest size that
	// package delta makes (20 MiB), and askChunk of others.
	maxAsk = 24 << 20

	// maxRules is for the text of ignore rules: a thousand times a long
	// .gitignore.
	maxRules = 4 << 20

	// maxText bounds what is for people, and maxWord a feature or a fact.
	maxText = record.MaxText
	maxWord = 64

	// maxFeatures is a number of features.
	maxFeatures = 32

	// small is for messages of numbers and at most two texts or paths.
	small = 2*tree.MaxPath + 2*maxText
)

// limits bounds each message's body, added up over its frames.
var limits = [codeCount]int{
	codeHello: small, codeBeat: 0, codeEnd: small,
	codeStart: maxRules + small, codeAdopt: small, codeApply: maxTree, codeCancel: small,
	codeLook: maxTree, codeFlush: small, codeSettle: maxTree, codeRelease: maxTree,
	codeObserved: maxTree, codeOutcome: maxTree, codeDurable: small,
	codeFlushed: small, codeStray: maxTree, codeNotice: small, codeProgress: small,
	codeAsk: maxAsk, codeCredit: small, codeDrop: small,
	codeStarted: small, codeAdopted: small, codeApplied: small, codeRefused: small,
	codePiece: maxBody, codeDone: maxBody,
}

// message is anything that is sent.
type message interface {
	code() code
	append(b []byte) []byte
}

// decode reads a message's body. A piece's data aliases body; nothing else
// does.
func decode(c code, body []byte) (message, error) {
	r := record.NewReader(body)
	m := read(c, r)
	if m == nil {
		return nil, violation("message of unknown type %d", byte(c))
	}
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("%w: read %v: %w", ErrViolation, c, err)
	}
	return m, nil
}

// read takes a message's fields. What it returns means nothing once r failed.
func read(c code, r *record.Reader) message {
	switch {
	case c <= codeEnd:
		return readControl(c, r)
	case c <= codeRelease:
		return readCommand(c, r)
	case c <= codeProgress:
		return readReport(c, r)
	case c <= codeRefused:
		return readFetch(c, r)
	}
	return readBulk(c, r)
}

// clip shortens a text to what may be sent.
func clip(text string) string {
	return text[:min(len(text), maxText)]
}

// textOf returns an error's text to be sent, "" for nil.
func textOf(err error) string {
	switch {
	case err == nil:
		return ""
	case err.Error() == "":
		return "unknown error"
	}
	return clip(err.Error())
}
