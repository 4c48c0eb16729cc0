// Package reconcile decides what has to happen so that both sides hold the
// same: from base, host and container it makes a plan.
//
// Its promise: no plan takes away bytes that their own side's user did not
// give up. What a plan replaces or removes is what base holds there, or is
// named in Keep first and left alone until it is in the keep store.
//
// It looks at contents only. It reads no clock, no file and no stat data, and
// it has no memory: the same trees give the same plan, and a plan of which any
// part was carried out gives, next time, the rest of it.
//
// It refuses to conclude anything from what is unknown or opaque, and to guess
// at renames: a rename is a create and a delete, which apply makes cheap.
//
// The rules, by what changed since base, at one path:
//
//	R0  a side is unknown or opaque     nothing there, nothing that removes a parent
//	R1  both sides hold the same        base follows
//	R2  only the host changed           the container follows
//	R3  only the container changed      the host follows
//	R4  one side deleted, one changed   the change wins
//	R5  exec bit and content            each is merged by itself
//	R6  changed apart                   the loser is kept, the winner takes the path;
//	                                    an empty file gives way, whoever has it
//	R7  directories                     exist for what is in them
//
// # Why
//
// A name that a side can't hold beside another is held, and left out of whatever
// it is in, like a link that leaves the root: the name that is there first stays.
// To merge the two, or to give one of them another name, would be a guess at what
// they are. That the side lacks a name that is held says nothing, because base
// lacks it too.
//
// A directory that one side deleted is taken apart leaf by leaf (R7), because
// the two usual answers are worse: bringing the whole of it back surprises who
// deleted it, and a conflict over a directory is one that nobody can read.
//
// When a directory became a file here and was worked in there, the directory
// keeps the path whatever the policy says: a file can be kept beside the tree
// and looked at; a part of a directory, without its siblings, is no use.
//
// An empty file gives way in R6 as absence does in R4: there is nothing in it that
// could be lost. It is also what a power cut leaves of a file that was put in place
// and not yet durable, and that must not take the path from the side that has it
// whole.
//
// Keeping comes before changing as a gate in the plan and not as an order of
// steps, because a gate cannot be crossed by a crash between two steps.
package reconcile
