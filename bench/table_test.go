package main

import (
	"strings"
	"testing"
)

func sample(work, tool string, values ...float64) Sample {
	return Sample{Work: work, Tool: tool, Values: values}
}

func TestHolds(t *testing.T) {
	floor := &reference{work: "save", tool: "floor", stat: p50}
	yes, no := true, false
	for _, c := range []struct {
		name    string
		budget  budget
		samples []Sample
		want    *bool
	}{
		{"no budget", budget{}, []Sample{sample("save", "twosync", 1)}, nil},
		{"at the ratio", budget{ratio: 3}, []Sample{sample("save", "twosync", 3), sample("save", "floor", 1)}, &yes},
		{"above the ratio", budget{ratio: 3}, []Sample{sample("save", "twosync", 3.1), sample("save", "floor", 1)}, &no},
		{"no reference", budget{ratio: 3}, []Sample{sample("save", "twosync", 3.1)}, nil},
		{"at the limit", budget{most: 2}, []Sample{sample("save", "twosync", 2)}, &yes},
		{"above the limit", budget{most: 2}, []Sample{sample("save", "twosync", 2.1)}, &no},
		{"one of both", budget{ratio: 3, most: 2}, []Sample{sample("save", "twosync", 2.5), sample("save", "floor", 1)}, &no},
		{"nothing measured", budget{most: 2}, nil, nil},
		{"failed", budget{most: 2}, []Sample{{Work: "save", Tool: "twosync", Failed: "the trees differ"}}, &no},
	} {
		l := line{work: "save", stat: p50, unit: seconds, beside: floor, budget: c.budget}
		got := l.row(c.samples, "twosync").Holds
		if (got == nil) != (c.want == nil) || got != nil && *got != *c.want {
			t.Errorf("%s: holds is %v, want %v", c.name, deref(got), deref(c.want))
		}
	}
}

func deref(b *bool) any {
	if b == nil {
		return "not known"
	}
	return *b
}

func TestMarkdown(t *testing.T) {
	lines := []line{
		{title: "one save", work: "save", stat: p50, unit: seconds, beside: &reference{"save", "floor", p50}, budget: budget{ratio: 3}},
		{title: "first", work: "first", stat: best, unit: seconds, beside: &reference{"first", "tar", best}, budget: budget{ratio: 1}},
		{title: "wire", work: "wire", stat: best, unit: octets, budget: budget{most: 1 << 20}},
		{title: "broken", work: "broken", stat: best, unit: seconds},
		{title: "not run", work: "not run", stat: best, unit: seconds},
	}
	samples := []Sample{
		sample("save", "floor", 0.0008), sample("save", "twosync", 0.0012),
		sample("first", "tar", 5), sample("first", "twosync", 6),
		sample("wire", "twosync", 2048),
		{Work: "broken", Tool: "twosync", Failed: "a|b\nc"},
	}
	want := `| work | beside | twosync | ratio | budget (first engine) | holds? |
|---|---|---|---|---|---|
| one save | floor 0.8 ms | 1.2 ms | 1.50 | ≤ 3 × floor | yes |
| first | tar 5 s | 6 s | 1.20 | ≤ 1 × tar | **no** |
| wire |  | 2.05 kB |  | ≤ 1.05 MB | yes |
| broken |  | failed: a¦b c |  |  |  |
`
	if got := markdown(rows(lines, samples, "twosync"), "twosync"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestFailuresStayShort(t *testing.T) {
	if got := oneCell(strings.Repeat("é", 1000)); len([]rune(got)) != maxCell+1 {
		t.Errorf("%d runes", len([]rune(got)))
	}
}

// TestLinesSayOneThingEach: no line is there twice, or says nothing.
func TestLinesSayOneThingEach(t *testing.T) {
	b := &bench{options: settings{files: fullSize, largeMiB: fullLarge, rounds: 1}}
	titles := map[string]bool{}
	for _, l := range b.lines() {
		if titles[l.title] {
			t.Errorf("two lines %q", l.title)
		}
		titles[l.title] = true
		if l.work == "" || l.unit == "" || l.stat == "" {
			t.Errorf("line %q has no work, unit or stat", l.title)
		}
		if l.budget.ratio > 0 && l.beside == nil {
			t.Errorf("line %q has a ratio to nothing", l.title)
		}
	}
}

func TestScaleIsARatioToTheSmallestTree(t *testing.T) {
	b := &bench{options: settings{files: 10_000}}
	samples := []Sample{sample("scale.1000.out", "twosync", 2), sample("scale.10000.out", "twosync", 3)}
	got := rows(b.scaleLines(), samples, "twosync")
	if len(got) != 2 || got[0].Ratio != nil || got[1].Ratio == nil || *got[1].Ratio != 1.5 || got[1].Beside != "1k files" {
		t.Errorf("%+v", got)
	}
}

func TestSizes(t *testing.T) {
	for files, want := range map[int][]int{
		100_000: {1000, 10_000, 100_000},
		10_000:  {1000, 10_000},
		5000:    {1000, 5000},
		1000:    {1000},
		500:     {500},
	} {
		got := (&bench{options: settings{files: files}}).sizes()
		if len(got) != len(want) {
			t.Errorf("%d: %v, want %v", files, got, want)
			continue
		}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("%d: %v, want %v", files, got, want)
			}
		}
	}
}
