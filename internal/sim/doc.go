// Package sim runs the real host and the real agent in one goroutine, on two
// virtual machines, and searches for histories in which a promise is not kept.
//
// What is real: the session, the engine, base, the keep store, the disks of both
// sides, and the codec of the messages. What is virtual: the file systems and
// their events (package simfs), the connection, the clocks, and users who act
// between any two calls. One seed decides everything, so that the same seed gives
// the same run, call by call.
//
// It is for tests only, and promises nothing about real kernels, engines or
// networks: what package simfs says of them is checked against Linux there.
//
// # Why
//
// What goes wrong between two sides goes wrong at moments that no test on real
// disks meets twice. Here a moment is a number, and a history that fails is made
// shorter until a person can read it.
//
// The parts of a session wait for each other in many places. Rather than turn
// them inside out, each runs as a coroutine (iter.Pull): the scheduler gives a
// turn to one at a time and gets it back where the real one would wait for a
// channel, a clock, a kernel or a wire, or might be interrupted.
package sim
