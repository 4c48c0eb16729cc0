package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/twosync/twosync/bench/probe"
)

// lines are the table's rows: what is shown of the samples, and the budgets, of the
// first engine and of the one after it.
func (b *bench) lines() []line {
	return slices.Concat(saveLines(), busyLines(), b.scaleLines(), b.firstLines(), b.bulkLines(), largeLines("large", fmt.Sprintf("%d MiB file", b.options.largeMiB), true),
		largeLines("large10g", "10 GiB file", false), b.linkLines(), upLines(), b.restLines(), millionLines(), memoryLines(), b.clusterLines(), b.insideLines(), eventLines())
}

func (b *bench) clusterLines() []line {
	var list []line
	for _, d := range directions {
		list = append(list, line{title: "Kubernetes: one save, " + d.String() + ", p50", work: "cluster.save." + string(d), stat: p50, unit: seconds,
			beside: &reference{"cluster.trip", "kubectl exec", p50, "round trip"}, first: budget{ratio: 4}})
	}
	return append(list,
		line{title: "Kubernetes: start again, nothing changed in the tree", work: "cluster.restart", stat: best, unit: seconds, first: budget{most: 1.5}},
		line{title: "Kubernetes: from the new pod's being ready to connected", work: "cluster.again", stat: best, unit: seconds, first: budget{most: 1}},
		line{title: "Kubernetes: memory (RSS) of the agent in the pod, " + count(b.options.files) + " files", work: "memory.first.big.agent.pod", stat: best, unit: octets, first: budget{most: 40e6}})
}

func saveLines() []line {
	var list []line
	for _, d := range directions {
		work := "save." + string(d)
		title := "one save, " + d.String() + ", "
		list = append(list,
			line{title: title + "p50", work: work, stat: p50, unit: seconds, beside: besideTool(work, "floor", p50), first: budget{ratio: 3}, speed: budget{ratio: 2}},
			line{title: title + "p95", work: work, stat: p95, unit: seconds, beside: besideTool(work, "floor", p95), first: budget{most: 0.020}, speed: budget{most: 0.008}},
			line{title: title + "max", work: work, stat: most, unit: seconds, beside: besideTool(work, "floor", most)})
	}
	return list
}

// writes is what making the change took where it was made.
func writes(work string) *reference {
	return &reference{work: work + ".writes", stat: best, name: "the writes"}
}

func besideTool(work, tool string, s stat) *reference {
	return &reference{work: work, tool: tool, stat: s}
}

func busyLines() []line {
	var list []line
	for _, k := range busyKinds {
		work, title := k.work+"."+string(k.d), "one save, "+k.d.String()+", during a first sync, "
		if k.work == "bulk" {
			title = "one save, " + k.d.String() + ", during a bulk transfer, "
		}
		p := line{title: title + "p95", work: work, stat: p95, unit: seconds, beside: besideTool("save."+string(k.d), "floor", p95)}
		if k.work == "busy" {
			p.speed = budget{most: 0.060}
		}
		list = append(list, line{title: title + "p50", work: work, stat: p50, unit: seconds, beside: besideTool("save."+string(k.d), "floor", p50)}, p)
	}
	return list
}

func (b *bench) scaleLines() []line {
	sizes := b.sizes()
	if b.wants("scale1m") {
		sizes = append(sizes, million)
	}
	smallest := sizes[0]
	if b.wants("scale1m") || b.wants("wide300k") {
		smallest = 1000
		if sizes[0] != smallest {
			sizes = append([]int{smallest}, sizes...)
		}
	}
	var list []line
	for _, d := range directions {
		against := &reference{scaleWork(smallest) + "." + string(d), "", p50, count(smallest) + " files"}
		for _, files := range sizes {
			l := line{title: fmt.Sprintf("one save in %s files, %v, p50", count(files), d), work: scaleWork(files) + "." + string(d), stat: p50, unit: seconds}
			if files != smallest {
				l.beside, l.first = against, budget{ratio: 1.5}
			}
			if files == million {
				l.first, l.speed = budget{}, budget{ratio: 1.3}
			}
			list = append(list, l)
		}
		list = append(list, line{title: fmt.Sprintf("one save beside a directory of %s files, %v, p50", count(wideFiles), d),
			work: "wide." + string(d), stat: p50, unit: seconds, beside: against})
	}
	return list
}

