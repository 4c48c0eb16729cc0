package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Report is bench.json.
type Report struct {
	Machine Machine           `json:"machine"`
	Args    []string          `json:"args"`
	Tools   map[string]string `json:"tools"` // their versions, and how they ran
	Models  []string          `json:"models,omitempty"`
	Missing []string          `json:"left_out,omitempty"`
	Notes   []string          `json:"notes,omitempty"`
	Rounds  int               `json:"rounds"`
	Rows    []row             `json:"rows"`
	Events  []Told            `json:"events,omitempty"`
	Samples []Sample          `json:"samples"`
}

// mainTool is judged. What the others did stands beside it.
const mainTool = "twosync"

// model is said on each line of a result that stands in for a share of macOS.
const model = "model, not macOS"

// write leaves the table, the samples and the picture, and shows the table.
func (b *bench) write(m Machine) error {
	r := Report{Machine: m, Args: b.args, Tools: b.versions, Missing: b.missing, Notes: b.notes, Rounds: b.options.rounds, Samples: b.samples, Events: b.events}
	for _, t := range b.tools {
		if t.model {
			r.Models = append(r.Models, t.name)
		}
	}
	r.Rows = rows(b.lines(), b.samples, columns())
	text := b.page(r)
	fmt.Print(text)
	data, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return fmt.Errorf("write samples: %w", err)
	}
	defer b.say("\nbench.md, bench.json and bench.svg are in %s", b.options.out)
	leave := func(name string, content []byte) error {
		return os.WriteFile(filepath.Join(b.options.out, name), content, 0o644)
	}
	return errors.Join(leave("bench.md", []byte(text)), leave("bench.json", append(data, '\n')), leave("bench.svg", picture(r)))
}

// columns are what the tables tell of, the judged one first: the tools, and where
// a share is compared the container's own file system.
func columns() []string {
	list := []string{mainTool}
	for _, t := range tools {
		if t.name != mainTool {
			list = append(list, t.name)
		}
	}
	return append(list, own)
}

// page is bench.md.
func (b *bench) page(r Report) string {
	var p strings.Builder
	b.head(&p, r)
	p.WriteString("\n![the picture](bench.svg)\n")
	if table := judged(r.Rows, mainTool); strings.Count(table, "\n") > 2 {
		fmt.Fprintf(&p, "\n## %s and its budgets\n\n%s", mainTool, table)
	}
	actual := slices.DeleteFunc(columns(), func(t string) bool { return slices.Contains(r.Models, t) })
	if table := together(r.Rows, actual); table != "" {
		fmt.Fprintf(&p, "\n## Side by side\n\nIn brackets: the ratio to what stands beside.\n\n%s", table)
	}
	if table := modelled(r.Rows, r.Models); table != "" {
		fmt.Fprintf(&p, "\n## Stand-ins for the shares of macOS\n\n%s", table)
	}
	p.WriteString(extraTable(r))
	p.WriteString(eventTable(r))
	known := append(names(tools, func(t tool) string { return t.name }), "")
	for _, s := range r.Samples {
		if s.Failed != "" && slices.Contains(known, s.Tool) {
			fmt.Fprintf(&p, "\nFailed: %s %s: %s\n", s.Work, s.Tool, oneCell(s.Failed))
		}
	}
	return p.String()
}

// heading is a tool's name above a column; a model says what it is.
func (r Report) heading(tool string) string {
	if slices.Contains(r.Models, tool) {
		return tool + " (" + model + ")"
	}
	return tool
}

// head says what ran where.
func (b *bench) head(p *strings.Builder, r Report) {
	m := r.Machine
	fmt.Fprintf(p, "# twosync benchmark\n\n%s · %s, %d CPUs, %s · %s · %s · twosync %s\n\n",
		m.Date.Format("2006-01-02 15:04 MST"), m.CPU, m.CPUs, m.System, m.Engine, m.Go, m.Source)
	fmt.Fprintf(p, "Host directory on %s, container directory on %s. Tree: %s, %d files, %s. Load before: %s. Rounds: %d, the best counts. Clock: %s.\n",
		m.HostFS, m.GuestFS, m.Tree, m.TreeFiles, show(float64(m.TreeBytes), octets), m.Load, r.Rounds, m.Clock)
	if b.options.files < fullSize || b.options.largeMiB < fullLarge || b.options.transferMiB < fullTransfer {
		fmt.Fprintf(p, "\nScaled down: budgets in absolute numbers are for 100k files, %d MiB and a transfer of %d MiB, and say less here.\n", fullLarge, fullTransfer)
	}
	for _, t := range slices.Sorted(maps.Keys(r.Tools)) {
		if r.Tools[t] != "" {
			fmt.Fprintf(p, "\n* %s: %s", r.heading(t), oneCell(r.Tools[t]))
		}
	}
	p.WriteString("\n")
	for _, note := range r.Notes {
		fmt.Fprintf(p, "\nNote: %s\n", oneCell(note))
	}
	for _, left := range r.Missing {
		fmt.Fprintf(p, "\nLeft out: %s\n", oneCell(left))
	}
}

// extraTable is the one that carries over to another machine: what one file costs
// more than on the container's own file system.
func extraTable(r Report) string {
	tools := slices.DeleteFunc(columns(), func(t string) bool {
		_, ok := value(r.Samples, "inside.stat.file", t, best)
		return t == own || !ok
	})
	if len(tools) == 0 {
		return ""
	}
	var p strings.Builder
	p.WriteString("\n## Extra time for one file, against the container's own file system\n\n| place | " +
		strings.Join(names(insideWork[:7], func(w struct{ work, title string }) string { return w.title }), " | ") + " |\n|" + strings.Repeat("---|", 8) + "\n")
	for _, t := range tools {
		cells := []string{r.heading(t)}
		for _, w := range insideWork[:7] {
			cells = append(cells, extra(r.Samples, "inside."+w.work+".file", t))
		}
		fmt.Fprintf(&p, "| %s |\n", strings.Join(cells, " | "))
	}
	return p.String()
}

func extra(samples []Sample, work, tool string) string {
	v, ok := value(samples, work, tool, best)
	base, known := value(samples, work, own, best)
	if !ok || !known {
		return ""
	}
	return fmt.Sprintf("%+.1f µs", (v-base)*1e6)
}

// eventTable says what a watcher in the container is told, a line a tool.
func eventTable(r Report) string {
	if len(r.Events) == 0 {
		return ""
	}
	var p strings.Builder
	fmt.Fprintf(&p, "\n## What a watcher in the container is told of an edit on the host\n\n| tool | %s |\n|%s\n",
		strings.Join(names(edits, func(e edit) string { return e.name }), " | "), strings.Repeat("---|", len(edits)+1))
	for _, t := range columns() {
		cells, told := []string{r.heading(t)}, false
		for _, edit := range edits {
			text := ""
			for _, e := range r.Events {
				if e.Tool == t && e.Edit == edit.name {
					if text = strings.Join(e.Events, " "); text == "" {
						text = "nothing"
					}
					told = true
				}
			}
			cells = append(cells, text)
		}
		if told {
			fmt.Fprintf(&p, "| %s |\n", strings.Join(cells, " | "))
		}
	}
	return p.String()
}
