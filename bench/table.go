package main

import (
	"fmt"
	"slices"
	"strings"
)

// line is one row of the table: a number, what it stands beside, what it must be.
type line struct {
	title  string
	work   string
	stat   stat
	unit   string
	beside *reference
	first  budget // of the first engine
	speed  budget // of the one that is to be fast
}

// reference is the number that a line is a ratio to.
type reference struct {
	work string
	tool string // "" for the tool itself, at some other work
	stat stat
	name string // what the table calls it; "" for its tool
}

// budget is what must hold; both parts are optional.
type budget struct {
	ratio float64 // at most so many times the reference
	most  float64 // at most this, in the line's unit
}

// row is a line with its numbers, as JSON has it.
type row struct {
	Title   string            `json:"work"`
	Unit    string            `json:"unit"`
	Beside  string            `json:"beside,omitempty"`
	Against *float64          `json:"against,omitempty"`
	First   judgement         `json:"first_engine,omitzero"`
	Speed   judgement         `json:"speed_issue,omitzero"`
	Tools   map[string]result `json:"tools,omitempty"` // what each did

	id string // of the work, for the picture
}

// result is what one tool did.
type result struct {
	Value  *float64 `json:"value,omitempty"`
	Ratio  *float64 `json:"ratio,omitempty"` // to what stands beside
	Never  int      `json:"never,omitempty"`
	Failed string   `json:"failed,omitempty"`
}

// judgement is a budget, and whether it is kept.
type judgement struct {
	Budget string `json:"budget,omitempty"`
	Holds  *bool  `json:"holds,omitempty"` // absent: cannot be said
}

// rows fills in the lines for the tools. The first of them is judged. Lines of
// which nothing was measured are left out.
func rows(lines []line, samples []Sample, tools []string) []row {
	var out []row
	for _, l := range lines {
		if r := l.row(samples, tools); len(r.Tools) > 0 {
			out = append(out, r)
		}
	}
	return out
}

func (l line) row(samples []Sample, tools []string) row {
	r := row{Title: l.title, Unit: l.unit, Tools: map[string]result{}, id: l.work}
	for _, t := range tools {
		if res, ok := l.result(samples, t); ok {
			r.Tools[t] = res
		}
	}
	if l.beside != nil {
		r.Beside = l.beside.title()
		of := l.beside.tool
		if of == "" {
			of = tools[0]
		}
		if against, ok := value(samples, l.beside.work, of, l.beside.stat); ok {
			r.Against = &against
		}
	}
	judged := r.Tools[tools[0]]
	r.First = judgement{l.budgetText(l.first), l.first.holds(judged)}
	r.Speed = judgement{l.budgetText(l.speed), l.speed.holds(judged)}
	return r
}

// result is what one tool did, and false where it did nothing.
func (l line) result(samples []Sample, tool string) (r result, ok bool) {
	if r.Failed = failure(samples, l.work, tool); r.Failed != "" {
		return r, true
	}
	for _, s := range samples {
		if s.Work == l.work && s.Tool == tool {
			r.Never += s.Never
		}
	}
	v, ok := value(samples, l.work, tool, l.stat)
	if !ok {
		return r, r.Never > 0
	}
	r.Value = &v
	if l.beside == nil {
		return r, true
	}
	of := l.beside.tool
	if of == "" {
		of = tool
	}
	if against, ok := value(samples, l.beside.work, of, l.beside.stat); ok && against > 0 {
		ratio := v / against
		r.Ratio = &ratio
	}
	return r, true
}

