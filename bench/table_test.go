package main

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func sample(work, tool string, values ...float64) Sample {
	return Sample{Work: work, Tool: tool, Values: values}
}

func TestHolds(t *testing.T) {
	floor := besideTool("save", "floor", p50)
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
		l := line{work: "save", stat: p50, unit: seconds, beside: floor, first: c.budget, speed: c.budget}
		r := l.row(c.samples, []string{"twosync"})
		for _, got := range []*bool{r.First.Holds, r.Speed.Holds} {
			if (got == nil) != (c.want == nil) || got != nil && *got != *c.want {
				t.Errorf("%s: holds is %v, want %v", c.name, deref(got), deref(c.want))
			}
		}
	}
}

func deref(b *bool) any {
	if b == nil {
		return "not known"
	}
	return *b
}

func TestTables(t *testing.T) {
	lines := []line{
		{title: "one save", work: "save", stat: p50, unit: seconds, beside: besideTool("save", "floor", p50), first: budget{ratio: 3}, speed: budget{ratio: 1.4}},
		{title: "first", work: "first", stat: best, unit: seconds, beside: besideTool("first", "tar", best), first: budget{ratio: 1}},
		{title: "against itself", work: "large", stat: best, unit: seconds, beside: &reference{"small", "", best, "the small"}},
		{title: "wire", work: "wire", stat: best, unit: octets, first: budget{most: 1 << 20}, speed: budget{most: 1024}},
		{title: "broken", work: "broken", stat: best, unit: seconds},
		{title: "not run", work: "not run", stat: best, unit: seconds},
		{title: "told", work: "told", stat: best, unit: seconds},
	}
	samples := []Sample{
		sample("save", "floor", 0.0008), sample("save", "twosync", 0.0012), sample("save", "other", 0.08),
		sample("first", "tar", 5), sample("first", "twosync", 6),
		sample("small", "twosync", 1), sample("large", "twosync", 5), sample("small", "other", 2), sample("large", "other", 4),
		sample("wire", "twosync", 2048),
		{Work: "broken", Tool: "twosync", Failed: "a|b\nc"},
		{Work: "told", Tool: "other", Never: 3}, {Work: "told", Tool: "twosync", Never: 1, Values: []float64{0.5}},
	}
	list := []string{"twosync", "other", "tar", "absent"}
	got := rows(lines, samples, list)
	want := `| work | beside | twosync | ratio | first engine | holds? | speed issue | holds? |
|---|---|---|---|---|---|---|---|
| one save | floor 800 µs | 1.2 ms | 1.50 | ≤ 3 × floor | yes | ≤ 1.4 × floor | **no** |
| first | tar 5 s | 6 s | 1.20 | ≤ 1 × tar | **no** |  |  |
| against itself | the small 1 s | 5 s | 5.00 |  |  |  |  |
| wire |  | 2.05 kB |  | ≤ 1.05 MB | yes | ≤ 1.02 kB | **no** |
| broken |  | failed: a¦b c |  |  |  |  |  |
| told |  | 500 ms, never 1 times |  |  |  |  |  |
`
	if table := judged(got, "twosync"); table != want {
		t.Errorf("got\n%s\nwant\n%s", table, want)
	}
	want = `| work | beside | twosync | other | tar |
|---|---|---|---|---|
| one save | floor 800 µs | 1.2 ms (×1.50) | 80 ms (×100) |  |
| first | tar 5 s | 6 s (×1.20) |  | 5 s (×1.00) |
| against itself | the small 1 s | 5 s (×5.00) | 4 s (×2.00) |  |
| told |  | 500 ms, never 1 times | never |  |
`
	if table := together(got, list); table != want {
		t.Errorf("got\n%s\nwant\n%s", table, want)
	}
	if table := together(got, []string{"twosync"}); table != "" {
		t.Errorf("one tool beside itself:\n%s", table)
	}
	if table := together(got, []string{"twosync", "tar"}); !strings.Contains(table, "| first | tar 5 s | 6 s (×1.20) | 5 s (×1.00) |") || strings.Contains(table, "one save") {
		t.Errorf("got\n%s", table)
	}
	want = `| work | beside | stand-in | took | |
|---|---|---|---|---|
| one save | floor 800 µs | other | 80 ms (×100) | model, not macOS |
| against itself | the small 1 s | other | 4 s (×2.00) | model, not macOS |
| told |  | other | never | model, not macOS |
`
	if table := modelled(got, []string{"other", "absent"}); table != want {
		t.Errorf("got\n%s\nwant\n%s", table, want)
	}
}

func TestFailuresStayShort(t *testing.T) {
	if got := oneCell(strings.Repeat("é", 1000)); len([]rune(got)) != maxCell+1 {
		t.Errorf("%d runes", len([]rune(got)))
	}
}

// TestBarsHaveRoomForTheirNames: what is clipped in the picture is not said.
func TestBarsHaveRoomForTheirNames(t *testing.T) {
	b := &bench{options: settings{files: fullSize, largeMiB: fullLarge, trips: []time.Duration{100 * time.Millisecond}}, turn: turn(fullSize)}
	for _, l := range b.lines() {
		if (slices.Contains(pictured, l.work) || isLinkJob(l.work)) && clip(l.title, 58) != l.title {
			t.Errorf("too long for the picture: %q", l.title)
		}
	}
}

// TestLinesSayOneThingEach: no line is there twice, or says nothing.
func TestLinesSayOneThingEach(t *testing.T) {
	b := &bench{options: settings{files: fullSize, largeMiB: fullLarge, rounds: 1, trips: []time.Duration{20 * time.Millisecond, 100 * time.Millisecond},
		workloads: append(usual(), unusual()...)}}
	titles := map[string]bool{}
	for _, l := range b.lines() {
		if titles[l.title] {
			t.Errorf("two lines %q", l.title)
		}
		titles[l.title] = true
		if l.work == "" || l.unit == "" || l.stat == "" {
			t.Errorf("line %q has no work, unit or stat", l.title)
		}
		if (l.first.ratio > 0 || l.speed.ratio > 0) && l.beside == nil {
			t.Errorf("line %q has a ratio to nothing", l.title)
		}
	}
}

func TestScaleIsARatioToTheSmallestTree(t *testing.T) {
	samples := []Sample{sample("scale.1000.out", "twosync", 2), sample("scale.10000.out", "twosync", 3), sample("scale.1000000.out", "twosync", 2.8)}
	b := &bench{options: settings{files: 10_000, workloads: []string{"scale", "scale1m"}}}
	got := rows(b.scaleLines(), samples, []string{"twosync"})
	if len(got) != 3 {
		t.Fatalf("%d rows: %+v", len(got), got)
	}
	if got[0].Tools["twosync"].Ratio != nil || got[0].First.Budget != "" {
		t.Errorf("the smallest stands beside something: %+v", got[0])
	}
	if r := got[1].Tools["twosync"].Ratio; r == nil || *r != 1.5 || got[1].Beside != "1k files" || !*got[1].First.Holds {
		t.Errorf("%+v", got[1])
	}
	if got[2].First.Budget != "" || got[2].Speed.Holds == nil || *got[2].Speed.Holds {
		t.Errorf("1M files are judged by the speed issue: %+v", got[2])
	}
}

func TestSizes(t *testing.T) {
	for files, want := range map[int][]int{
		100_000: {1000, 10_000, 100_000},
		10_000:  {1000, 10_000},
		5000:    {1000, 5000},
		1000:    {1000},
		500:     {500},
		200_000: {1000, 10_000, 100_000, 200_000},
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
