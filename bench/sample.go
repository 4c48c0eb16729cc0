package main

import (
	"math"
	"slices"
)

// Sample is what one tool did in one round of one workload.
type Sample struct {
	Work   string    `json:"work"` // which measurement, such as "save.out"
	Tool   string    `json:"tool"`
	Model  string    `json:"model,omitempty"` // said of tools that stand in for a share of macOS
	Unit   string    `json:"unit"`
	Round  int       `json:"round"`
	Values []float64 `json:"values,omitempty"`
	Never  int       `json:"never,omitempty"`  // what did not come at all
	Failed string    `json:"failed,omitempty"` // why there is no value
}

// The units of values. A time is in seconds, whatever the table shows it in.
const (
	seconds = "s"
	octets  = "B"
	percent = "%"
)

// A stat makes one number of a round's values.
type stat string

const (
	p50  stat = "p50"
	p95  stat = "p95"
	most stat = "max" // of all rounds: what was seen, was seen
	best stat = "best"
)

// percentile returns the value that a share of q of the values does not exceed:
// the nearest rank, a value that occurred. Values must not be empty.
func percentile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	rank := int(math.Ceil(q * float64(len(sorted))))
	return sorted[max(rank, 1)-1]
}

// value returns the stat of the best round, and whether there was one. One
// failed round is a failure of them all.
func value(samples []Sample, work, tool string, s stat) (v float64, ok bool) {
	for _, x := range samples {
		if x.Work != work || x.Tool != tool {
			continue
		}
		if x.Failed != "" || len(x.Values) == 0 {
			return 0, false
		}
		n := s.of(x.Values)
		if !ok || s == most && n > v || s != most && n < v {
			v, ok = n, true
		}
	}
	return v, ok
}

func (s stat) of(values []float64) float64 {
	switch s {
	case p50:
		return percentile(values, 0.50)
	case p95:
		return percentile(values, 0.95)
	case most:
		return slices.Max(values)
	}
	return slices.Min(values)
}

// failure returns why a tool has no number for a work.
func failure(samples []Sample, work, tool string) string {
	for _, x := range samples {
		if x.Work == work && x.Tool == tool && x.Failed != "" {
			return x.Failed
		}
	}
	return ""
}
