package host

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// report is a session as `status --json` prints it.
type report struct {
	Running bool `json:"running"`
	record
	answer
}

// notRunning is the same where there is no session.
type notRunning struct {
	Running bool   `json:"running"`
	Dir     string `json:"dir"`
	Target  string `json:"target,omitempty"` // of the session that was
}

func newStatus() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "status [DIR] [--json]",
		Short: "Say what is in sync, and what is not",
		Long: `status says how the session of DIR stands: what is in sync, what is held and why,
how changes are noticed. DIR is the current directory, or any below the one of a
session. That no session runs is an answer too, and no error.`,
		Args:              between(0, 1),
		ValidArgsFunction: completeDir,
		RunE: func(c *cobra.Command, args []string) error {
			return status(c, dirOf(args), asJSON)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func status(c *cobra.Command, dir string, asJSON bool) error {
	r, former, err := sessionOf(dir)
	if err != nil {
		return statusOfNone(c.OutOrStdout(), dir, former, err, asJSON)
	}
	a, err := ask(c.Context(), r, request{Do: "status"}, 2*shortly)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(c.OutOrStdout(), report{true, r, a})
	}
	_, err = io.WriteString(c.OutOrStdout(), table(r, a, time.Now()))
	return err
}

func statusOfNone(w io.Writer, dir string, former record, why error, asJSON bool) error {
	if asJSON {
		n := notRunning{Dir: former.Dir, Target: former.Target}
		if abs, err := filepath.Abs(dir); n.Dir == "" && err == nil {
			n.Dir = resolve(abs)
		}
		return printJSON(w, n)
	}
	text := line(why.Error()) + "\n"
	if r := remedy(why); r != "" {
		text += indent + line(r) + "\n"
	}
	for _, r := range records() {
		if answers(r) {
			text += "running: " + r.String() + "\n"
		}
	}
	_, err := io.WriteString(w, text)
	return err
}

// table is the status for people.
func table(r record, a answer, now time.Time) string {
	var b strings.Builder
	st := a.Status
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-10s %s\n", name, fmt.Sprintf(format, args...))
	}
	row("session", "%s", r)
	row("state", "%s", line(st.State))
	if st.Reason != "" {
		row("lost", "%s", line(st.Reason))
	}
	if st.Remedy != "" {
		row("", "%s", line(st.Remedy))
	}
	row("running", "%s, process %d", age(now.Sub(r.Started)), r.PID)
	row("files", "%s, %s", count(st.Files), size(st.Bytes))
	if st.Pending > 0 {
		row("to go", "%s", plural(int64(st.Pending), "path"))
	}
	if len(st.Watch) > 0 {
		row("watching", "%s", watching(st.Watch))
	}
	row("conflicts", "%d", st.Conflicts)
	row("held", "%d", len(st.Held)+a.More)
	if st.Braked > 0 {
		row("held back", "%s that the container deleted: twosync accept deletes them here, twosync restore brings them back", plural(st.Braked, "file"))
	}
	listOpen(&b, "  ", a)
	if st.Conflicts+st.Versions > 0 {
		row("kept in", "%s", line(r.Keep))
	}
	return b.String()
}

// watching says how changes are noticed; the container's side is not known before
// it is connected.
func watching(by map[string]string) string {
	host, container := line(by["host"]), line(by["container"])
	switch {
	case host == container:
		return host + " on both sides"
	case container == "":
		return host + " on the host"
	}
	return host + " on the host, " + container + " in the container"
}

// age writes a time that passed, as precisely as a person cares.
func age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "for " + d.Truncate(time.Second).String()
	case d < 48*time.Hour:
		return "for " + strings.TrimSuffix(d.Truncate(time.Minute).String(), "0s")
	}
	return "for " + plural(int64(d/(24*time.Hour)), "day")
}
