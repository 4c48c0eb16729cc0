package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/twosync/twosync/host/target"
	"github.com/twosync/twosync/internal/base"
	"github.com/twosync/twosync/internal/disk"
	"github.com/twosync/twosync/internal/ignore"
	"github.com/twosync/twosync/internal/run"
	"github.com/twosync/twosync/internal/tree"
)

// up is the command as it was typed, and then what became of it.
type up struct {
	// config
	dir, to      string
	ignore, keep []string
	take         string
	once, json   bool
	trash        trash
	unguarded    bool
	cluster      clusterFlags

	// state
	flags  [][]byte // to start the same session again
	root   string
	store  string // the keep store's folder
	target target.Target
	rules  *ignore.Rules
	feed   *feed
	last   run.Event // the last one of InSync
}

const aboutUp = `up keeps DIR here and TARGET in a running container the same, in both directions,
until Ctrl-C. It changes nothing before it has said what it is about to do.

TARGET is CONTAINER:/PATH, USER@CONTAINER:/PATH, docker://[USER@]CONTAINER/PATH,
or local:PATH for a directory on this machine. A CONTAINER can be a compose
service.

On a Kubernetes cluster it is k8s://NAMESPACE/POD:/PATH or, to follow what makes
pods, k8s://NAMESPACE/deployment/NAME:/PATH (statefulset, daemonset, job, service
and so on); k8s:/// is the current namespace, ?container=NAME at the end names a
container; NAME:/PATH --k8s is short for it.

What does not cross: what .twosyncignore in DIR says, written like a .gitignore;
--ignore PATTERN, the same on the command line; --keep NAME, for what each side
has of its own, such as node_modules (docker run -v /app/node_modules). Editors'
temporary files and .git, .hg, .svn never cross.

What editors, shells and git run here by themselves is guarded: .vscode/tasks.json,
.envrc, .husky and the like. What the container makes of it waits for twosync
accept, unless --allow-guarded says otherwise. So do its deletions when they are
more than 20 files and more than 30 % of all.

When both sides hold something and have not met before, the host's files win and
the container's versions are kept. --take host makes the container like the host;
--take container lets the container's files win. Either compares both sides as if
for the first time, also when they have met: it is for one start, not for a script.`

func newUp() *cobra.Command {
	u := &up{trash: trash{size: trashLimit, days: trashDays}}
	c := &cobra.Command{
		Use:               "up DIR TARGET",
		Short:             "Keep a directory and one in a container the same",
		Long:              aboutUp,
		Args:              between(2, 2),
		ValidArgsFunction: completeUp,
		RunE: func(c *cobra.Command, args []string) error {
			u.dir, u.to = args[0], args[1]
			u.flags = lastingFlags(c.Flags())
			return u.main(c.Context())
		},
	}
	f := c.Flags()
	f.StringArrayVar(&u.ignore, "ignore", nil, "what does not cross, a `PATTERN` as in .gitignore (repeatable)")
	f.StringArrayVar(&u.keep, "keep", nil, "a `NAME` of which each side has its own, such as node_modules (repeatable)")
	f.StringVar(&u.take, "take", "", "whose files win at this start, as if both sides met for the first time: `host|container`")
	f.BoolVar(&u.once, "once", false, "end when both sides are in sync")
	f.Var(&u.trash.size, "trash-size", "how much is kept of what sync replaces or deletes here, such as 500MB, 1GiB; the oldest goes first: `SIZE`")
	f.IntVar(&u.trash.days, "trash-days", trashDays, "how many `DAYS` it is kept")
	f.BoolVar(&u.unguarded, "allow-guarded", false, "let the container change what editors and shells run here, without twosync accept")
	f.BoolVar(&u.json, "json", false, "print events as lines of JSON")
	u.cluster.add(f)
	sides := cobra.FixedCompletions([]string{"host", "container"}, cobra.ShellCompDirectiveNoFileComp)
	_ = c.RegisterFlagCompletionFunc("take", sides)
	return c
}

// lastingFlags are those of a command line that say what a session is. The others
// are about one start. Too many are none: half of them would be another session.
func lastingFlags(all *pflag.FlagSet) (flags [][]byte) {
	size := 0
	add := func(name, value string) {
		flags = append(flags, []byte("--"+name+"="+value))
		size += len(name) + len(value)
	}
	for _, name := range []string{"ignore", "keep", "trash-size", "trash-days", "allow-guarded", "agent-path"} {
		f := all.Lookup(name)
		if f == nil || !f.Changed {
			continue
		}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			for _, value := range list.GetSlice() {
				add(name, value)
			}
		} else {
			add(name, f.Value.String())
		}
	}
	if size > maxFlags {
		return nil
	}
	return flags
}

// main runs the session between what comes before and after.
func (u *up) main(ctx context.Context) error {
	switch u.take {
	case "", "host", "container":
	default:
		return &UsageError{fmt.Sprintf("--take %q is neither host nor container", u.take), "see twosync up --help"}
	}
	if u.trash.days < 0 || u.trash.days > maxTrashDays {
		return &UsageError{fmt.Sprintf("nothing is kept for %d days", u.trash.days), fmt.Sprintf("name a number from 0 to %d", maxTrashDays)}
	}
	t, err := u.cluster.parse(u.to, func(text string) { u.tell(run.Event{Kind: run.Note, Text: text}) })
	if err != nil {
		return u.turned(err)
	}
	u.target = t
	if u.root, err = openRoot(u.dir); err != nil {
		return err
	}
	if err := refuseTarget(u.root, t); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	u.feed = newFeed(u.sink(), cancel)
	shown := make(chan struct{})
	go func() {
		defer close(shown)
		u.feed.run()
	}()
	err = u.session(ctx)
	u.ended(err)
	u.feed.close()
	select {
	case <-shown:
	case <-time.After(lastWords):
		return err
	}
	if u.feed.failed != nil {
		return fmt.Errorf("print events: %w", u.feed.failed)
	}
	return err
}

