package protocol

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// GreetingVersion is the version of the greeting line itself. What comes after
// the line is told apart by the SHA-256 of the agent, so this number changes
// only when the line does.
const GreetingVersion = 1

const (
	greetingWord = "twosync-agent"

	// A login banner is a screen or two. More than this is not a banner but
	// another program, and reading on would only delay the answer.
	maxBannerBytes = 64 << 10
	maxBannerLines = 100

	// The longest greeting we accept: the word, a version, 64 hex digits and
	// the name of a platform, with room to spare.
	maxGreetingLine = 256
)

// A Greeting is the first thing that an agent says. It is printed as one line
// of text, before any stream begins, so that whatever else answers instead (a
// shell's banner, an engine's "not found") can be shown to the user as it came.
type Greeting struct {
	Version int      // of the line: GreetingVersion
	SHA256  [32]byte // of the agent's binary: names the protocol exactly
	GOOS    string
	GOARCH  string
}

// NewGreeting returns the greeting of the running program.
func NewGreeting() (Greeting, error) {
	sum, err := SelfDigest()
	if err != nil {
		return Greeting{}, err
	}
	return Greeting{GreetingVersion, sum, runtime.GOOS, runtime.GOARCH}, nil
}

// String is the line without its end.
func (g Greeting) String() string {
	return fmt.Sprintf("%s %d %x %s/%s", greetingWord, g.Version, g.SHA256, g.GOOS, g.GOARCH)
}

// WriteGreeting writes the line in a single Write.
func WriteGreeting(w io.Writer, g Greeting) error {
	if _, err := io.WriteString(w, g.String()+"\n"); err != nil {
		return fmt.Errorf("write greeting: %w", err)
	}
	return nil
}

// A NotGreetedError says that something else than an agent answered.
type NotGreetedError struct {
	Output string // what was read, safe to print; may be empty
	Err    error  // why reading ended: io.EOF, a deadline, or nil when the limit was reached
}

func (e *NotGreetedError) Error() string {
	if e.Output == "" {
		return "read greeting: no answer"
	}
	return "read greeting: got " + strconv.Quote(e.Output)
}

func (e *NotGreetedError) Unwrap() error { return e.Err }

// ReadGreeting reads up to the end of the greeting line and not a byte further.
// Other lines before it are skipped, within limits; if no greeting follows they
// are returned in a *NotGreetedError. A deadline is the caller's business.
func ReadGreeting(r *bufio.Reader) (Greeting, error) {
	var banner, line []byte
	for lines := 0; lines < maxBannerLines && len(banner)+len(line) < maxBannerBytes; {
		b, err := r.ReadByte()
		if err != nil {
			return Greeting{}, &NotGreetedError{Printable(string(append(banner, line...))), err}
		}
		if b != '\n' {
			line = append(line, b)
			continue
		}
		if g, ok := parseGreeting(string(line)); ok {
			return g, nil
		}
		banner = append(append(banner, line...), b)
		line = line[:0]
		lines++
	}
	return Greeting{}, &NotGreetedError{Printable(string(append(banner, line...))), nil}
}

// parseGreeting finds a greeting at the end of the line: a banner that does not
// end its last line must not hide it. It accepts only what String writes. (A
// carriage return at the end is refused on purpose: it means that a terminal
// sits in between, which would garble every byte that follows.)
func parseGreeting(line string) (Greeting, bool) {
	start := strings.LastIndex(line, greetingWord+" ")
	if start < 0 || len(line)-start > maxGreetingLine {
		return Greeting{}, false
	}
	line = line[start:]
	fields := strings.Split(line, " ")
	if len(fields) != 4 {
		return Greeting{}, false
	}
	var g Greeting
	g.Version, _ = strconv.Atoi(fields[1])
	sum, _ := hex.DecodeString(fields[2])
	copy(g.SHA256[:], sum)
	g.GOOS, g.GOARCH, _ = strings.Cut(fields[3], "/")
	ok := g.Version > 0 && platformWord(g.GOOS) && platformWord(g.GOARCH) && g.String() == line
	return g, ok
}

// platformWord reports whether s could be a GOOS or GOARCH.
func platformWord(s string) bool {
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}

// Printable returns s with everything replaced by its escape that could move
// the cursor, change colours or reorder text when printed to a terminal. Line
// ends and tabs stay.
func Printable(s string) string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == '\n' || r == '\t' || unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
		i += n
	}
	return b.String()
}

// SelfDigest returns the SHA-256 of the running executable.
func SelfDigest() ([32]byte, error) {
	path, err := selfPath()
	if err != nil {
		return [32]byte{}, err
	}
	return FileDigest(path)
}

// selfPath names the running executable. On Linux it is the file that runs,
// even when its name has since been given to another.
func selfPath() (string, error) {
	if runtime.GOOS == "linux" {
		return "/proc/self/exe", nil
	}
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find own executable: %w", err)
	}
	return path, nil
}

// FileDigest returns the SHA-256 of a file, as greetings carry it.
func FileDigest(path string) (sum [32]byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return sum, fmt.Errorf("open executable: %w", err)
	}
	h := sha256.New()
	_, err = io.Copy(h, f)
	if err = errors.Join(err, f.Close()); err != nil {
		return sum, fmt.Errorf("read executable: %w", err)
	}
	return [32]byte(h.Sum(nil)), nil
}
