// Package watch turns what the kernel says about a directory tree into "look here again".
//
// It has two halves. A [Source] delivers events: inotify on Linux, FSEvents
// (with cgo) on macOS, ReadDirectoryChangesW on Windows, and a clock where
// there is nothing better. A [Settle] decides when an event deserves a look:
// most at once, a file that is being written when it rests, an absence when it
// has lasted. Settle is pure: time is a value that is passed in.
//
// The promise: a change that the kernel reported leads to a [Look] that covers
// it, and where a report may have been lost there is a look that covers
// everything. The package never says what a path holds. Hints come from here,
// truth comes from a scan; a hint too many costs a stat, a hint too few would
// cost an edit, so every doubt becomes a hint.
//
// What the reader of a Source owes it, on a source that is not Recursive:
//
//   - Add a directory first and list it afterwards, parents before children;
//     then nothing is missed.
//   - Open and Add a directory again each time a Look names it, and each
//     directory found below a Deep look. Add is idempotent. Below a [Move] whose
//     target turns out to be the directory that was known at the origin, adding
//     the target alone is enough: the watches below have moved along.
//   - Remove a directory that a look found gone.
//   - Drain the source before each call of Due, and give back with Defer what a Look
//     does not allow to be believed.
//   - Take any error of Add but [ErrLimit] as "look at the parent again", and
//     poll what ErrLimit leaves without a watch.
//
// It refuses to watch through symbolic links, to know ignore rules (a directory
// that is not added is not watched), and to start goroutines.
//
// One thing no source can tell: that the root itself was deleted while somebody
// holds it open. The reader checks the identity of the root whenever it looks.
//
// # Why
//
// The Linux source is our own, because a library that watches recursively for
// its caller cannot promise "watch first, list afterwards": files made in between
// have no event, and a directory swapped for another of the same name stays deaf.
// Here the scanner adds the watches itself, and only the bookkeeping of watch
// descriptors is ours (table_linux.go).
//
// The kernel closes each rename of a watched directory with an event on the
// directory itself, queued after the two of its parents. A departure whose
// partner did not come before that event has left the tree: this is known
// exactly, so no timer guesses it.
//
// Bookkeeping and disk can be a few events apart when a scan runs ahead of the
// queue. Instead of forbidding that, Add compares what it was told with what it
// believed and asks for another look where the two differ. The same path heals
// lost events and reused watch descriptors.
//
// Closed writes and renames into place are acted upon without a timer, because a
// timer is the larger part of what users feel as latency elsewhere. Only what can
// mislead waits: a file that became empty and a name that is absent are, for a
// few milliseconds, what every in-place save and every safe write look like.
//
// On macOS and Windows the events are read straight from the library's channel:
// the only reader can tell after each receive whether the channel was full, which
// is when that library drops events without a word. A pump of our own would add a
// goroutine and a second buffer, and would know less.
package watch
