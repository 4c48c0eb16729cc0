//go:build !linux && !windows && !(darwin && cgo && !kqueue)

package watch

// Open returns a source that polls. On macOS without cgo the notification library
// would silently take kqueue, which holds one open file for each file of the tree
// and runs into the limit of 256 on a small project; it is not even linked in.
func Open(root string) (Source, error) { return NewPoll(PollInterval), nil }
