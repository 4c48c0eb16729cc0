package record

import (
	"errors"
	"fmt"
	"io"

	"github.com/twosync/twosync/internal/fsx"
)

// logChunk is the most of a record that one frame of a log holds. A longer
// record goes over several frames, and counts only when the last is there.
const logChunk = 1 << 20

// logMark begins every frame's payload. It is no UTF-8, so that a reader who
// looks for the next frame behind damage rarely finds it in a name.
const logMark = "\xf5tw\xfe"

// The flags of a frame.
const (
	logFirst = 1 << iota // begins a record
	logLast              // ends a record
)

// ErrRefused is wrapped by every error of a log that can't be trusted any
// more. A sync that failed has dropped the content, and would succeed the
// second time without having written it.
var ErrRefused = errors.New("refused after an earlier write error; start again")

// Log appends records to a file. A record is there whole or not at all.
type Log struct {
	f            fsx.File
	size, synced int64
	broken       error
}

// NewLog returns a log that goes on at size, where a LogReader found the end
// of what is whole. What is behind it is cut off, and what is before it is
// made durable: it may have been written by a process that was killed.
func NewLog(site fsx.Site, f fsx.File, size int64) (*Log, error) {
	l := &Log{f: f, size: size}
	if err := l.cut(site); err != nil {
		return nil, fmt.Errorf("cut log: %w", err)
	}
	if size > 0 {
		if err := f.Sync(site); err != nil {
			return nil, fmt.Errorf("sync log: %w", err)
		}
		l.synced = size
	}
	return l, nil
}

// Size returns how long the log is.
func (l *Log) Size() int64 { return l.size }

// Close closes the file. What was not synced may still be lost.
func (l *Log) Close() error { return l.f.Close() }

// Append appends a record. It is not durable before Sync. When it can't be
// appended whole, the log is as it was before.
func (l *Log) Append(site fsx.Site, rec []byte) error {
	if l.broken != nil {
		return l.broken
	}
	written, err := l.write(rec)
	if err == nil {
		l.size += written
		return nil
	}
	if cutErr := l.cut(site); cutErr != nil {
		l.refuse(cutErr)
	}
	return fmt.Errorf("append to log: %w", err)
}

func (l *Log) write(rec []byte) (written int64, err error) {
	var payload, frame []byte
	for flags := byte(logFirst); ; flags = 0 {
		n := min(len(rec), logChunk)
		if n == len(rec) {
			flags |= logLast
		}
		payload = AppendUint(append(append(payload[:0], logMark...), flags), uint64(l.synced))
		payload = append(payload, rec[:n]...)
		frame = AppendFrame(frame[:0], payload)
		if _, err = l.f.Write(frame); err != nil {
			return 0, err
		}
		written += int64(len(frame))
		if rec = rec[n:]; flags&logLast != 0 {
			return written, nil
		}
	}
}

// cut takes away what is behind size.
func (l *Log) cut(site fsx.Site) error {
	st, err := l.f.Stat()
	if err != nil {
		return err
	}
	if st.Size != l.size {
		if err := l.f.Truncate(site, l.size); err != nil {
			return err
		}
	}
	_, err = l.f.Seek(l.size, io.SeekStart)
	return err
}

// CutTo takes back what was appended since the log was size long and was not
// synced yet.
func (l *Log) CutTo(site fsx.Site, size int64) error {
	if size > l.size || size < l.synced {
		panic("record: internal error: log cut where it cannot be")
	}
	if l.broken != nil {
		return l.broken
	}
	l.size = size
	if err := l.cut(site); err != nil {
		l.refuse(err)
		return fmt.Errorf("cut log: %w", err)
	}
	return nil
}

// Sync makes everything that was appended durable. When that fails, the log
// refuses from then on.
func (l *Log) Sync(site fsx.Site) error {
	if l.broken != nil {
		return l.broken
	}
	if l.size == l.synced {
		return nil
	}
	if err := l.f.Sync(site); err != nil {
		l.refuse(err)
		// What was not written is still readable for a while, and must not be
		// taken for written by the next to open the file.
		l.size = l.synced
		_ = l.cut(site) // the log is refused already
		return fmt.Errorf("sync log: %w", err)
	}
	l.synced = l.size
	return nil
}

func (l *Log) refuse(err error) { l.broken = fmt.Errorf("%w: %w", ErrRefused, err) }