// holds says whether the budget is kept, or nil where there is none, or where it
// cannot be said. A run that failed keeps none.
func (b budget) holds(r result) *bool {
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

func (r *reference) title() string {
	if r.name != "" {
		return r.name
	}
	return r.tool
}

func (l line) budgetText(b budget) string {
	var parts []string
	if b.ratio > 0 {
		parts = append(parts, fmt.Sprintf("≤ %.3g × %s", b.ratio, l.beside.title()))
	}
	if b.most > 0 {
		parts = append(parts, "≤ "+show(b.most, l.unit))
	}
	return strings.Join(parts, ", ")
}

// judged is the table of one tool with its budgets. Cell texts hold no bar and no
// line end but in failures.
func judged(rows []row, tool string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| work | beside | %s | ratio | first engine | holds? | speed issue | holds? |\n|---|---|---|---|---|---|---|---|\n", tool)
	for _, r := range rows {
		res, ok := r.Tools[tool]
		if !ok {
			continue
		}
		cells := []string{r.Title, "", res.text(r.Unit), "", r.First.Budget, r.First.text(), r.Speed.Budget, r.Speed.text()}
		if r.Against != nil {
			cells[1] = r.Beside + " " + show(*r.Against, r.Unit)
		}
		if res.Ratio != nil {
			cells[3] = fmt.Sprintf("%.2f", *res.Ratio)
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
	}
	return b.String()
}

// together is the table of all tools: what each did, and in brackets its ratio to
// what stands beside. Rows that only the judged tool has say nothing here.
func together(rows []row, tools []string) string {
	used := slices.DeleteFunc(slices.Clone(tools), func(t string) bool {
		return !slices.ContainsFunc(rows, func(r row) bool { _, ok := r.Tools[t]; return ok })
	})
	others := slices.DeleteFunc(slices.Clone(used), func(t string) bool { return t == tools[0] })
	if len(others) == 0 {
		return ""
	}
	var b strings.Builder
	heads := append([]string{"work", "beside"}, used...)
	fmt.Fprintf(&b, "| %s |\n|%s\n", strings.Join(heads, " | "), strings.Repeat("---|", len(heads)))
	for _, r := range rows {
		if !slices.ContainsFunc(others, func(t string) bool { _, ok := r.Tools[t]; return ok }) {
			continue
		}
		cells := []string{r.Title, ""}
		if r.Against != nil {
			cells[1] = r.Beside + " " + show(*r.Against, r.Unit)
		} else if r.Beside != "" {
			cells[1] = r.Beside
		}
		for _, t := range used {
			cells = append(cells, r.Tools[t].withRatio(r.Unit))
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
	}
	return b.String()
}

// modelled is the table of the stand-ins: a line for each result, which says what
// it is.
func modelled(rows []row, models []string) string {
	var b strings.Builder
	for _, r := range rows {
		for _, t := range models {
			res, ok := r.Tools[t]
			if !ok {
				continue
			}
			beside := ""
			if r.Against != nil {
				beside = r.Beside + " " + show(*r.Against, r.Unit)
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", r.Title, beside, t, res.withRatio(r.Unit), model)
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return "| work | beside | stand-in | took | |\n|---|---|---|---|---|\n" + b.String()
}

func (r result) withRatio(unit string) string {
	text := r.text(unit)
	if r.Ratio != nil {
		text += fmt.Sprintf(" (×%s)", short(*r.Ratio))
	}
	return text
}

func (r result) text(unit string) string {
	switch {
	case r.Failed != "":
		return "failed: " + oneCell(r.Failed)
	case r.Value == nil && r.Never > 0:
		return "never"
	case r.Value == nil:
		return ""
	case r.Never > 0:
		return fmt.Sprintf("%s, never %d times", show(*r.Value, unit), r.Never)
	}
	return show(*r.Value, unit)
}

func (j judgement) text() string {
	if j.Holds == nil {
		return ""
	}
	return map[bool]string{true: "yes", false: "**no**"}[*j.Holds]
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

// short writes a ratio with as many digits as it is worth.
func short(ratio float64) string {
	switch {
	case ratio >= 100:
		return fmt.Sprintf("%.0f", ratio)
	case ratio >= 10:
		return fmt.Sprintf("%.1f", ratio)
	}
	return fmt.Sprintf("%.2f", ratio)
}

// show writes a value in the unit that a person would choose.
func show(v float64, unit string) string {
	switch {
	case unit == seconds && v < 1e-3:
		return fmt.Sprintf("%.3g µs", v*1e6)
	case unit == seconds && v < 1:
		return fmt.Sprintf("%.3g ms", v*1e3)
	case unit == seconds && v >= 100:
		return fmt.Sprintf("%.0f s", v)
	case unit == octets && v >= 1e6:
		return fmt.Sprintf("%.3g MB", v/1e6)
	case unit == octets && v >= 1e3:
		return fmt.Sprintf("%.3g kB", v/1e3)
	case unit == octets:
		return fmt.Sprintf("%.0f B", v)
	}
	return fmt.Sprintf("%.3g %s", v, unit)
}
