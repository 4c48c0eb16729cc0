// Package delta builds a file from another one that is nearly the same.
//
// The side that holds the old content makes a [Signature] of it: two hashes
// for every block. The side that holds the new content runs [Diff] over it and
// the signature and gets a list of [Op]: copy these old blocks, here are these
// new bytes. The first side gives the ops and its old content to [Patch] and
// has the new content.
//
// The main promise: what Patch writes for the ops of a Diff is the new
// content, whatever the two contents are, as long as the signature is that of
// the old content and 128 bits of xxh3 do not collide. Neither of these two is
// taken on trust: the caller compares the digest of the whole file before it
// shows it to anybody.
//
// The second promise: signatures and ops come from the other side and may be
// hostile. Wrong numbers are errors and never panics, memory is bounded by the
// constants of this package, and the work is linear in the two sizes even when
// all weak hashes are equal.
//
// The package refuses to open files, to know the wire, to run goroutines, and
// to decide when a delta is worth it. It does not look for moved content
// across files.
//
// # Why
//
// Rolling blocks and not content-defined chunks: in-place edits, appends and
// inserts all cost about one block of new bytes, where chunks cost two to
// three times as many (measured; a database with 60 pages written: 121 KB
// against 302 KB).
//
// After a match the next old block is compared by its strong hash only. Most
// of a changed file is unchanged, and there the weak hash would be a second
// pass over the bytes for nothing. When that comparison fails, and the bytes are
// no other old block either, the block after it is tried one block further on,
// because databases and images are edited in place; only then is the window
// rolled.
//
// A file that is mostly new, such as a linked binary, makes rolling pointless.
// After [GiveUpAfter] bytes with less than a quarter matched, Diff passes over
// skipBlocks blocks at a time without looking and then rolls over probeBlocks.
// A hit means looking at everything again. It could stop for good instead,
// which is simpler by ten lines; then 1 MiB inserted at the front of a large
// file would send all of it. Now an insert costs itself and at most
// skipBlocks blocks more, and a file without matches costs an eighth of the
// rolling.
//
// The index is a flat table with a bitmap before it, not a map: it is asked
// once for every byte. A probe ends after maxProbe slots, both when the table
// is built and when it is asked, and wrong guesses are paid for from a credit
// that grows with the input. So equal weak hashes, made on purpose or met in a
// file of zeros, can cost matches but never time.
package delta
