package fsx

import (
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// fsType is what is known of a file system by its number.
type fsType struct {
	name   string
	step   time.Duration // of its stamps; 0 is unknown
	noSync bool          // syncfs ends here and does not reach what holds the data
}

// Steps. The kernel stamps with its coarse clock, or finer since 6.13; the
// disk format may be coarser than either.
const (
	fineStep   = 4 * time.Millisecond  // a tick at 250 Hz, the usual one
	unsureStep = 10 * time.Millisecond // a tick at 100 Hz, the slowest one
	nfsStep    = time.Second           // what the oldest server stores
	fatStep    = 2 * time.Second
)

var known = map[uint32]fsType{
	unix.EXT4_SUPER_MAGIC:      {"ext4", fineStep, false}, // and ext2, ext3: same number
	unix.XFS_SUPER_MAGIC:       {"xfs", fineStep, false},
	unix.BTRFS_SUPER_MAGIC:     {"btrfs", fineStep, false},
	unix.TMPFS_MAGIC:           {"tmpfs", fineStep, false},
	unix.F2FS_SUPER_MAGIC:      {"f2fs", fineStep, false},
	unix.OVERLAYFS_SUPER_MAGIC: {"overlay", fineStep, false}, // needs one of the above
	unix.BCACHEFS_SUPER_MAGIC:  {"bcachefs", unsureStep, false},
	0x2fc12fc1:                 {"zfs", unsureStep, false},
	unix.RAMFS_MAGIC:           {"ramfs", unsureStep, false},
	unix.MSDOS_SUPER_MAGIC:     {"vfat", fatStep, false},
	unix.EXFAT_SUPER_MAGIC:     {"exfat", fatStep, false},
	0x4244:                     {"hfs", fatStep, false},
	0x482b:                     {"hfsplus", fatStep, false},
	unix.REISERFS_SUPER_MAGIC:  {"reiserfs", time.Second, false},
	unix.FUSE_SUPER_MAGIC:      {"fuse", unsureStep, true},
	unix.V9FS_MAGIC:            {"9p", unsureStep, true},
	unix.NFS_SUPER_MAGIC:       {"nfs", nfsStep, true},
	unix.CIFS_SUPER_MAGIC:      {"cifs", unsureStep, true},
	unix.SMB2_SUPER_MAGIC:      {"smb2", unsureStep, true},
	unix.SMB_SUPER_MAGIC:       {"smb", fatStep, true},
	unix.CEPH_SUPER_MAGIC:      {"ceph", unsureStep, true},
	unix.AFS_SUPER_MAGIC:       {"afs", time.Second, true},
	0x786f4256:                 {"vboxsf", fatStep, true},
	unix.ECRYPTFS_SUPER_MAGIC:  {"ecryptfs", unsureStep, true},
}

func magicOf(fd int) (uint32, error) {
	var st unix.Statfs_t
	err := retry(func() error { return unix.Fstatfs(fd, &st) })
	return uint32(st.Type), err
}

func (d *dir) magic() (uint32, error) {
	fd, err := d.hold("statfs", "")
	if err != nil {
		return 0, err
	}
	defer d.release() //nolint:errcheck // the owner's Close reports it
	return magicOf(fd)
}

func (osFS) Magic(on Dir) string {
	magic, err := on.(*dir).magic()
	if err != nil {
		return "unknown"
	}
	if t, ok := known[magic]; ok {
		return t.name
	}
	return "0x" + strconv.FormatUint(uint64(magic), 16)
}

func (osFS) Granularity(on Dir) int64 {
	d := on.(*dir)
	magic, err := d.magic()
	step := known[magic].step
	if err != nil || step == 0 {
		step = unsureStep
	}
	var tick unix.Timespec
	if unix.ClockGetres(unix.CLOCK_REALTIME_COARSE, &tick) == nil {
		step = max(step, time.Duration(tick.Nano()))
	}
	if st, err := d.Self(); err != nil || st.wholeSeconds() {
		step = fatStep
	}
	return int64(step)
}

// wholeSeconds says that nothing finer than a second was ever seen in the
// stamps: ext3, an ext4 with small inodes, a FUSE over either.
func (s Stat) wholeSeconds() bool {
	return s.Mtime%int64(time.Second) == 0 && s.Ctime%int64(time.Second) == 0
}
