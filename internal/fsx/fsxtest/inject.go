package fsxtest

import (
	"errors"
	"fmt"
	"sync"

	"github.com/twosync/twosync/internal/fsx"
)

// ErrInjected is what a step fails with when the test names nothing else.
var ErrInjected = errors.New("injected by the test")

// Faults counts the changes that a file system is asked for and lets one of
// them fail. Its zero value only counts. A change has two steps, so that both
// sides of it are visited: the first is before it, where it is not made, the
// second behind it, where it was made and the caller is not told.
//
//	for at := 1; ; at++ {
//		faults := &fsxtest.Faults{At: at, Stop: true}
//		run(faults.Wrap(fsx.OS()))
//		if !faults.Hit() { break } // run has fewer steps than at
//		check(t)                    // on a file system that is not wrapped
//	}
type Faults struct {
	// config
	At   int   // the step that fails, from 1; 0 is none
	Stop bool  // whether every call after it fails too, as after a crash
	Err  error // what it fails with; ErrInjected when nil

	// state
	mu    sync.Mutex
	steps []Step // guarded by mu
}

// Step is one step that was reached.
type Step struct {
	Site  fsx.Site
	Op    string
	Name  string
	After bool // behind the change
}

func (s Step) String() string {
	when := "before"
	if s.After {
		when = "after"
	}
	return fmt.Sprintf("%s %s %q (%s)", when, s.Op, s.Name, s.Site)
}

// Wrap returns inner with the fault in it.
func (f *Faults) Wrap(inner fsx.FS) fsx.FS {
	return Hooks{Before: f.hook(false), After: f.hook(true), Read: f.read}.Wrap(inner)
}

// Steps returns the steps so far, in the order in which they were reached.
func (f *Faults) Steps() []Step {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Step(nil), f.steps...)
}

// Hit says whether the step At was reached.
func (f *Faults) Hit() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hitLocked()
}

func (f *Faults) hitLocked() bool { return f.At > 0 && len(f.steps) >= f.At }

func (f *Faults) hook(after bool) Hook {
	return func(site fsx.Site, op, name string) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.Stop && f.hitLocked() {
			return f.err() // not a step: it is not reached after a crash
		}
		f.steps = append(f.steps, Step{site, op, name, after})
		if len(f.steps) == f.At {
			return f.err()
		}
		return nil
	}
}

// read fails only after a crash: a reading call is no step.
func (f *Faults) read(fsx.Site, string, string) error {
	if f.Stop && f.Hit() {
		return f.err()
	}
	return nil
}

func (f *Faults) err() error {
	if f.Err != nil {
		return f.Err
	}
	return ErrInjected
}
