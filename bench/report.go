package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Report is bench.json.
type Report struct {
	Machine Machine  `json:"machine"`
	Args    []string `json:"args"`
	Missing []string `json:"left_out,omitempty"`
	Rows    []row    `json:"rows"`
	Samples []Sample `json:"samples"`
}

// mainTool has the table's rows. What the others did stands beside it.
const mainTool = "twosync"

// write leaves the table and the samples, and shows the table.
func (b *bench) write(m Machine) error {
	r := Report{Machine: m, Args: os.Args[1:], Missing: b.missing, Samples: b.samples}
	r.Rows = rows(b.lines(), b.samples, mainTool)
	text := b.page(r)
	fmt.Print(text)
	data, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return fmt.Errorf("write samples: %w", err)
	}
	defer b.say("\nThe table and the samples are in %s", b.options.out)
	return errors.Join(
		os.WriteFile(filepath.Join(b.options.out, "bench.md"), []byte(text), 0o644),
		os.WriteFile(filepath.Join(b.options.out, "bench.json"), append(data, '\n'), 0o644))
}

// page is bench.md.
func (b *bench) page(r Report) string {
	var p strings.Builder
	m := r.Machine
	fmt.Fprintf(&p, "# twosync benchmark\n\n%s · %s, %d CPUs, kernel %s · %s · %s · twosync %s\n\n",
		m.Date.Format("2006-01-02 15:04 MST"), m.CPU, m.CPUs, m.Kernel, m.Engine, m.Go, m.Source)
	fmt.Fprintf(&p, "Host directory on %s, container directory on %s. Tree: %s, %d files, %s. Load before: %s. Rounds: %d, the best counts.\n",
		m.HostFS, m.GuestFS, m.Tree, m.TreeFiles, show(float64(m.TreeBytes), octets), m.Load, b.options.rounds)
	if b.options.files < fullSize || b.options.largeMiB < fullLarge {
		p.WriteString("\nScaled down: budgets in absolute numbers are for 100k files and 512 MiB, and say less here.\n")
	}
	for _, left := range r.Missing {
		fmt.Fprintf(&p, "\nLeft out: %s\n", oneCell(left))
	}
	p.WriteString("\n" + markdown(r.Rows, mainTool))
	known := names(tools, func(t tool) string { return t.name })
	for _, s := range r.Samples {
		if s.Failed != "" && (s.Tool == "" || slices.Contains(known, s.Tool)) {
			fmt.Fprintf(&p, "\nFailed: %s %s: %s\n", s.Work, s.Tool, oneCell(s.Failed))
		}
	}
	return p.String()
}
