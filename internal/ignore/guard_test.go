package ignore

import "testing"

// F10: names that some file system takes for a guarded one are guarded.
func TestGuard(t *testing.T) {
	for path, want := range map[string]string{
		".git/config": ".git", "a/.GIT/hooks/x": ".git", ".g\u200cit": ".git", "GIT~1/config": ".git", ".git ./x": ".git", ".git::$INDEX_ALLOCATION/config": ".git",
		".vscode/tasks.json": ".vscode/tasks.json", "sub/.VSCode/TASKS.json": ".vscode/tasks.json", "VSCODE~1/TASKS~1.JSO": ".vscode/tasks.json",
		".vscode/extensions.json": "", ".vscode": "", "vscode/tasks.json": "", ".vscode/sub/tasks.json": "",
		"VSCODE~1/tasks.json": ".vscode/tasks.json", "vscode~2/settin~1.jso": ".vscode/settings.json", ".vscode/launch.json. ": ".vscode/launch.json",
		".idea/x/y": ".idea", ".devcontainer/devcontainer.json": ".devcontainer", "devcon~1/x": ".devcontainer",
		".envrc": ".envrc", "a/b/.Envrc": ".envrc", ".envrc.sample": "", "ENVRC~1": ".envrc", ".envrc\u2060": ".envrc",
		".husky": ".husky", ".npmrc": ".npmrc", ".cargo/config": ".cargo/config*", ".cargo/config.toml": ".cargo/config*", ".cargo/credentials": "", "CARGO~1/CONFIG": ".cargo/config*",
		"my.code-workspace": "*.code-workspace", "my.CODE-Workspace ": "*.code-workspace", ".code-workspace": "*.code-workspace", "my.code-workspace.txt": "",
		".ssh/id_rsa": ".ssh", ".aws/credentials": ".aws",
		"": "", "main.go": "", "git": "", "src/idea/x": "", ".gitignore": "", ".github/workflows/x.yml": "", "a~1": "",
	} {
		got := ""
		if n := Guard(path, false); n != nil {
			got = n.Text
		}
		if got != want {
			t.Errorf("%q is guarded as %q, want %q", path, got, want)
		}
	}
	// Through a link the files in another folder would be the guarded ones.
	for path, want := range map[string]bool{".vscode": true, "a/.Cargo": true, "vscode": false, ".vscode/x": false} {
		if got := Guard(path, true) != nil; got != want {
			t.Errorf("a link at %q is guarded: %v", path, got)
		}
	}
}
