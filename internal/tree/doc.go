// Package tree holds a whole copy of a directory as an immutable value.
//
// A tree is an *Entry: a file, a link, a directory with children, or something
// that cannot be synced. Nil is absence. Entries never change; editing a tree
// makes new entries on the way from the root to the edit and shares the rest,
// so that a tree can be handed to anybody and kept for ever.
//
// A directory carries a digest over everything below it, and counts. Two
// directories with equal digests hold the same names, kinds, contents and exec
// bits; stat data is no part of it. A directory with something unknown or
// opaque below it is murky: it equals nothing, and is never pruned.
//
// The package reads no file and knows no rule of merging.
//
// # Why
//
// Children are a small persistent B-tree, because one edit among 300 000
// siblings must not copy 300 000 names. A directory's digest is the lane-wise
// sum of one hash a child, because a sum does not depend on the shape of the
// B-tree and is corrected for one edit by a subtraction and an addition. A sum
// can be forged by somebody who chooses the contents; the container may choose
// only its own files, and could as well lie about their digests.
package tree
