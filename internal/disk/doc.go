// Package disk is a replica on a file system: it scans a root, notices what
// changes there, and changes what it is told to.
//
// Its promises. It changes nothing outside the root and its own private
// folders. A file is taken away only after it was captured by one rename and
// found to be what the change was decided for; otherwise it goes back, or is
// reported as a stray, and nobody loses it. Readers see whole files. What is
// reported for a path is what the path held when it was reported, in the order
// in which it happened; what the disk itself wrote is never reported as an
// edit. What could not be read is Unknown, never absent.
//
// How it is laid out:
//
//	disk.go     the Disk: options, start, close
//	private.go  our own folder, the lock, the stage folder; probe.go, token.go
//	own.go      both of them while the disk runs; making them again
//	index.go    what the root holds as far as is known, with stats; names.go
//	loop.go     the pace: events, looks, flushes
//	look.go     from a hint to what a path holds; commit.go: from there to a report
//	scan.go     reading directories; read.go: reading files; unknown.go; links.go
//	sweep.go    looking although nothing was noticed; the root's identity
//	rest.go     what is put in order while nothing happens; cache.go
//	apply.go    a batch: move.go, local.go, then put and remove; movedon.go
//	stage.go    private files: owner.go, fill.go, receive.go
//	put.go      one path: capture, verify.go, keep or put back; remove.go
//	slots.go    captured files; clean.go: their end
//	strays.go   those that belong to no path
//	intents.go  what slots are for; recover.go: after a crash
//	settle.go   durability; chores.go: what nobody waits for; each.go
//	send.go     giving out contents
//
// Goroutines: Run has two loops, the watch and the chores. All parallel work
// goes through Options.Each and ends with the call that began it.
//
// # Why
//
// No step looks before it swaps, because what was seen may have changed by the
// time of the swap: the rename captures first, and what was captured can be
// looked at in peace. What comes out of a slot is read again even if its stat
// looks right: a stamp can be set back, and an inode's number used again.
//
// The index is guarded by one mutex that is never held during a read of file
// contents. A look that ran beside a batch takes what the batch left: paths are
// leased while a batch is at work on them, and what it set is remembered until
// the looks under way are committed.
//
// A directory that a batch put in place is scanned when its hint arrives, like
// any other. Watching it before the rename would be of no use: to the watch, a
// directory that arrives under a name is a new one. So whoever edits in it
// between the rename and the scan is found by the scan, which trusts the stat
// of a file there only if its stamp is so old that a later write must differ.
//
// A name that a scan misses, and a file that it finds empty or just begun, may
// be a moment inside somebody's save. It is believed when it has lasted.
package disk
