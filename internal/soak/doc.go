// Package soak lets writers work on both sides of a real session while a nemesis
// kills, pauses, restarts and replaces what it can, and then asks where every
// write went.
//
// Its promise: a write that no user replaced is on both sides, in the keep store,
// or went with a container that was thrown away before it could be brought over;
// anything else fails the test, with the seed and the life of that write.
//
//	go test ./internal/soak                          # a short run
//	go test ./internal/soak -timeout 0 -args -minutes 120 -seed 7
//
// It refuses to guess: a writer says what it is about to do, and then what came
// out of the path, which it knows because it swaps. Only a write that was under
// way when its writer was killed counts for nothing.
//
//	testdata/writer   the user: a static program, one on each side
//	ledger_test.go    what was written, what was replaced, what is due
//	rig_test.go       the programs, the container, the session
//	nemesis_test.go   what goes wrong
//	soak_test.go      rounds, and the barrier at the end of each
//
// # Why
//
// The simulator sees every interleaving of what we thought of; here a real kernel,
// a real engine and real signals choose. A write is a line with an id of its own,
// so that it can be followed through appends, renames and conflicts. Users swap
// files in (RENAME_EXCHANGE), as twosync does, because what a plain rename drops
// nobody can tell.
package soak
