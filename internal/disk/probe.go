package disk

import (
	"fmt"
	"io/fs"

	"github.com/twosync/twosync/internal/fsx"
)

// The names with which a file system is tried.
const (
	probeExec   = "probe-x"
	probeCase   = "PROBE-X"
	probeNFC    = "prob\u00e9"
	probeNFD    = "probe\u0301"
	probeSecond = "probe-2"
)

// probe finds out what the file system can do, in the stage folder.
func (d *Disk) probe() error {
	exec, err := d.probeFile(probeExec, 0o700)
	if err != nil {
		return fmt.Errorf("try the stage folder: %w", err)
	}
	plain, err := d.probeFile(probeSecond, 0o600)
	if err != nil {
		return fmt.Errorf("try the stage folder: %w", err)
	}
	d.uid, d.gid = plain.UID, plain.GID
	d.facts.NoExec = exec.Mode&0o100 == 0 || plain.Mode&0o100 != 0
	d.facts.Apply = "exchange"
	if err := d.stage().Rename(siteProbe, probeExec, d.stage(), probeSecond, fsx.Exchange); err != nil {
		d.facts.Apply = "rename"
		d.stage().Unlink(siteProbe, probeExec)
		if err := d.stage().Rename(siteProbe, probeSecond, d.stage(), probeExec, fsx.NoReplace); err != nil {
			return rootError("nothing can be put into "+d.path+" without the risk of replacing a file unseen: "+err.Error(),
				"name a directory on another file system")
		}
	}
	_, err = d.stage().Stat(probeCase)
	d.facts.FoldsCase = err == nil
	if _, err := d.probeFile(probeNFC, 0o600); err == nil {
		_, err = d.stage().Stat(probeNFD)
		d.facts.FoldsNFC = err == nil
	}
	d.facts.Durable = "syncfs"
	switch d.opt.FS.Magic(d.root) {
	case "fuse", "9p", "nfs", "cifs", "smb2", "smb", "vboxsf":
		d.facts.Durable = "fsync"
	}
	for _, name := range []string{probeExec, probeSecond, probeNFC} {
		d.stage().Unlink(siteProbe, name)
	}
	return nil
}

func (d *Disk) probeFile(name string, perm fs.FileMode) (fsx.Stat, error) {
	d.stage().Unlink(siteProbe, name)
	f, err := d.stage().Create(siteProbe, name, perm)
	if err != nil {
		return fsx.Stat{}, err
	}
	defer f.Close()
	return f.Stat()
}
