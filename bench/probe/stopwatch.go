package probe

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// Span is one command as a stopwatch saw it.
type Span struct {
	Args  string        `json:"args"`
	Start int64         `json:"start"` // wall clock, in ns
	Took  time.Duration `json:"took"`  // until its first output, or its end
}

// Stopwatch runs a command as it is, and appends a Span to log at its first
// output: what comes after that is no longer the command's own start.
func Stopwatch(log string, args []string) (int, error) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stderr = os.Stdin, os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return 1, err
	}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return 1, err
	}
	var once sync.Once
	stop := func() {
		once.Do(func() {
			_ = appendSpan(log, Span{strings.Join(args, " "), start.UnixNano(), time.Since(start)})
		})
	}
	buffer := make([]byte, 64<<10)
	for {
		n, err := stdout.Read(buffer)
		if n > 0 {
			stop()
			if _, err := os.Stdout.Write(buffer[:n]); err != nil {
				break
			}
		}
		if err != nil {
			break
		}
	}
	_, _ = io.Copy(io.Discard, stdout)
	err = cmd.Wait()
	stop()
	return exitCode(err)
}

func appendSpan(log string, s Span) error {
	line, err := json.Marshal(s)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

// Spans reads what stopwatches wrote.
func Spans(log string) ([]Span, error) {
	f, err := os.Open(log)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []Span
	for d := json.NewDecoder(f); ; {
		var s Span
		if err := d.Decode(&s); err == io.EOF {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
}

// Covered is the time during which at least one of the spans ran, until end.
func Covered(spans []Span, end int64) time.Duration {
	sorted := slices.SortedFunc(slices.Values(spans), func(a, b Span) int { return int(a.Start - b.Start) })
	var sum, until int64
	for _, s := range sorted {
		from, to := max(s.Start, until), min(s.Start+int64(s.Took), end)
		if to > from {
			sum += to - from
		}
		until = max(until, to)
	}
	return time.Duration(sum)
}
