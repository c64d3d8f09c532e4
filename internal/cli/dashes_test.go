package cli

import (
	"context"
	"io"
	"slices"
	"testing"

	"github.com/spf13/cobra"
)

// An id is an argument, whatever it begins with.
func TestAnIDMayBeginWithADash(t *testing.T) {
	const id = "-KRqOmO3JeAAFyUiw_rg_IMNTPTWIC81bXWkHbuuWkY"
	for _, c := range []struct{ args, want []string }{
		{[]string{"take", "n-1", id}, []string{"n-1", id, "no", ""}},
		{[]string{"take", id, "n-1", "--on"}, []string{id, "n-1", "yes", ""}},
		{[]string{"take", "--of", id, "n-1", "x"}, []string{"n-1", "x", "no", id}},
		{[]string{"take", "--of=" + id, id, "x"}, []string{id, "x", "no", id}},
		{[]string{"take", "--", id, "x"}, []string{id, "x", "no", ""}},
	} {
		var got []string
		e := &env{in: nil, out: io.Discard, err: io.Discard}
		var on bool
		var of string
		take := e.command("take A B", "", "", cobra.ExactArgs(2), func(_ context.Context, args []string) error {
			got = append(slices.Clone(args), map[bool]string{true: "yes", false: "no"}[on], of)
			return nil
		})
		take.Flags().BoolVar(&on, "on", false, "")
		take.Flags().StringVar(&of, "of", "", "")
		root := &cobra.Command{Use: "scrim"}
		root.AddCommand(take)
		root.SetArgs(shielded(c.args))
		if err := root.Execute(); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%q: got %q, %v; want %q", c.args, got, err, c.want)
		}
	}
	if got := shielded([]string{"take", "-x", "--on", id[:42], id + "a"}); got[1] != "-x" || got[3] != id[:42] || got[4] != id+"a" {
		t.Errorf("what is no id was marked: %q", got)
	}
}
