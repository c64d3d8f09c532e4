package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/pflag"

	rows "github.com/scrimhq/scrim/data/table"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/observe/inventory"
)

// scanFrom says which source is looked at. Only names of secrets are here.
type scanFrom struct {
	postgresEnv, postgresFile     string
	mcp, a2a                      string
	command                       bool
	environment                   []string
	credentialEnv, credentialFile string
	header                        string
}

func (s *scanFrom) flags(f *pflag.FlagSet) {
	f.StringVar(&s.postgresEnv, "postgres-env", "", "environment variable that holds the URL of a PostgreSQL database")
	f.StringVar(&s.postgresFile, "postgres-file", "", "file that holds it, readable by nobody else")
	f.StringVar(&s.mcp, "mcp", "", "address of an MCP server")
	f.StringVar(&s.a2a, "a2a", "", "address of an A2A agent, or of its card")
	f.BoolVar(&s.command, "command", false, "the arguments after -- are the program of an MCP server that speaks over standard input and output")
	f.StringSliceVar(&s.environment, "env", nil, "environment variables that the program gets besides PATH and HOME, by name")
	f.StringVar(&s.credentialEnv, "credential-env", "", "environment variable that holds what the server or agent is shown")
	f.StringVar(&s.credentialFile, "credential-file", "", "file that holds it, readable by nobody else")
	f.StringVar(&s.header, "header", "", "header that carries it (default: Authorization, with Bearer before it)")
}

// scanSource is the one source that flags and arguments name.
func (e *env) scanSource(ctx context.Context, s *scanning, args []string) (inventory.Source, error) {
	f := &s.from
	given := 0
	for _, is := range []bool{f.postgresEnv != "" || f.postgresFile != "", f.mcp != "", f.a2a != "", f.command, len(args) > 0 && !f.command} {
		if is {
			given++
		}
	}
	switch {
	case given == 0:
		return nil, misuse("what is to be looked at? Name files or folders, sqlite:FILE, --postgres-env NAME, --mcp URL, --a2a URL, or --command -- PROGRAM")
	case given > 1:
		return nil, misuse("one source is looked at, and becomes one contract: give files alone, or one of --postgres-env, --postgres-file, --mcp, --a2a and --command")
	}
	switch id := flow.AgentID(s.id); {
	case f.postgresEnv != "" || f.postgresFile != "":
		url, err := secretFrom("the database's URL", f.postgresEnv, f.postgresFile)
		if err != nil {
			return nil, err
		}
		return inventory.Postgres(url), nil
	case f.command:
		return scanProgram(f, id, args)
	case f.mcp != "" || f.a2a != "":
		end, err := f.endpoint()
		if err != nil {
			return nil, err
		}
		open := inventory.MCP
		if f.a2a != "" {
			open = inventory.A2A
		}
		src, err := open(id, end)
		if err != nil {
			return nil, misuse("%v; credentials go into --credential-env or --credential-file", err)
		}
		return src, nil
	}
	return e.scanFiles(args)
}

func (s *scanFrom) endpoint() (inventory.Endpoint, error) {
	end := inventory.Endpoint{URL: s.mcp + s.a2a, Header: s.header}
	if s.credentialEnv == "" && s.credentialFile == "" {
		return end, nil
	}
	secret, err := secretFrom("the credential", s.credentialEnv, s.credentialFile)
	if err != nil {
		return end, err
	}
	if end.Credential = secret; s.header == "" {
		end.Credential = flow.NewSecret("Bearer " + secret.Expose())
	}
	if strings.ContainsAny(secret.Expose(), "\r\n\x00") {
		return end, fmt.Errorf("the credential holds a line end, so that no header can carry it")
	}
	return end, nil
}

