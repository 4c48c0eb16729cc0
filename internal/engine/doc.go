// Package engine is the step function at the heart of twosync: it is told what
// happened and says what to do.
//
// Its promises. It reads no clock, starts no goroutine and touches no file, and
// the same events at the same times give the same effects. It orders a change
// only with what the path must hold as its precondition, and only one at a
// time at, above and below a path. It moves base only to what both sides were
// seen to hold, and commits only what both have made durable since. Its work
// goes with what changed, not with the size of the tree nor with how much is
// held or in flight.
//
// What a side holds is what its reports say, in their order. What is found out
// about a path while an effect is in flight there decides the next one.
//
// A path that needs something is in one place at a time: dirty, to be
// reconciled in this step; blocked, until what is in flight has landed; parked,
// until it has been quiet for a while; or held, with a reason for people. When
// none is in any of the first three and nothing is in flight, both sides are in
// sync.
//
// # Why
//
// Two bases are kept: the one that decisions are made against moves as soon as
// both sides are seen to agree, and the durable one follows in groups. When a
// side is lost the former is forgotten. A container that lost its last seconds
// to a crash would otherwise look as if its user had put old contents back,
// and they would travel to the host. Where the side that is back still holds
// what was agreed, or what it was being given, base follows again: a connection
// that breaks must not turn the work of one person into conflicts.
//
// Base also moves when a change lands, to what the other side was seen to hold
// when the change was given out, not to what it holds by now. Otherwise a file
// that is saved twice in a row would have been changed by both sides.
//
// Names that the root lost rest for a moment, and for each other. Whoever removes
// everything removes one name after the other, and by the time of the last one
// there would be nothing left to protect. That costs a quarter of a second for a
// file deleted at the root; a rename does not wait.
//
// Deletions of the container are counted before they are given out, and not where
// they are observed: what only moved, and what both sides deleted, is none. While
// the brake is on, all of them wait, and not only those that were too many: what
// a person is asked about should not go on growing smaller. It is off again only
// when what became of them is durable, because a crash in between would leave a
// rest that is few enough to pass.
//
// A first contact takes what the history knows for an old copy, and the host's
// absence for its user's wish, but only of a host that was there all the time: one
// that is new itself, or was empty, lacks what it never had.
//
// Paths are kept in trees of names (places) and not in maps, because every
// question about them is which ones are above or below another: a map answers
// that only by being walked.
package engine
