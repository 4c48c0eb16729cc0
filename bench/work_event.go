package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twosync/twosync/bench/probe"
)

// Told is what a watcher in the container was told of an edit on the host.
type Told struct {
	Tool   string   `json:"tool"`
	Edit   string   `json:"edit"`
	Events []string `json:"events"` // in order, without repetitions; none is an answer
}

const (
	eventSaves = 30
	// A watcher that was told nothing for so long is told nothing.
	eventLimit = 5 * time.Second
)

// edit is one thing that a user does to a file on the host.
type edit struct {
	name string
	do   probe.Request // of the file "told.txt", whose state it changes
}

// edits follow each other: each finds what the one before left.
var edits = []edit{
	{"create", probe.Request{Op: "save", Data: []byte("one\n")}},
	{"save in place", probe.Request{Op: "save", Data: []byte("two, longer\n")}},
	{"save by rename", probe.Request{Op: "replace", Data: []byte("three, longer still\n")}},
	{"chmod +x", probe.Request{Op: "chmod"}},
	{"rename away", probe.Request{Op: "rename", To: "renamed.txt"}},
	{"rename back", probe.Request{Op: "rename", Path: "renamed.txt", To: "told.txt"}},
	{"delete", probe.Request{Op: "remove"}},
}

// event saves on the host and listens in the container. The content is not looked
// at: this is what nodemon, air and their like act on.
func event(ctx context.Context, b *bench) error {
	for _, t := range b.tools {
		if t.start == nil {
			continue
		}
		if err := b.eventTool(ctx, t); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			b.failed("event", t.name, err)
		}
	}
	return nil
}

func (b *bench) eventTool(ctx context.Context, t tool) (err error) {
	p, err := b.newPair(t, "event")
	if err != nil {
		return err
	}
	// A name that both sides have before, so that the directory is there and known.
	if _, err := b.here.Do(probe.Request{Op: "save", Root: p.host, Path: "there.txt", Data: []byte("there\n")}); err != nil {
		return err
	}
	s, err := t.start(ctx, b, p, toContainer, options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop(), b.remove(p)) }()
	if err := b.toldOfEdits(ctx, t, p, s); err != nil {
		return err
	}
	for round := range b.options.rounds {
		var took []float64
		never := 0
		for i := range eventSaves {
			data := probe.Text(b.next(), uint64(i), savedSize+int64(i))
			saved, told, err := b.tell(ctx, p, s, "saved.txt", probe.Request{Op: "save", Path: "saved.txt", Data: data})
			if err != nil {
				return err
			}
			if len(told.Lines) == 0 {
				never++
			} else if i > 0 { // the first creates it
				took = append(took, b.between(b.here, b.there, saved, told))
			}
			if err := rest(ctx, saveGapMin); err != nil {
				return err
			}
			if never == 3 && len(took) == 0 {
				break // it will not be told of the others
			}
		}
		b.record(Sample{Work: "event", Tool: t.name, Unit: seconds, Round: round, Values: took, Never: never},
			fmt.Sprintf("told of %d, never of %d", len(took), never))
	}
	return nil
}

// tell makes an edit while the container watches a name.
func (b *bench) tell(ctx context.Context, p pair, s session, watched string, do probe.Request) (done, told probe.Reply, err error) {
	heard, err := b.there.Await(probe.Request{Op: "events", Root: p.container, Path: watched, Limit: eventLimit})
	if err != nil {
		return done, told, err
	}
	do.Root = p.host
	done, failed := b.here.Do(do)
	failed = errors.Join(failed, tell(ctx, s))
	told, err = heard()
	return done, told, errors.Join(failed, err)
}

// toldOfEdits records what is told of each kind of edit.
func (b *bench) toldOfEdits(ctx context.Context, t tool, p pair, s session) error {
	const watched = "told.txt"
	for _, e := range edits {
		if e.do.Path == "" {
			e.do.Path = watched
		}
		_, told, err := b.tell(ctx, p, s, watched, e.do)
		if err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
		b.events = append(b.events, Told{t.name, e.name, told.Lines})
		if err := rest(ctx, saveGapMin); err != nil {
			return err
		}
	}
	return nil
}
