package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// svg is a picture that grows downwards, in columns.
type svg struct {
	body strings.Builder
	x, y float64 // where the next thing goes
}

// The colours are named by what they are for, and each has a value for a light
// and for a dark page. The picture has a ground of its own, so that it can be
// read where a page's colour is not known.
const svgStyle = `<style>
text{font:13px -apple-system,"Segoe UI","Helvetica Neue",Arial,"DejaVu Sans",sans-serif;fill:#1f2328}
.title{font-size:20px;font-weight:600}.head{font-size:15px;font-weight:600}.small{font-size:11px}
.dim{fill:#59636e}.halo{stroke:#ffffff;stroke-width:4;paint-order:stroke}.main{font-weight:600}
.ground{fill:#ffffff;stroke:#d1d9e0}.grid{stroke:#e4e8ec}.floor{stroke:#59636e;stroke-dasharray:4 3;stroke-width:1.5}
.twosync{fill:#0a58ca;stroke:#0a58ca}.mutagen{fill:#bc4c00;stroke:#bc4c00}.unison{fill:#8250df;stroke:#8250df}
.watch{fill:#bf3989;stroke:#bf3989}.rsync{fill:#9a6700;stroke:#9a6700}.bind{fill:#1a7f37;stroke:#1a7f37}
.reference{fill:#6e7781;stroke:#6e7781}.model{fill:#57a0a8;stroke:#57a0a8}
circle.dot{stroke:none;fill-opacity:.35}.mark{stroke-width:3}.mark95{stroke-width:1.5}rect.bar{stroke:none}
rect.after{stroke:none;fill-opacity:.4}
@media (prefers-color-scheme:dark){
text{fill:#e6edf3}.dim{fill:#9198a1}.halo{stroke:#0d1117}.ground{fill:#0d1117;stroke:#3d444d}.grid{stroke:#262c36}.floor{stroke:#9198a1}
.twosync{fill:#58a6ff;stroke:#58a6ff}.mutagen{fill:#f0883e;stroke:#f0883e}.unison{fill:#b083f0;stroke:#b083f0}
.watch{fill:#f778ba;stroke:#f778ba}.rsync{fill:#d4a72c;stroke:#d4a72c}.bind{fill:#3fb950;stroke:#3fb950}
.reference{fill:#9198a1;stroke:#9198a1}.model{fill:#76c5cd;stroke:#76c5cd}}
</style>
`

// Where things are from left to right: two columns, each with names, a plot, and
// the numbers in words.
const (
	svgWidth  = 1200.0
	svgMargin = 24.0
	svgColumn = (svgWidth - svgMargin) / 2
	plotLeft  = 122.0 // from the left of the column
	plotRight = 382.0
	numbersAt = 392.0
	svgRow    = 22.0
)

// columns lets draw fill the columns, one after the other, and goes on below the
// longer one.
func (s *svg) columns(draw ...func()) {
	x, top, bottom := s.x, s.y, s.y
	for _, d := range draw {
		s.y = top
		d()
		bottom, s.x = max(bottom, s.y), s.x+svgColumn
	}
	s.x, s.y = x, bottom
}

func (s *svg) text(x, y float64, class, anchor, format string, args ...any) {
	fmt.Fprintf(&s.body, `<text x="%.1f" y="%.1f" class="%s" text-anchor="%s">%s</text>`+"\n",
		s.x+x, y, class, anchor, html.EscapeString(fmt.Sprintf(format, args...)))
}

func (s *svg) line(x1, y1, x2, y2 float64, class string) {
	fmt.Fprintf(&s.body, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" class="%s"/>`+"\n", s.x+x1, y1, s.x+x2, y2, class)
}

func (s *svg) rect(x, y, w, h float64, class string) {
	fmt.Fprintf(&s.body, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="2" class="%s"/>`+"\n", s.x+x, y, max(w, 1), h, class)
}

func (s *svg) dot(x, y float64, class string) {
	fmt.Fprintf(&s.body, `<circle cx="%.1f" cy="%.1f" r="2.2" class="dot %s"/>`+"\n", s.x+x, y, class)
}

// bytes is the whole picture.
func (s *svg) bytes() []byte {
	height := s.y + svgMargin
	return fmt.Appendf(nil, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" role="img" aria-label="twosync benchmark">`+
		"\n%s"+`<rect x="0.5" y="0.5" width="%.0f" height="%.0f" rx="8" class="ground"/>`+"\n%s</svg>\n",
		svgWidth, height, svgWidth, height, svgStyle, svgWidth-1, height-1, s.body.String())
}

// logAxis puts values on the plot, each power of ten as wide as the next.
type logAxis struct{ low, high float64 } // exponents of ten

// newLogAxis has room for all values, and for a whole power of ten at least.
func newLogAxis(values []float64) logAxis {
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if v > 0 {
			low, high = min(low, v), max(high, v)
		}
	}
	if math.IsInf(low, 1) {
		return logAxis{-3, 0}
	}
	a := logAxis{math.Floor(math.Log10(low)), math.Ceil(math.Log10(high))}
	if a.high <= a.low {
		a.high = a.low + 1
	}
	return a
}

// at is where a value is, on the plot or at its edge.
func (a logAxis) at(v float64) float64 {
	if v <= 0 {
		return plotLeft
	}
	share := (math.Log10(v) - a.low) / (a.high - a.low)
	return plotLeft + max(0, min(1, share))*(plotRight-plotLeft)
}

// ticks are the powers of ten.
func (a logAxis) ticks() []float64 {
	var list []float64
	for e := a.low; e <= a.high; e++ {
		list = append(list, math.Pow(10, e))
	}
	return list
}

// grid draws the ticks from top to bottom, with their values above.
func (s *svg) grid(a logAxis, top, bottom float64) {
	for _, t := range a.ticks() {
		x := a.at(t)
		s.line(x, top, x, bottom, "grid")
		s.text(x, top-5, "small dim", "middle", "%s", tick(t))
	}
}

// tick writes a power of ten seconds.
func tick(v float64) string {
	switch {
	case v < 0.9e-3:
		return fmt.Sprintf("%.0f µs", v*1e6)
	case v < 0.9:
		return fmt.Sprintf("%.0f ms", v*1e3)
	}
	return fmt.Sprintf("%.0f s", v)
}
