//go:build linux || darwin

package fsx

import (
	"os"
	"reflect"
	"testing"
)

// A listing tells kinds, also where the kernel does not.
func TestWithKinds(t *testing.T) {
	at := t.TempDir()
	os.Mkdir(at+"/dir", 0o777)
	os.WriteFile(at+"/file", nil, 0o666)
	os.Symlink("dir", at+"/link")
	d, err := OS().OpenRoot(at)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	said := []Item{{"dir", 0}, {"file", 0}, {"gone", 0}, {"known", Other}, {"link", 0}}
	want := []Item{{"dir", Directory}, {"file", Regular}, {"known", Other}, {"link", Symlink}}
	if got, err := d.(*dir).withKinds(said, nil); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v %v", got, err)
	}
	if _, err := d.(*dir).withKinds(nil, os.ErrPermission); err != os.ErrPermission {
		t.Error("the error is lost")
	}
}
