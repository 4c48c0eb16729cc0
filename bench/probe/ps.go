package probe

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// parsePS reads what ps prints on macOS for psColumns.
func parsePS(text string) ([]Process, error) {
	var all []Process
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		p, err := parsePSLine(f)
		if err != nil {
			return nil, fmt.Errorf("read process %q: %w", strings.TrimSpace(line), err)
		}
		all = append(all, p)
	}
	return all, nil
}

func parsePSLine(f []string) (p Process, err error) {
	if len(f) < 5 {
		return p, fmt.Errorf("%d fields, at least 5 are needed", len(f))
	}
	if p.PID, err = strconv.Atoi(f[0]); err != nil {
		return p, err
	}
	if p.Parent, err = strconv.Atoi(f[1]); err != nil {
		return p, err
	}
	kib, err := strconv.ParseInt(f[2], 10, 64)
	if err != nil {
		return p, err
	}
	if p.CPU, err = parseCPU(f[3]); err != nil {
		return p, err
	}
	p.RSS, p.Command = kib<<10, filepath.Base(strings.Join(f[4:], " "))
	return p, nil
}

// parseCPU reads [[days-]hours:]minutes:seconds.
func parseCPU(text string) (time.Duration, error) {
	days, clock, found := strings.Cut(text, "-")
	if !found {
		days, clock = "0", text
	}
	d, err := strconv.Atoi(days)
	if err != nil {
		return 0, err
	}
	sum := float64(d) * 24
	parts := strings.Split(clock, ":")
	if len(parts) == 2 {
		parts = append([]string{"0"}, parts...)
	}
	if len(parts) != 3 {
		return 0, fmt.Errorf("%q is no time", text)
	}
	for i, part := range parts {
		v, err := strconv.ParseFloat(part, 64)
		if err != nil {
			return 0, err
		}
		if i > 0 {
			sum *= 60
		}
		sum += v
	}
	return time.Duration(sum * float64(time.Second)), nil
}
