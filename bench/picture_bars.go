package main

import (
	"fmt"
	"slices"
	"strings"
)

// pictured are the rows of the table that are bars in the picture, by the work
// they are of.
var pictured = []string{"first", "first.small", "first.large", "first.big", "restart", "switch", "install", "install50k",
	"rename.made", "rename.out", "rename.back", "large.first", "large.edit", "large.insert", "large.append"}

// bar is one, with what it is beside.
type bar struct {
	tool   string
	value  float64
	after  float64 // from here to there the other side follows
	failed bool
}

// jobs draws the bulk jobs, a group a job, all on one scale.
func (s *svg) jobs(r Report) {
	groups := s.groups(r, func(work string) bool { return slices.Contains(pictured, work) || isLinkJob(work) })
	if len(groups) == 0 {
		return
	}
	s.bars(r, "Bulk jobs, until both sides are equal", groups)
	s.y += 12
	s.text(0, s.y, "small dim", "start", "%s Dashed: what stands beside the job, named at its right, to which × is the ratio. Logarithmic.", r.rounds())
}

// rounds says which round a bar is of.
func (r Report) rounds() string {
	if r.Rounds == 1 {
		return "One round."
	}
	return fmt.Sprintf("The best of %d rounds.", r.Rounds)
}

func isLinkJob(work string) bool {
	return strings.HasPrefix(work, "link.") && (strings.HasSuffix(work, ".first") || strings.HasSuffix(work, ".files"))
}

// insides draws the work in the container.
func (s *svg) insides(r Report) {
	var groups []group
	for _, w := range insideWork {
		g := group{title: w.title, beside: own}
		for _, t := range measured(r, "inside."+w.work) {
			b := bar{tool: t}
			b.value, _ = value(r.Samples, "inside."+w.work, t, best)
			b.after, _ = value(r.Samples, "inside."+w.work+".settled", t, best)
			g.bars = append(g.bars, b)
		}
		if v, ok := value(r.Samples, "inside."+w.work, own, best); ok {
			g.against = v
		}
		if len(g.bars) > 0 {
			groups = append(groups, g)
		}
	}
	if len(groups) == 0 {
		return
	}
	s.bars(r, "Work in the container", groups)
	s.y += 12
	s.text(0, s.y, "small dim", "start", "%s Solid: the command in the container. Pale, and after the arrow: until it is on the host. Dashed: the container's own file system, to which × is the ratio. Logarithmic.", r.rounds())
}

// group is one job.
type group struct {
	title, beside string
	against       float64
	bars          []bar
}

// groups makes one of each row of the table that is wanted, the first of a work.
func (s *svg) groups(r Report, wanted func(work string) bool) []group {
	var list []group
	seen := map[string]bool{}
	for _, row := range r.Rows {
		if !wanted(row.id) || seen[row.id] {
			continue
		}
		seen[row.id] = true
		g := group{title: row.Title, beside: row.Beside}
		if row.Against != nil {
			g.against = *row.Against
		}
		for _, t := range columns() {
			res, ok := row.Tools[t]
			if !ok || t == row.Beside { // it is the dashed line
				continue
			}
			b := bar{tool: t, failed: res.Failed != ""}
			if res.Value != nil {
				b.value = *res.Value
			}
			g.bars = append(g.bars, b)
		}
		if len(g.bars) > 0 {
			list = append(list, g)
		}
	}
	return list
}

// bars draws groups below each other.
func (s *svg) bars(r Report, title string, groups []group) {
	var all []float64
	for _, g := range groups {
		all = append(all, g.against)
		for _, b := range g.bars {
			all = append(all, b.value, b.after)
		}
	}
	axis := newLogAxis(all)
	s.y += 48
	s.text(0, s.y, "head", "start", "%s", title)
	s.y += 24
	half := halfOf(groups)
	draw := func(groups []group) func() {
		return func() {
			height := 0.0
			for _, g := range groups {
				height += groupHeight(g)
			}
			s.grid(axis, s.y, s.y+height)
			for _, g := range groups {
				s.group(r, g, axis)
			}
		}
	}
	if half == len(groups) {
		s.columns(draw(groups))
		return
	}
	s.columns(draw(groups[:half]), draw(groups[half:]))
}

// halfOf is how many groups go into the first column, so that both are about as
// long.
func halfOf(groups []group) int {
	whole, height := 0.0, 0.0
	for _, g := range groups {
		whole += groupHeight(g)
	}
	for i, g := range groups {
		if height += groupHeight(g); height >= whole/2 {
			return i + 1
		}
	}
	return len(groups)
}

const (
	groupHead = 22.0
	barHeight = 13.0
	barRow    = 18.0
	groupGap  = 8.0
)

func groupHeight(g group) float64 { return groupHead + barRow*float64(len(g.bars)) + groupGap }

func (s *svg) group(r Report, g group, axis logAxis) {
	s.text(0, s.y+15, "dim halo", "start", "%s", clip(g.title, 58))
	s.y += groupHead
	top := s.y
	for _, b := range g.bars {
		s.bar(r, g, b, axis)
	}
	if g.against > 0 {
		x := axis.at(g.against)
		s.line(x, top-3, x, s.y-2, "floor")
		s.text(numbersAt, top-7, "small dim", "start", "%s", clip(g.beside+" "+show(g.against, seconds), 32))
	}
	s.y += groupGap
}

func (s *svg) bar(r Report, g group, b bar, axis logAxis) {
	middle, class := s.y+barRow/2, r.class(b.tool)
	s.label(r, b.tool, middle+4)
	s.y += barRow
	if b.failed {
		s.text(numbersAt, middle+4, "small dim", "start", "failed")
		return
	}
	x := axis.at(b.value)
	s.rect(plotLeft, middle-barHeight/2, x-plotLeft, barHeight, "bar "+class)
	text := show(b.value, seconds)
	if g.against > 0 && b.tool != g.beside {
		text += " ×" + short(b.value/g.against)
	}
	if b.after > b.value {
		s.rect(x, middle-barHeight/2, axis.at(b.after)-x, barHeight, "after "+class)
		text += " → " + show(b.after, seconds)
	}
	s.text(numbersAt, middle+4, bold(b.tool, "small"), "start", "%s", text)
}
