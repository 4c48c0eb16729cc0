//go:build failpoints

package fsx

// Wrap is what a program that is built to be killed puts in front of the file
// system, before it opens anything.
var Wrap = func(inner FS) FS { return inner }

// OS returns the file system of the machine.
func OS() FS { return Wrap(osFS{}) }
