package host

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/tree"
	"github.com/twosync/twosync/protocol"
	"golang.org/x/term"
)

const (
	// maxDiffed bounds a text that is compared line by line, and maxEdits the
	// lines by which two may differ; beyond them all of both is shown.
	maxDiffed = 4 << 20
	maxEdits  = 2000

	diffContext = 3
)

// shown is a version as it is shown to a person.
type shown struct {
	title string
	text  []byte
	what  string // instead of a text: absent, a link, sizes and digests of bytes
}

// show describes a version; open is asked for the content of a file.
func (p past) show(title string, open func() (fsx.File, error)) (shown, error) {
	s := shown{title: title}
	if p.isLink() {
		s.what = "a link to " + p.Link
		return s, nil
	}
	f, err := open()
	if err != nil {
		return s, err
	}
	defer f.Close()
	if p.Size <= maxDiffed {
		if s.text, err = io.ReadAll(io.LimitReader(f, maxDiffed+1)); err != nil {
			return s, err
		}
	}
	if p.Size > maxDiffed || bytes.IndexByte(s.text, 0) >= 0 {
		s.what, s.text = fmt.Sprintf("%s bytes, digest %s", count(p.Size), p.Digest), nil
	}
	return s, nil
}

// here describes what the directory holds at a path now.
func here(root, path string) (shown, error) {
	title := path + " on the host"
	parent, name := tree.Split(path)
	dir, err := fsx.OS().OpenRoot(root)
	if err != nil {
		return shown{}, explainRoot(root, err)
	}
	defer func() { dir.Close() }()
	for parent != "" && err == nil {
		var next fsx.Dir
		first, rest := tree.Cut(parent)
		if next, err = dir.Open(first); err == nil {
			_ = dir.Close()
			dir, parent = next, rest
		}
	}
	var p past
	if err == nil {
		p, err = read(dir, name)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fsx.ErrNotDir), errors.Is(err, fsx.ErrIsLink):
		return shown{title: title, what: "absent"}, nil
	case err != nil:
		return shown{title: title, what: err.Error()}, nil
	}
	return p.show(title, func() (fsx.File, error) { return dir.Read(name) })
}

