// Package host is the user's side: the commands, what they print, and how they
// end.
//
// Its promise: whatever goes wrong ends in one line that says what is wrong and
// one that says what to do about it, with an exit code that a script can act on
// (exit.go has them all); nothing that a container sends can move the cursor or
// pass for words of ours; and no command hangs.
//
// It decides nothing about trees. It refuses to begin a session on a directory
// that nobody can mean (all of a machine, a home), on one that another session
// is at work on, above or below, and on the folder of its own state. The same
// goes for a target that is on this machine, too.
//
// # State
//
// Each session, which is a directory here and a target, has a folder of its own,
// 0700, below $XDG_STATE_HOME/twosync:
//
//	session.json   what the session is, for status and flush (state.go)
//	lock           held while it runs
//	socket         where it answers while it runs (control.go)
//	base           what both sides last agreed on
//	keep           what was displaced: the trash, and the losers of conflicts
//	stage          files that the host's disk is building
//
// # Control socket
//
// A request is one line of JSON and its answer another; then the connection is
// over. The socket is 0600 in the session's folder. Where that path is longer
// than a socket's may be, it is in a new folder below the system's temporary
// one, and session.json says where.
//
// # Why
//
// What sync took away and what lost a conflict are read from the keep store's
// folder, without asking the session that writes to it: a log that is appended to
// can be read at any time, and so undo and conflicts work without a session too.
// Only what puts something back goes through the session, because its store has
// one owner; where none runs, the command takes its place for the moment. What
// is put back is put there as an editor would save it. A session does not have to
// know of it, and every rule that protects a save protects this one.
//
// There is no daemon: a session is a process in the foreground, and what it
// knows dies with it. Whether one runs is not read from a file, which can be
// stale, but found out by connecting. A second session of the same name is kept
// out by a lock that the kernel gives back when a process dies, however it does.
//
// A session looks for others that overlap before it registers, so that one which
// is refused is not what status advises to start again; and once more after
// that. Two that start in the same moment may so both give up, which is a
// nuisance; with the first look alone both would go on.
//
// That no session runs is an answer of status, with exit code 0, and an error
// of flush: one asks, the other relies on it.
//
// .twosyncignore is read once, here, when a session starts. It crosses like
// every file, but what the container makes of it changes no rule of a running
// session, and is said.
package host
