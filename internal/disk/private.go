package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/replica"
)

// The steps of setting up.
const (
	siteMakeRoot    fsx.Site = "private.root"
	sitePrivate     fsx.Site = "private.mkdir"
	siteGitignore   fsx.Site = "private.gitignore"
	siteLock        fsx.Site = "private.lock"
	siteStageFolder fsx.Site = "private.stage"
	siteProbe       fsx.Site = "private.probe"
)

const (
	lockName  = "lock"
	stageName = "stage"
	probeName = "probe"
)

// openRoot opens the root, once and with links in its path resolved.
func (d *Disk) openRoot() error {
	root, err := d.opt.FS.OpenRoot(d.path)
	if errors.Is(err, fs.ErrNotExist) && d.opt.Make {
		if root, err = d.makeDirs(d.path, 0o777, siteMakeRoot); err != nil {
			reason, remedy := explain(err)
			return rootError("can't make "+d.path+": "+reason, remedy)
		}
		d.report(replica.Report{Notice: &replica.Notice{Level: replica.Info, Text: d.path + " was not there: it was made"}})
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return rootError(d.path+" does not exist", "create it, or name another directory")
	case errors.Is(err, fsx.ErrNotDir):
		return rootError(d.path+" is not a directory", "name the directory that holds it")
	case errors.Is(err, fs.ErrPermission):
		return rootError("no permission to open "+d.path, "run as its owner, or name another directory")
	case err != nil:
		return fmt.Errorf("open %s: %w", d.path, err)
	}
	d.root = root
	self, err := root.Self()
	if err != nil {
		return fmt.Errorf("stat %s: %w", d.path, err)
	}
	d.rootIno, d.rootDev = self.Ino, self.Dev
	if d.above, err = d.opt.FS.OpenRoot(filepath.Dir(d.path)); err != nil {
		d.above = nil // then the root is looked at the long way
	}
	d.granule = d.opt.FS.Granularity(root)
	return nil
}

// makeDirs opens the directory at an absolute path, and makes what is missing
// of it. What is there already may be reached through links.
func (d *Disk) makeDirs(path string, perm fs.FileMode, site fsx.Site) (fsx.Dir, error) {
	dir, err := d.opt.FS.OpenRoot(path)
	if parent := filepath.Dir(path); errors.Is(err, fs.ErrNotExist) && parent != path {
		above, err := d.makeDirs(parent, perm, site)
		if err != nil {
			return nil, err
		}
		defer above.Close()
		return makeDir(above, filepath.Base(path), perm, site)
	}
	return dir, err
}

// makeDir opens a directory, and makes it if it is missing.
func makeDir(dir fsx.Dir, name string, perm fs.FileMode, site fsx.Site) (fsx.Dir, error) {
	if err := dir.Mkdir(site, name, perm); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return dir.Open(name)
}

// openPrivate opens our folder and takes the lock. Nobody else is at work on
// the root from then on.
func (d *Disk) openPrivate(ctx context.Context) (*own, error) {
	err := d.root.Mkdir(sitePrivate, privateName, 0o700)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		reason, _ := explain(err)
		return nil, rootError(fmt.Sprintf("can't write to %s: %s", d.path, reason),
			"give the user that twosync runs as there the right to write to it")
	}
	dir, err := d.root.Open(privateName)
	switch {
	case errors.Is(err, fsx.ErrNotDir), errors.Is(err, fsx.ErrIsLink):
		return nil, rootError(fmt.Sprintf("%s in %s is not twosync's folder", privateName, d.path),
			"that one name is reserved: rename it, then start again")
	case err != nil:
		reason, remedy := explain(err)
		return nil, rootError(fmt.Sprintf("can't open %s in %s: %s", privateName, d.path, reason), remedy)
	}
	o := &own{private: dir}
	if err := d.lock(ctx, o); err != nil {
		o.close()
		return nil, err
	}
	if err := writeGitignore(dir); err != nil {
		o.close()
		return nil, fmt.Errorf("write %s/.gitignore: %w", privateName, err)
	}
	return o, nil
}

// lockPoll is how often a lock is tried for that somebody has.
const lockPoll = 50 * time.Millisecond

// maxHolder bounds what a lock says of its holder.
const maxHolder = 256

