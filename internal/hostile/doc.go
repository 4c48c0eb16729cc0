// Package hostile holds tests alone: what a container may do to a host.
//
// Its agent is a second, small implementation of the container's side, written
// from the specification in package protocol and from nothing else of ours, so
// that the specification is tested too. Left alone it keeps a tree in memory
// the same as the host's. Told to, it lies: every field of every message, every
// frame and every byte can be another one, chosen by a seed.
//
// The host's side is the real one: the session, its disk on a real directory,
// base, keep store and wire. What must hold after each session, whatever came:
// nothing outside the root has changed, nothing is in the root that may not be
// there, what the user saved last is at its path or in the keep store, the
// session has ended by itself and left nothing running, and base can be read.
//
// A longer run, and the same run again:
//
//	go test ./internal/hostile -run TestMutated -args -sessions=1000000 -seed=7
//
// # Why
//
// A fuzzer of a decoder finds what one message does. Most of what an agent can
// do wrong it does with messages that are each right: an answer to another
// question, twice the same, half a tree. That needs a session.
package hostile
