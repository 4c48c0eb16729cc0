package host

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/adrg/xdg"
	"github.com/twosync/twosync/host/target"
	"github.com/twosync/twosync/internal/fsx"
)

const (
	recordName = "session.json"
	lockName   = "lock"

	// maxRecord bounds a record that is read: paths, escaped, and maxFlags bytes.
	maxRecord = 128 << 10
	// maxFlags bounds the flags that are remembered for whoever starts again.
	maxFlags = 32 << 10

	// maxSessions bounds the folders that are looked at for a session.
	maxSessions = 10_000

	siteLock fsx.Site = "session.lock"
)

// record is what a session is, for others to read while it runs and after.
type record struct {
	Dir     string    `json:"dir"`
	Target  string    `json:"target"`
	PID     int       `json:"pid"`
	Started time.Time `json:"started"`
	Socket  string    `json:"socket"`
	Keep    string    `json:"keep"` // the folder of the versions that lost
	// Flags are those that make it the same session again: what they say about
	// rules is not in the state, and others would have sync bring what was left out.
	Flags [][]byte `json:"flags,omitempty"`
}

// again is the command that starts a session as it was started.
func (r record) again() string {
	words := []string{"twosync", "up", shellQuote(r.Dir), shellQuote(r.Target)}
	for _, f := range r.Flags {
		words = append(words, shellQuote(string(f)))
	}
	return strings.Join(words, " ")
}

// stored is a record in a file. JSON holds no bytes that are no text, and names of
// files may be made of them: such fields are there a second time, as they are.
type stored struct {
	record
	Exact map[string][]byte `json:"exact,omitempty"`
}

// names are the fields of a record that name files.
func (r *record) names() map[string]*string {
	return map[string]*string{"dir": &r.Dir, "target": &r.Target, "socket": &r.Socket, "keep": &r.Keep}
}

func (r record) text() ([]byte, error) {
	file := stored{r, map[string][]byte{}}
	for field, name := range r.names() {
		if !utf8.ValidString(*name) {
			file.Exact[field] = []byte(*name)
		}
	}
	return json.Marshal(file)
}

func (r record) String() string { return line(r.Dir) + " with " + line(r.Target) }

// stateHome holds a folder for each session.
func stateHome() string { return filepath.Join(xdg.StateHome, "twosync") }

// state is a session's folder, which is ours while it is open.
type state struct {
	name   string
	path   string
	dir    fsx.Dir
	unlock func() error
}

// sessionName is the same for every way to name a directory and a target.
func sessionName(root string, t target.Target) string {
	sum := sha256.Sum256([]byte(root + "\x00" + t.Key()))
	return hex.EncodeToString(sum[:16])
}

// openState takes a session's folder, and makes it when it is missing.
func openState(root string, t target.Target) (*state, error) {
	name := sessionName(root, t)
	s := &state{name: name, path: filepath.Join(stateHome(), name)}
	if err := os.MkdirAll(s.path, 0o700); err != nil {
		return nil, &Error{"make the state folder: " + err.Error(), "make it writable, or name another place with XDG_STATE_HOME", err}
	}
	var err error
	if s.dir, err = fsx.OS().OpenRoot(s.path); err != nil {
		return nil, fmt.Errorf("open state folder %s: %w", s.path, err)
	}
	if s.unlock, err = s.dir.Lock(siteLock, lockName); err == nil {
		return s, nil
	}
	err = errors.Join(err, s.dir.Close())
	if !errors.Is(err, fsx.ErrBusy) {
		return nil, fmt.Errorf("lock state folder %s: %w", s.path, err)
	}
	e := &Error{Msg: fmt.Sprintf("%s is kept the same with %s already", root, t), Remedy: "end that session first", Err: err}
	if r, ok := readRecord(s.path); ok {
		e.Remedy = fmt.Sprintf("end that session first: it is process %d", r.PID)
	}
	return nil, e
}

// close gives the folder back.
func (s *state) close() error { return errors.Join(s.unlock(), s.dir.Close()) }

