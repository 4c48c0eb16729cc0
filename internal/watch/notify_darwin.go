//go:build cgo && !kqueue

package watch

import "github.com/rjeczalik/notify"

const modeName = "fsevents"

// lostFlags say that the kernel or the daemon dropped events. The library hides them
// from those who do not ask for them.
const lostFlags = notify.FSEventsMustScanSubDirs | notify.FSEventsUserDropped |
	notify.FSEventsKernelDropped | notify.FSEventsEventIdsWrapped |
	notify.FSEventsMount | notify.FSEventsUnmount | notify.FSEventsRootChanged

var eventMask = []notify.Event{
	notify.FSEventsCreated, notify.FSEventsRemoved, notify.FSEventsRenamed, notify.FSEventsModified,
	notify.FSEventsInodeMetaMod, notify.FSEventsChangeOwner, lostFlags,
}

// describe says whether an event is about a directory, and whether events were lost.
// Several changes of one path come as one set of flags, so only Modified alone is
// surely not an arrival; a directory is looked at as a whole in any other case.
func describe(ei notify.EventInfo) (isDir, lost bool) {
	raw, ok := ei.Sys().(*notify.FSEvent)
	if !ok {
		return false, true
	}
	flags := notify.Event(raw.Flags)
	arrival := flags&(notify.FSEventsCreated|notify.FSEventsRenamed) != 0
	return arrival && flags&notify.FSEventsIsDir != 0, flags&lostFlags != 0
}
