package cli_test

import (
	"bufio"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/scrimhq/scrim/privacy/dp/noise"
)

// counter is a mechanism as somebody might write it who wants it audited (docs/spec/dp-audit.md): a count with noise of scale 1.
// Its pair "rows" are datasets in which one person has three rows that it forgets to bound. Of "none" it answers nothing, and after "talk" it
// writes a line that nobody asked for.
func counter() {
	law, err := noise.NewDiscreteLaplace(noise.Ratio{Num: 1, Den: 1})
	if err != nil {
		os.Exit(1)
	}
	source := noise.NewSource()
	talk := false
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		var q struct {
			Pair, Data string
			N          int
		}
		if json.Unmarshal(in.Bytes(), &q) != nil {
			os.Exit(1)
		}
		count := int64(100)
		switch {
		case q.Data == "b" && q.Pair == "rows":
			count += 3
		case q.Data == "b":
			count++
		}
		talk = q.Pair == "talk"
		answers := make([]string, q.N)
		for i := range answers {
			answers[i] = fmt.Sprint(noise.Release(source, count, law))
			if q.Pair == "none" {
				answers[i] = "null"
			}
		}
		fmt.Println(strings.Join(answers, " "))
	}
	if talk {
		fmt.Println("that was all")
	}
}

// spoil FILE SQL writes to the database of a stopped gateway, as somebody could who has the disk and not the keys.
func spoil(ts *testscript.TestScript, _ bool, args []string) {
	db, err := sql.Open("sqlite", "file:"+ts.MkAbs(args[0]))
	ts.Check(err)
	defer db.Close()
	_, err = db.Exec(args[1])
	ts.Check(err)
}
