// Package simfs is a machine's file systems in memory, for the simulator: the
// seam of package fsx and the source of package watch over the same inodes,
// for one goroutine and one seed.
//
// Its promise: a process on it gets the results, the errors, the stats and the
// events that it would get on Linux, in the same order; a test runs the same
// random calls on a real directory and compares all of it. It refuses to know
// the time, to wait, to start anything, and to be linked into a program.
//
// # How it is used
//
//	f := simfs.New(clock, simfs.Options{})       // a machine; "/" is an ext4
//	u := f.User()                                // what people and their programs do
//	u.MkdirAll("/work"); u.Write("/work/a", "…")
//	p := f.Process("agent")                      // an fsx.FS
//	d := disk.New("/work", disk.Options{FS: p, Source: p.Source, …})
//
//	p.Hook = func(c *simfs.Call) error { … }     // before and behind every call
//	p.Faults = []simfs.Fault{{Op: simfs.OpRename, Nth: 3, Err: syscall.EIO}}
//	p.Kill()                                     // every call fails from now on
//	g := f.Crash(simfs.KeepSome, seed)           // what a power cut leaves
//
//	l := simfs.NewLedger()                       // nothing that a user wrote may get lost
//	l.Side("host", f, "/work")
//	l.OnLost = func(loss *simfs.Loss) { panic(loss) }
//
// How it is laid out:
//
//	inode.go     inodes and their names; device.go; fs.go: mounts
//	kernel.go    the calls of Linux; rename.go, content.go, resolve.go
//	events.go    what inotify is told; source_linux.go, poll.go
//	proc.go      a process; call.go: hooks and faults; errors.go
//	dir.go       fsx.Dir and fsx.FS; change.go, file.go
//	user.go      what users do; save.go: to contents
//	durable.go   what is durable; crash.go, clone.go
//	ledger.go    whose content is where; loss.go, aftermath.go: after a crash
//
// # Users
//
// A [User] has each thing that a person's program does, by path. What takes
// several steps is made of a [Handle], or of smaller calls, so that others can
// act in between. Users act while no call is under way, or in a hook.
//
// # Hooks and faults
//
// A [Proc] tells its Hook of each call, reading ones too, before and behind
// the effect. The calls that can change something are numbered. In the hook
// users may act, other processes may run, and the process may be killed. A
// rename that must not replace is two steps where the file system cannot
// refuse to, and the hook is called between them (Within).
//
// A [Fault] fails what fits it. EINTR is not seen by the caller: as in package
// fsx, the call is made again, and if the interrupted one had its effect, meets
// that. A listing is whole or an error; only Proc.Lie shows a part of it.
//
// # Power cuts
//
// What a call has changed is visible at once and durable later. The model:
//
//   - The content of a file, with its mode, owner and stamp, is durable after
//     fsync of the file, or syncfs. Before, a cut may leave the new one, the one
//     of the last sync, an empty file, the beginning, or zeros at its end.
//   - A name is durable after fsync of its directory, or syncfs; fsync of the
//     file is not enough (fsync(2)). A rename is there whole or not at all.
//   - Changes of one name are kept in order. Those of different names may be
//     kept without each other, except that nothing is put into a directory
//     before that has its place, that a directory is not removed before what was
//     in it has gone elsewhere, and that moves of directories keep their order
//     among each other. So nothing that is only moved is ever lost.
//   - With Options.Journal every sync takes all earlier changes of names along,
//     as in ext4, xfs and btrfs, where they are in one log.
//
// That is what POSIX and fsync(2) promise and no more. The states of contents
// are those that were observed of ext4, xfs and btrfs in "All File Systems Are
// Not Created Equal" (OSDI 2014), and those that delayed allocation is known
// for. A torn sector, a lost inode, and bits that change are not in it.
//
// # The ledger
//
// See [Ledger]. It counts, for every content, the linked files on all machines
// that hold it. Contents are looked at when it matters, so that a file which is
// written in a thousand pieces is hashed once.
//
// What it does not see: links and their targets, exec bits, empty directories;
// contents of less than four bytes; and a content that exists twice because two
// users wrote the same, as long as one of them is left.
//
// # Why
//
// A fault that comes once in a million saves is found by a search, and a search
// needs a disk that takes a microsecond for a call, fails where it is told to,
// and can be copied in the middle. A wrapper around a real directory is a
// hundred times slower, and nobody can cut its power.
//
// The watch source runs the bookkeeping of the real one on this kernel's queue,
// so only the kernel is imitated: when which event is queued. Directory entries
// are objects of their own for that reason: an open file reports its writes by
// the name that it was opened by, wherever that has been moved, and a watch on
// a directory ends when the last of those who hold it lets go.
package simfs