// lastWords is how long a session that has ended waits for its events to be read:
// nobody may be reading, and whoever ended us waits for us.
const lastWords = 2 * time.Second

// turned is the error of a target that is none, where the words were turned round,
// as docker cp has them.
func (u *up) turned(err error) error {
	if _, missing := os.Lstat(u.dir); missing == nil {
		return err
	}
	if _, wrong := u.cluster.parse(u.dir, func(string) {}); wrong != nil {
		return err
	}
	return &UsageError{"the directory comes first, and then the target", "write twosync up " + shellQuote(u.to) + " " + shellQuote(u.dir)}
}

// sink is where events go.
func (u *up) sink() sink {
	if u.json {
		return jsonSink{os.Stdout}
	}
	return newScreen(os.Stderr, u.target.String())
}

// session takes the session's folder and keeps the two sides the same.
func (u *up) session(ctx context.Context) error {
	if k, ok := u.target.(*target.Kube); ok {
		if err := k.Pin(ctx); err != nil {
			return err
		}
	}
	rules, err := readRules(u.root, u.ignore, u.keep, u.tell)
	if err != nil {
		return err
	}
	u.rules = rules
	s, err := openState(u.root, u.target)
	if err != nil {
		return err
	}
	u.store = filepath.Join(s.path, keepName)
	err = u.registered(ctx, s)
	return first(err, s.close())
}

// registered makes the session known, and gives way to one that was earlier, or
// that registered in the same moment. What is refused leaves no record.
func (u *up) registered(ctx context.Context, s *state) error {
	me := record{Dir: u.root, Target: u.target.String(), PID: os.Getpid(), Started: time.Now(), Keep: u.store, Flags: u.flags}
	if err := s.refuseOverlap(me); err != nil {
		return err
	}
	c, err := listen(s)
	if err != nil {
		return err
	}
	me.Socket = c.path
	err = s.write(me)
	if err == nil {
		err = s.refuseOverlap(me)
	}
	if err == nil {
		tellRepository(u.root, u.tell)
		err = u.stored(ctx, s, c)
	}
	return first(err, c.close())
}

// stored opens what the session remembers.
func (u *up) stored(ctx context.Context, s *state, c *control) error {
	kept, err := s.keep(u.trash.limits())
	if err != nil {
		return err
	}
	known, was, err := base.Open(s.dir, s.name)
	if err != nil {
		return first(err, kept.close())
	}
	me := holder()
	d := disk.New(u.root, disk.Options{
		Session:   s.name,
		Holder:    me,
		Stage:     filepath.Join(s.path, "stage"),
		Displaced: kept.displaced, DisplacedDone: kept.Sync,
	})
	dialler := &dialler{target: u.target, holder: me, shared: d.Shared, tell: func(stderr string) {
		u.tell(run.Event{Kind: run.Warning, Text: "the agent crashed: " + stderr})
	}}
	session := run.New(run.Config{
		Host: d, Dial: dialler.dial, Fatal: fatal, Remedy: remedy,
		Base: known, Was: was, Keep: kept.Store, Rules: u.rules,
		OneWay: ignoreFile, Guard: u.guard(), Take: u.take, Once: u.once, Tell: u.tell,
	})
	err = u.live(ctx, newDesk(session, d, kept.Store, u.root, u.store), c)
	return first(err, d.Close(), known.Close(), kept.close())
}

// live runs the session, and answers for it.
func (u *up) live(ctx context.Context, d *desk, c *control) error {
	inner, cancel := context.WithCancel(ctx)
	var answering sync.WaitGroup
	answering.Go(func() { c.serve(inner, d) })
	err := d.Run(ctx)
	cancel()
	answering.Wait()
	if err != nil {
		return err
	}
	if err := interrupted(ctx, nil); err != nil {
		return err
	}
	return openOf(openError{u.last.Conflicts, u.last.Held, u.last.Guarded, u.last.Braked})
}

// tell is where a session's events come in. It does not wait.
func (u *up) tell(e run.Event) {
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	if e.Kind == run.InSync {
		u.last = e
	}
	u.feed.put(e)
	if e.Kind == run.Applied && e.Path == ignoreFile {
		u.feed.put(rulesChanged(e))
	}
}

// rulesChanged is told when the file of rules was changed under us. Only the
// host can: what the container writes there is undone.
func rulesChanged(e run.Event) run.Event {
	return run.Event{
		Time: e.Time, Kind: run.Note, Path: ignoreFile,
		Text: ignoreFile + " changed: stop and start again to apply it",
	}
}

// hostSide is what an event calls the host.
var hostSide = tree.Host.String()

// Kinds of events that are ours.
const (
	halted run.Kind = "halted" // the session ended to protect data
	failed run.Kind = "failed" // it ended for another reason
)

// ended tells programs why a session ended. A person reads it from Main.
func (u *up) ended(err error) {
	if err == nil || !u.json || is[*openError](err) || errors.Is(err, errInterrupted) {
		return
	}
	e := run.Event{Kind: failed, Text: err.Error(), Remedy: remedy(err)}
	if is[*run.HaltError](err) {
		e.Kind = halted
	}
	u.tell(e)
}
