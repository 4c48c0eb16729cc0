// Package run keeps two replicas the same: it owns the engine, tells it what
// happens and carries out what it says.
//
// One goroutine owns the engine's state and never waits for a disk or a wire.
// Everything that takes time runs beside it and comes back as an event.
//
// # Why
//
// The engine decides, the replicas act, and this package is the page on which
// one can see who waits for whom. It has no rules of its own: a rule found here
// belongs into the engine, where it can be searched for violations.
package run
