// Package base keeps what both sides last agreed on, durably, on the host.
//
// Its promise: what Open returns was committed, whole commits only, in the
// order in which they came; or base is lost, which is said, and then nothing is
// deleted by it. A commit has happened when Commit returned without an error.
//
// A Store also remembers the last few values that were agreed for a path, so
// that an old copy, which a container brings along from its image, can be told
// from new work. Paths that never changed cost no memory.
//
// It refuses to decide anything: it does not know what the sides hold, and
// believes what is committed. It refuses to go on after a failed sync, and to
// delete a damaged file. It is not safe for use by several goroutines at once.
//
// # Format
//
// One file, a record.Log. It begins with a snapshot: header, state, history,
// end. Behind it is the journal: begin, intent, commit, settled, rules. When
// the journal has outgrown the snapshot, a new file with a new snapshot takes
// the old one's place by a rename.
//
// # Why
//
// Snapshot and journal are one file, so that there is no pair of files that
// may not fit together. An intent is not synced at once, because a sync between
// a hint and a rename would be felt, but before a side records its generation:
// if it were lost in a power cut then, the generations of the two sides would no
// longer fit, and a first contact would take what the container's user did for
// a conflict with what the host lost.
//
// Damage discards the whole base and not only what is behind it: an old base
// is a lie about what was agreed, and a lie can delete. Without a base nothing
// is ever deleted. The history before the damage is kept, since it is true
// whatever came later; it is read from the damaged file even if a crash came
// before another was in its place.
//
// History is keyed by a digest of the path: whoever forges a collision makes
// one of his own contents look like an old copy of his own.
package base
