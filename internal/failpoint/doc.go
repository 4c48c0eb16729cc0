// Package failpoint kills real processes, host and agent, at every step of theirs
// that changes something on a disk, and looks at what comes of it.
//
// Its promise: each step that a scenario reaches is one at which a process was
// killed, just before it or just after; the session that follows ends with the
// trees, and with the kept versions, of a run in which nobody was killed.
//
//	go test ./internal/failpoint                    # at each step once
//	go test ./internal/failpoint -args -all         # before and after each step
//	go test ./internal/failpoint -run 'TestKilled/restart/HOST/put.exchange'
//
// It refuses to pass where a step that the program has is reached by no scenario,
// unless the list in steps_test.go says which test reaches it.
//
// The program is built with the tag failpoints (host/twosync/failpoints.go,
// fsx/fsxtest/failpoint.go). The agent is that of a local target, which is the same
// program in a process of its own.
//
// # Why
//
// The crash tests of disk, base and keep stop one package at each of its steps, and
// the simulator stops all of them on a virtual disk. Here nothing is imitated: what
// the process held in memory is gone, its locks are the kernel's to give back, its
// pipe breaks in the middle of a message, and the other side is alive.
package failpoint
