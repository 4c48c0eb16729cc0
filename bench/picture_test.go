package main

import (
	"encoding/xml"
	"io"
	"math"
	"os"
	"strings"
	"testing"
	"time"
)

// pictureReport has something of everything, with values that are far apart.
func pictureReport() Report {
	r := Report{Rounds: 3, Models: []string{"slowfs60"}, Machine: Machine{CPU: `<&"a processor">`, CPUs: 2, Date: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)}}
	for i, t := range []string{"floor", mainTool, "mutagen", "unison", "watch", "rsync", "bind", "slowfs60"} {
		var values []float64
		for n := range 50 {
			values = append(values, 0.001*math.Pow(3.2, float64(i))*(1+float64(n*n%17)/10))
		}
		for _, w := range latencies {
			r.Samples = append(r.Samples, Sample{Work: w.work, Tool: t, Values: values})
		}
		for n, w := range pictured {
			r.Samples = append(r.Samples, Sample{Work: w, Tool: t, Values: []float64{0.05 * float64(n+1) * math.Pow(2, float64(i))}})
		}
		for n, w := range insideWork {
			v := 0.01 * float64(n+1) * math.Pow(1.7, float64(i))
			r.Samples = append(r.Samples, Sample{Work: "inside." + w.work, Tool: t, Values: []float64{v}}, Sample{Work: "inside." + w.work + ".settled", Tool: t, Values: []float64{3 * v}})
		}
	}
	r.Samples = append(r.Samples, Sample{Work: "first", Tool: "tar", Values: []float64{1.5}}, Sample{Work: "event", Tool: "sshfs", Never: 3},
		Sample{Work: "switch", Tool: "rsync", Failed: "the trees differ"}, Sample{Work: "inside.stat", Tool: own, Values: []float64{0.01}})
	for _, w := range []string{"link.100ms.first", "link.100ms.files"} {
		r.Samples = append(r.Samples, Sample{Work: w, Tool: mainTool, Values: []float64{3}}, Sample{Work: w, Tool: byteTime, Values: []float64{2}})
	}
	b := &bench{options: settings{files: fullSize, largeMiB: fullLarge, trips: []time.Duration{100 * time.Millisecond}}}
	r.Rows = rows(b.lines(), r.Samples, columns())
	return r
}

// TestPictureIsWellFormed also leaves it where BENCH_PICTURE says, to be looked
// at.
func TestPictureIsWellFormed(t *testing.T) {
	for name, r := range map[string]Report{"empty": {}, "full": pictureReport()} {
		drawn := picture(r)
		for d := xml.NewDecoder(strings.NewReader(string(drawn))); ; {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if strings.Contains(string(drawn), "NaN") || strings.Contains(string(drawn), "Inf") {
			t.Errorf("%s: a number is none", name)
		}
		if to := os.Getenv("BENCH_PICTURE"); to != "" {
			if err := os.WriteFile(to+"-"+name+".svg", drawn, 0o644); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestPictureSaysWhatItShows(t *testing.T) {
	drawn := string(picture(pictureReport()))
	for _, want := range []string{"slowfs60 (model)", model, "failed", "never", "&lt;&amp;&#34;a processor&#34;&gt;", `class="floor"`, "tar 1.5 s"} {
		if !strings.Contains(drawn, want) {
			t.Errorf("no %q in the picture", want)
		}
	}
}

func TestLogAxis(t *testing.T) {
	a := newLogAxis([]float64{0.002, 0, 3})
	if a.low != -3 || a.high != 1 {
		t.Fatalf("%+v", a)
	}
	for v, want := range map[float64]float64{0.001: 0, 10: 1, 0.1: 0.5, 100: 1, 0: 0, 1e-9: 0} {
		if got := a.at(v); math.Abs(got-(plotLeft+want*(plotRight-plotLeft))) > 1e-6 {
			t.Errorf("%v is at %v", v, got)
		}
	}
	if n := len(a.ticks()); n != 5 {
		t.Errorf("%d ticks", n)
	}
	if a := newLogAxis([]float64{1, 1}); a.high <= a.low {
		t.Errorf("no room: %+v", a)
	}
}
