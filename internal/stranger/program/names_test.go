package program_test

import "github.com/scrimhq/scrim/internal/stranger/program"

type report = program.Report

const (
	done   = program.Done
	failed = program.Failed
	misuse = program.Misuse
)
