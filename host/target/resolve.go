package target

import (
	"context"
	"fmt"
	"regexp"
	"strings"
)

// A container is one line of docker ps.
type container struct {
	name, service, status string
	oneOff                bool // of docker compose run: beside the service, and not it
}

func (c container) running() bool { return strings.HasPrefix(c.status, "Up") }

// psFormat asks for what a container has, a line each.
const psFormat = `{{.Names}}` + "\t" + `{{.Label "com.docker.compose.service"}}` + "\t" +
	`{{.Label "com.docker.compose.oneoff"}}` + "\t" + `{{.Status}}`

// startOfID matches what docker also takes for the beginning of a container's
// id. A service called fe must not become whichever container's id begins with
// that. From 12 digits on, the length that docker prints, it is meant as an id.
var startOfID = regexp.MustCompile(`^[0-9a-f]{1,11}$`)

// resolve returns the container that is meant by a name that is none, or may be
// more than one: the one of that name, or the only running one of the compose
// service of that name.
func (d *Docker) resolve(ctx context.Context) (string, error) {
	out, err := d.run(ctx, commandDeadline, nil, "ps", "-a", "--format", psFormat)
	if err != nil {
		return "", err
	}
	name, err := choose(d.Container, parseList(out))
	if err == nil && name != d.Container && name != d.standIn {
		d.say(fmt.Sprintf("%s is a compose service: taking its container %s", d.Container, name))
	}
	return name, err
}

func parseList(out string) []container {
	var list []container
	for line := range strings.Lines(out) {
		fields := strings.Split(strings.TrimRight(line, "\r\n"), "\t")
		if len(fields) != 4 {
			continue
		}
		for name := range strings.SplitSeq(fields[0], ",") {
			if containerName.MatchString(name) { // not a link's alias, which has a slash
				list = append(list, container{name, fields[1], fields[3], fields[2] == "True"})
			}
		}
	}
	return list
}

// choose decides which container of the list is meant by name.
func choose(name string, list []container) (string, error) {
	var running, stopped []string
	for _, c := range list {
		switch {
		case c.name == name:
			return name, nil // it came back meanwhile
		case c.service != name, c.oneOff:
		case c.running():
			running = append(running, c.name)
		default:
			stopped = append(stopped, c.name)
		}
	}
	switch {
	case len(running) == 1:
		return running[0], nil
	case len(running) > 1:
		return "", &Error{
			Msg:    fmt.Sprintf("the compose service %s has %d running containers", name, len(running)),
			Remedy: "name one of them: " + strings.Join(running, ", "),
		}
	case len(stopped) > 0:
		return "", &Error{
			Msg:       fmt.Sprintf("the compose service %s is not running", name),
			Remedy:    "start it: docker compose start " + name + " (or docker start " + stopped[0] + ")",
			Temporary: true, cause: notRunning,
		}
	}
	return "", nowhere(name, list)
}

func nowhere(name string, list []container) error {
	e := &Error{
		Msg:       "there is no container " + name,
		Remedy:    "list those that there are: docker ps -a",
		Temporary: true, cause: noContainer,
	}
	if like := similar(name, list); like != "" {
		e.Remedy = "did you mean " + like + "? " + e.Remedy
	}
	return e
}

// similar returns the name of a container or service that name could be a slip
// of: the nearest within two letters, else one that name is a part of.
func similar(name string, list []container) string {
	const slip = 2
	best, nearest, part := "", slip+1, ""
	for _, c := range list {
		for _, candidate := range []string{c.name, c.service} {
			if n := distance(name, candidate); n < nearest && n < len(name) {
				best, nearest = candidate, n
			}
			if part == "" && strings.Contains(candidate, name) {
				part = candidate
			}
		}
	}
	if best == "" {
		return part
	}
	return best
}

// distance counts the letters to add, drop or change between a and b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