func (b *bench) firstLines() []line {
	tar := func(work string) *reference { return besideTool(work, "tar", best) }
	return []line{
		{title: "first sync, the tree", work: "first", stat: best, unit: seconds, beside: tar("first"), first: budget{ratio: 1}, speed: budget{ratio: 0.8}},
		{title: "the same, beside cp -r inside the container", work: "first", stat: best, unit: seconds, beside: besideTool("first", "cp", best)},
		{title: "first sync, " + count(b.bulk()) + " small files", work: "first.small", stat: best, unit: seconds, beside: tar("first.small")},
		{title: fmt.Sprintf("first sync, %d large files, %d MiB", largeOnes, b.options.largeMiB), work: "first.large", stat: best, unit: seconds, beside: tar("first.large")},
		{title: "first sync, the largest tree, " + count(b.options.files) + " files", work: "first.big", stat: best, unit: seconds, beside: writes("first.big")},
		{title: "first sync, 1M files", work: "first.million", stat: best, unit: seconds, beside: writes("first.million")},
		{title: "first sync, one directory of " + count(wideFiles) + " files", work: "first.wide", stat: best, unit: seconds, beside: writes("first.wide")},
	}
}

func (b *bench) bulkLines() []line {
	bulk, five := count(b.bulk()), count(5*b.bulk())
	return []line{
		{title: fmt.Sprintf("branch switch: %d changed, %d new, %d gone", b.turn.Changed, b.turn.New, b.turn.Gone), work: "switch", stat: best, unit: seconds,
			beside: writes("switch"), first: budget{most: 1.5}, speed: budget{most: 0.8}},
		{title: bulk + " new files in the container, until on the host", work: "install", stat: best, unit: seconds,
			beside: besideTool("install", "cp", best), first: budget{ratio: 2.5}, speed: budget{ratio: 1.5}},
		{title: five + " new files in the container, until on the host", work: "install50k", stat: best, unit: seconds,
			beside: &reference{"install", "", best, "the " + bulk}, speed: budget{ratio: 5.5}},
		{title: bulk + " new files on the host, until in the container", work: "rename.made", stat: best, unit: seconds, beside: writes("rename.made")},
		{title: "directory of " + bulk + " renamed on the host", work: "rename.out", stat: best, unit: seconds, first: budget{most: 0.5}, speed: budget{most: 0.15}},
		{title: "directory of " + bulk + " renamed in the container", work: "rename.back", stat: best, unit: seconds, first: budget{most: 0.5}, speed: budget{most: 0.15}},
	}
}

// largeLines have budgets for the file that the first engine's speak of.
func largeLines(work, file string, judged bool) []line {
	cp, both := besideTool(work+".copy", "cp", best), besideTool(work+".copy", readAndCopy, best)
	list := []line{
		{title: file + ": first", work: work + ".first", stat: best, unit: seconds, beside: cp},
		{title: file + ": 100 bytes edited", work: work + ".edit", stat: best, unit: seconds, beside: both, first: budget{most: 1.5}, speed: budget{ratio: 1.5}},
		{title: file + ": 9 bytes inserted at the front", work: work + ".insert", stat: best, unit: seconds, beside: both, first: budget{most: 2}, speed: budget{ratio: 1.5}},
		{title: file + ": 4 KiB appended", work: work + ".append", stat: best, unit: seconds, beside: both},
		{title: file + ": wire bytes of the edit", work: work + ".edit.wire", stat: best, unit: octets, first: budget{most: 1 << 20}, speed: budget{most: 64 << 10}},
		{title: file + ": wire bytes of the insert", work: work + ".insert.wire", stat: best, unit: octets, first: budget{most: 1 << 20}, speed: budget{most: 64 << 10}},
		{title: file + ": wire bytes of what was appended", work: work + ".append.wire", stat: best, unit: octets},
	}
	if !judged {
		for i := range list {
			list[i].first, list[i].speed = budget{}, budget{}
		}
	}
	return list
}

func (b *bench) linkLines() []line {
	var list []line
	for _, round := range b.options.trips {
		for _, d := range directions {
			l := line{title: fmt.Sprintf("link, %v round trip: one save, %v, p50", round, d), work: linkWork(round) + "." + string(d), stat: p50, unit: seconds,
				beside: besideTool(linkWork(round)+"."+string(d), halfTrip, best)}
			if round == 100*time.Millisecond {
				l.first, l.speed = budget{most: 0.1}, budget{most: 0.065}
			}
			list = append(list, l)
		}
		for _, w := range []struct{ work, title string }{{".first", "first sync, %s small files"}, {".files", "%s small files in a running session"}} {
			work := linkWork(round) + w.work
			l := line{title: fmt.Sprintf("link, %v, 20 MB/s: ", round) + fmt.Sprintf(w.title, count(b.bulk())),
				work: work, stat: best, unit: seconds, beside: besideTool(work, byteTime, best)}
			if round == 100*time.Millisecond {
				l.speed = budget{ratio: 1.3}
			}
			list = append(list, l)
		}
	}
	return list
}

func upLines() []line {
	return []line{
		{title: "from `up` to `in sync`, nothing changed, agent there", work: "up.warm", stat: best, unit: seconds, beside: &reference{"up.warm.engine", "", best, "docker"}},
		{title: "the same, beyond the docker commands", work: "up.warm.beyond", stat: best, unit: seconds, speed: budget{most: 0.5}},
		{title: "from `up` to `in sync`, nothing changed, agent to be copied", work: "up.cold", stat: best, unit: seconds, beside: &reference{"up.cold.engine", "", best, "docker"}},
		{title: "the same, beyond the docker commands, agent copied", work: "up.cold.beyond", stat: best, unit: seconds, speed: budget{most: 1}},
	}
}

