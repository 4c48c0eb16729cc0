package main

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// believed is how long the kernel believes what it was told: what libfuse has, and
// about what the shares of macOS do.
const believed = time.Second

// mount shows from at to.
func mount(from, to string, delay time.Duration) (*fuse.Server, error) {
	root, err := fs.NewLoopbackRoot(from)
	if err != nil {
		return nil, fmt.Errorf("mount %s: %w", from, err)
	}
	long := believed
	options := &fs.Options{AttrTimeout: &long, EntryTimeout: &long, NullPermissions: true,
		MountOptions: fuse.MountOptions{FsName: from, Name: "slowfs", DirectMount: os.Geteuid() == 0}}
	if os.Geteuid() == 0 { // anyone in the container may come
		options.AllowOther = true
		options.MountOptions.Options = append(options.MountOptions.Options, "default_permissions")
	}
	server, err := fs.Mount(to, &node{root.(*fs.LoopbackNode), delay}, options)
	if err != nil {
		return nil, fmt.Errorf("mount at %s: %w", to, err)
	}
	return server, nil
}

// node is a file or a directory that takes its time.
type node struct {
	*fs.LoopbackNode
	delay time.Duration
}

// WrapChild makes every other node one of ours.
func (n *node) WrapChild(_ context.Context, child fs.InodeEmbedder) fs.InodeEmbedder {
	return &node{child.(*fs.LoopbackNode), n.delay}
}

// oversleep is by how much a sleep is too long.
const oversleep = 80 * time.Microsecond

// wait is what a request costs.
func (n *node) wait() {
	end := time.Now().Add(n.delay)
	if n.delay > oversleep {
		time.Sleep(n.delay - oversleep)
	}
	for time.Now().Before(end) {
	}
}

// These are the requests that work on a source tree consists of; each waits, and
// then is the one that go-fuse has.

func (n *node) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	n.wait()
	return n.LoopbackNode.Lookup(ctx, name, out)
}

func (n *node) Getattr(ctx context.Context, f fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	n.wait()
	return n.LoopbackNode.Getattr(ctx, f, out)
}

func (n *node) Setattr(ctx context.Context, f fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	n.wait()
	return n.LoopbackNode.Setattr(ctx, f, in, out)
}

func (n *node) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	n.wait()
	return n.LoopbackNode.Mkdir(ctx, name, mode, out)
}

func (n *node) Rmdir(ctx context.Context, name string) syscall.Errno {
	n.wait()
	return n.LoopbackNode.Rmdir(ctx, name)
}

func (n *node) Unlink(ctx context.Context, name string) syscall.Errno {
	n.wait()
	return n.LoopbackNode.Unlink(ctx, name)
}

func (n *node) Rename(ctx context.Context, name string, to fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	n.wait()
	if ours, ok := to.(*node); ok {
		to = ours.LoopbackNode
	}
	return n.LoopbackNode.Rename(ctx, name, to, newName, flags)
}

func (n *node) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	n.wait()
	return n.LoopbackNode.Create(ctx, name, flags, mode, out)
}

func (n *node) Symlink(ctx context.Context, target, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	n.wait()
	return n.LoopbackNode.Symlink(ctx, target, name, out)
}

func (n *node) Readlink(ctx context.Context) ([]byte, syscall.Errno) {
	n.wait()
	return n.LoopbackNode.Readlink(ctx)
}

func (n *node) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	n.wait()
	return n.LoopbackNode.Open(ctx, flags)
}

func (n *node) OpendirHandle(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	n.wait()
	return n.LoopbackNode.OpendirHandle(ctx, flags)
}

func (n *node) Read(ctx context.Context, f fs.FileHandle, to []byte, at int64) (fuse.ReadResult, syscall.Errno) {
	n.wait()
	return f.(fs.FileReader).Read(ctx, to, at)
}

func (n *node) Write(ctx context.Context, f fs.FileHandle, data []byte, at int64) (uint32, syscall.Errno) {
	n.wait()
	return f.(fs.FileWriter).Write(ctx, data, at)
}

func (n *node) Flush(ctx context.Context, f fs.FileHandle) syscall.Errno {
	n.wait()
	return f.(fs.FileFlusher).Flush(ctx)
}
