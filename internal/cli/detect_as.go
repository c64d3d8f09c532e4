package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/privacy/detect"
)

// findAs finds what is in an input that is what as says; "" looks what it is.
func (c *chosen) findAs(ctx context.Context, as string, args []string, text string) ([]detect.Finding, error) {
	if as == "json" || as == "" && looksJSON(text) {
		found, err := c.findJSON(ctx, text)
		if wrong, ok := errors.AsType[*json.Error](err); ok {
			if as == "json" {
				return nil, fmt.Errorf("the input is not JSON, nor lines of it: %w", wrong)
			}
		} else {
			return c.asked(found), err
		}
	}
	found, err := c.engine.Find(ctx, text, nil)
	if err != nil {
		return nil, err
	}
	if as != "text" {
		found = c.engine.Columns(text, found, as == "csv" || isTable(args))
	}
	return c.asked(found), nil
}

func looksJSON(text string) bool {
	text = strings.TrimLeft(text, " \t\r\n")
	return text != "" && (text[0] == '{' || text[0] == '[')
}

func isTable(args []string) bool {
	if len(args) == 0 {
		return false
	}
	switch strings.ToLower(filepath.Ext(args[0])) {
	case ".csv", ".tsv":
		return true
	}
	return false
}

// inputLimits are for files of one's own.
var inputLimits = json.Limits{Bytes: 1 << 30, Nodes: 20_000_000}

// findJSON takes a document, or lines of them.
func (c *chosen) findJSON(ctx context.Context, text string) ([]detect.Finding, error) {
	found, err := c.engine.FindJSON(ctx, []byte(text), inputLimits, nil)
	wrong, ok := errors.AsType[*json.Error](err)
	if !ok {
		return found, err
	}
	src := []byte(text)
	for at := 0; at < len(src); {
		end := len(src)
		if i := bytes.IndexByte(src[at:], '\n'); i >= 0 {
			end = at + i
		}
		if line := bytes.TrimSpace(src[at:end]); len(line) > 0 {
			more, err := c.engine.FindJSON(ctx, src[at:end], inputLimits, nil)
			if err != nil {
				if end == len(src) && at == 0 {
					return nil, wrong
				}
				if inner, ok := errors.AsType[*json.Error](err); ok {
					return nil, &json.Error{Offset: at + inner.Offset, Err: inner.Err}
				}
				return nil, err
			}
			for _, f := range more {
				f.Start, f.End = f.Start+at, f.End+at
				found = append(found, f)
			}
		}
		at = end + 1
	}
	return found, nil
}
