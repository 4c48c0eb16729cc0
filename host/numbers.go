package host

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// count writes a number in groups of three digits.
func count(n int64) string {
	digits := strconv.FormatInt(n, 10)
	out := make([]byte, 0, len(digits)+len(digits)/3)
	for i, d := range []byte(digits) {
		if i > 0 && (len(digits)-i)%3 == 0 && out[len(out)-1] != '-' {
			out = append(out, ' ')
		}
		out = append(out, d)
	}
	return string(out)
}

// plural writes a number of things.
func plural(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return count(n) + " " + thing + "s"
}

// size writes a number of bytes with two digits or more, in the units that
// disks are sold in.
func size(n int64) string {
	units := [...]string{"B", "kB", "MB", "GB", "TB", "PB", "EB"}
	x, u := float64(n), 0
	for x >= 999.5 && u < len(units)-1 {
		x, u = x/1000, u+1
	}
	if u > 0 && x < 9.95 {
		return strconv.FormatFloat(x, 'f', 1, 64) + " " + units[u]
	}
	return strconv.FormatFloat(x, 'f', 0, 64) + " " + units[u]
}

// rate writes bytes over a time, or nothing if that is too short to tell.
func rate(n int64, d time.Duration) string {
	if d < 500*time.Millisecond {
		return ""
	}
	return size(int64(float64(n)/d.Seconds())) + "/s"
}

// byteSize is a number of bytes as people write it: 500MB, 1GiB, 2g.
type byteSize int64

// maxByteSize is far beyond any disk, and far below what overflows in a sum.
const maxByteSize = 1 << 60

// String writes it as Set reads it.
func (b *byteSize) String() string {
	n, unit := int64(*b), 0
	for n > 0 && n%1024 == 0 && unit < 4 {
		n, unit = n/1024, unit+1
	}
	return strconv.FormatInt(n, 10) + [...]string{"B", "KiB", "MiB", "GiB", "TiB"}[unit]
}

// Type names it in the help.
func (b *byteSize) Type() string { return "SIZE" }

// Set reads it.
func (b *byteSize) Set(text string) error {
	digits := strings.TrimRight(text, "BbIiKkMmGgTt ")
	n, err := strconv.ParseFloat(digits, 64)
	unit := strings.ToLower(strings.TrimSpace(text[len(digits):]))
	base := 1000.0
	if rest, ok := strings.CutSuffix(unit, "ib"); ok {
		unit, base = rest, 1024
	} else {
		unit = strings.TrimSuffix(unit, "b")
	}
	power := strings.Index("kmgt", unit) + 1
	if err != nil || n < 0 || len(unit) > 1 || unit == "" && base == 1024 || unit != "" && power == 0 {
		return errors.New("write a size such as 500MB or 1GiB")
	}
	if unit == "" {
		power = 0
	}
	for range power {
		n *= base
	}
	if !(n <= maxByteSize) { // NaN is no size, either
		return errors.New("that is more than any disk holds")
	}
	*b = byteSize(n)
	return nil
}
