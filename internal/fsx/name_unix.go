//go:build linux || darwin

package fsx

// portableName: here a single name is all that it takes.
func portableName(string) bool { return true }