// lock takes the lock, and waits for one that ends with its session.
func (d *Disk) lock(ctx context.Context, o *own) (err error) {
	until := d.opt.Clock.Now().Add(d.opt.LockWait)
	for {
		if o.unlock, err = o.private.Lock(siteLock, lockName); !errors.Is(err, fsx.ErrBusy) {
			break
		}
		if !d.opt.Clock.Now().Before(until) {
			return rootError("another session is at work on "+d.path+holder(o.private), "end it first, or wait until it has ended")
		}
		if err := d.opt.Clock.Pause(ctx, lockPoll); err != nil {
			return err
		}
	}
	if err != nil {
		return fmt.Errorf("lock %s: %w", d.path, err)
	}
	if err := signLock(o.private, d.signature()); err != nil {
		return fmt.Errorf("sign the lock on %s: %w", d.path, err)
	}
	if o.self, err = o.private.Self(); err == nil {
		o.locked, err = o.private.Stat(lockName)
	}
	return err
}

// holder says who has the lock, as far as they said.
func holder(private fsx.Dir) string {
	f, err := private.Read(lockName)
	if err != nil {
		return ""
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxHolder))
	if err != nil || len(b) == 0 {
		return ""
	}
	return ": " + string(b)
}

// Shared says whether somebody else has signed the lock that we have: then the
// root is another one's too, through a mount that locks do not cross.
func (d *Disk) Shared() bool {
	who := holder(d.private())
	return who != "" && who != ": "+d.signature()
}

func (d *Disk) signature() string { return d.opt.Holder[:min(len(d.opt.Holder), maxHolder)] }

// signLock writes into the lock who has it.
func signLock(private fsx.Dir, holder string) error {
	f, err := private.Update(siteLock, lockName, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(siteLock, 0); err != nil {
		return err
	}
	if _, err := io.WriteString(f, holder); !errors.Is(err, fsx.ErrNoSpace) {
		return err
	}
	return nil
}

// bootID names the machine's current boot; it is empty where nobody says.
func (d *Disk) bootID() string {
	dir, err := d.opt.FS.OpenRoot("/proc/sys/kernel/random")
	if err != nil {
		return ""
	}
	defer dir.Close()
	f, err := dir.Read("boot_id")
	if err != nil {
		return ""
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 100))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// writeGitignore makes git ignore our folder. One that is empty was left by a
// crash.
func writeGitignore(private fsx.Dir) error {
	const name = ".gitignore"
	if st, err := private.Stat(name); err == nil && st.Size > 0 {
		return nil
	}
	f, err := private.Update(siteGitignore, name, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.WriteString(f, "*\n")
	return err
}

// openStage finds the folder for files that are being built: outside the root
// if a rename from there into the root works, so that watchers on the root see
// nothing of it; otherwise in our folder.
func (d *Disk) openStage(o *own) (err error) {
	if d.opt.Stage != "" {
		o.stage = d.outerStage(o.private)
	}
	if o.stage == nil {
		err = o.openInner()
	}
	return err
}

// openInner makes the stage folder in our own.
func (o *own) openInner() (err error) {
	if o.stage, err = makeDir(o.private, stageName, 0o700, siteStageFolder); err == nil {
		o.inner, err = o.stage.Self()
	}
	if err != nil {
		return fmt.Errorf("open %s/%s: %w", privateName, stageName, err)
	}
	return nil
}

// outerStage returns the folder outside the root; nil where that is no use.
func (d *Disk) outerStage(private fsx.Dir) fsx.Dir {
	dir, err := d.makeDirs(d.opt.Stage, 0o700, siteStageFolder)
	if err != nil {
		return nil
	}
	if err := probeRename(dir, private); err != nil {
		dir.Close()
		return nil
	}
	return dir
}

// probeRename finds out whether a file can be renamed from one folder to the
// other.
func probeRename(from, to fsx.Dir) error {
	from.Unlink(siteProbe, probeName)
	f, err := from.Create(siteProbe, probeName, 0o600)
	if err != nil {
		return err
	}
	f.Close()
	if err := from.Rename(siteProbe, probeName, to, probeName, fsx.Replace); err != nil {
		from.Unlink(siteProbe, probeName)
		return err
	}
	return to.Unlink(siteProbe, probeName)
}
