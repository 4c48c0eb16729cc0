// Package record is how twosync writes things down: bounded values in bytes,
// and checksummed records in a file.
//
// A Reader takes values from bytes that may be hostile or torn. The first bad
// value makes it fail for good; what it returns from then on is zero. No length
// is believed before it was compared with a limit and with what is left.
//
// Frames put a length and a checksum before a payload, so that the reader of a
// file finds out where a crash cut it.
//
// A Log is a file of such frames that is only appended to. Its reader tells
// what a crash left at the end, which is dropped, from damage to what had been
// durable, because every frame says how much of the file was durable when it
// was written.
//
// It refuses to know what the values mean, and has no versions: whoever writes
// a file puts a format number first.
//
// # Why
//
// Host and agent are built from one source and checked against each other, and
// files are read by the program that wrote them. So there is no schema to
// evolve, and hand-laid varints are a third of the size of the generic formats
// and several times as fast (LIBS §6.2 of the design notes).
package record
