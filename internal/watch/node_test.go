package watch

import (
	"fmt"
	"testing"
)

func TestNode(t *testing.T) {
	root := &node[int]{}
	a, b := &node[int]{}, &node[int]{}
	root.attach(a, "a")
	a.attach(b, "b")
	for i := range 3 * fewChildren {
		b.attach(&node[int]{val: i}, fmt.Sprint(i))
	}
	if n := root.find("a/b/40"); n == nil || n.val != 40 || n.path() != "a/b/40" {
		t.Fatalf("find: %+v", n)
	}
	if root.find("") != root || root.find("a/c") != nil || root.path() != "" {
		t.Error("find of the root, or of nothing")
	}
	b.detach()
	if root.find("a/b") != nil || !a.leaf() || b.top() != b {
		t.Error("detached, and still there")
	}
	root.attach(b, "c")
	if n := root.find("c/7"); n == nil || n.path() != "c/7" {
		t.Error("moved, and what is below did not follow")
	}
	count := 0
	root.each(func(*node[int]) { count++ })
	if count != 3+3*fewChildren {
		t.Errorf("%d nodes", count)
	}
	for i := range 3 * fewChildren {
		root.find(fmt.Sprint("c/", i)).detach()
	}
	if !b.leaf() {
		t.Error("children are left")
	}
}
