//go:build race

package engine_test

// slow is how much less is searched, because everything takes longer.
const slow = 10
