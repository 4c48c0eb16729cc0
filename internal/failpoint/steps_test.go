//go:build linux

package failpoint

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// elsewhere are the sites that no scenario of two real processes reaches for sure,
// and the tests that kill or fail there.
var elsewhere = map[string]string{
	"put.back":     "disk: TestRaces, TestCrashAtEveryStep: a save lost a race",
	"put.newest":   "disk: TestRaces, TestCrashAtEveryStep: a save lost a race twice",
	"recover.back": "disk: TestRecoverDeletedAfterGap: a file system without exchange",
	"stray.rename": "disk: TestLateWriteIsAStray, TestStraysOutliveSessions: a late write",
	"slot.up":      "disk: TestRecoverOtherStageFirst: another stage folder",
	"keep.back":    "keep: TestCrashEverywhere: taking in fails",
	"keep.evict":   "keep: TestCrashEverywhere: the store is full",
	"keep.log.new": "keep: TestCrashEverywhere: the log is written anew",
	"keep.log.put": "keep: TestCrashEverywhere: the log is written anew",
	"keep.log.dir": "keep: TestCrashEverywhere: the log is written anew",

	// Of twosync undo, which runs beside sessions: nobody is killed there yet.
	"putback.mkdir": "host: TestScripts/undo does it",
	"putback.stage": "host: TestScripts/undo does it",
	"putback.swap":  "host: TestScripts/undo does it",
	"putback.back":  "host: TestScripts/undo does it",
	"putback.drop":  "host: TestScripts/undo does it",
	"putback.sync":  "host: TestScripts/undo does it",
}

// site is how a site is written down in the code.
var site = regexp.MustCompile(`fsx\.Site\s*=\s*"([a-z.]+)"`)

// unreached fails the test for each site of the program that nobody was killed at.
func unreached(t *testing.T, seen map[string]bool) {
	t.Helper()
	reached := make(map[string]bool)
	for step := range seen {
		f := strings.Fields(step)
		reached[f[1]] = true
	}
	t.Logf("%d steps at %d sites", len(seen), len(reached))
	for _, name := range sites(t) {
		if _, known := elsewhere[name]; !reached[name] && !known {
			t.Errorf("no scenario reaches %s", name)
		}
	}
}

// sites are all that the program names.
func sites(t *testing.T) (names []string) {
	t.Helper()
	for _, top := range []string{"..", "../../host", "../../agent"} {
		err := filepath.WalkDir(top, func(p string, d fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") {
				return err
			}
			text, err := os.ReadFile(p)
			for _, m := range site.FindAllStringSubmatch(string(text), -1) {
				names = append(names, m[1])
			}
			return err
		})
		must(t, err)
	}
	return names
}
