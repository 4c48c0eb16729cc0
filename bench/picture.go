package main

import (
	"fmt"
	"slices"
	"strings"
)

// picture is bench.svg: every save that was timed, the bulk jobs, and the work in
// the container. What was not measured takes no room.
func picture(r Report) []byte {
	var s svg
	s.x, s.y = svgMargin, svgMargin+18
	s.text(0, s.y, "title", "start", "twosync, side by side")
	m := r.Machine
	s.y += 20
	s.text(0, s.y, "small dim", "start", "%s", clip(fmt.Sprintf("%s · %s, %d CPUs · %s", m.Date.Format("2006-01-02"), m.CPU, m.CPUs, m.System), 180))
	s.y += 15
	s.text(0, s.y, "small dim", "start", "%s", clip(fmt.Sprintf("%s · host %s, container %s", m.Engine, m.HostFS, m.GuestFS), 180))
	if len(r.Models) > 0 {
		s.y += 15
		s.text(0, s.y, "small dim", "start", "Stand-ins for the shares of macOS (%s): %s", model, strings.Join(r.Models, ", "))
	}
	before := s.y
	s.latencies(r)
	s.jobs(r)
	s.insides(r)
	if s.y == before {
		s.y += 40
		s.text(0, s.y, "dim", "start", "Nothing was measured that this picture shows.")
	}
	return s.bytes()
}

// classes give each tool its colour.
func (r Report) class(tool string) string {
	switch {
	case slices.Contains(r.Models, tool):
		return "model"
	case slices.Contains([]string{mainTool, "mutagen", "unison", "watch", "rsync", "bind"}, tool):
		return tool
	}
	return "reference"
}

// latency is a kind of edit that is timed many times.
type latency struct{ work, title string }

var latencies = []latency{
	{"save.out", "One save, host to container"},
	{"save.back", "One save, container to host"},
	{"bulk.out", "One save, host to container, during a bulk transfer"},
	{"bulk.back", "One save, container to host, during a bulk transfer"},
	{"busy.out", "One save, host to container, during a first sync"},
	{"event", "A save on the host, until the container's watcher is told"},
}

// latencies draws one row a tool: a dot a save, a thick line at the middle, a thin
// one where nineteen of twenty are done.
func (s *svg) latencies(r Report) {
	var all []float64
	for _, l := range latencies {
		for _, t := range columns() {
			all = append(all, pooled(r.Samples, l.work, t)...)
		}
	}
	if len(all) == 0 {
		return
	}
	axis := newLogAxis(all)
	for i := 0; i < len(latencies); i += 2 {
		var draw []func()
		for _, l := range latencies[i:min(i+2, len(latencies))] {
			if len(measured(r, l.work)) > 0 {
				draw = append(draw, func() { s.latency(r, l, axis) })
			}
		}
		s.columns(draw...)
	}
	s.y += 18
	s.text(0, s.y, "small dim", "start", "A dot is one save. Thick: p50, thin: p95, of all rounds. Dashed: p50 of the floor in an idle directory, to which × is the ratio. Logarithmic.")
}

func (s *svg) latency(r Report, l latency, axis logAxis) {
	tools := measured(r, l.work)
	s.y += 44
	s.text(0, s.y, "head", "start", "%s", l.title)
	s.y += 24
	top := s.y
	s.grid(axis, top, top+svgRow*float64(len(tools)))
	floor, hasFloor := floorOf(r.Samples, l.work)
	for _, t := range tools {
		s.latencyRow(r, l.work, t, axis, floor)
	}
	if hasFloor {
		s.line(axis.at(floor), top, axis.at(floor), s.y, "floor")
	}
}

func (s *svg) latencyRow(r Report, work, tool string, axis logAxis, floor float64) {
	middle, class := s.y+svgRow/2, r.class(tool)
	s.label(r, tool, middle+4)
	s.y += svgRow
	values := pooled(r.Samples, work, tool)
	if len(values) == 0 {
		text := "never"
		if failure(r.Samples, work, tool) != "" {
			text = "failed"
		}
		s.text(numbersAt, middle+4, "dim", "start", "%s", text)
		return
	}
	for i, v := range values {
		s.dot(axis.at(v), middle+float64(i*7%11-5), class)
	}
	half, most := percentile(values, 0.5), percentile(values, 0.95)
	s.line(axis.at(half), middle-9, axis.at(half), middle+9, "mark "+class)
	s.line(axis.at(most), middle-7, axis.at(most), middle+7, "mark95 "+class)
	text := show(half, seconds)
	if floor > 0 && tool != "floor" {
		text += " ×" + short(half/floor)
	}
	text += " · p95 " + show(most, seconds)
	s.text(numbersAt, middle+4, bold(tool, "small"), "start", "%s", text)
}

// label names a tool at the left of its row.
func (s *svg) label(r Report, tool string, y float64) {
	name := tool
	if slices.Contains(r.Models, tool) {
		name += " (model)"
	}
	s.text(plotLeft-10, y, bold(tool, ""), "end", "%s", name)
}

func bold(tool, class string) string {
	if tool == mainTool {
		return class + " main"
	}
	return class
}

// pooled are the values of all rounds.
func pooled(samples []Sample, work, tool string) []float64 {
	var all []float64
	for _, s := range samples {
		if s.Work == work && s.Tool == tool {
			all = append(all, s.Values...)
		}
	}
	return all
}

// measured are the tools of which there is something to say.
func measured(r Report, work string) []string {
	return slices.DeleteFunc(columns(), func(t string) bool {
		return !slices.ContainsFunc(r.Samples, func(s Sample) bool { return s.Work == work && s.Tool == t })
	})
}

// floorOf is what a save in the idle tree cannot go below.
func floorOf(samples []Sample, work string) (float64, bool) {
	idle := map[string]string{"busy.out": "save.out", "bulk.out": "save.out", "bulk.back": "save.back"}[work]
	if idle == "" {
		idle = work
	}
	values := pooled(samples, idle, "floor")
	if len(values) == 0 {
		return 0, false
	}
	return percentile(values, 0.5), true
}

// clip keeps a line of text inside the picture.
func clip(text string, most int) string {
	if r := []rune(text); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return text
}
