// Package replicatest is the conformance suite of the seam: what every replica
// must do, whatever is behind it.
//
// [Run] takes replicas on real directories. It edits a directory as a user
// would, reads the reports, gives batches, and compares three things: what the
// reports say, what the directory holds, and what the batch wanted. Whatever
// happens, the reports of a replica must say what its directory holds.
//
// It refuses to look behind the seam: no case depends on how a replica does
// something, or on how long it takes, except that everything ends.
//
// # Why
//
// A disk, and the same disk behind a wire, must be one thing to the engine. The
// suite works through the interface and the directory alone, and calls it from
// one goroutine, so that a failure has one possible order of events.
package replicatest
