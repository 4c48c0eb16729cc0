package simfs

import (
	"fmt"
	"strings"
)

// Loss is a content of which no file is left.
type Loss struct {
	Content string // its beginning
	Where   string // the paths by which it was precious
	By      string // the call that took it
	Story   []string
}

func (l *Loss) Error() string {
	return fmt.Sprintf("lost %q of %s by %s; before that: %s", l.Content, l.Where, l.By, strings.Join(l.Story, "; "))
}

func (l *Ledger) lose(c *content, by string) {
	loss := &Loss{Content: c.sample, By: by}
	var where []string
	for _, w := range c.wanted {
		where = append(where, w.side+":"+w.path)
	}
	loss.Where = strings.Join(where, ", ")
	for _, e := range c.story {
		loss.Story = append(loss.Story, e.String())
	}
	c.wanted = nil // once is enough
	delete(l.contents, c.digest)
	l.Lost = append(l.Lost, loss)
	if l.OnLost != nil {
		l.OnLost(loss)
	}
}

// event is something that happened to a content.
type event struct {
	what string
	by   string
	path string
}

// storyMax bounds what is remembered of a content.
const storyMax = 12

func (c *content) note(what string, by *Call, path string) {
	e := event{what: what, path: path}
	if by != nil {
		e.by = by.String()
	}
	if len(c.story) == storyMax {
		c.story = append(c.story[:1], c.story[2:]...)
	}
	c.story = append(c.story, e)
}

func (e event) String() string {
	if e.by == "" {
		return e.what + " " + e.path
	}
	return e.what + " " + e.path + " by " + e.by
}
