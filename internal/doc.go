// Package internal is the map of twosync.
//
// From the bottom to the top; each line may import only what is above it, and
// tidy_test.go sees to it:
//
//	tree                    a whole copy of a directory, as a value
//	delta, ignore           how files differ; what does not cross
//	names                   which names a file system takes for one; for the host alone
//	fsx                     the one way to the file system
//	record                  bounded values and checksummed records
//	reconcile               base, host, container → plan
//	engine                  what happened → what to do (the step function)
//	replica                 the seam between deciding and acting
//	watch                   from the kernel's events to "look here again"
//	disk                    a replica on a file system
//	base, keep              what was agreed; what was displaced
//	protocol                a replica on the other end of a pipe
//	run                     the session: who waits for whom
//	agent, host             the two programs
//
// For tests and the benchmark only: replicatest, fsx/fsxtest, sim, sim/simfs, busybox,
// cluster, e2e, hostile, soak, failpoint, zoo.
//
// Read run first: it is the page on which everything meets. Then engine for
// what is decided, and disk for what is done.
//
// # Goroutines
//
// Whoever writes go waits for it, in the same function. These files may start
// one or make a channel; a test fails if another does.
//
//	run/machine.go       the loop; each side's reports; the two lanes; commands to a side
//	run/queue.go, connect.go, command.go   channels that wake whoever waits
//	disk                 the watch loop beside the loop for durability; each, for parallel reads and writes
//	sim                  none: coroutines, which poll the channels of others
//	watch                queues of the libraries for macOS and Windows
//	protocol             readers and writers of the streams; commands on the agent
//	agent                the disk's loop beside the protocol
//	host                 the control socket; the screen; signals
//	host/target          the process behind a pipe, and the watch over its pod
package internal
