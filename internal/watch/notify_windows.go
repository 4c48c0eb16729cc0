package watch

import "github.com/rjeczalik/notify"

const modeName = "windows"

// eventMask asks for LastWrite by its own name: the library's "write" leaves it out,
// and with it every save that does not change the size.
var eventMask = []notify.Event{
	notify.FileNotifyChangeFileName, notify.FileNotifyChangeDirName, notify.FileNotifyChangeSize,
	notify.FileNotifyChangeCreation, notify.FileNotifyChangeLastWrite,
}

// directoryType is how the library marks events that came from the watch for directories.
const directoryType = 2

// describe says whether an event is about a directory. An overflow of the kernel's
// buffer is not reported by the library at all: the periodic sweep finds what it cost.
func describe(ei notify.EventInfo) (isDir, lost bool) {
	kind, ok := ei.Sys().(uint8)
	return ok && kind == directoryType, false
}
