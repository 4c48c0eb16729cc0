package main

import (
	"fmt"
	"time"
)

// lines are the table's rows: what is shown of the samples, and the budgets of
// the first engine.
func (b *bench) lines() []line {
	var list []line
	list = append(list, saveLines()...)
	list = append(list, b.scaleLines()...)
	list = append(list, b.bulkLines()...)
	list = append(list, b.largeLines()...)
	list = append(list, b.restLines()...)
	list = append(list, b.clusterLines()...)
	return list
}

func (b *bench) clusterLines() []line {
	var list []line
	for _, d := range directions {
		list = append(list, line{"Kubernetes: one save, " + d.String() + ", p50", "cluster.save." + string(d), p50, seconds,
			&reference{"cluster.trip", "kubectl exec", p50}, budget{ratio: 4}, "round trip"})
	}
	return append(list,
		line{"Kubernetes: start again, nothing changed in the tree", "cluster.restart", best, seconds, nil, budget{most: 1.5}, ""},
		line{"Kubernetes: from the new pod's being ready to connected", "cluster.again", best, seconds, nil, budget{most: 1}, ""},
		line{"Kubernetes: memory (RSS) of the agent in the pod, " + count(b.options.files) + " files", "memory.first.agent.pod", best, octets, nil, budget{most: 40e6}, ""})
}

func saveLines() []line {
	var list []line
	for _, d := range directions {
		work := "save." + string(d)
		title := "one save, " + d.String() + ", "
		floor := func(s stat) *reference { return &reference{work, "floor", s} }
		list = append(list,
			line{title + "p50", work, p50, seconds, floor(p50), budget{ratio: 3}, ""},
			line{title + "p95", work, p95, seconds, floor(p95), budget{most: 0.020}, ""},
			line{title + "max", work, most, seconds, floor(most), budget{}, ""})
	}
	return list
}

func (b *bench) scaleLines() []line {
	var list []line
	smallest := b.sizes()[0]
	for _, d := range directions {
		for _, files := range b.sizes() {
			l := line{
				title: fmt.Sprintf("one save in %s files, %v, p50", count(files), d),
				work:  scaleWork(files) + "." + string(d), stat: p50, unit: seconds,
			}
			if files != smallest {
				l.beside = &reference{scaleWork(smallest) + "." + string(d), mainTool, p50}
				l.besideName = count(smallest) + " files"
				l.budget.ratio = 1.5
			}
			list = append(list, l)
		}
	}
	return list
}

func (b *bench) bulkLines() []line {
	return []line{
		{"first sync, until in sync", "first", best, seconds, &reference{"first", "tar", best}, budget{ratio: 1}, ""},
		{"the same, beside cp -r", "first", best, seconds, &reference{"first", "cp", best}, budget{}, ""},
		{fmt.Sprintf("first sync, %s small files", count(b.options.files)), "first.big", best, seconds, nil, budget{}, ""},
		{fmt.Sprintf("start again, nothing changed, %s files", count(b.options.files)), "restart", best, seconds,
			&reference{"restart", "find", best}, budget{most: 2}, ""},
		{fmt.Sprintf("branch switch: %d changed, %d new, %d gone", b.turn.Changed, b.turn.New, b.turn.Gone), "switch", best, seconds,
			&reference{"switch.writes", mainTool, best}, budget{most: 1.5}, "the writes"},
		{fmt.Sprintf("%s new files in the container, until on the host", count(b.bulk())), "install", best, seconds,
			&reference{"install", "cp", best}, budget{ratio: 2.5}, ""},
		{fmt.Sprintf("%s new files on the host, until in the container", count(b.bulk())), "rename.made", best, seconds, nil, budget{}, ""},
		{fmt.Sprintf("directory of %s renamed on the host", count(b.bulk())), "rename.out", best, seconds, nil, budget{most: 0.5}, ""},
		{fmt.Sprintf("directory of %s renamed in the container", count(b.bulk())), "rename.back", best, seconds, nil, budget{most: 0.5}, ""},
	}
}

func (b *bench) largeLines() []line {
	file := fmt.Sprintf("%d MiB file: ", b.options.largeMiB)
	cp := &reference{"large.copy", "cp", best}
	return []line{
		{file + "first", "large.first", best, seconds, cp, budget{}, ""},
		{file + "100 bytes edited", "large.edit", best, seconds, cp, budget{most: 1.5}, ""},
		{file + "9 bytes inserted at the front", "large.insert", best, seconds, cp, budget{most: 2}, ""},
		{"wire bytes of the edit", "large.edit.wire", best, octets, nil, budget{most: 1 << 20}, ""},
		{"wire bytes of the insert", "large.insert.wire", best, octets, nil, budget{most: 1 << 20}, ""},
	}
}

func (b *bench) restLines() []line {
	tree := count(b.options.files) + " files"
	list := []line{
		{"idle, " + tree + ", CPU of the host's process", "idle.host", best, percent, nil, budget{most: 0.1}, ""},
		{"idle, " + tree + ", CPU of the agent", "idle.agent", best, percent, nil, budget{most: 0.1}, ""},
		{fmt.Sprintf("idle, wire bytes in %.0f s", idleTime.Seconds()), "idle.wire", best, octets, nil, budget{most: float64((beats + 1) * idleBytes)}, ""},
	}
	for _, when := range []struct{ work, title string }{{"memory.first", "after the first sync"}, {"memory.restart", "after a restart"}} {
		title := fmt.Sprintf("memory (RSS) 10 s %s, %s, ", when.title, tree)
		list = append(list,
			line{title + "host", when.work + ".host", best, octets, nil, budget{most: 80e6}, ""},
			line{title + "agent", when.work + ".agent", best, octets, nil, budget{most: 50e6}, ""})
	}
	for _, arch := range []string{"amd64", "arm64"} {
		list = append(list, line{"agent binary, " + arch, "agent." + arch, best, octets, nil, budget{most: 4e6}, ""})
	}
	for _, d := range directions {
		title := fmt.Sprintf("link with %d ms round trip: one save, %v, p50", roundTrip/time.Millisecond, d)
		list = append(list, line{title, "delay." + string(d), p50, seconds, nil, budget{most: 0.1}, ""})
	}
	return list
}

// count writes round numbers of files as people say them.
func count(n int) string {
	if n >= 1000 && n%1000 == 0 {
		return fmt.Sprintf("%dk", n/1000)
	}
	return fmt.Sprint(n)
}
