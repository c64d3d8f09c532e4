package config

import (
	"fmt"
	"strings"
)

// Handles is how parts of messages go by reference.
type Handles struct {
	URL       string   `yaml:"url" doc:"URL under which recipients redeem handles, where that is another than public_url." pattern:"url"`
	Life      Duration `yaml:"life" doc:"How long a handle lasts of which neither policy nor its sender says so. None outlasts its task's memory." default:"15m" min:"1s"`
	Uses      int      `yaml:"uses" doc:"How often a handle is redeemed; its sender may name fewer. 0: until it expires." min:"0" max:"1000000"`
	Bytes     Size     `yaml:"bytes" doc:"Bytes of all parts that are kept; what was redeemed of them may take as much again." default:"256MiB" min:"1MiB"`
	TaskBytes Size     `yaml:"task_bytes" doc:"Bytes of the parts of one task." default:"32MiB" min:"64KiB"`
	Unmarked  bool     `yaml:"ignore_marks" doc:"What senders mark does not go by reference for that."`
}

// ByReference is which parts of an agent's own messages go by reference.
type ByReference struct {
	Over  Size     `yaml:"over" doc:"Parts that take more bytes of their message. Absent: none for its size."`
	Media []string `yaml:"media" doc:"Parts of these media types, such as application/pdf, or image/* for all of a kind."`
}

// handles checks what goes by reference.
func (v *validator) handles() {
	for i := range v.c.Agents {
		for j, m := range v.c.Agents[i].ByReference.Media {
			kind, rest, ok := strings.Cut(m, "/")
			if !ok || kind == "" || rest == "" || m != strings.ToLower(m) || strings.ContainsAny(m, "; ") || strings.Contains(kind, "*") || strings.Contains(rest, "*") && rest != "*" {
				v.wrong(fmt.Sprintf("agents/%d/by_reference/media/%d", i, j), "in lower case and without parameters, such as application/pdf or image/*", "not a media type")
			}
		}
	}
	if url := v.c.Handles.URL; strings.HasSuffix(url, "/") {
		v.wrong("handles/url", "leave it out", "there is a slash at its end")
	}
}
