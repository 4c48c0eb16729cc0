package disk

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/record"
	"github.com/twosync/twosync/internal/replica"
)

// The steps of writing the token.
const (
	siteTokenDrop   fsx.Site = "token.drop"
	siteTokenNew    fsx.Site = "token.create"
	siteTokenSync   fsx.Site = "token.sync"
	siteTokenRename fsx.Site = "token.rename"
	siteTokenDir    fsx.Site = "token.dir"
)

// tokenName names the token. Sessions that meet here in turn have one each: what
// this replica has agreed on with one container is nothing to the others.
func (d *Disk) tokenName() string {
	if d.opt.Session != "" {
		return "replica-" + d.opt.Session
	}
	return "replica"
}

// readToken returns who this replica is; the zero ID when it has no token.
func (d *Disk) readToken() (id replica.ID, gen uint64, err error) {
	f, err := d.private().Read(d.tokenName())
	if errors.Is(err, fs.ErrNotExist) {
		return id, 0, nil
	}
	if err != nil {
		return id, 0, fmt.Errorf("read the replica token: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 4096))
	if err != nil {
		return id, 0, fmt.Errorf("read the replica token: %w", err)
	}
	id, gen = parseToken(b)
	return id, gen, nil
}

// parseToken takes a token that is whole; of any other nobody knows who it is.
func parseToken(b []byte) (id replica.ID, gen uint64) {
	p, _, ok := record.CutFrame(b)
	if !ok {
		return id, 0
	}
	r := record.NewReader(p)
	id, gen = replica.ID(r.Digest()), r.Uint(replica.MaxGen)
	if r.End() != nil {
		return replica.ID{}, 0
	}
	return id, gen
}

func appendToken(b []byte, id replica.ID, gen uint64) []byte {
	return record.AppendFrame(b, record.AppendUint(append([]byte(nil), id[:]...), gen))
}

// writeToken records who this replica is, durably. Callers hold tokenMu.
func (d *Disk) writeToken(id replica.ID, gen uint64) error {
	if err := d.replaceToken(d.private(), id, gen); err != nil {
		return fmt.Errorf("write the replica token: %w", err)
	}
	d.id, d.gen = id, gen
	return nil
}

func (d *Disk) replaceToken(private fsx.Dir, id replica.ID, gen uint64) error {
	next := d.tokenName() + ".new"
	private.Unlink(siteTokenDrop, next) // left over from a crash
	f, err := private.Create(siteTokenNew, next, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(appendToken(nil, id, gen)); err != nil {
		return err
	}
	if err := f.Sync(siteTokenSync); err != nil {
		return err
	}
	if err := private.Rename(siteTokenRename, next, private, d.tokenName(), fsx.Replace); err != nil {
		return err
	}
	return private.Sync(siteTokenDir)
}

// Adopt implements replica.Replica.
func (d *Disk) Adopt(_ context.Context, id replica.ID, gen uint64) error {
	d.tokenMu.Lock()
	defer d.tokenMu.Unlock()
	return d.writeToken(id, gen)
}

// record makes a generation durable that was settled.
func (d *Disk) record(gen uint64) error {
	d.tokenMu.Lock()
	defer d.tokenMu.Unlock()
	return d.writeToken(d.id, gen)
}

func newID() (id replica.ID) {
	rand.Read(id[:])
	return id
}
