package agents

import (
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// An agent is about 4 MB; ten times that is a mistake in the release.
const maxAgent = 40 << 20

// unpack returns the embedded agent, or fs.ErrNotExist if there is none.
func (f *finder) unpack(p platform) ([]byte, error) {
	packed, err := f.embedded.Open("dist/" + p.file() + ".zst")
	if err != nil {
		return nil, fmt.Errorf("open embedded agent: %w", err)
	}
	content, err := unzstd(packed)
	if err = errors.Join(err, packed.Close()); err != nil {
		return nil, fmt.Errorf("unpack embedded agent for %s: %w", p, err)
	}
	return content, nil
}

func unzstd(r io.Reader) ([]byte, error) {
	d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	defer d.Close()
	content, err := io.ReadAll(io.LimitReader(d, maxAgent+1))
	if err == nil && len(content) > maxAgent {
		err = fmt.Errorf("larger than %d bytes", maxAgent)
	}
	return content, err
}
