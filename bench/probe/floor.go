package probe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// floorTemporary is added to the directory's name for what the floor writes before
// it renames: beside the directory, where nobody watches.
const floorTemporary = ".floor"

// sendFile writes a name and a content, each after its length, in one call. What
// is gone again, as an editor's temporary file is, is not sent.
func sendFile(dir, name string, out io.Writer) error {
	content, err := os.ReadFile(filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	frame := binary.BigEndian.AppendUint32(nil, uint32(len(name)))
	frame = binary.BigEndian.AppendUint32(frame, uint32(len(content)))
	frame = append(append(frame, name...), content...)
	_, err = out.Write(frame)
	return err
}

// FloorReceive puts into dir what FloorSend wrote, until in ends.
func FloorReceive(dir string, in io.Reader) error {
	tmp := filepath.Clean(dir) + floorTemporary
	for {
		var lengths [8]byte
		if _, err := io.ReadFull(in, lengths[:]); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read frame: %w", err)
		}
		name := make([]byte, binary.BigEndian.Uint32(lengths[:4]))
		content := make([]byte, binary.BigEndian.Uint32(lengths[4:]))
		if _, err := io.ReadFull(in, name); err != nil {
			return fmt.Errorf("read frame: %w", err)
		}
		if _, err := io.ReadFull(in, content); err != nil {
			return fmt.Errorf("read frame: %w", err)
		}
		if err := os.WriteFile(tmp, content, 0o644); err != nil {
			return err
		}
		if err := os.Rename(tmp, filepath.Join(dir, string(name))); err != nil {
			return err
		}
	}
}
