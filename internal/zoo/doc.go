// Package zoo has defects that nobody wants, and a test that plants them one at a
// time and sees whether the tests find each of them. One that they do not find says
// that they would not find it either where somebody made it by mistake.
//
// A defect is a file in testdata: what is wrong, which searches are to find it, and
// the edits that plant it. The sources stay as they are: the go command is told to
// read others in their place (go help build, -overlay).
//
// In testdata/missed are those that no search was seen to find yet: for each, the
// search is to be mended, and then it moves up.
package zoo
