package detect

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// columnsOf returns what is found in a table, as label=value.
func columnsOf(t *testing.T, text string, whole bool) []string {
	t.Helper()
	e := engine(t)
	found, err := e.Find(ctx, text, nil)
	if err != nil {
		t.Fatal(err)
	}
	found = e.Columns(text, found, whole)
	var out []string
	end := 0
	for _, f := range found {
		if f.Start < end || f.End <= f.Start {
			t.Fatalf("findings overlap or are empty: %v", found)
		}
		end = f.End
		out = append(out, string(f.Label)+"="+text[f.Start:f.End])
	}
	return out
}

func TestHeadersSayWhatColumnsHold(t *testing.T) {
	const id, born = "government-id/ssn=", "person/birth-date="
	for _, tt := range []struct {
		name, text string
		whole      bool
		want       []string
	}{
		{"comma", "id,ssn\n7,078051120\n8,219099998\n", true, []string{id + "078051120", id + "219099998"}},
		{"semicolon", "name;x\nLi Wei;1\n", true, []string{"person/name=Li Wei"}},
		{"tab", "name\tx\nLi Wei\t1\n", true, []string{"person/name=Li Wei"}},
		{"bars of Markdown", "A list:\n\n| name | x |\n|---|---|\n| Li Wei | 1 |\n", false, []string{"person/name=Li Wei"}},
		{"quotes", "\"name\",\"x\"\r\n\"Li, Wei\",1\r\n", true, []string{"person/name=Li, Wei"}},
		{"a line end in quotes", "x,ssn\n\"a\nb\",078051120\n", true, []string{id + "078051120"}},
		{"one column", "ssn\n078051120\n", true, []string{id + "078051120"}},
		{"a mark in front", "\ufeffssn,x\n078051120,1\n", true, []string{id + "078051120"}},
		{"a word for spreadsheets in front", "sep=;\nssn;x\n078051120;1\n", true, []string{id + "078051120"}},
		{"ragged lines of a file", "x,ssn\n1,078051120,3,4\n2,219099998\n", true, []string{id + "078051120", id + "219099998"}},
		{"quotes that never end", "x,ssn\n\"a,078051120\n2,219099998\n", true, []string{id + "078051120", id + "219099998"}},
		{"within prose", "Here it is.\n\nname,ssn\nLi Wei,078051120\n\nThat was it.", false, []string{"person/name=Li Wei", id + "078051120"}},
		{"two tables", "name;x\nLi Wei;1\n\nssn;y;z\n078051120;1;2\n", false, []string{"person/name=Li Wei", id + "078051120"}},
		{"a birth date is more than a date", "dob,x\n1980-03-01,1\n", true, []string{born + "1980-03-01"}},
		{"never milder", "name,x\n219-09-9998,1\n", true, []string{id + "219-09-9998"}},
		{"what is found stays", "name,x\nLi 219-09-9998,1\n", true, []string{id + "219-09-9998"}},
		{"cells that cannot be it", "ssn,x\nnone,1\nn/a,2\n", true, nil},
		{"prose with commas", "The team met, the room was full,\nand they talked, one by one, at length.", false, nil},
		{"parts of it are one thing", "phone,x\n+44 20 7946 0958 / +44 20 7946 0959,1\n", true, []string{"person/contact/phone=+44 20 7946 0958 / +44 20 7946 0959"}},
		{"no header", "7,078051120\n8,219099998\n", true, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := columnsOf(t, tt.text, tt.whole); !slices.Equal(got, tt.want) {
				t.Errorf("Columns() = %q, want %q", got, tt.want)
			}
		})
	}
}

// Whatever a table is made of, it takes time in proportion to it.
func TestTablesTakeLinearTime(t *testing.T) {
	e := engine(t)
	for name, unit := range map[string]string{
		"quotes that never end": "\"a,", "quotes in lines": "x,\"ssn\n", "headers": "name,ssn\n", "headers without lines": "name,ssn\n\n", "marks": ",", "lines": "\n", "bars": "|name|ssn|\n|",
		"quotes that begin again": "a\",b,\"\n", "long ones": "a\"," + strings.Repeat("b,", 20) + "ssn,\"\n",
		"returns": "\r", "spaces": " ", "cells": "name,",
	} {
		t.Run(name, func(t *testing.T) {
			for _, whole := range []bool{true, false} {
				text := "name,ssn\n" + strings.Repeat(unit, 1<<20/len(unit))
				if took := timed(t, func() { e.Columns(text, nil, whole) }); took > 20*time.Second {
					t.Errorf("a MiB took %v", took)
				}
			}
		})
	}
}

// A column does not take what stands in for a value for one.
func TestColumnsLeaveStandIns(t *testing.T) {
	e, text := engine(t), "name,address\n[person mark],[address 3]\n[Person b5c2],[address x y]\n"
	found := e.Columns(text, nil, true)
	if len(found) != 1 || text[found[0].Start:found[0].End] != "address x y" {
		t.Errorf("Columns() = %+v", found)
	}
}

func FuzzColumns(f *testing.F) {
	for _, s := range []string{"name,ssn\nLi Wei,078051120\n", "\"name\";\"x\"\r\n\"a\"\"b\";1", "|name|x|\n|-|-|\n|Li|1|", "x,ssn\n\"a,078051120\n", "dob\t\n1980-03-01\t"} {
		f.Add(s, true)
		f.Add(s, false)
	}
	e, err := New(Options{FormsOnly: true})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string, whole bool) {
		found, err := e.Find(ctx, text, nil)
		if err != nil {
			t.Fatal(err)
		}
		before := slices.Clone(found)
		after := e.Columns(text, found, whole)
		end := 0
		for _, a := range after {
			if a.Start < end || a.End <= a.Start || a.End > len(text) {
				t.Fatalf("%v is out of place", a)
			}
			end = a.End
		}
		for _, b := range before {
			i := slices.IndexFunc(after, func(a Finding) bool { return a.Start <= b.Start && a.End >= b.End })
			if i < 0 || e.tax.Stricter(b.Label, after[i].Label) != after[i].Label && b.Label != after[i].Label {
				t.Fatalf("%v became milder or went away", b)
			}
		}
	})
}
