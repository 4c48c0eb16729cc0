package probe

import (
	"fmt"
	"io/fs"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

func changeTime(info fs.FileInfo) int64 {
	s := info.Sys().(*syscall.Stat_t)
	return s.Ctimespec.Sec*1e9 + s.Ctimespec.Nsec
}

func fsType(path string) (string, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return "", err
	}
	return unix.ByteSliceToString(s.Fstypename[:]), nil
}

// psColumns are what parsePS reads; names are left empty so that there is no
// heading.
const psColumns = "pid=,ppid=,rss=,time=,comm="

// processes asks ps, which says nothing of bytes read and written.
func processes() ([]Process, error) {
	out, err := exec.Command("ps", "-axo", psColumns).Output()
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	return parsePS(string(out))
}