// secretFrom reads a secret whose place was named. The error holds neither the name's value nor the secret.
func secretFrom(what, env, file string) (flow.Secret, error) {
	switch {
	case env != "" && file != "":
		return flow.Secret{}, misuse("%s comes from an environment variable or from a file, not from both", what)
	case env != "":
		text := os.Getenv(env)
		if strings.ContainsAny(env, ":/@=") {
			return flow.Secret{}, misuse("give the name of an environment variable that holds %s, not the text itself: other users of this machine can see arguments", what)
		}
		if text == "" {
			return flow.Secret{}, refuse("Set it, and name it again.", "the environment variable %s, which is to hold %s, is not set, or empty", env, what)
		}
		return flow.NewSecret(text), nil
	}
	if strings.Contains(file, "://") {
		return flow.Secret{}, misuse("give the name of a file that holds %s, not the text itself: other users of this machine can see arguments", what)
	}
	f, err := os.Open(file)
	if err != nil {
		return flow.Secret{}, fmt.Errorf("the file that is to hold %s cannot be read: %w", what, underlying(err))
	}
	defer f.Close()
	if stat, err := f.Stat(); err == nil && stat.Mode().IsRegular() && stat.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
		return flow.Secret{}, refuse("chmod 600 "+file, "the file that holds %s can be read by others", what)
	}
	raw, err := io.ReadAll(io.LimitReader(f, 64<<10))
	if err != nil {
		return flow.Secret{}, fmt.Errorf("the file that is to hold %s cannot be read: %w", what, underlying(err))
	}
	text := strings.TrimRight(string(raw), "\r\n")
	if text == "" {
		return flow.Secret{}, fmt.Errorf("the file that is to hold %s is empty", what)
	}
	return flow.NewSecret(text), nil
}

// scanProgram is an MCP server that is a program. It gets the environment that it is given, and its standard error is discarded.
func scanProgram(f *scanFrom, id flow.AgentID, argv []string) (inventory.Source, error) {
	if len(argv) == 0 {
		return nil, misuse("what program is it? Write it after --")
	}
	extra := map[string]flow.Secret{}
	for _, name := range f.environment {
		v, ok := os.LookupEnv(name)
		if !ok {
			return nil, misuse("--env names variables, and one of them is not set")
		}
		extra[name] = flow.NewSecret(v)
	}
	return inventory.MCPProgram(id, filepath.Base(argv[0]), func(ctx context.Context) (inventory.Pipe, error) {
		p, err := run.Start(ctx, argv, extra, nil)
		if err != nil {
			return inventory.Pipe{}, err
		}
		return inventory.Pipe{In: p.In, Out: p.Out, Stop: p.Stop}, nil
	}), nil
}

// scanFiles are the tables in files and folders, or one database file.
func (e *env) scanFiles(args []string) (inventory.Source, error) {
	var files []inventory.Opened
	for _, arg := range args {
		if strings.Contains(arg, "://") {
			return nil, misuse("an address with a password is not given as an argument, which other users of this machine can see; use --postgres-env or --postgres-file, --mcp or --a2a")
		}
		if path, ok := strings.CutPrefix(arg, "sqlite:"); ok {
			if len(args) > 1 {
				return nil, misuse("one database is looked at, and becomes one contract")
			}
			return inventory.SQLite(path), nil
		}
		found, err := e.filesOf(arg, len(args) == 1)
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	name := files[0].Name
	switch stat, err := os.Stat(args[0]); {
	case len(args) == 1 && err == nil && stat.IsDir():
		name = filepath.Clean(args[0])
	case len(args) > 1:
		name = count(len(files), "file")
	}
	return inventory.Files(name, files), nil
}

// filesOf lists the tables in a folder, or the one file.
// They are called by their names alone where these tell them apart.
func (e *env) filesOf(arg string, alone bool) ([]inventory.Opened, error) {
	stat, err := os.Stat(arg)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be opened: %w", nameShown(arg), underlying(err))
	}
	opened := func(path string) inventory.Opened {
		name := path
		if alone {
			name = filepath.Base(path)
		}
		return inventory.Opened{Name: name, Open: func() (rows.Source, error) { return e.openSource(path) }}
	}
	if !stat.IsDir() {
		if form, _ := formOf(arg); form == "" {
			return nil, misuse("%s is not known as a table: give %s", nameShown(arg), tableForms)
		}
		return []inventory.Opened{opened(arg)}, nil
	}
	entries, err := os.ReadDir(arg)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be opened: %w", nameShown(arg), underlying(err))
	}
	var files []inventory.Opened
	for _, f := range entries {
		if form, _ := formOf(f.Name()); form != "" && f.Type().IsRegular() {
			files = append(files, opened(filepath.Join(arg, f.Name())))
		}
	}
	if len(files) == 0 {
		return nil, refuse("Give "+tableForms+".", "%s holds no tables", nameShown(arg))
	}
	return files, nil
}
