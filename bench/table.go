package main

import (
	"fmt"
	"strings"
)

// line is one row of the table: a number, what it stands beside, what it must be.
type line struct {
	title      string
	work       string
	stat       stat
	unit       string
	beside     *reference
	budget     budget
	besideName string // what the table calls the reference; "" for its tool
}

// reference is the number that a line is a ratio to.
type reference struct {
	work, tool string
	stat       stat
}

// budget is what must hold; both parts are optional.
type budget struct {
	ratio float64 // at most so many times the reference
	most  float64 // at most this, in the line's unit
}

// row is a line with its numbers, as JSON has it.
type row struct {
	Title   string   `json:"work"`
	Tool    string   `json:"tool"`
	Unit    string   `json:"unit"`
	Value   *float64 `json:"value,omitempty"`
	Beside  string   `json:"beside,omitempty"`
	Against *float64 `json:"against,omitempty"`
	Ratio   *float64 `json:"ratio,omitempty"`
	Budget  string   `json:"budget,omitempty"`
	Holds   *bool    `json:"holds,omitempty"` // absent: cannot be said
	Failed  string   `json:"failed,omitempty"`
}

// rows fills in the lines for one tool. Lines of which nothing was measured are
// left out.
func rows(lines []line, samples []Sample, tool string) []row {
	var out []row
	for _, l := range lines {
		r := l.row(samples, tool)
		if r.Value != nil || r.Failed != "" || r.Against != nil {
			out = append(out, r)
		}
	}
	return out
}

func (l line) row(samples []Sample, tool string) row {
	r := row{Title: l.title, Tool: tool, Unit: l.unit, Budget: l.budgetText()}
	r.Failed = failure(samples, l.work, tool)
	v, ok := value(samples, l.work, tool, l.stat)
	if ok {
		r.Value = &v
	}
	if b := l.beside; b != nil {
		r.Beside = l.referenceName()
		if against, ok := value(samples, b.work, b.tool, b.stat); ok {
			r.Against = &against
		}
	}
	if r.Value != nil && r.Against != nil && *r.Against > 0 {
		ratio := *r.Value / *r.Against
		r.Ratio = &ratio
	}
	r.Holds = l.budget.holds(r)
	return r
}

// holds says whether the budget is kept, or nil where there is none, or where it
// cannot be said. A run that failed keeps none.
func (b budget) holds(r row) *bool {
	kept := true
	switch {
	case b == budget{}:
		return nil
	case r.Failed != "":
		kept = false
		return &kept
	case r.Value == nil, b.ratio > 0 && r.Ratio == nil:
		return nil
	}
	kept = (b.ratio == 0 || *r.Ratio <= b.ratio) && (b.most == 0 || *r.Value <= b.most)
	return &kept
}

func (l line) referenceName() string {
	if l.besideName != "" {
		return l.besideName
	}
	return l.beside.tool
}

func (l line) budgetText() string {
	var parts []string
	if l.budget.ratio > 0 {
		parts = append(parts, fmt.Sprintf("≤ %.3g × %s", l.budget.ratio, l.referenceName()))
	}
	if l.budget.most > 0 {
		parts = append(parts, "≤ "+show(l.budget.most, l.unit))
	}
	return strings.Join(parts, ", ")
}

// markdown is the table. cell texts hold no bar and no line end but in failures.
func markdown(rows []row, tool string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| work | beside | %s | ratio | budget (first engine) | holds? |\n|---|---|---|---|---|---|\n", tool)
	for _, r := range rows {
		cells := []string{r.Title, "", "", "", r.Budget, ""}
		if r.Against != nil {
			cells[1] = r.Beside + " " + show(*r.Against, r.Unit)
		}
		if r.Value != nil {
			cells[2] = show(*r.Value, r.Unit)
		}
		if r.Failed != "" {
			cells[2] = "failed: " + oneCell(r.Failed)
		}
		if r.Ratio != nil {
			cells[3] = fmt.Sprintf("%.2f", *r.Ratio)
		}
		if r.Holds != nil {
			cells[5] = map[bool]string{true: "yes", false: "**no**"}[*r.Holds]
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
	}
	return b.String()
}

// maxCell keeps a failure from making the table unreadable; JSON has it whole.
const maxCell = 160

func oneCell(text string) string {
	text = strings.NewReplacer("|", "¦", "\n", " ", "\r", " ").Replace(text)
	if r := []rune(text); len(r) > maxCell {
		text = string(r[:maxCell]) + "…"
	}
	return text
}

// show writes a value in the unit that a person would choose.
func show(v float64, unit string) string {
	switch {
	case unit == seconds && v < 1:
		return fmt.Sprintf("%.3g ms", v*1e3)
	case unit == octets && v >= 1e6:
		return fmt.Sprintf("%.3g MB", v/1e6)
	case unit == octets && v >= 1e3:
		return fmt.Sprintf("%.3g kB", v/1e3)
	case unit == octets:
		return fmt.Sprintf("%.0f B", v)
	}
	return fmt.Sprintf("%.3g %s", v, unit)
}