// write leaves the record for others, whole at any moment.
func (s *state) write(r record) error {
	text, err := r.text()
	if err != nil {
		return fmt.Errorf("write session record: %w", err)
	}
	path := filepath.Join(s.path, recordName)
	if err := os.WriteFile(path+".new", append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("write session record: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("write session record: %w", err)
	}
	return nil
}

// readRecord reads the record in a session's folder, if there is one.
func readRecord(folder string) (r record, ok bool) {
	path := filepath.Join(folder, recordName)
	if st, err := os.Stat(path); err != nil || st.Size() > maxRecord {
		return r, false
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return r, false
	}
	return parseRecord(text)
}

func parseRecord(text []byte) (r record, ok bool) {
	var file stored
	if json.Unmarshal(text, &file) != nil || file.Dir == "" {
		return r, false
	}
	for field, name := range file.names() {
		if exact, ok := file.Exact[field]; ok {
			*name = string(exact)
		}
	}
	return file.record, true
}

// records returns those of all sessions, running or not, by folder name.
func records() map[string]record { return recordsIn(stateHome()) }

func recordsIn(folder string) map[string]record {
	found := make(map[string]record)
	f, err := os.Open(folder)
	if err != nil {
		return found // nothing ran yet
	}
	defer f.Close()
	names, _ := f.Readdirnames(maxSessions)
	for _, name := range names {
		if r, ok := readRecord(filepath.Join(folder, name)); ok {
			found[name] = r
		}
	}
	return found
}

// refuseOverlap refuses a session of which a directory overlaps one of another
// running session.
func (s *state) refuseOverlap(mine record) error {
	for name, r := range records() {
		if name == s.name {
			continue
		}
		if msg := mine.overlaps(r); msg != "" && answers(r) {
			return &Error{Msg: msg, Remedy: fmt.Sprintf("end that session first (process %d), or name another directory", r.PID)}
		}
	}
	return nil
}

// overlaps says where two sessions overlap, or "".
func (r record) overlaps(other record) string {
	for _, mine := range r.places() {
		for _, theirs := range other.places() {
			switch {
			case mine.path == theirs.path:
				return fmt.Sprintf("%s is kept the same with %s already", mine.path, theirs.with)
			case within(mine.path, theirs.path):
				return fmt.Sprintf("%s lies in %s, which is kept the same with %s", mine.path, theirs.path, theirs.with)
			case within(theirs.path, mine.path):
				return fmt.Sprintf("in %s lies %s, which is kept the same with %s", mine.path, theirs.path, theirs.with)
			}
		}
	}
	return ""
}

// place is a directory on this machine, and what it is kept the same with.
type place struct{ path, with string }

// places are those of a session: its directory, and a target that is here too.
func (r record) places() []place {
	at := []place{{r.Dir, r.Target}}
	if t, err := target.Parse(r.Target, nil); err == nil {
		if l, ok := t.(*target.Local); ok {
			at = append(at, place{resolve(l.Path), r.Dir})
		}
	}
	return at
}

// sessionOf finds the running session that dir belongs to: of the directory
// itself or the nearest above it. When none runs, it returns the record of one
// that did, if there was one.
func sessionOf(dir string) (found, former record, err error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return found, former, fmt.Errorf("find %s: %w", dir, err)
	}
	root := resolve(abs)
	for _, r := range records() {
		if !within(root, r.Dir) {
			continue
		}
		if len(r.Dir) > len(found.Dir) && answers(r) {
			found = r
		}
		if r.Started.After(former.Started) {
			former = r
		}
	}
	if found.Dir == "" {
		return found, former, noSession(root, former)
	}
	return found, former, nil
}

// noSession is the error where a session is needed and none runs.
func noSession(root string, former record) error {
	e := &Error{Msg: "no session runs for " + root, Remedy: "start one: twosync up " + shellQuote(root) + " CONTAINER:/PATH"}
	if former.Dir != "" {
		e.Remedy = "start it again: " + former.again()
	}
	return e
}
