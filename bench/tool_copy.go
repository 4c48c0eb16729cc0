package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/twosync/twosync/bench/probe"
)

func findTar(ctx context.Context, b *bench) error {
	said, err := version(ctx, "tar", "--version")
	b.version("tar", said)
	return err
}

func readyTar(_ context.Context, b *bench) error { return b.needs("tar") }

// fillTar is what users write: tar here, tar there, docker exec between.
func fillTar(ctx context.Context, b *bench, p pair) (session, error) {
	return noSession{}, b.tarOver(ctx, "docker", p)
}

// tarOver uses this docker command.
func (b *bench) tarOver(ctx context.Context, docker string, p pair) error {
	pack := exec.CommandContext(ctx, "tar", "-c", "-C", p.host, ".")
	pack.Env = append(os.Environ(), "COPYFILE_DISABLE=1") // macOS would add files of its own
	unpack := exec.CommandContext(ctx, docker, "exec", "-i", b.box.name, "tar", "-x", "-C", p.container)
	pipe, err := pack.StdoutPipe()
	if err != nil {
		return err
	}
	unpack.Stdin = pipe
	if err := pack.Start(); err != nil {
		return err
	}
	out, err := unpack.CombinedOutput()
	if err := errors.Join(err, pack.Wait()); err != nil {
		return fmt.Errorf("tar: %w: %s", err, out[:min(len(out), 500)])
	}
	return nil
}

func findCopy(_ context.Context, b *bench) error {
	b.box.mounts = append(b.box.mounts, mount{b.dataDir(), mountedData, true})
	if _, err := exec.LookPath("cp"); err != nil {
		return errors.New("no cp on this machine")
	}
	return nil
}

func readyCopy(_ context.Context, b *bench) error { return b.needs("cp") }

// fillCopy copies inside the container, from a bind mount: what making the files
// there costs.
func fillCopy(_ context.Context, b *bench, p pair) (session, error) {
	rel, err := filepath.Rel(b.dataDir(), p.host)
	if err != nil || !filepath.IsLocal(rel) {
		return nil, fmt.Errorf("cp: internal error: %s is not mounted", p.host)
	}
	from := mountedData + "/" + filepath.ToSlash(rel) + "/."
	_, err = b.there.Do(probe.Request{Op: "run", Args: []string{"cp", "-r", from, p.container}})
	return noSession{}, err
}

// noSession is what is left of a tool that has ended, or that nothing runs for.
type noSession struct{}

func (noSession) stop() error  { return nil }
func (noSession) process() int { return 0 }

func findRsync(ctx context.Context, b *bench) error {
	said, err := version(ctx, "rsync", "--version")
	if err != nil {
		return err
	}
	b.version("rsync", said)
	return b.box.include("rsync")
}

func readyRsync(_ context.Context, b *bench) error { return b.needs("rsync") }

// rsyncSession runs rsync when it is told to: what a user has bound to the save of
// an editor.
type rsyncSession struct {
	name string // of the container
	p    pair
	env  []string
}

func startRsync(ctx context.Context, b *bench, p pair, d direction, o options) (session, error) {
	if d == toHost {
		return nil, errors.New("rsync: internal error: it goes one way here")
	}
	s := &rsyncSession{b.box.name, p, firstOnPath(o.path)}
	return s, s.tell(ctx)
}

func (s *rsyncSession) tell(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "rsync", "-a", "--delete", "--exclude=/.twosync", "--rsh=docker exec -i", s.p.host+"/", s.name+":"+s.p.container+"/")
	cmd.Env = append(os.Environ(), s.env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("rsync: %w: %s", err, strings.TrimSpace(string(out[max(0, len(out)-500):])))
	}
	return nil
}

func (s *rsyncSession) process() int { return 0 }
func (s *rsyncSession) stop() error  { return nil }
