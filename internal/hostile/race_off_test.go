//go:build linux && !race

package hostile

const raceOn = false
