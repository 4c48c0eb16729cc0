// Package keep stores what was displaced: the losers of conflicts, what sync
// replaced or deleted on the host because of the container, and what a crash
// or a late write left over.
//
// Its promise: when a call has returned without an error, the content is in
// the store; when it has failed, the content is still where it was. The losers
// of conflicts and what was left over are never dropped. What was merely
// replaced or deleted, and the losers that somebody has decided about, go, oldest
// first, once they are older than Limits say or room is needed, and are taken in
// however full the store is.
//
// A store is a folder. In objects/ each content is once, under its digest: a
// file as it was, with its mode and mtime if it was adopted, or a link. The log
// says, item by item, what they were. It knows nothing of sides and sessions
// beyond that, and gives nothing back by itself. Calls may come at the same
// time, but a folder has one Store at a time, which is the caller's to see to.
//
//	item.go    what is known of a content, and how it is written down
//	store.go   opening, listing, reading, making durable, closing
//	log.go     the log: appending, taking back, writing anew
//	find.go    what the folder of objects holds, and under which name
//	create.go  taking in a content that comes piece by piece
//	adopt.go   taking over a file or link that is on this machine
//	evict.go   what goes, and when
//	resolve.go what is decided about a loser
//	peek.go    what a store holds that is another process's
//
// # Why
//
// An item is written down before its content moves. So a process that is
// killed at any moment leaves an item and its content, or an item without one,
// and then the content is still where it came from. An item without its
// content is no item, and Open leaves it out; that is also how a content is
// dropped, and what deleting an object by hand does. The log need not be
// written for it, and only is when most of it is about nothing.
//
// A content without an item can only come of a power cut that took the end of
// the log, or of damage to it. Nobody knows any more whether it lost a
// conflict, so it is listed as LeftOver and stays.
//
// Contents are named by digest, so that the same loser is kept once however
// often it loses. A digest can be forged by a container for its own files, and
// a program that still has an adopted file open may write to it. So a content
// that meets another under its name is compared with it byte by byte, and gets
// a number behind the name when they differ. For the same reason the store
// does not say whether it holds a digest.
//
// Adopted contents become durable in groups, with Sync, because a sync for
// each file of a large folder that was deleted takes minutes. Losers of
// conflicts are durable one by one: their path waits for it.
//
// What the store adopts, it takes even when it is full. Refusing would leave
// the content in a slot, where it takes the same space and has no bound at
// all. A file of which another hard link remains is adopted like any other:
// who writes to it in place through that link has superseded it himself.
package keep
