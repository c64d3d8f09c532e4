package cli

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"testing"
)

// TestWhatIsLoggedIsListed: an operator is told what the program means to say, and not that it was withheld.
func TestWhatIsLoggedIsListed(t *testing.T) {
	files, err := filepath.Glob("../run/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal("there is nothing to look at", err)
	}
	levels, seen := map[string]bool{"Debug": true, "Info": true, "Warn": true, "Error": true}, 0
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) < 3 {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || !levels[sel.Sel.Name] {
				return true
			}
			if of, ok := sel.X.(*ast.Ident); ok && of.Name == "http" { // an answer, not a line of the log
				return true
			}
			for i := 1; i < len(call.Args); i += 2 {
				lit, ok := call.Args[i].(*ast.BasicLit)
				if !ok || lit.Kind != token.STRING {
					continue
				}
				if key, _ := strconv.Unquote(lit.Value); !logged[key] {
					t.Errorf("%s logs %q, which is withheld", filepath.Base(name), key)
				}
				seen++
			}
			return true
		})
	}
	if seen < 10 {
		t.Errorf("%d attributes were found", seen)
	}
}
