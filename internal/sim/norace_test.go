//go:build linux && !race

package sim

const (
	slow  = 1
	raced = ""
)
