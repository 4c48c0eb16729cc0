package host

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"time"
)

// answers says whether a session runs. Connecting to a socket that nobody
// listens to fails at once; the kernel accepts for a session that is busy.
func answers(r record) bool {
	conn, err := net.DialTimeout("unix", r.Socket, shortly)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// ask asks a running session, and returns its answer in time.
func ask(ctx context.Context, r record, q request, limit time.Duration) (answer, error) {
	var a answer
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(limited, "unix", r.Socket)
	if err != nil {
		return a, noAnswer(ctx, r, err)
	}
	defer conn.Close()
	stop := context.AfterFunc(limited, func() { conn.SetDeadline(time.Now()) })
	defer stop()
	if err := json.NewEncoder(conn).Encode(q); err != nil {
		return a, noAnswer(ctx, r, err)
	}
	if err := readLine(conn, maxAnswer, &a); err != nil {
		return a, noAnswer(ctx, r, err)
	}
	if a.Error != "" {
		return a, &Error{Msg: a.Error, Remedy: a.Remedy}
	}
	return a, nil
}

func noAnswer(ctx context.Context, r record, err error) error {
	if ctx.Err() != nil {
		return errInterrupted
	}
	return &Error{
		Msg:    fmt.Sprintf("the session of %s does not answer, or ended meanwhile", r),
		Remedy: fmt.Sprintf("look at its terminal: it is process %d", r.PID),
		Err:    err,
	}
}

// shellQuote writes an argument as a shell reads it.
func shellQuote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-:@%+=,", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
