package watch

import (
	"bytes"
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// record is one event as the kernel writes it, see inotify(7).
type record struct {
	wd     int32
	mask   uint32
	cookie uint32
	name   []byte // without the padding; points into the buffer that was read
}

// nextRecord takes the first record off buf. It fails if buf does not begin with a
// whole one, which the kernel never does; but then nothing behind it can be trusted.
func nextRecord(buf []byte) (r record, rest []byte, ok bool) {
	if len(buf) < unix.SizeofInotifyEvent {
		return record{}, nil, false
	}
	size := binary.NativeEndian.Uint32(buf[12:])
	rest = buf[unix.SizeofInotifyEvent:]
	if uint64(size) > uint64(len(rest)) {
		return record{}, nil, false
	}
	name, _, _ := bytes.Cut(rest[:size], []byte{0})
	return record{
		wd:     int32(binary.NativeEndian.Uint32(buf)),
		mask:   binary.NativeEndian.Uint32(buf[4:]),
		cookie: binary.NativeEndian.Uint32(buf[8:]),
		name:   name,
	}, rest[size:], true
}
