//go:build linux || darwin

package fsx

import (
	"errors"
	"io/fs"
)

// withKinds asks for the kinds that a listing did not say, and leaves out the
// names that are gone by then.
func (d *dir) withKinds(items []Item, err error) ([]Item, error) {
	kept := items[:0]
	for _, it := range items {
		if it.Kind == 0 {
			st, err := d.Stat(it.Name)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			it.Kind = st.Kind
		}
		kept = append(kept, it)
	}
	return kept, err
}
