package keep

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/twosync/twosync/internal/fsx"
	"github.com/twosync/twosync/internal/record"
)

// Peek lists the items of the store in dir, which may be another process's. It
// changes nothing. What comes or goes meanwhile may be in the list or not.
func Peek(dir fsx.Dir) ([]Item, error) {
	f, err := dir.Read(logName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read keep store: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read keep store: %w", err)
	}
	var s Store
	if err := s.replay(record.ReadLog(f, st.Size)); err != nil {
		return nil, fmt.Errorf("read keep store: %w", err)
	}
	objects, err := dir.Open(objectsName)
	if err != nil {
		return nil, fmt.Errorf("read keep store: %w", err)
	}
	defer objects.Close()
	there := make(map[string]bool)
	listed, err := objects.List()
	for _, it := range listed {
		there[it.Name] = true
	}
	if err != nil {
		return nil, fmt.Errorf("read keep store: %w", err)
	}
	var items []Item
	for _, i := range s.items {
		if !i.stored || there[i.object().name()] {
			items = append(items, i)
		}
	}
	return items, nil
}

// File is where the content of an item is, below the folder of its store; ""
// where it has none of its own.
func (i Item) File() string {
	if !i.stored || !i.Entry.IsFile() {
		return ""
	}
	return filepath.Join(objectsName, i.object().name())
}
