// Package probe is the benchmark's eyes and hands on one side: it makes files,
// says when a file has arrived, and says what a tree holds. The benchmark runs it
// as a process on the host and as another in the container, and talks to both in
// lines of JSON over their standard input and output.
//
// Its main promise is that it measures without being part of what is measured:
// it is armed before a save and reads the clock on its own side, so no answer's
// way back is ever counted.
//
// It does not know which tool keeps the two sides the same, and it refuses
// nothing: it does what the benchmark says, with the rights it was started with.
//
// # Why
//
// Both sides read CLOCK_MONOTONIC, which a container shares with its kernel: on
// Linux a save on one side and its arrival on the other are two readings of one
// clock. Where the container has another kernel, a reply says how long ago what it
// tells of was, and the benchmark dates it by its own clock, less half of an idle
// round trip: an error as large as the thing that is measured on Linux, and small
// beside the tens of milliseconds that macOS takes for an event.
//
// A bulk job ends when the last name of the tree last changed: that is the newest
// ctime of a tree that was then read and found equal. Looking at thousands of
// files again and again until they are there would take the time of the tool that
// is measured, most of all where a stat is slow. That time has the granule of the
// kernel's coarse clock, at most 4 ms.
//
// The floor lives here too, because it is the same program on both sides: what
// moving one save cannot go below, with nothing that a careful tool needs.
package probe
