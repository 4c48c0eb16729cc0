//go:build !failpoints

package fsx

// OS returns the file system of the machine.
func OS() FS { return osFS{} }
