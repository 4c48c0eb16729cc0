package main

import "testing"

func TestPercentile(t *testing.T) {
	twenty := make([]float64, 20)
	for i := range twenty {
		twenty[i] = float64(20 - i) // the order must not matter
	}
	for _, c := range []struct {
		values []float64
		q      float64
		want   float64
	}{
		{[]float64{7}, 0.5, 7},
		{[]float64{7}, 0, 7},
		{[]float64{3, 1, 2}, 0.5, 2},
		{[]float64{4, 1, 2, 3}, 0.5, 2},
		{twenty, 0.95, 19},
		{twenty, 0.96, 20},
		{twenty, 1, 20},
	} {
		if got := percentile(c.values, c.q); got != c.want {
			t.Errorf("percentile(%v, %v) = %v, want %v", c.values, c.q, got, c.want)
		}
	}
	if twenty[0] != 20 {
		t.Error("percentile sorted its argument")
	}
}

func TestValueTakesTheBestRound(t *testing.T) {
	samples := []Sample{
		{Work: "save", Tool: "a", Round: 0, Values: []float64{3, 1, 9}},
		{Work: "save", Tool: "a", Round: 1, Values: []float64{2, 2, 4}},
		{Work: "save", Tool: "b", Values: []float64{0.1}},
		{Work: "other", Tool: "a", Values: []float64{0.1}},
	}
	for s, want := range map[stat]float64{p50: 2, p95: 4, most: 9, best: 1} {
		if got, ok := value(samples, "save", "a", s); !ok || got != want {
			t.Errorf("%s is %v, %v, want %v", s, got, ok, want)
		}
	}
	if _, ok := value(samples, "save", "c", p50); ok {
		t.Error("a tool that was not there has a value")
	}
}

func TestOneFailedRoundFailsAll(t *testing.T) {
	good := Sample{Work: "first", Tool: "a", Values: []float64{1}}
	bad := Sample{Work: "first", Tool: "a", Round: 1, Failed: "the trees differ"}
	for _, samples := range [][]Sample{{good, bad}, {bad, good}} {
		if v, ok := value(samples, "first", "a", best); ok {
			t.Errorf("%v of a run that failed", v)
		}
		if failure(samples, "first", "a") != bad.Failed {
			t.Error("the reason is lost")
		}
	}
}
