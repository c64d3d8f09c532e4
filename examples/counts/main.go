// Command counts is an MCP server with one tool, which says how many lines of a file are a given word, with noise. It stands
// for whatever holds data about people: the gateway in front of it keeps the account of what its answers tell.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/scrimhq/scrim/privacy/dp/noise"
)

func main() { // counts FILE, or counts -audit
	if len(os.Args) != 2 {
		log.Fatal("counts FILE serves a tool about the lines of a file over standard input and output; counts -audit answers scrim dp audit")
	}
	if err := serve(context.Background(), os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func serve(ctx context.Context, file string) error {
	c, err := newCounts()
	if err != nil {
		return err
	}
	if file == "-audit" {
		return c.audit(os.Stdin, os.Stdout)
	}
	if c.lines, err = os.ReadFile(file); err != nil {
		return err
	}
	return c.server().Run(ctx, &mcp.StdioTransport{})
}

// counts holds one line for each person.
type counts struct {
	lines  []byte
	source *noise.Source
	law    noise.DiscreteLaplace
}

// newCounts draws noise of scale 4: one person changes a count by 1, so each answer costs ε = 1/4.
func newCounts() (*counts, error) {
	law, err := noise.NewDiscreteLaplace(noise.Ratio{Num: 4, Den: 1})
	return &counts{source: noise.NewSource(), law: law}, err
}

func (c *counts) server() *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "counts", Version: "1"}, nil)
	mcp.AddTool(s, &mcp.Tool{Name: "count", Description: "How many people have a diagnosis, with noise."}, c.count)
	return s
}

type query struct {
	Diagnosis string `json:"diagnosis"`
}

type answer struct {
	Count int64 `json:"count"`
}

func (c *counts) count(_ context.Context, _ *mcp.CallToolRequest, q query) (*mcp.CallToolResult, answer, error) {
	var n int64
	for line := range bytes.Lines(c.lines) {
		if string(bytes.TrimSpace(line)) == q.Diagnosis {
			n++
		}
	}
	return nil, answer{c.release(n)}, nil
}

// release adds noise last, in integers.
func (c *counts) release(n int64) int64 {
	return noise.Release(c.source, n, c.law)
}

// audit draws answers on two neighbouring datasets, a without and b with one person, as docs/spec/dp-audit.md has it.
func (c *counts) audit(in io.Reader, out io.Writer) error {
	w, asked := bufio.NewWriter(out), json.NewDecoder(in)
	for {
		var ask struct {
			Data string `json:"data"`
			N    int    `json:"n"`
		}
		if err := asked.Decode(&ask); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		var n int64
		if ask.Data == "b" {
			n = 1
		}
		for range ask.N {
			fmt.Fprint(w, c.release(n), " ")
		}
		fmt.Fprintln(w)
		if err := w.Flush(); err != nil {
			return err
		}
	}
}