func (b *bench) restLines() []line {
	tree := count(b.options.files) + " files"
	list := []line{
		{title: "start again, nothing changed, " + tree, work: "restart", stat: best, unit: seconds,
			beside: besideTool("restart", twiceFind, best), first: budget{most: 2}, speed: budget{ratio: 1}},
		{title: "the same, beside find on both sides", work: "restart", stat: best, unit: seconds, beside: besideTool("restart", "find", best)},
		{title: "idle, " + tree + ", CPU on the host", work: "idle.host", stat: best, unit: percent, first: budget{most: 0.1}, speed: budget{most: 0.05}},
		{title: "idle, " + tree + ", CPU of the agent", work: "idle.agent", stat: best, unit: percent, first: budget{most: 0.1}, speed: budget{most: 0.05}},
		{title: fmt.Sprintf("idle, wire bytes in %.0f s", idleTime.Seconds()), work: "idle.wire", stat: best, unit: octets, first: budget{most: float64((beats + 1) * idleBytes)}},
	}
	for _, when := range []struct{ work, title string }{{"memory.first.big", "after the first sync"}, {"memory.restart", "after a restart"}} {
		title := fmt.Sprintf("memory (RSS) 10 s %s, %s, ", when.title, tree)
		list = append(list,
			line{title: title + "host", work: when.work + ".host", stat: best, unit: octets, first: budget{most: 80e6}, speed: budget{most: 60e6}},
			line{title: title + "agent", work: when.work + ".agent", stat: best, unit: octets, first: budget{most: 50e6}, speed: budget{most: 40e6}})
	}
	for _, arch := range []string{"amd64", "arm64"} {
		list = append(list, line{title: "agent binary, " + arch, work: "agent." + arch, stat: best, unit: octets, first: budget{most: 4e6}})
	}
	return list
}

func millionLines() []line {
	return []line{
		{title: "memory (RSS) 10 s after the first sync, 1M files, host", work: "memory.first.million.host", stat: best, unit: octets, speed: budget{most: 450e6}},
		{title: "memory (RSS) 10 s after the first sync, 1M files, agent", work: "memory.first.million.agent", stat: best, unit: octets, speed: budget{most: 300e6}},
	}
}

// memoryLines are what each kind of work leaves in memory.
func memoryLines() []line {
	var list []line
	for _, m := range []struct{ work, title string }{{"switch", "a branch switch"}, {"install", "new files in the container"},
		{"install50k", "five times as many"}, {"rename.out", "directory renames"}, {"large.first", "large files"},
		{"large10g.first", "files of 10 GiB"}, {"first.wide", "the first sync of the wide directory"}} {
		for _, side := range []string{"host", "agent"} {
			list = append(list, line{title: "memory (RSS) 10 s after " + m.title + ", " + side, work: "memory." + m.work + "." + side, stat: best, unit: octets})
		}
	}
	return list
}

// insideWork is what is done in the container, in words.
var insideWork = []struct{ work, title string }{
	{"status", "git status"}, {"stat", "stat of everything"}, {"read", "read everything"}, {"create", "create files, as npm ci does"},
	{"delete", "delete them"}, {"build", "a build"}, {"clean", "delete what was built"},
	{"sequential write", "write one large file"}, {"sequential read", "read it"},
}

func (b *bench) insideLines() []line {
	var list []line
	for _, w := range insideWork {
		work, title := "inside."+w.work, "inside: "+w.title
		list = append(list, line{title: title, work: work, stat: best, unit: seconds, beside: besideTool(work, own, best)},
			line{title: title + ", until it is on the host", work: work + ".settled", stat: best, unit: seconds, beside: besideTool(work, own, best)})
	}
	for _, op := range probe.Micro {
		work := "inside.one." + op
		list = append(list, line{title: "inside: one " + op, work: work, stat: best, unit: seconds, beside: besideTool(work, own, best)})
	}
	return list
}

func eventLines() []line {
	return []line{
		{title: "a save on the host, until the container's watcher is told, p50", work: "event", stat: p50, unit: seconds, beside: besideTool("event", "floor", p50)},
		{title: "a save on the host, until the container's watcher is told, p95", work: "event", stat: p95, unit: seconds, beside: besideTool("event", "floor", p95)},
	}
}

// count writes round numbers of files as people say them.
func count(n int) string {
	switch {
	case n >= million && n%million == 0:
		return fmt.Sprintf("%dM", n/million)
	case n >= 1000 && n%1000 == 0:
		return fmt.Sprintf("%dk", n/1000)
	}
	return fmt.Sprint(n)
}
