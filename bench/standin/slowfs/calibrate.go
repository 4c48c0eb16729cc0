package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// calibratedBytes is the size of the files that calibrate makes.
const calibratedBytes = 2 << 10

// cost is what one operation takes.
type cost struct{ create, stat, read time.Duration }

// calibrate measures n files without and with the file system between.
func calibrate(out io.Writer, dir string, delay time.Duration, n int) (err error) {
	work, err := os.MkdirTemp(dir, "slowfs-")
	if err != nil {
		return err
	}
	from, to := filepath.Join(work, "from"), filepath.Join(work, "to")
	defer func() { // nothing below a mount is ever removed recursively
		for _, d := range []string{filepath.Join(from, "plain"), filepath.Join(from, "shown"), from, to, work} {
			err = errors.Join(err, os.Remove(d))
		}
	}()
	for _, d := range []string{from, to, filepath.Join(from, "plain"), filepath.Join(from, "shown")} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return err
		}
	}
	server, err := mount(from, to, delay)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Unmount()) }()
	plain, err := measure(filepath.Join(from, "plain"), n)
	if err != nil {
		return err
	}
	shown, err := measure(filepath.Join(to, "shown"), n)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "calibrated here: stat %s (%s without), create %s (%s), read %s (%s)\n", micros(shown.stat), micros(plain.stat),
		micros(shown.create), micros(plain.create), micros(shown.read), micros(plain.read))
	return nil
}

func micros(d time.Duration) string {
	return fmt.Sprintf("%.3g µs", float64(d)/float64(time.Microsecond))
}

// measure does each operation n times in dir, on files that are not believed any
// more when they are asked for.
func measure(dir string, n int) (c cost, err error) {
	text := make([]byte, calibratedBytes)
	for _, step := range []struct {
		took *time.Duration
		do   func(name string) error
	}{
		{&c.create, func(name string) error { return os.WriteFile(name, text, 0o644) }},
		{&c.stat, func(name string) error { _, err := os.Lstat(name); return err }},
		{&c.read, func(name string) error { _, err := os.ReadFile(name); return err }},
		{new(time.Duration), os.Remove},
	} {
		time.Sleep(believed * 5 / 4)
		start := time.Now()
		for i := range n {
			if err := step.do(filepath.Join(dir, fmt.Sprintf("f%06d", i))); err != nil {
				return c, err
			}
		}
		*step.took = time.Since(start) / time.Duration(n)
	}
	return c, nil
}
