//go:build linux && race

package sim

// slow is by how much fewer histories are run with the race detector: there is
// only one goroutine at a time, so it has little to find.
const (
	slow  = 50
	raced = ", with the race detector: fewer were run"
)
