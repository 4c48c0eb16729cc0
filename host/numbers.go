package host

import (
	"strconv"
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
