// Package protocol is the wire between host and agent: a replica at one end of
// a pair of byte streams, and the same replica, as [Remote], at the other.
//
// Its promises. What happens on the agent's side comes out in the order in
// which it happened. Bulk delays a small save by at most one frame a stream.
// The agent is not trusted: every number is compared with a limit before
// memory is spent on it, every path is checked, every content that rides along
// is hashed, and the agent gets contents only of what the host told it to
// write. The end of a session is said; the end of a connection, or silence, is
// an error. Nothing waits for ever.
//
// It refuses to know what paths and contents mean, to keep anything between
// two sessions, to dial, and to dial again.
//
// The rest of this page is the specification: enough to write either end from.
//
// # Layers
//
// The agent writes a greeting line, see [WriteGreeting]. What follows it is
// yamux (github.com/hashicorp/yamux/spec.md, version 0) in both directions,
// with these rules:
//
//   - The host is the client and opens streams 1, 3, 5 and 7, in this order,
//     before anything else: control, work, fetch, bulk. They live as long as
//     the session. Nobody opens another one, or closes one.
//   - Nobody sends yamux's pings. A data frame has at most 32835 bytes. A
//     side's window is 4 MiB a stream.
//
// A side that sees another frame ends the session.
//
// # Values
//
// Values are those of internal/record. A number is an unsigned varint of at
// most 64 bits, a bool a byte 0 or 1. A string is a number, its length, and so
// many bytes. A digest is 16 bytes: xxh3-128 of a content, unseeded,
// big-endian. An id is 16 bytes. A list is a number, its length, and so many
// elements; unless said otherwise it has at most 5242880. A path is a string:
// names joined by single slashes, at most 64 KiB and 256 names; the empty path
// is the root. A name has 1 to 255 bytes, has neither slash nor NUL, and is
// neither "." nor "..". A text is a string of at most 4096 bytes for people;
// it may hold anything, and whoever shows it neutralises it.
//
// An entry is a byte, the kind, and what belongs to it:
//
//	0           absent
//	1, 0x81     file, executable file: digest, number (size, at most 1 TiB)
//	2           link: text (the target)
//	3           directory: list of name, entry; names rise strictly bytewise,
//	            no entry is absent
//	4           opaque: text (why it can't be synced)
//	5           unknown: text (why nothing is known of it)
//
// The entries of one message, and the elements of the list that holds them,
// are at most 5242880 together. What is at a path has no deeper one in it than a
// path may be.
//
// Contents are a list of digest, string: digests rise strictly, each is that
// of its string, and the strings have at most 256 KiB together.
//
// A signature is the number 0 (there is none), or: number (block length, 2 KiB
// to 1 MiB), number (size), and for each block of that size 4 bytes weak hash
// and 16 bytes strong hash, both big-endian (see package delta).
//
// # Frames and messages
//
// A stream carries messages. A message is one frame or more. A frame is one
// byte, the message's code; two bytes big-endian, the length of the body, at
// most 32832; the body. If the highest bit of the code is set, the message
// goes on in the next frame of the stream, which has the same code; such a
// frame is full. A message's body is that of its frames, one after the other.
// There is nothing after its last field. A code that does not belong on a
// stream, or in a direction, ends the session.
//
// Control stream, both ways:
//
//	1 hello      number (version: 1); list of at most 32 strings of at most
//	             64 bytes (features)
//	2 beat       nothing
//	3 end        text (why; empty when all is well)
//
// Work stream, host to agent. Seq numbers rise from command to command:
//
//	 4 start      number (seq); string (ignore rules, at most 4 MiB)
//	 5 adopt      seq; id; number (generation)
//	 6 apply      seq; number (batch); list of path, entry (old), entry (new);
//	              contents
//	 7 cancel     seq
//	 8 look       list of paths
//	 9 flush      number
//	10 settle     number (generation); list of paths
//	11 release    list of names (slots)
//
// Work stream, agent to host:
//
//	12 observed   bool (whole: the list has one path, the root); list of path,
//	              entry; contents
//	13 outcome    number (batch); bool (done); list of path, byte (status)
//	              and, unless the status is 1: entry, text (reason)
//	              status: 1 applied, 2 moved on, 3 held
//	14 durable    number (generation); text (why not; empty when it is)
//	15 flushed    number
//	16 stray      name (slot); path; entry (a file or a link); text (why)
//	17 notice     byte (0 info, 1 warn, 2 halt); text; text (remedy)
//	18 progress   number (batch, 0: a scan); number (files); number (bytes)
//
// Fetch stream, both ways. Requests of one side are numbered by it, rising:
//
//	19 ask        number (request); seq (of the apply whose contents are
//	              wanted; 0 from the host: those of the root); list of at most
//	              4096: path, string (slot: empty or a name), digest, number
//	              (size, at most 1 TiB), signature
//	20 credit     request; number (at most 4 MiB)
//	21 drop       request
//
// Fetch stream, agent to host:
//
//	22 started    seq; id; number (generation, at most 2^48); string (root, at
//	              most 64 KiB); string (boot, at most 64);
//	              three bools (no exec bits, folds case, folds normal forms);
//	              three strings of at most 64 bytes (watch, apply, durable)
//	23 adopted    seq
//	24 applied    seq
//	25 refused    seq; text (why); text (what the user can do)
//
// Bulk stream, both ways:
//
//	26 piece      request; number (want: index into the request's list); byte:
//	              0 data: the rest of the body, 1 to 32768 bytes
//	              1 copy: number (first block); number (count, at least 1)
//	              2 end: the content is complete
//	              3 gone: text (why it can't be had; not empty)
//	27 done       request; text (why not everything came; empty when it did)
//
// A message has at most 256 MiB if it is apply, look, settle, release,
// observed, outcome or stray; ask has at most 24 MiB; start 4 MiB and 136 KiB;
// piece and done fit one frame; beat is empty; the others have at most 136 KiB.
//
// # A session
//
// Both sides begin with hello on the control stream; the agent answers with
// exactly what it got. A version other than its own, or a feature that it does
// not know, it answers with end. The host need not wait for the answer. The one
// feature is "zstd": both directions of the bulk stream are one long zstd
// stream each (RFC 8878, window at most 1 MiB), flushed whenever there is
// nothing more to send.
//
// Start is answered by started or refused, adopt by adopted or refused, apply
// by applied. At most 16 of these commands are under way at once; for a batch
// that includes the time until its last outcome has been read. Cancel asks for
// a command to end early and is not answered; the command is, as always, and a
// batch that was cancelled still has its last outcome. Look, flush, settle and
// release are carried out in the order in which they come, and are not
// answered: what follows from them are reports. Where one of these, or apply,
// fails as a whole, the agent's replica is at its end and so is the session.
//
// An outcome speaks of batches that are under way and of paths at or below
// their changes. Status 1 carries no entry, since the host knows what it
// wanted. The last outcome of a batch has done set. Outcomes and applied travel
// on two streams and have no order between them.
//
// # Contents
//
// Who wants contents asks. The answer is, for every want in the order of the
// list, pieces of which the last is end or gone; then done. If not everything
// can come, done may come at any time, with a reason. Pieces of one request
// are in order, those of several mix as they like. A side has at most 8
// requests open, counted until done.
//
// The agent's requests name an apply that is under way. Each want must be a
// file that one of its changes brings to that path, with that digest and size,
// and no slot. Anything else ends the session: the agent never names a file of
// the host to be read.
//
// The data of a want has at most its size; a copy names blocks of the want's
// signature. Whether a content has its digest is for the one who asked to see.
//
// A piece costs 64 and the bytes of its data. A request begins with a credit
// of 4 MiB; nobody sends a piece beyond it. Credit gives back what was taken
// in. Drop says that nobody waits any more: the answer is done, soon; what is
// still on its way is thrown away. Credit and drop may cross done.
//
// Requests take turns on the bulk stream, about 32 KiB each.
//
// # Life and end
//
// Each side sends a beat every 5 s: 15 bytes with yamux's head. Every byte of
// the connection counts as life; 20 s without one are the end of the session,
// from its first moment on, counted in ticks of the own clock. So are 25 s in which
// hello did not come.
//
// The host ends a session with end. The agent stops everything, closes its
// replica, answers end, and closes the connection; reports that the host has
// not read by then are lost. It does so within 2 s, whatever hangs. An end
// that the agent sends by itself says why. A connection that ends without end
// is broken, for both.
//
// # Goroutines
//
// Those of yamux; on each side one reader a stream (4), one writer of bulk,
// one that listens for life and one that sends beats. On the agent one more
// that sends reports, and one a command or request that is carried out, at
// most 16 and 8. On the host one a request, at most 8, which end within Apply.
// All are waited for in Close and Serve. What waits for a replica or a
// connection that hangs is left behind when its time is up.
//
// # Why
//
// Commands and reports have a stream of their own each way because a save must
// not queue behind bulk; requests another, because a signature can be larger
// than a thousand saves, and because asks, drops and the answers to commands
// must keep their order. Control is apart so that life and death are never
// behind anything.
//
// A stream of yamux a file would cost 43 µs and 6 KB each; a request costs two
// messages for thousands of files. Credit is ours and not yamux's window
// because requests share a stream: one that nobody takes from must not stop
// the others.
//
// Applied says nothing about the entry: it would be half of what an agent
// sends, and a lie in it could only be found by comparing it with what the
// host has anyway.
//
// The heartbeat is ours because yamux's ping waits behind bulk and takes its
// delay for death. Silence is counted in ticks, so that a laptop that slept
// does not drop its sessions when it wakes. A write that fails or is given up
// ends the session, because half a message may be on its way (yamux issue 142).
//
// The guard in front of yamux exists because yamux starts a goroutine for
// every ping it gets and keeps every stream that somebody opens.
package protocol