// showDiff prints how a version differs from what the directory holds.
func showDiff(w io.Writer, root string, p past) error {
	now, err := here(root, p.Path)
	if err != nil {
		return err
	}
	was, err := p.show(p.Path+" as it was "+why(p), func() (fsx.File, error) {
		f, _, err := p.open()
		return f, err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", p.Path, err)
	}
	return printDiff(w, now, was)
}

// why says in what way a version lost its path.
func why(p past) string {
	return "on the " + p.Side + " (" + string(p.Why) + ", " + p.When.Local().Format("2006-01-02 15:04:05") + ")"
}

// printDiff prints a unified diff, safe for a terminal. What is no text is only
// described.
func printDiff(w io.Writer, a, b shown) error {
	p := &diffPrinter{colour: colours(w)}
	p.put('-', "--- "+line(a.title))
	p.put('+', "+++ "+line(b.title))
	x, y := lines(a.text), lines(b.text)
	switch {
	case a.what != "" && a.what != "absent" || b.what != "":
		p.put('-', "-"+described(a))
		p.put('+', "+"+described(b))
	case bytes.Equal(a.text, b.text) && a.what == "":
		p.put(' ', " the same")
	default:
		p.hunks(x, y, edits(x, y))
	}
	_, err := io.WriteString(w, p.out.String())
	return err
}

func described(s shown) string {
	if s.what != "" {
		return line(s.what)
	}
	return fmt.Sprintf("a text of %s bytes, digest %s", count(int64(len(s.text))), tree.DigestOf(s.text))
}

// colours says whether to paint what goes to w.
func colours(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// lines cuts a text; each but perhaps the last ends with its line end.
func lines(text []byte) (all []string) {
	for l := range strings.Lines(string(text)) {
		all = append(all, l)
	}
	return all
}

// diffPrinter writes the lines of a diff.
type diffPrinter struct {
	out    strings.Builder
	colour bool
}

// put writes a line that is safe to print.
func (p *diffPrinter) put(mark byte, text string) {
	colour := map[byte]string{'-': "\x1b[31m", '+': green}[mark]
	if !p.colour || colour == "" {
		p.out.WriteString(text + "\n")
		return
	}
	p.out.WriteString(colour + text + plain + "\n")
}

// text writes a line of a file.
func (p *diffPrinter) text(mark byte, l string) {
	body, whole := strings.CutSuffix(l, "\n")
	if whole && strings.HasSuffix(body, "\r") {
		body = strings.TrimSuffix(body, "\r") + `\r`
	}
	p.put(mark, string(mark)+protocol.Printable(body))
	if !whole {
		p.put(' ', `\ no line end at the end`)
	}
}

// edit is a line of a diff: of the first text (-), the second (+), or both.
type edit struct {
	mark byte
	a, b int // the lines of both texts that come next, it included
}

// hunks prints what changes, with some lines around it.
func (p *diffPrinter) hunks(x, y []string, all []edit) {
	for i := 0; i < len(all); {
		if all[i].mark == ' ' {
			i++
			continue
		}
		end, quiet := i, 0
		for end < len(all) && quiet <= 2*diffContext {
			if quiet++; all[end].mark != ' ' {
				quiet = 0
			}
			end++
		}
		end -= max(quiet-diffContext, 0)
		i = max(i-diffContext, 0)
		p.hunk(x, y, all[i:end])
		i = end
	}
}

func (p *diffPrinter) hunk(x, y []string, part []edit) {
	n, m := 0, 0
	for _, e := range part {
		if e.mark != '+' {
			n++
		}
		if e.mark != '-' {
			m++
		}
	}
	p.put(' ', fmt.Sprintf("@@ -%s +%s @@", span(part[0].a, n), span(part[0].b, m)))
	for _, e := range part {
		if e.mark == '+' {
			p.text('+', y[e.b])
		} else {
			p.text(e.mark, x[e.a])
		}
	}
}

// span writes a range of lines as diff does.
func span(from, n int) string {
	if n == 0 {
		return fmt.Sprintf("%d,0", from)
	}
	return fmt.Sprintf("%d,%d", from+1, n)
}

// edits finds a shortest way from one text to the other (Myers 1986): along the
// diagonals of the table of both, each step as far as lines are the same. What
// both begin and end with is left out of it.
func edits(x, y []string) []edit {
	head := 0
	for head < len(x) && head < len(y) && x[head] == y[head] {
		head++
	}
	tail := 0
	for tail < len(x)-head && tail < len(y)-head && x[len(x)-1-tail] == y[len(y)-1-tail] {
		tail++
	}
	marks := bytes.Repeat([]byte{' '}, head)
	marks = append(marks, shortest(x[head:len(x)-tail], y[head:len(y)-tail])...)
	marks = append(marks, bytes.Repeat([]byte{' '}, tail)...)
	all := make([]edit, len(marks))
	a, b := 0, 0
	for i, mark := range marks {
		all[i] = edit{mark, a, b}
		if mark != '+' {
			a++
		}
		if mark != '-' {
			b++
		}
	}
	return all
}

func shortest(x, y []string) []byte {
	n, m := len(x), len(y)
	var trace [][]int // per number of edits: how far each diagonal got
	v := []int{0, 0, 0}
	for d := 0; d <= min(n+m, maxEdits); d++ {
		next := make([]int, 2*d+3) // diagonal k is at k+d+1
		for k := -d; k <= d; k += 2 {
			// v is of d-1 edits, so its diagonal k is at k+d.
			at := 0
			switch {
			case d == 0:
			case k == -d || k != d && v[k-1+d] < v[k+1+d]:
				at = v[k+1+d]
			default:
				at = v[k-1+d] + 1
			}
			for at < n && at-k < m && x[at] == y[at-k] {
				at++
			}
			next[k+d+1] = at
			if at >= n && at-k >= m {
				return retrace(append(trace, next), n, m)
			}
		}
		trace, v = append(trace, next), next
	}
	return append(bytes.Repeat([]byte{'-'}, n), bytes.Repeat([]byte{'+'}, m)...)
}

// retrace walks back from the end of both texts.
func retrace(trace [][]int, n, m int) []byte {
	var back []byte
	a, b := n, m
	for d := len(trace) - 1; d > 0; d-- {
		v, k := trace[d-1], a-b
		from, mark := k-1, byte('-')
		if k == -d || k != d && v[k-1+d] < v[k+1+d] {
			from, mark = k+1, '+'
		}
		was := v[from+d]
		start := was // of the same lines behind the edit
		if mark == '-' {
			start++
		}
		for ; a > start; a-- {
			back = append(back, ' ')
		}
		back = append(back, mark)
		a, b = was, was-from
	}
	for ; a > 0; a-- {
		back = append(back, ' ')
	}
	slices.Reverse(back)
	return back
}
