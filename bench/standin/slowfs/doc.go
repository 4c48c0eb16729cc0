// Command slowfs is a FUSE file system that passes everything on to another
// directory, and waits a while before each request. It stands in, on Linux, for
// the shares that macOS has between the host and its containers:
//
//	slowfs mount -delay 60us FROM TO
//	slowfs calibrate -delay 60us DIR
//
// mount shows FROM at TO until it is unmounted. calibrate mounts something below
// DIR for a moment and prints what a stat, a created file and a read file really
// cost, beside the same without FUSE: a nominal delay says little.
//
// It refuses to be more than a model. It has a fixed cost for each request and the
// kernel's ordinary FUSE caches; a share of macOS has another server, another file
// system behind it, and traffic to keep two caches honest. Like such a share it
// tells the container of no change that the host makes.
//
// # Why
//
// It is a module of its own, so that go-fuse is no dependency of twosync. The delay
// is slept only where that is long: the kernel's sleep is some 55 µs too long, so
// anything near that is spun away, at the price of a processor.
package main
