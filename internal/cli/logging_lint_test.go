package cli

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestMessagesAreConstants reads every file of the program that could log: the redactor sees attributes alone, so that a message must be
// words of the code, keys must be words of the list, and nothing may log round it, by the standard logger or by the default of slog.
func TestMessagesAreConstants(t *testing.T) {
	seen := 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && (strings.HasPrefix(name, ".") && len(name) > 2 || name == "testdata" || name == "examples" || name == "tools") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		slogged, standard := "", ""
		for _, im := range f.Imports {
			switch im.Path.Value {
			case `"log/slog"`:
				slogged = "slog"
			case `"log"`:
				standard = "log"
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			of, key := receiver(sel.X), 1
			_, plain := sel.X.(*ast.Ident)
			if plain && of == standard && standard != "" && sel.Sel.Name != "New" && sel.Sel.Name != "SetOutput" {
				t.Errorf("%s logs by the standard logger: log.%s", path, sel.Sel.Name)
			}
			switch sel.Sel.Name {
			case "Debug", "Info", "Warn", "Error":
				if plain && of == slogged && slogged != "" {
					t.Errorf("%s logs by the default logger: slog.%s", path, sel.Sel.Name)
				}
			default:
				return true
			}
			if lower := strings.ToLower(of); lower != "log" && lower != "logger" || len(call.Args) == 0 {
				return true
			}
			seen++
			if lit, ok := call.Args[0].(*ast.BasicLit); !ok || lit.Kind != token.STRING {
				t.Errorf("%s logs a message that is no constant", path)
			}
			for ; key < len(call.Args); key += 2 {
				lit, ok := call.Args[key].(*ast.BasicLit)
				if !ok || lit.Kind != token.STRING {
					t.Errorf("%s logs an attribute whose key is no constant", path)
					continue
				}
				if name, _ := strconv.Unquote(lit.Value); !logged[name] {
					t.Errorf("%s logs %q, which is withheld", path, name)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 20 {
		t.Errorf("%d lines of the log were found", seen)
	}
}

// receiver is the last name of what a method is called on.
func receiver(x ast.Expr) string {
	switch x := x.(type) {
	case *ast.Ident:
		return x.Name
	case *ast.SelectorExpr:
		return x.Sel.Name
	}
	return ""
}
